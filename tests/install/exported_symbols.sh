#!/usr/bin/env bash
# exported_symbols.sh INCLUDE_DIR LIBRARY...: a shared library exports every function that its headers declare, and nothing else.
set -euo pipefail
include=$1
shift

# The functions that headers mark RAPT_API, one a line; a declaration may run over several lines.
declared() { cat "$@" | tr '\n' ' ' | grep -oE 'RAPT_API [^;()]*\(' | grep -oE 'rapt_[a-z0-9_]+\($' | tr -d '(' | sort -u; }

status=0
for library in "$@"; do
  headers=("$include/rapt.h")
  case $(basename "$library") in librapt_engine*) headers+=("$include/engine.h") ;; esac
  exported=$(nm -D --defined-only "$library" | awk '{print $3}' | sed 's/@.*//' | sort -u)
  difference=$(diff <(declared "${headers[@]}") <(printf '%s\n' "$exported") | grep '^[<>]' || true)
  if [[ -n $difference ]]; then
    printf '%s: "<" is declared but not exported, ">" is exported but not declared:\n%s\n' "$library" "$difference"
    status=1
  else
    printf '%s: %d symbols, as declared\n' "$library" "$(wc -l <<<"$exported")"
  fi
done
exit "$status"
