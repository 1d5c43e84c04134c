#!/usr/bin/env bash
# Builds targets of a preset: scripts/build.sh PRESET TARGET... [-- CMAKE-OPTION...]. Says nothing when all is built.
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
# Ninja redraws one line on a terminal; elsewhere only failures are worth reading.
if [ -t 1 ]; then
  cmake --build "$dir" --target "${targets[@]}"
else
  cmake --build "$dir" --target "${targets[@]}" >"$log" 2>&1 || { cat "$log"; exit 1; }
fi
