#!/usr/bin/env bash
# run_example.sh HEADER STANDARD COMPILER LIBRARY WORK: takes the first example out of the header's comment as it stands, puts it into
# main(), compiles it without a warning against the library and runs it. Only the values of the
# tensors are changed, to some that show in the result.
set -euo pipefail
header=$1 standard=$2 compiler=$3 library=$4 work=$5
mkdir -p "$work"

# The first run of comment lines that are indented as code.
example=$(awk '
  { code = /^( \*     |\/\/   )/ }
  code { sub(/^( \*     |\/\/   )/, ""); print; seen = 1; next }
  seen { exit }' "$header")
if [[ $(wc -l <<<"$example") -lt 3 ]]; then
  echo "no example in $header"
  exit 1
fi

# With V all of one value, so is the output.
if [[ $header == *.h ]]; then
  example=${example/float q/static float q}
  example=${example/'// fill q, k and v'/'for (int i = 0; i < 2*4*8*64; ++i) v[i] = 2.0f;'}
  right='o[0] == 2.0f && o[2*4*8*64 - 1] == 2.0f'
else
  example=${example/'v(q)'/'v(q.size(), 2.0f)'}
  right='o.front() == 2.0f && o.back() == 2.0f'
fi
case $standard in
  c11) source=$work/example.c language=c ;;
  *) source=$work/example.cpp language=c++ ;;
esac
cat >"$source" <<EOF
#include <stdio.h>
#include "rapt/$(basename "$header")"
int main(void) {
$example
  return !rapt_last_error()[0] && $right ? 0 : 1;
}
EOF
"$compiler" -x "$language" "-std=$standard" -Wall -Wextra -Wpedantic -Werror -O2 -I "$(dirname "$header")/.." "$source" -x none \
  "$library" -Wl,-rpath,"$(dirname "$library")" -o "$work/example"
output=$("$work/example")
if [[ -n $output ]]; then
  printf 'the example printed: %s\n' "$output"
  exit 1
fi
echo "$standard: $(wc -l <<<"$example") lines of $(basename "$header") compile and run"
