#!/bin/bash
# `make check`: both compilers, sanitizers, clang-tidy, clang-format, and the rules of the code and of the documentation
# (CONTRIBUTING.md says what each check is for).  The last line is: N passed, N failed, N skipped.
set -u
cd "$(dirname "$0")/.." || exit 2
passed=0 failed=0 skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

check() { # NAME COMMAND...
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$output" 2>&1; then
		passed=$((passed + 1))
		echo "ok $name ($((SECONDS - start)) s)"
	else
		failed=$((failed + 1))
		echo "FAILED $name ($((SECONDS - start)) s)"
		tail -n 40 "$output" | sed 's/^/    /'
	fi
}

# Runs tests under a sanitizer.  The thread sanitizer is for tests that use threads; it is ten times slower.
sanitized() { # SANITIZER TEST...
	local build
	build=build/$(echo "$1" | tr , -)
	make SANITIZE="$1" "$build/peftbench" $(printf "$build/tests/%s " "${@:2}") || return 1
	# OpenBLAS and jansson are not instrumented, so what they keep at exit is not checked.
	ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1 \
		PEFTBENCH=$PWD/$build/peftbench TEST_SECONDS=1800 tests/run.sh $(printf "$build/tests/%s " "${@:2}")
}

warnings() { make CC="$1" BUILD="build/$1" CFLAGS=-Werror "build/$1/peftbench" benches; }

tidy() { # one process a core
	local flags='-std=c11 -D_GNU_SOURCE -I src -I . -I build'
	printf '%s\n' src/*/*.c methods/*.c tasks/*.c |
		xargs -P "$(nproc)" -n 4 sh -c 'clang-tidy --quiet "$@" -- '"$flags"' 2>/dev/null | grep -E "warning:|error:" && exit 1; exit 0' sh
}

floors() { make && tools/floors.sh; } # the circles are read from object files

documented() { make build/peftbench && tools/docs.pl && build/peftbench list --markdown | diff docs/methods.md -; }

plants() { tests/torture/planted.sh apply && tests/torture/mutants.sh apply; }

# The one that takes minutes comes first, so that it does not end long after the others.
tests="verify/test_method $(printf '%s\n' tests/*/test_*.c | sed 's/^tests.//; s/.c$//' | grep -v verify/test_method)"
check 'floors' floors
check 'length' tools/length.sh
check 'a comment on each declaration of a header' tools/comments.pl
check 'format' clang-format --dry-run -Werror src/*.h src/*/*.[ch] methods/*.c tasks/*.c tests/*.h tests/*/*.[ch]
check 'the files, commands and options that the documentation names' documented
check 'planted faults apply' plants
check 'gcc without a warning' warnings gcc
check 'clang without a warning' warnings clang
check 'clang-tidy' tidy
# shellcheck disable=SC2086 # a list of words
check 'address and undefined behavior sanitizers' sanitized address,undefined $tests
check 'thread sanitizer' sanitized thread train/test_train base/test_cores
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
