# Shared by the scripts of tests/, which source it.  It sets root, program and work (a temporary folder, removed at exit)
# and counts checks.  A script ends with `finish`.
root=$PWD
program=${PEFTBENCH:-$root/build/peftbench}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

ok() { # NAME CONDITION...
	if "${@:2}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED $1"
		sed 's/^/    /' "$work/out" "$work/err" 2>/dev/null | cut -c 1-300 | tail -n 20
	fi
}

skip() { # REASON
	skipped=$((skipped + 1))
	echo "skipped $1"
}

run() { # EXPECTED-STATUS ARGUMENTS...
	"$program" "${@:2}" >"$work/out" 2>"$work/err"
	local status=$?
	[ $status = "$1" ] || { echo "    exit status $status, want $1: peftbench ${*:2}" && return 1; }
}

is() { [ "$1" = "$2" ] || { echo "    got '$1', want '$2'" && return 1; }; } # GOT WANT
says() { grep -qF -- "$1" "$work/err"; }
prints() { grep -qE -- "$1" "$work/out"; }

gone() { # PATTERN: within 10 s no process has such a command line
	for _ in $(seq 100); do
		pgrep -f -- "$1" >"$work/processes" || return 0
		sleep 0.1
	done
	return 1
}

# In the present folder: the task toy of 24 texts, and models/tiny.
toy_task() {
	mkdir -p tasks data models
	ln -s "$root/tests/golden/tiny-bert" models/tiny
	printf '[task]\nkind = classify\ntrain = toy.tsv\nvalidation_share = 0.2\ntest_share = 0.2\n' >tasks/toy.ini
	{
		printf 'label\ttext\n'
		for i in $(seq 12); do printf 'good\tfilm %d was good\nbad\tfilm %d was bad\n' "$i" "$i"; done
	} >data/toy.tsv
}

# In the present folder: the task toy, and toy.ini with a sweep of two rates, a variant and a composition.
sweep_study() {
	toy_task
	cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = full, lora:x, lora+prefix
seeds = 0, 1
baseline = full
timing_rounds = 0

[train]
epochs = 2
batch = 8
lr = 1e-2, 1e-3

[method lora]
rank = 2

[method lora:x]
alpha = 4
END
}

# The numbers of runs, values and predictions of a database.
count_results() { # DATABASE
	sqlite3 "$1" "SELECT (SELECT count(*) FROM run) || ' ' || (SELECT count(*) FROM value) || ' ' || (SELECT count(*) FROM prediction)"
}

# In the present folder: a task of 120 texts, and toy.ini with rows that learn it to different degrees.
scored_study() {
	mkdir -p tasks data models
	cp -r "$root/tests/golden/tiny-bert" models/tiny
	printf '[task]\nkind = classify\ntrain = toy.tsv\nvalidation_share = 0.2\ntest_share = 0.4\n' >tasks/toy.ini
	{
		printf 'label\ttext\n'
		for i in $(seq 60); do printf 'good\tthe film %d is good and fun\nbad\tthe film %d is bad and dull\n' "$i" "$i"; done
	} >data/toy.tsv
	cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = majority, head, full, lora
seeds = 0, 1, 2
timing_rounds = 8

[train]
epochs = 6
batch = 8
lr = 1e-2
END
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
}
