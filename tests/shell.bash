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

# In the present folder: a task with COUNT good and bad texts, each with a number where the text has %d.
# shellcheck disable=SC2059 # the texts are formats
texts_task() { # NAME COUNT TEST_SHARE GOOD BAD
	mkdir -p tasks data models
	printf '[task]\nkind = classify\ntrain = %s.tsv\nvalidation_share = 0.2\ntest_share = %s\n' "$1" "$3" >"tasks/$1.ini"
	{
		printf 'label\ttext\n'
		for i in $(seq "$2"); do printf "good\t$4\nbad\t$5\n" "$i" "$i"; done
	} >"data/$1.tsv"
}

# In the present folder: the task toy of 24 texts, and models/tiny.
toy_task() {
	texts_task toy 12 0.2 'film %d was good' 'film %d was bad'
	ln -s "$root/tests/golden/tiny-bert" models/tiny
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
	texts_task toy 60 0.4 'the film %d is good and fun' 'the film %d is bad and dull'
	cp -r "$root/tests/golden/tiny-bert" models/tiny
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
