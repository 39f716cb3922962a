#!/bin/bash
# The regression gate over every method: experiments/check.ini run again, beside results/baseline.db: to the bit where
# the machine is of the baseline's kind, within rounding elsewhere.  Times are not a part of it: they are of a machine.
# When a change is meant, the baseline is made anew, see docs/statistics.md.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

gate() { # nothing changed; on another machine there may be too little data to judge a score
	"$program" check results/baseline.db --db "$work/new.db" >"$work/out" 2>"$work/err"
	local status=$?
	[ $status = 0 ] || [ $status = 3 ]
}

names() { # METHOD: the method and its presets, as a pattern: "adapter|houlsby|pfeiffer"
	printf '%s' "$1"
	"$program" list --json | sed -nE 's/^\{"method":"([a-z0-9-]+)".*"preset_of":"'"$1"'".*/|\1/p' | tr -d '\n'
}

ok 'run' run 0 run experiments/check.ini --db "$work/new.db" --no-timing --threads 2 --quiet
ok 'nothing is worse than in the baseline' gate
for method in methods/*.c; do
	name=$(basename "$method" .c)
	[ $name = skeleton ] || [[ $name == *-shot ]] || ok "the baseline has $name" prints "check/([a-z-]*[+])?($(names "$name"))"
done

finish
