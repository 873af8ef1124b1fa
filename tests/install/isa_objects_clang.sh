#!/usr/bin/env bash
# isa_objects_clang.sh SOURCE_DIR BUILD_DIR CLANG: the check of isa_objects.sh on what Clang makes of the same files, without warnings.
set -euo pipefail
source=$1 build=$2 clang=$3
"${CMAKE:-cmake}" -S "$source" -B "$build" -G Ninja -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DRAPT_ENGINE=OFF -DRAPT_TESTS=OFF -DRAPT_BENCH=OFF -DRAPT_WITH_OPENMP=OFF \
  -DRAPT_WITH_ONEDNN=OFF
"${CMAKE:-cmake}" --build "$build" --target rapt
exec bash "$(dirname "$0")/isa_objects.sh" "$build"
