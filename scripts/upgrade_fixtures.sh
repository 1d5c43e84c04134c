#!/usr/bin/env bash
# Keeps what the present program writes, for later ones to read: tests/data/upgrade/<version>/. Run it once before the
# version in CMakeLists.txt is raised; what is there already is never made anew. It takes about a minute.
#
#   scripts/upgrade_fixtures.sh [DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/.."
export PHOENIX=${PHOENIX:-build/release/phoenix}
[ -x "$PHOENIX" ] || { echo "upgrade_fixtures: $PHOENIX is not built: make build" >&2; exit 2; }
version=$("$PHOENIX" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
directory=${1:-tests/data/upgrade/$version}
[ ! -e "$directory" ] || { echo "upgrade_fixtures: $directory is there already" >&2; exit 2; }
exec node scripts/upgrade_fixtures.mjs "$directory" "$version"
