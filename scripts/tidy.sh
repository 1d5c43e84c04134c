#!/usr/bin/env bash
# clang-tidy on one file: a source as the release build compiles it, a header by itself. What was found clean once is
# not looked at again until it, something it includes, or the rules change.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/phoenix-tidy
log=$(mktemp)
trap 'rm -f "$log"' EXIT
as_is=(-x c++ -std=c++20 -Isrc -Wno-pragma-once-outside-header)
# With the comments, because some of them silence a check.
key=$({ cat .clang-tidy; clang-tidy-19 --version; clang++-19 "${as_is[@]}" -E -P -C "$1" 2>/dev/null || date +%N; } | sha256sum)
key=${key%% *}
[ ! -e "$cache/$key" ] || exit 0
if [[ $1 == *.hpp ]]; then
  clang-tidy-19 --quiet "$1" -- "${as_is[@]}" >"$log" 2>&1 || { cat "$log"; exit 1; }
else
  clang-tidy-19 --quiet -p build/release "$1" >"$log" 2>&1 || { cat "$log"; exit 1; }
fi
mkdir -p "$cache"
touch "$cache/$key"
