#!/usr/bin/env bash
# run_readme.sh README COMPILER LIBRARY WORK: compiles the first C++ block of the README as it stands and compares what it prints with
# the comment behind its printf.
set -euo pipefail
readme=$1 compiler=$2 library=$3 work=$4
mkdir -p "$work"
awk '/^```cpp$/ { code = 1; next } /^```$/ { if (code) exit } code' "$readme" >"$work/readme.cpp"
expected=$(sed -n 's|.*std::printf(.*// *||p' "$work/readme.cpp")
if [[ -z $expected ]]; then
  echo "the README's first C++ block has no std::printf with the expected output behind it"
  exit 1
fi
"$compiler" -std=c++20 -Wall -Wextra -Wpedantic -Werror -O2 -I "$(dirname "$readme")/include" "$work/readme.cpp" "$library" \
  -Wl,-rpath,"$(dirname "$library")" -o "$work/readme"
printed=$("$work/readme")
if [[ $printed != "$expected" ]]; then
  printf 'the README says %s, its program prints %s\n' "$expected" "$printed"
  exit 1
fi
echo "the README's $(wc -l <"$work/readme.cpp") lines of C++ print $printed"
