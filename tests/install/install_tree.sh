#!/usr/bin/env bash
# install_tree.sh BUILD_DIR TREE: installs BUILD_DIR and moves the result to TREE, so that whatever uses TREE shows that it can be
# moved; the command in it runs.
set -euo pipefail
build=$1 tree=$2
rm -rf "$tree" "$tree.before"
"${CMAKE:-cmake}" --install "$build" --prefix "$tree.before" >/dev/null
mv "$tree.before" "$tree"
(cd "$tree" && find . -type f -o -type l | sort)
if [[ -x $tree/bin/rapt ]]; then "$tree/bin/rapt" --version; fi
