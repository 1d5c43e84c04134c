#!/usr/bin/env bash
# Prints our C++ files: what git tracks, and what is new and not ignored.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp' | while read -r file; do
  if [ -f "$file" ]; then echo "$file"; fi
done
