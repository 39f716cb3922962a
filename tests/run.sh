#!/bin/bash
# Runs tests, as many at a time as there are cores (TEST_JOBS), and prints which failed.  The last line is: N passed, N
# failed, N skipped.
#
#   tests/run.sh [PROGRAM|SCRIPT.sh]...     default: all tests, in single precision
#
# Each test runs in the root of the repository with PEFTBENCH set to the program, and prints such a line at its end.
# A script without one passes with exit status 0 and is skipped with 77.  A crash, a time-out (TEST_SECONDS, 1800) or a
# missing line is one failure.
set -u
cd "$(dirname "$0")/.." || exit 2
export PEFTBENCH=${PEFTBENCH:-$PWD/build/peftbench}

if [ $# = 0 ]; then
	for file in tests/*/test_*.c; do
		set -- "$@" "build/${file%.c}"
	done
	for file in tests/*/*.sh; do
		case $file in
		tests/parity/* | tests/torture/planted.sh | tests/torture/mutants.sh) ;; # `make parity`, `planted`, `mutants`
		*) set -- "$@" "$file" ;;
		esac
	done
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the counts of a test, "PASSED FAILED SKIPPED"; those of a script without counts follow from its exit status.
count() { # TEST STATUS OUTPUT
	local last p f s
	last=$(grep -aE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$3" | tail -n 1)
	if [ -z "$last" ]; then
		case $1:$2 in
		*.sh:0) last='1 passed, 0 failed, 0 skipped' ;;
		*.sh:77) last='0 passed, 0 failed, 1 skipped' ;;
		*) last='0 passed, 1 failed, 0 skipped' ;;
		esac
	fi
	read -r p _ f _ s _ <<<"$last"
	if [ "$2" != 0 ] && [ "$2" != 77 ] && [ "$f" = 0 ]; then f=1; fi # broke after its counts
	echo "$p $f $s"
}

reason() { # STATUS OUTPUT
	local during
	during=$(grep -a '^# ' "$2" | tail -n 1 | cut -c 3-)
	case $1 in
	124 | 137) echo "took over ${TEST_SECONDS:-1800} s or was killed${during:+, in $during}" ;;
	*) echo "exit status $1$([ "$1" -gt 128 ] && echo ", signal $(($1 - 128))")${during:+ in $during}" ;;
	esac
}

# Runs a test, prints the line about it in one piece, and adds its counts to $work/counts.
run_one() { # TEST
	local start status output counts took
	output=$(mktemp -p "$work")
	start=$(date +%s.%N)
	timeout -k 10 "${TEST_SECONDS:-1800}" "./$1" >"$output" 2>&1 </dev/null
	status=$?
	counts=$(count "$1" $status "$output")
	took=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f s", b - a }')
	{
		flock 9
		echo "$counts" >>"$work/counts"
		if [ "$(echo "$counts" | cut -d ' ' -f 2)" != 0 ]; then
			echo "FAILED $1 ($took)$([ $status -gt 1 ] && echo ": $(reason $status "$output")")"
			grep -av '^# ' "$output" | tail -n 60 | sed 's/^/    /'
		else
			echo "ok $1 ($took)"
			grep -a '^skipped ' "$output" | sed 's/^/    /'
		fi
	} 9>"$work/lock"
	rm "$output"
}

export work
export -f count reason run_one
printf '%s\0' "$@" | xargs -0 -P "${TEST_JOBS:-$(nproc)}" -n 1 bash -c 'run_one "$0"'
awk '{ p += $1; f += $2; s += $3 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' "$work/counts"
