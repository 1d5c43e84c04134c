#!/usr/bin/env bash
# The checks beyond `make test`, one leg each, each with its time. Without arguments all of them.
#
#   scripts/check.sh [arrows] [format] [tidy] [asan] [fuzz] [tsan] [gcc]
#   FUZZ_SECONDS=10   how long each fuzz target runs
#   TIDY=all          clang-tidy on every file, not only on what changed since the last merge
#   CHECK_UNTIL=TIME  a leg that would begin later (seconds since 1970), or whose compiling is not done by then, is left out, and said so;
#                     without it none is
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
fuzz_seconds=${FUZZ_SECONDS:-10}
[ -z "${CHECK_UNTIL:-}" ] || export BUILD_UNTIL=$CHECK_UNTIL

# The names of a preset's targets that match; empty when it builds none such.
targets() { sed -nE "s/^build ($2): CXX_EXECUTABLE_LINKER.*/\1/p" "build/$1/build.ninja" | sort -u; }
configure() { scripts/build.sh "$1" check_arrows -- "${@:2}"; }
run_tests() { ctest --test-dir "build/$1" --output-on-failure --parallel "$jobs" --no-tests=error "${@:2}"; }

leg_arrows() { scripts/build.sh release check_arrows; }

leg_format() { scripts/sources.sh | xargs -r clang-format-19 --dry-run -Werror; }

# Equal seeds give equal hashes in every build type and with both compilers.
same_hash() {
  local build hashes=""
  for build in release "$1"; do
    hashes+=" $("build/$build/phoenix" simulate --seed 7 --runs 4 --hours 0.1 --json 2>/dev/null | tr ',' '\n' | grep trace_hash)"
  done
  # shellcheck disable=SC2086
  set -- $hashes
  echo "trace hashes:$hashes"
  [ "${2:-missing}" = "${4:-other}" ]
}

leg_asan() {
  scripts/build.sh asan all
  # The end-to-end tests and the simulations drive the release build, and what must not compile has no run to watch.
  LSAN_OPTIONS=suppressions=$PWD/scripts/lsan.txt run_tests asan --label-exclude 'e2e|static|compile|simulate'
  same_hash asan
}

leg_fuzz() {
  configure asan
  local list
  list=$(targets asan '[a-z0-9_]*_fuzz')
  [ -n "$list" ] || return 0
  # shellcheck disable=SC2086
  scripts/build.sh asan $list
  # shellcheck disable=SC2086
  printf '%s\n' $list | xargs -P "$jobs" -I{} scripts/fuzz.sh {} "$fuzz_seconds"
}

leg_tsan() {
  configure tsan
  # Only what starts threads: left of io nothing may, except in the tests of the rings.
  local list
  list=$(targets tsan 'base_test|io_test|app_test')
  local duckdb='*Duck*:*ParquetWriter*:*Archive*:*Recording*:*Verify*:*Query*'
  # shellcheck disable=SC2086
  scripts/build.sh tsan $list
  for test in $list; do
    echo "tsan: $test"
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1 "build/tsan/$test" --gtest_brief=1 --gtest_death_test_style=threadsafe \
      --gtest_filter="-$duckdb"
    # DuckDB is not instrumented: of its locks some are seen taken and not released, of its hand-overs between threads none.
    TSAN_OPTIONS=halt_on_error=1:detect_deadlocks=0:ignore_noninstrumented_modules=1 "build/tsan/$test" --gtest_brief=1 --gtest_death_test_style=threadsafe \
      --gtest_filter="$duckdb"
  done
}

leg_gcc() {
  scripts/build.sh gcc all -- -DPHOENIX_BENCH=OFF
  run_tests gcc --label-exclude 'e2e|static|simulate'
  same_hash gcc
}

changed_files() {
  if [ "${TIDY:-}" = all ]; then
    scripts/sources.sh
    return
  fi
  local since
  since=$(git merge-base HEAD origin/main 2>/dev/null || true)
  if [ -z "$since" ] || [ "$since" = "$(git rev-parse HEAD)" ]; then since=$(git rev-parse -q --verify HEAD~1 || true); fi
  if [ -z "$since" ]; then
    scripts/sources.sh
  else
    { git diff --name-only --diff-filter=d "$since" -- '*.cpp' '*.hpp'; git ls-files --others --exclude-standard -- '*.cpp' '*.hpp'; }
  fi
}

leg_tidy() {
  configure release
  # Product code. Tests are mostly expanded macros: slow to analyse, and judged by whether they can fail.
  # A header is seen with the source beside it.
  changed_files | sed -nE '/_(test|bench|fuzz)\.cpp$/d; /\/test_[^/]*\.hpp$/d; /^src\//p' |
    while read -r file; do [ -f "${file%.hpp}.cpp" ] && echo "${file%.hpp}.cpp" || echo "$file"; done | sort -u |
    xargs -r -P "$jobs" -n 1 scripts/tidy.sh
}

legs=("$@")
[ "${#legs[@]}" -gt 0 ] || legs=(arrows format tidy asan fuzz tsan gcc)
failed=()
summary=""
for leg in "${legs[@]}"; do
  declare -F "leg_$leg" >/dev/null || { echo "check: there is no leg '$leg'" >&2; exit 2; }
  if [ -n "${CHECK_UNTIL:-}" ] && [ "$(date +%s)" -gt "$CHECK_UNTIL" ]; then
    summary+=$(printf '%-8s %s' "$leg" "NOT RUN: no time was left for it; run scripts/check.sh $leg")$'\n'
    continue
  fi
  echo "=== check: $leg"
  start=$SECONDS
  # In a shell of its own, so that `set -e` holds inside although the result is asked for.
  set +e
  (set -e; "leg_$leg")
  result=$?
  set -e
  if [ "$result" -eq 75 ]; then
    summary+=$(printf '%-8s %s' "$leg" "NOT RUN: it was not compiled in time; run scripts/check.sh $leg")$'\n'
    continue
  fi
  verdict=passed
  [ "$result" -eq 0 ] || { verdict=FAILED; failed+=("$leg"); }
  summary+=$(printf '%-8s %-7s %4d s' "$leg" "$verdict" $((SECONDS - start)))$'\n'
done
echo "=== check: summary"
printf '%s' "$summary"
if [ "${#failed[@]}" -gt 0 ]; then
  echo "check: failed: ${failed[*]}"
  exit 1
fi
