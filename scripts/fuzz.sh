#!/usr/bin/env bash
# Runs one fuzz target of the asan build: scripts/fuzz.sh NAME SECONDS. What breaks it stays in build/asan/fuzz/NAME.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=build/asan/fuzz/$1
mkdir -p "$dir/corpus"
if "build/asan/$1" -seed=1 -max_total_time="$2" -timeout=5 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
  -artifact_prefix="$dir/" "$dir/corpus" >"$dir/log" 2>&1; then
  awk -v name="$1" '/number_of_executed_units/ { printf "fuzz: %-28s %10d inputs, nothing broke\n", name, $2 }' "$dir/log"
else
  echo "fuzz: $1 broke:"
  tail -n 60 "$dir/log"
  exit 1
fi
