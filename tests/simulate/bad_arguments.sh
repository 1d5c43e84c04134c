#!/usr/bin/env bash
# What makes no sense ends with exit code 2 and a line that says why; no seed is simulated.
set -uo pipefail
phoenix=$1
expect_two() {
  local said code
  said=$("$phoenix" simulate "$@" 2>&1)
  code=$?
  if [ "$code" -ne 2 ] || [ -z "$said" ]; then
    echo "simulate $*: exit code $code, said: $said"
    exit 1
  fi
}
expect_two --hours 0
expect_two --hours -1
expect_two --hours nan
expect_two --hours 1e9
expect_two --runs 0
expect_two --jobs 0
expect_two --faults nosuch
expect_two --faults ""
expect_two --seed minus
expect_two --nosuch
