#!/usr/bin/env bash
# Installs what Phoenix is built and tested with and this machine lacks. Silent and quick when nothing is missing.
#
#   scripts/setup.sh          what the build needs: Debian packages
#   scripts/setup.sh test     and what the end-to-end tests need: Node and the npm clients they drive
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  clang-19 libclang-rt-19-dev lld-19 llvm-19 clang-format-19 clang-tidy-19 g++ mold
  cmake ninja-build ccache make git pkg-config ca-certificates
  libboost1.81-dev libssl-dev zlib1g-dev libzstd-dev
  libsimdjson-dev nlohmann-json3-dev libfmt-dev libspdlog-dev libyaml-cpp-dev libcli11-dev libexpected-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)
if [ "${1:-}" = test ]; then
  # Any Node from 18 on will do; Debian's own is installed only where there is none at all.
  command -v node >/dev/null || packages+=(nodejs)
  command -v npm >/dev/null || packages+=(npm)
  command -v openssl >/dev/null || packages+=(openssl)
fi

installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

if ! command -v apt-get >/dev/null; then
  echo "setup: this is no Debian; install the equivalents of: ${packages[*]}" >&2
  exit 2
fi

missing=()
# One question for all of them; only when the answer is short is each asked for by itself.
known=$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" 2>/dev/null | grep -cx installed || true)
if [ "$known" -lt "${#packages[@]}" ]; then
  for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
  done
fi

if [ "${#missing[@]}" -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: installing packages needs root or sudo" >&2; exit 2; }
    as_root=(sudo)
  fi
  echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
  apt_options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -q)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" install -y --no-install-recommends \
    "${missing[@]}"
fi

if [ "${1:-}" = test ] && [ -f tests/e2e/package-lock.json ]; then
  stamp=tests/e2e/node_modules/.installed-from
  if ! cmp -s tests/e2e/package-lock.json "$stamp"; then
    echo "setup: installing the npm clients of the end-to-end tests"
    (cd tests/e2e && npm ci --ignore-scripts --no-audit --no-fund)
    cp tests/e2e/package-lock.json "$stamp"
  fi
fi
