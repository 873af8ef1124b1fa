# What tools/demo and tools/test share: the set-up of a fresh Debian 12 machine, and numbered steps with quiet logs.
# Sourced, not run. Nothing here asks a question.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
cd "$root" || exit 1
mkdir -p "$logs"

jobs=$(nproc)

# Colours and lines that are written over only where a person looks on.
if [[ -t 1 && ${TERM:-dumb} != dumb ]]; then
  terminal=1 bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m' erase=$'\r\e[K'
else
  terminal='' bold='' red='' green='' plain='' erase=''
fi

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# --- Steps -----------------------------------------------------------------------------------------------------------
# step TITLE LOG COMMAND...: one numbered line on the screen, the command's output in build/logs/LOG.log. Returns the
# command's status; a failure shows the end of the log. Set steps_total first. COMMAND may be a function, but `set -e` does not
# work inside it, because its status is looked at: such functions join their commands by && or end them with || return.
steps_total=0
step_number=0

step() {
  local title=$1 log=$logs/$2.log start=$SECONDS status=0 head watcher=''
  shift 2
  step_number=$((step_number + 1))
  head=$(printf '[%d/%d] %-52s' "$step_number" "$steps_total" "$title")
  printf '%s' "$head"
  if [[ $terminal ]]; then
    watch_log "$head" "$log" &
    watcher=$!
  fi
  "$@" >"$log" 2>&1 || status=$?
  if [[ $watcher ]]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    printf '%s%s' "$erase" "$head"
  fi
  if ((status == 0)); then
    printf ' %sdone%s %4d s\n' "$green" "$plain" $((SECONDS - start))
  else
    printf ' %sFAILED%s after %d s\n' "$red" "$plain" $((SECONDS - start))
    tail -n 40 "$log" | sed 's/^/    /'
    say "    (the whole log: ${log#"$root"/})"
  fi
  return "$status"
}

# How far a step is, twice a second: the last "[12/80]" of ninja or "12/80 Test" of ctest in its log.
watch_log() {
  local head=$1 log=$2 start=$SECONDS progress
  while sleep 0.5; do
    progress=$(tail -n 5 "$log" 2>/dev/null | grep -oE '^(\[[0-9]+/[0-9]+\]|[ 0-9]+/[0-9]+ Test)' | tail -n 1 | tr -d ' ') || true
    printf '%s%s %s %d s' "$erase" "$head" "${progress%Test}" $((SECONDS - start))
  done
}

# --- System packages -----------------------------------------------------------------------------------------------
# need_packages NAME...: installs the Debian packages that are missing. RAPT_SKIP_PACKAGES=1 leaves the system as it is.
need_packages() {
  local missing=() command=()
  if [[ ${RAPT_SKIP_PACKAGES:-} == 1 ]] || ! command -v dpkg-query >/dev/null; then
    echo "packages are not looked at"
    return
  fi
  mapfile -t missing < <(comm -23 <(printf '%s\n' "$@" | sort) \
    <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" {print $1}' | sort))
  if ((${#missing[@]} == 0)); then return; fi
  command=(apt-get install -y --no-install-recommends "${missing[@]}")
  if ((EUID == 0)); then
    apt-get update && DEBIAN_FRONTEND=noninteractive "${command[@]}"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo -n apt-get update && sudo -n env DEBIAN_FRONTEND=noninteractive "${command[@]}"
  else
    echo "Debian packages are missing, and installing them needs root. Run this, then start again:"
    echo "  sudo ${command[*]}"
    echo "(or set RAPT_SKIP_PACKAGES=1 if what they bring is there by other means)"
    return 1
  fi
}

# --- Builds ----------------------------------------------------------------------------------------------------------
# ccache, where it is installed and can write: what one build has compiled costs the next folder nothing. Not when this file is read,
# because tools/test installs it.
use_ccache() {
  if ccache --show-stats >/dev/null 2>&1; then
    export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER-ccache}
    export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}
  fi
}

# build PRESET [CMAKE_OPTION...]: configures, where that has not been done, and builds build/PRESET.
build() {
  local preset=$1
  shift
  use_ccache
  # A folder that was moved or copied keeps the old paths in its cache, and CMake refuses it.
  if [[ -e build/$preset/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "build/$preset/CMakeCache.txt"; then
    rm -rf "build/$preset"
  fi
  if [[ ! -e build/$preset/build.ninja ]]; then cmake --preset "$preset" "$@" || return; fi
  cmake --build --preset "$preset" -j "$jobs"
}

# Debian packages that the libraries and the command are built with.
build_packages=(cmake ninja-build g++ pkg-config libpcre2-dev libutf8proc-dev zlib1g-dev nlohmann-json3-dev rapidjson-dev libcli11-dev libdnnl-dev
  libcurl4-openssl-dev libzip-dev libssl-dev)
