#!/usr/bin/env bash
# isa_objects.sh BUILD_DIR: the object of each ISA level defines one symbol that others can see, its descriptor, and has no static
# initialiser. Weak symbols count: the linker may keep this object's copy for everybody, and then an older CPU crashes.
set -euo pipefail
build=$1
status=0
shopt -s nullglob
objects=("$build"/kernels/CMakeFiles/rapt_isa_*.dir/isa/*.o)
if ((${#objects[@]} == 0)); then
  echo "no ISA object under $build/kernels"
  exit 1
fi
for object in "${objects[@]}"; do
  level=$(basename "$object" .cpp.o)
  symbols=$(nm -C --defined-only --extern-only "$object" | cut -d' ' -f2-)
  if [[ $(wc -l <<<"$symbols") -ne 1 || $symbols != *"rapt::isa_$level" ]]; then
    printf '%s: must define rapt::isa_%s alone, but defines:\n%s\n' "$object" "$level" "$symbols"
    status=1
  elif readelf -SW "$object" | grep -qE '\.(init_array|ctors)'; then
    printf '%s: has a static initialiser\n' "$object"
    status=1
  else
    printf '%s: %s alone\n' "$level" "$symbols"
  fi
done
exit "$status"
