#!/usr/bin/env bash
# Builds targets of a preset: scripts/build.sh PRESET TARGET... [-- CMAKE-OPTION...]. Says nothing when all is built.
#
#   BUILD_UNTIL=TIME  seconds since 1970: what is not built by then is left to the next time; the exit code is 75
set -euo pipefail
cd "$(dirname "$0")/.."
# A clone in another folder or another shell finds this one's compiled objects: paths below the repository do not count, nor does the
# language of messages.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=locale
preset=$1
shift
targets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  targets+=("$1")
  shift
done
[ $# -gt 0 ] && shift

dir=build/$preset
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Ninja notices changes of every CMake file but the presets.
if [ ! -f "$dir/build.ninja" ] || [ ! "$dir/configured" -nt CMakePresets.json ] || [ $# -gt 0 ]; then
  cmake --preset "$preset" "$@" >"$log" 2>&1 || { cat "$log"; exit 1; }
  touch "$dir/configured"
fi
build=(cmake --build "$dir" --target "${targets[@]}")
if [ -n "${BUILD_UNTIL:-}" ]; then
  left=$((BUILD_UNTIL - $(date +%s)))
  build=(timeout $((left > 1 ? left : 1)) "${build[@]}")
fi
# Ninja redraws one line on a terminal; elsewhere only failures are worth reading.
result=0
if [ -t 1 ]; then
  "${build[@]}" || result=$?
else
  "${build[@]}" >"$log" 2>&1 || result=$?
  [ "$result" -eq 0 ] || [ "$result" -eq 124 ] || cat "$log"
fi
[ "$result" -ne 124 ] || exit 75
exit "$result"
