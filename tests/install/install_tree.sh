#!/usr/bin/env bash
# install_tree.sh BUILD_DIR TREE [RAPT_FETCH]: installs BUILD_DIR and moves the result to TREE, so that whatever uses TREE shows that it can be
# moved; the command in it runs and, where the build has rapt-fetch, finds it.
set -euo pipefail
build=$1 tree=$2 fetch=${3:-}
rm -rf "$tree" "$tree.before"
"${CMAKE:-cmake}" --install "$build" --prefix "$tree.before" >/dev/null
mv "$tree.before" "$tree"
(cd "$tree" && find . -type f -o -type l | sort)
if [[ -x $tree/bin/rapt ]]; then "$tree/bin/rapt" --version; fi
if [[ $fetch ]]; then
  cache=$tree.cache  # with a model in it, which is then not fetched
  mkdir -p "$cache/minilm"
  [[ $("$tree/bin/rapt" fetch minilm --folder "$cache") == "$cache/minilm" ]]
fi
