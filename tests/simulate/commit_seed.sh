#!/usr/bin/env bash
# Simulates with the commit as the seed, so that every commit tries what none before it did.
set -euo pipefail
phoenix=$1
commit=$(git rev-parse HEAD 2>/dev/null || true)
[ -n "$commit" ] || commit=5eed0000000000
seed=$((16#${commit:0:14}))
echo "commit ${commit:0:14}, seed $seed"
exec "$phoenix" simulate --seed "$seed" --runs 6 --hours 0.25
