#!/bin/bash
# [tune]: the same number of trials for every row, the choice on validation, the test split for the choice alone.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/tiny
methods       = head, lora, full
seeds         = 0, 1
timing_rounds = 0

[tune]
trials = 5

[train]
epochs = 1
batch  = 8
lr     = 1e-4..1e-1

[method lora]
rank = 2..6
END
rows() { sqlite3 a.db "$1"; }
tried() { rows "SELECT group_concat(choice, ';') FROM (SELECT DISTINCT choice FROM run WHERE row = '$1')"; }

ok 'run' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'trials of each row and seed' [ "$(rows 'SELECT count(*) FROM run')" = 30 ]
ok 'five that differ' [ "$(rows "SELECT count(DISTINCT choice) FROM run WHERE row = 'lora'")" = 5 ]
ok 'the same luck for all rows' [ "$(tried head)" = "$(tried full)" ]
ok 'inside the range' [ "$(rows "SELECT count(*) FROM setting WHERE key = 'train.lr' AND (value + 0 < 1e-4 OR value + 0 > 0.1)")" = 0 ]
ok 'whole numbers too' [ "$(rows "SELECT count(*) FROM setting WHERE key = 'method.lora.rank' AND value NOT IN ('2', '3', '4', '5', '6')")" = 0 ]
ok 'the test split for the choice alone' [ "$(rows "SELECT count(DISTINCT run) FROM prediction WHERE split = 'test'")" = 6 ]
ok 'table' run 0 table toy.ini --db a.db
ok 'expected best' prints '^lora +5 '
ok 'its figure' test -s plots/toy/tuning.svg
"$program" table toy.ini --db a.db --json >out 2>err
# Of all trials the best, of one their mean.
ok 'from the mean to the best' awk -v RS= '{
	match($0, /"validation":\[[^]]*/); n = split(substr($0, RSTART + 14, RLENGTH - 14), v, ",")
	match($0, /"expected":\[[^]]*/); m = split(substr($0, RSTART + 12, RLENGTH - 12), x, ",")
	for (i = 1; i <= n; i++) { sum += v[i]; best = v[i] > best ? v[i] : best }
	d = x[1] - sum / n
	exit !(n == 5 && m == 5 && d * d < 1e-12 && x[5] == best) }' out

# ---- what should be known before a row is believed --------------------------------------------------------------
ok 'rates at the edge' run 0 run toy.ini --db e.db --threads 1 --quiet --set tune.trials=0 --set 'train.lr=1e-7, 1e-6' \
	--set 'method lora.rank=2' --set experiment.methods=majority,head,lora,full
ok 'are a warning' grep -qE '^peftbench: warning: head: the chosen lr=1e-[67] is at the edge of the sweep, 1e-07..1e-06' err
ok 'and a loss that hardly moved' grep -qE '^peftbench: warning: lora: the training loss hardly moved: [0-9.]+ in the' err
ok 'the table' run 0 table toy.ini --db e.db --set tune.trials=0 --set 'train.lr=1e-7, 1e-6' --set 'method lora.rank=2' \
	--set experiment.methods=majority,head,lora,full
ok 'has them as notes' prints '^head: the chosen lr=1e-[67] is at the edge of the sweep'
ok 'but a row that trains nothing has none' eval 'prints "^majority " && ! prints "^majority: the chosen"'
ok 'both' prints '^lora: the training loss hardly moved'
ok 'what trains' run 0 run toy.ini --db e.db --threads 1 --quiet --set tune.trials=0 --set 'train.lr=1e-7, 1e-2, 900' \
	--set 'method lora.rank=2' --set train.epochs=20
ok 'is not warned of' test "$(grep -cE 'edge of the sweep|hardly moved' err)" = 0
wait_for() { # SHARE
	sqlite3 e.db "DROP TRIGGER IF EXISTS value_update; UPDATE value SET value = $1 WHERE key = 'compute.step_contention'"
}
wait_for 0.01
ok 'a quiet machine' run 0 table toy.ini --db e.db --set tune.trials=0 --set 'train.lr=1e-7, 1e-6' --set 'method lora.rank=2'
ok 'is no note' test "$(grep -c 'busy machine$' out)" = 0
wait_for 0.4
ok 'a busy one' run 0 table toy.ini --db e.db --set tune.trials=0 --set 'train.lr=1e-7, 1e-6' --set 'method lora.rank=2'
ok 'is one' prints '^head: training waited 40 % of the time for a processor'
ok 'and a mark' prints '^lora .* [0-9.]+ ±[0-9.]+( \?)? \* '

ok 'nothing to do twice' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'as before' [ "$(rows 'SELECT count(*) FROM run')" = 30 ]
ok 'other draws' run 0 run toy.ini --db b.db --threads 1 --quiet --set tune.seed=1
ok 'are other settings' [ "$(sqlite3 b.db 'SELECT min(choice) FROM run')" != "$(rows 'SELECT min(choice) FROM run')" ]
ok 'fewer combinations than trials: all of them' run 0 run toy.ini --db c.db --threads 1 --quiet --set 'train.lr=1e-3, 1e-2' --set method\ lora.rank=2
ok 'two' [ "$(sqlite3 c.db "SELECT count(DISTINCT choice) FROM run WHERE row = 'head'")" = 2 ]

# ---- settings tried with some of the seeds -----------------------------------------------------------------------
some=(--db s.db --set tune.seeds=1 --set experiment.seeds=0,1,2 --set tune.trials=3)
runs() { sqlite3 s.db "$1"; }
ok 'one seed of three' run 0 run toy.ini --threads 1 --quiet "${some[@]}"
ok 'three trials and two seeds more, of each row' [ "$(runs 'SELECT count(*) FROM run')" = 15 ]
ok 'of one setting alone' [ "$(runs "SELECT count(DISTINCT choice) FROM run WHERE row = 'lora' AND seed > 0")" = 1 ]
ok 'the best of the trials' [ "$(runs "SELECT choice FROM run JOIN value ON run = run.id WHERE row = 'lora' AND seed = 0
	AND key = 'accuracy.validation.accuracy' ORDER BY value DESC, run LIMIT 1")" = \
	"$(runs "SELECT DISTINCT choice FROM run WHERE row = 'lora' AND seed > 0")" ]
ok 'tested with all three' [ "$(runs "SELECT count(DISTINCT run) FROM prediction WHERE split = 'test'")" = 9 ]
ok 'the table' run 0 table toy.ini "${some[@]}"
ok 'says so' prints '^lora: .*: 3 settings x 1 seed, the choice with 3'
ok 'means over three seeds' prints 'means over 3 seeds'
ok 'status: nothing is missing' run 0 status toy.ini "${some[@]}"
ok 'counts them' prints '^15 of 15 runs finished'
ok 'nothing to do twice' run 0 run toy.ini --threads 1 --quiet "${some[@]}"
ok 'as before' [ "$(runs 'SELECT count(*) FROM run')" = 15 ]
more=("${some[@]}" --set experiment.seeds=0,1,2,3)
ok 'a seed more' run 1 status toy.ini "${more[@]}"
ok 'is missing' prints '^full: .*the choice with 4, 5 of 6 runs finished, 0 failed$'
ok 'is trained' run 0 run toy.ini --threads 1 --quiet "${more[@]}"
ok 'with the chosen setting alone' [ "$(runs 'SELECT count(*) FROM run')" = 18 ]
ok 'and complete' run 0 status toy.ini "${more[@]}"
"$program" compare s.db:toy/lora a.db:toy/lora >out 2>err
ok 'the budget says how it was tried' grep -q '3 settings with 1 of the seeds, 1 epochs' out err
ok 'another sweep than that of all seeds' run 1 status toy.ini --db s.db --set experiment.seeds=0,1,2 --set tune.trials=3

refused() { # NAME MESSAGE SETTING...
	ok "$1: exit 2" run 2 plan toy.ini "${@:3}"
	ok "$1: its message" says "$2"
}
refused 'a range without trials' 'want [tune] trials' --set tune.trials=0
refused 'a range that falls' 'want LOW..HIGH' --set train.lr=1e-1..1e-2
refused 'half a range' 'want LOW..HIGH' --set train.lr=1e-1..
refused 'a range too wide' 'want a range inside' --set train.dropout=0..3
refused 'more seeds than there are' 'tune.seeds=3: seeds: want at most the 2 seeds of [experiment], got 3' --set tune.seeds=3
refused 'no such setting' "did you mean 'trials'" --set tune.trial=3
finish
