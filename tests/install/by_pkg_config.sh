#!/usr/bin/env bash
# by_pkg_config.sh TREE WORK_DIR ENGINE: builds the consumers by hand with what pkg-config says, shared and static, and runs them.
set -euo pipefail
tree=$1 work=$2 engine=$3
source=$(dirname "$0")/consumer
PKG_CONFIG_PATH=$(dirname "$(find "$tree" -name rapt.pc)")
export PKG_CONFIG_PATH
rm -rf "$work"
mkdir -p "$work"

# consume COMPILER SOURCE PACKAGE: the words of pkg-config are meant to be split.
# shellcheck disable=SC2046
consume() {
  local compiler=$1 file=$2 package=$3 name libdir
  name=$work/${file%.*}_$package
  libdir=$(pkg-config --variable=libdir "$package")
  "$compiler" "$source/$file" $(pkg-config --cflags "$package") $(pkg-config --libs "$package") -Wl,-rpath,"$libdir" -o "${name}_shared"
  # Both kinds are installed; -l:lib....a takes the static one.
  "$compiler" "$source/$file" $(pkg-config --cflags "$package") \
    $(pkg-config --static --libs "$package" | sed "s/-l$package\b/-l:lib$package.a/") -o "${name}_static"
  if readelf -d "${name}_static" | grep -q "NEEDED.*librapt"; then
    echo "${name}_static: links the shared library"
    exit 1
  fi
  "${name}_shared"
  "${name}_static"
}

consume "${CC:-cc}" attention.c rapt
consume "${CXX:-c++}" attention.cpp rapt
if [[ $engine == ON ]]; then consume "${CC:-cc}" engine.c rapt_engine; fi
