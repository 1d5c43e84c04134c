#!/usr/bin/env bash
# Writes docs/reliability.md: the promises, and the worst that simulation with fixed seeds saw of each.
#
#   scripts/reliability.sh [RUNS] [HOURS]   how many seeds, and virtual hours of each
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-60}
hours=${2:-0.5}
phoenix=${PHOENIX:-build/release/phoenix}
[ -x "$phoenix" ] || { echo "reliability: $phoenix is not built: make build" >&2; exit 2; }
report=$(mktemp)
trap 'rm -f "$report"' EXIT
code=0
"$phoenix" simulate --seed 1 --runs "$runs" --hours "$hours" --jobs "$(nproc)" --json >"$report" || code=$?
[ "$code" -le 1 ] || exit "$code"
page=$(node scripts/reliability.mjs "$report" "$hours")
printf '%s\n' "$page" >docs/reliability.md
echo "reliability: docs/reliability.md written, exit code of the simulation $code"
exit "$code"
