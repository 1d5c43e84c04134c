#!/usr/bin/env bash
# Equal seeds give equal traces, whatever runs beside them; others differ.
set -euo pipefail
phoenix=$1
hash_of() { "$phoenix" simulate --json "$@" 2>/dev/null | sed -nE 's/.*"trace_hash": "([0-9a-f]+)".*/\1/p'; }
once=$(hash_of --seed 21 --runs 2 --hours 0.1)
again=$(hash_of --seed 21 --runs 2 --hours 0.1 --jobs 2)
other=$(hash_of --seed 22 --runs 2 --hours 0.1)
echo "$once $again $other"
[ -n "$once" ] && [ "$once" = "$again" ] && [ "$once" != "$other" ]
