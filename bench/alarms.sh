#!/bin/bash
# False alarms of the gate: the same program and the same experiment again and again, times included, each held against
# the first run by `peftbench check`.  Nothing has changed, so nothing may be worse.
#
#   bench/alarms.sh [RUNS]        50 if not given; some twenty minutes, on a machine that does nothing else
set -u
cd "$(dirname "$0")/.." || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

measure() { # DATABASE: few examples are trained on, times are taken in full
	build/peftbench run experiments/check.ini --db "$1" --quiet --set 'experiment.methods=full, lora, prefix, houlsby, bitfit' \
		--set experiment.seeds=0 --set 'task sentiment.train_limit=32' >/dev/null 2>"$work/err" || { cat "$work/err"; exit 2; }
}

measure "$work/first.db"
alarms=0 undecided=0 runs=${1:-50}
for run in $(seq "$runs"); do
	measure "$work/$run.db"
	build/peftbench check "$work/first.db" --db "$work/$run.db" >"$work/out" 2>&1
	status=$?
	case $status in
	0) ;;
	3) undecided=$((undecided + 1)) ;;
	*) alarms=$((alarms + 1)) && echo "run $run:" && grep -E 'worse|peftbench:' "$work/out" ;;
	esac
	rm -f "$work/$run".db*
done
echo "$runs runs: $alarms alarms, $undecided undecided"
[ $alarms = 0 ]
