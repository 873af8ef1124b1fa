#!/usr/bin/env bash
# compile_headers.sh INCLUDE_DIR C_COMPILER CXX_COMPILER: every public header by itself and twice, without a warning; rapt.h and
# engine.h as C11 and C++17, rapt.hpp and engine.hpp as C++17 and C++20, each also as a newer standard.
set -euo pipefail
include=$1 c=$2 cxx=$3
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror -fsyntax-only)
status=0

# check LANGUAGE STANDARD HEADER COMPILER...
check() {
  local language=$1 standard=$2 header=$3
  shift 3
  if printf '#include <rapt/%s>\n#include <rapt/%s>\n' "$header" "$header" |
    "$@" -x "$language" "-std=$standard" "${warnings[@]}" -I "$include" -; then
    printf '%s as %s\n' "$header" "$standard"
  else
    status=1
  fi
}

for header in rapt.h engine.h; do
  for standard in c11 c17; do check c $standard $header "$c"; done
  for standard in c++17 c++20; do check c++ $standard $header "$cxx"; done
done
for header in rapt.hpp engine.hpp; do
  for standard in c++17 c++20; do check c++ $standard $header "$cxx"; done
done
exit "$status"
