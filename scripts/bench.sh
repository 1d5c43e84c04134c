#!/usr/bin/env bash
# Runs every benchmark of the release build and prints medians: scripts/bench.sh [REGEX]. A name is "what/who/kind";
# where who is phoenix, the ratio is to the other ways of doing the same in the same run (below 1 is faster).
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/build.sh release check_arrows
list=$(sed -nE 's/^build ([a-z0-9_]+_bench): CXX_EXECUTABLE_LINKER.*/\1/p' build/release/build.ninja | sort -u)
# shellcheck disable=SC2086
[ -z "$list" ] || scripts/build.sh release $list
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
for bench in $list; do
  echo "running $bench" >&2
  "build/release/$bench" --benchmark_filter="${1:-.}" --benchmark_format=json --benchmark_repetitions="${REPETITIONS:-5}" \
    --benchmark_report_aggregates_only=true --benchmark_min_time="${MIN_TIME:-0.2}" 2>/dev/null >>"$rows" || {
    echo "bench: $bench failed" >&2
    exit 1
  }
done
# One member a line, an object per aggregate.
awk '
  function text(line) { sub(/^[^:]*: "?/, "", line); sub(/"?,?$/, "", line); return line }
  /^ *"name":/ { name = text($0); marks = "" }
  /^ *"real_time":/ { real_time = text($0) }
  /^ *"cpu_time":/ { cpu_time = text($0) }
  /^ *"time_unit":/ { unit = text($0) }
  /^ *"label":/ { marks = text($0) }
  /^ *},?$/ {
    if (name !~ /_median$/) next
    sub(/_median$/, "", name)
    real = name ~ /\/(real|manual)_time/
    sub(/\/iterations:[0-9]+/, "", name)
    sub(/\/(real|manual)_time/, "", name)
    scale = unit == "ms" ? 1e6 : unit == "us" ? 1e3 : unit == "s" ? 1e9 : 1
    ns[name] = (real ? real_time : cpu_time) * scale
    label[name] = marks
    names[++count] = name
    name = ""
  }
  END {
    printf "%-58s %14s  %s\n", "benchmark", "median ns", "ratio to the other way"
    for (i = 1; i <= count; ++i) {
      name = names[i]
      ratio = ""
      parts = split(name, p, "/")
      if (parts >= 3 && p[2] == "phoenix") {
        tail = substr(name, length(p[1] "/" p[2]) + 1)
        for (j = 1; j <= count; ++j) {
          split(names[j], q, "/")
          if (q[1] == p[1] && q[2] != "phoenix" && substr(names[j], length(q[1] "/" q[2]) + 1) == tail && ns[names[j]] > 0)
            ratio = ratio sprintf("%.2f of %s  ", ns[name] / ns[names[j]], q[2])
        }
      }
      printf "%-58s %14.1f  %s%s\n", name, ns[name], ratio, label[name]
    }
  }' "$rows"
