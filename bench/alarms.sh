#!/bin/bash
# False alarms of the regression gate: runs the same program and the same experiment repeatedly, and compares each run with
# the first one by `peftbench check`.  Nothing has changed, so every row must be the same to the bit.
#
#   bench/alarms.sh [RUNS] [times]   RUNS: 50 by default, about five minutes.  times: measures and judges times too, about
#                                    twenty minutes on a machine that does nothing else
set -u
cd "$(dirname "$0")/.." || exit 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=${PEFTBENCH:-build/peftbench}
timing=--no-timing judged=
[ "${2:-}" = times ] && timing= judged=--times

measure() { # DATABASE: trains on few examples, measures times in full
	"$program" run experiments/check.ini --db "$1" --quiet --threads 2 $timing \
		--set 'experiment.methods=full, lora, lora:dora, ia3, prefix, houlsby, bitfit' \
		--set experiment.seeds=0 --set 'task sentiment.train_limit=32' >/dev/null 2>"$work/err" || { cat "$work/err"; exit 2; }
}

measure "$work/first.db"
alarms=0 undecided=0 runs=${1:-50}
for run in $(seq "$runs"); do
	measure "$work/$run.db"
	"$program" check "$work/first.db" --db "$work/$run.db" $judged >"$work/out" 2>&1
	status=$?
	same=$(grep -c 'identity: the same to the bit' "$work/out")
	case $status in
	0) ;;
	3) undecided=$((undecided + 1)) ;;
	*) alarms=$((alarms + 1)) && echo "run $run:" && grep -E '^(worse|changed|refused)|peftbench:' "$work/out" ;;
	esac
	[ "$same" = 7 ] || echo "run $run: $same of 7 rows the same to the bit"
	rm -f "$work/$run".db*
done
echo "$runs runs: $alarms alarms, $undecided undecided"
[ $alarms = 0 ]
