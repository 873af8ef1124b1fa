#!/usr/bin/env bash
# by_cmake.sh WAY BUILD_DIR CMAKE_OPTION...: builds the consumers afresh in one of the ways of consumer/CMakeLists.txt, and runs them.
set -euo pipefail
way=$1 build=$2
shift 2
rm -rf "$build"
"${CMAKE:-cmake}" -S "$(dirname "$0")/consumer" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DWAY="$way" "$@"
"${CMAKE:-cmake}" --build "$build"
"${CTEST:-ctest}" --test-dir "$build" --output-on-failure --no-tests=error
