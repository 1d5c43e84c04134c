#!/usr/bin/env bash
# Installs what Phoenix is built and tested with and this machine lacks. Silent and quick when nothing is missing.
#
#   scripts/setup.sh          what the build needs: Debian packages, and DuckDB unless the system has one
#   scripts/setup.sh test     and what the end-to-end tests need: the npm clients they drive
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  clang-19 libclang-rt-19-dev lld-19 llvm-19 clang-format-19 clang-tidy-19 g++ mold
  cmake ninja-build ccache make git pkg-config ca-certificates
  libboost1.81-dev libssl-dev zlib1g-dev libzstd-dev libsqlite3-dev libcurl4-openssl-dev
  libsimdjson-dev nlohmann-json3-dev libfmt-dev libspdlog-dev libyaml-cpp-dev libcli11-dev libexpected-dev
  libgtest-dev libgmock-dev libbenchmark-dev
)

# DuckDB is in no Debian 12 package. Its library comes from npm as a package of one file, its header out of another
# package's sources: that header with this library is what the program is built and tested with.
duckdb_library=native/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so
duckdb_header=native/include/duckdb.h
duckdb_sources=duckdb@1.4.4
duckdb_sources_sha512=844249e61c9517454b8f776638ba6c5ab411d1bddde1892ab72826ea25178c72430e74aa83f5122b171be6abcdace84560f824b5ac94e9d5c2b603ea7269a9a2

system_duckdb() {
  local directory
  for directory in /usr/local /usr; do
    [ -f "$directory/include/duckdb.h" ] && ldconfig -p 2>/dev/null | grep -q 'libduckdb\.so ' && return 0
  done
  return 1
}
need_duckdb=yes
if system_duckdb || { [ -f "$duckdb_library" ] && [ -f "$duckdb_header" ] && cmp -s native/package-lock.json native/node_modules/.installed-from; }; then
  need_duckdb=
fi

# What builds the dashboard's page comes from npm, too.
need_web=yes
if cmp -s web/package-lock.json web/node_modules/.installed-from; then need_web=; fi

if [ "${1:-}" = test ] || [ -n "$need_duckdb$need_web" ] || ! command -v node >/dev/null; then
  # Any Node from 18 on will do; Debian's own is installed only where there is none at all.
  command -v node >/dev/null || packages+=(nodejs)
  command -v npm >/dev/null || packages+=(npm)
fi
if [ "${1:-}" = test ]; then
  command -v openssl >/dev/null || packages+=(openssl)
  command -v chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
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

if [ -n "$need_duckdb" ]; then
  echo "setup: installing the DuckDB library"
  (cd native && npm ci --ignore-scripts --no-audit --no-fund --silent)
  [ -f "$duckdb_library" ] || { echo "setup: npm has no DuckDB library for this machine; install DuckDB with its header yourself" >&2; exit 2; }
  cp native/package-lock.json native/node_modules/.installed-from
  if [ ! -f "$duckdb_header" ]; then
    unpacked=$(mktemp -d)
    trap 'rm -rf "$unpacked"' EXIT
    npm pack "$duckdb_sources" --silent --pack-destination "$unpacked" >/dev/null
    echo "$duckdb_sources_sha512  $(echo "$unpacked"/*.tgz)" | sha512sum --check --quiet
    tar -xzf "$unpacked"/*.tgz -C "$unpacked" package/src/duckdb/src/include/duckdb.h
    mkdir -p native/include
    mv "$unpacked/package/src/duckdb/src/include/duckdb.h" "$duckdb_header"
  fi
fi

if [ -n "$need_web" ]; then
  echo "setup: installing what builds the dashboard"
  (cd web && npm ci --ignore-scripts --no-audit --no-fund --silent)
  cp web/package-lock.json web/node_modules/.installed-from
fi

if [ "${1:-}" = test ] && [ -f tests/e2e/package-lock.json ]; then
  stamp=tests/e2e/node_modules/.installed-from
  if ! cmp -s tests/e2e/package-lock.json "$stamp"; then
    echo "setup: installing the npm clients of the end-to-end tests"
    (cd tests/e2e && npm ci --ignore-scripts --no-audit --no-fund)
    cp tests/e2e/package-lock.json "$stamp"
  fi
fi

# The tests of rules and dashboards ask a real Prometheus and Alertmanager. Installing their packages would start two
# services here, so they are only unpacked, beside what is built.
tools=build/tools
has_tool() { command -v "$1" >/dev/null || [ -x "$tools/usr/bin/$1" ]; }
if [ "${1:-}" = test ] && ! { has_tool prometheus && has_tool promtool && has_tool prometheus-alertmanager && has_tool amtool; }; then
  echo "setup: unpacking Prometheus and Alertmanager into $tools"
  debs=$(mktemp -d)
  fetch() { (cd "$debs" && apt-get -o Acquire::Retries=3 -qq download prometheus prometheus-alertmanager) 2>"$debs/log"; }
  # Lists of packages that are old name versions that are gone; only root may renew them.
  if fetch || { [ "$(id -u)" -eq 0 ] && apt-get -qq update >/dev/null 2>&1 && fetch; }; then
    mkdir -p "$tools"
    for deb in "$debs"/*.deb; do dpkg -x "$deb" "$tools"; done
  else
    echo "setup: they could not be fetched ($(grep -m1 '^E:' "$debs/log" || echo 'no reason given')); tests that need them are skipped" >&2
  fi
  rm -rf "$debs"
fi
