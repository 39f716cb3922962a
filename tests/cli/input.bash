# For commands that read standard input; sourced after tests/shell.bash, whose `run` it replaces.
golden=$root/tests/golden families=$root/tests/golden/families

run() { # EXPECTED-STATUS INPUT ARGUMENTS...
	printf '%b' "$2" | "$program" "${@:3}" >"$work/out" 2>"$work/err"
	local status=$?
	[ $status = "$1" ] || { echo "    exit status $status, want $1: peftbench ${*:3}" && return 1; }
}

# Exit 2, one line on stderr with these words, nothing on stdout.
refuses() { # MESSAGE INPUT ARGUMENTS...
	run 2 "$2" "${@:3}" && grep -qF -- "$1" "$work/err" && [ "$(wc -l <"$work/err")" = 1 ] && ! [ -s "$work/out" ]
}

cd "$work" || exit 2
