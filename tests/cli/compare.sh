#!/bin/bash
# compare: verdicts of one row against another, and what may not be compared.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
scored_study
ok 'a database' run 0 run toy.ini --db a.db

ok 'worse where it costs more: exit 1' run 1 compare lora majority --db a.db
ok 'better where it learned' prints '^accuracy.test.accuracy .* better '
ok 'worse in parameters' prints '^storage.trainable .* worse'
ok 'what majority has not is a dash' prints '^compute.forward_flops +- +- +- +undecided'
ok 'a row beside itself' run 0 compare lora lora --db a.db --margin 0.01,1e9
ok 'is the same' prints '^accuracy.test.accuracy .* 0 +same +the runs and their predictions are the same'
ok 'times are ratios' prints '^overhead.prefill_ratio.b1 .* x1 '
ok 'as JSON' run 1 compare a.db:toy/full majority --db a.db --json
ok 'one object an axis' test "$(wc -l <out)" = "$(grep -c '"verdict":"' out)"
ok 'by the number of a run' run 0 compare 7 7 --db a.db --margin 0.01,1e9
ok 'no such row' run 2 compare full nothing --db a.db
ok 'its message' says "a.db: no row or run 'nothing' was scored on test"
ok 'a margin that is none' run 2 compare full lora --db a.db --margin wide
ok 'its message' says '--margin: want up to three non-negative numbers'
sed 's/^epochs.*/epochs = 5/' toy.ini >budget.ini
cp a.db both.db
ok 'another budget' run 0 run budget.ini --db both.db --no-timing
ok 'a row of two experiments' run 2 compare full lora --db both.db
ok 'its message' says '2 experiments have a row full; want EXPERIMENT/full'
ok 'other budgets' run 2 compare toy/full budget/full --db both.db
ok 'are named' says 'different budget, 1 settings, 6 epochs'
sed -e '/^\[train\]/a patience = 2\ntarget = 0.9\nschedule = constant' -e 's/^epochs.*/epochs = 40/' toy.ini >stop.ini
ok 'another rule of stopping' run 0 run stop.ini --db both.db --no-timing
ok 'is another budget' run 2 compare stop/full budget/full --db both.db
ok 'named as well' says '40 epochs of batches of 8, patience 2, target 0.9 and 1 settings, 5 epochs of batches of 8'
values() { sqlite3 both.db "SELECT count(*) FROM value v JOIN run ON run.id = v.run WHERE experiment = 'stop' AND $1"; }
ok 'it stopped early' test "$(values "key = 'train.epochs' AND row != 'majority' AND value BETWEEN 3 AND 39")" = 9
ok 'what it took to the target' test "$(values "key = 'compute.flops_to_target' AND value > 0
	AND value < (SELECT value FROM value t WHERE t.run = v.run AND t.key = 'compute.train_flops')")" -ge 3
echo 'good	the film 61 is good' >>data/toy.tsv
ok 'other data' run 0 run toy.ini --db b.db --no-timing
ok 'are refused' run 2 compare a.db:toy/full b.db:full
ok 'by name' says 'are not comparable: different data'
sed -i '$d' data/toy.tsv

finish
