#!/usr/bin/env bash
# Checks that a program carries what the toolchain was told to build in: scripts/hardening.sh PROGRAM [ARCHIVE...].
# Prints one line a check; exit code 1 when one fails. The archives are those of our own code: the start files of the C
# library are not marked for CET, so that a linked program cannot carry the mark, however well its own code does.
set -euo pipefail
[ $# -ge 1 ] && [ -f "$1" ] || { echo "usage: scripts/hardening.sh PROGRAM [ARCHIVE...]" >&2; exit 2; }
command -v readelf >/dev/null || { echo "hardening: readelf is missing (binutils)" >&2; exit 2; }
program=$1
shift

failed=0
check() {  # NAME CONDITION-RESULT WHAT
  if [ "$2" = 0 ]; then
    printf 'ok      %-18s %s\n' "$1" "$3"
  else
    printf 'MISSING %-18s %s\n' "$1" "$3"
    failed=1
  fi
}
# Whether a text has a line that matches, as an exit code in words.
has() { grep -qE -- "$2" <<<"$1" && echo 0 || echo 1; }
not() { [ "$1" = 0 ] && echo 1 || echo 0; }

header=$(readelf -hW "$program")
segments=$(readelf -lW "$program")
dynamic=$(readelf -dW "$program")
imports=$(readelf --dyn-syms -W "$program" | awk '$7 == "UND" { sub(/@.*/, "", $8); print $8 }')

pie=$(has "$header" 'Type: +DYN')
[ "$(has "$dynamic" 'FLAGS_1.*PIE')" = 0 ] || pie=1
check PIE "$pie" "loaded at a random address"
relro=$(has "$segments" '^ *GNU_RELRO')
[ "$(has "$dynamic" '(BIND_NOW|FLAGS_1.*NOW)')" = 0 ] || relro=1
check RELRO "$relro" "relocations are done at the start and read-only afterwards"
check stack "$(has "$segments" '^ *GNU_STACK .* RW +0x')" "is not executable"
check segments "$(not "$(has "$segments" '^ *LOAD .* (RWE|R?WE) ')")" "none is writable and executable"
check text "$(not "$(has "$dynamic" 'TEXTREL')")" "the code is not relocated"
check stack-protector "$(has "$imports" '^__stack_chk_fail$')" "functions with arrays have a canary"
fortified=$(grep -cE '^__[a-z0-9_]+_chk$' <<<"$imports" || true)
check FORTIFY "$([ "$fortified" -ge 1 ] && echo 0 || echo 1)" "$fortified checked functions of the C library are used"

if grep -q 'X86-64' <<<"$header"; then
  # The instruction that an indirect jump has to land on.
  landings=$(LC_ALL=C grep -oaP '\xf3\x0f\x1e\xfa' "$program" | wc -l)
  check CET "$([ "$landings" -ge 1000 ] && echo 0 || echo 1)" "$landings places where an indirect jump may land"
  for archive in "$@"; do
    objects=$(ar t "$archive" | wc -l)
    marked=$(readelf -nW "$archive" 2>/dev/null | grep -cE 'x86 feature: IBT, SHSTK' || true)
    check "CET $(basename "$archive")" "$([ "$marked" = "$objects" ] && echo 0 || echo 1)" "$marked of $objects objects are marked IBT and SHSTK"
  done
fi

# Where libraries are looked for before the system's own places: nowhere that somebody else can write.
check RPATH "$(not "$(has "$dynamic" '\(RPATH\)')")" "there is none of the old kind"
if [[ $dynamic =~ \(RUNPATH\)[^[]*\[([^]]*)\] ]]; then
  # The colon behind the last one, so that an empty place is one, too: it stands for wherever the program is started.
  rest="${BASH_REMATCH[1]}:"
  while [ -n "$rest" ]; do
    place=${rest%%:*}
    rest=${rest#*:}
    good=0
    case $place in
      "\$ORIGIN"/*) ;;
      /*) if [ -d "$place" ] && [ -n "$(find "$place" -maxdepth 0 -perm -0002)" ]; then good=1; fi ;;
      *) good=1 ;;
    esac
    check RUNPATH "$good" "${place:-(empty: the working directory)}"
  done
fi

check setuid "$([ -u "$program" ] || [ -g "$program" ] && echo 1 || echo 0)" "runs as whoever starts it"
exit "$failed"
