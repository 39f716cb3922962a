#!/bin/bash
# The primary metric of a classification: which it is, what it selects, and what compares by it.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
scored_study
{ # two thirds are good, so that accuracy and the other metrics differ
	printf 'label\ttext\n'
	for i in $(seq 80); do printf 'good\tthe film %d is good and fun\n' "$i"; done
	for i in $(seq 101 140); do printf 'bad\tthe film %d is %s and fun\n' "$i" "$([ $((i % 3)) = 0 ] && echo good || echo dull)"; done
} >data/toy.tsv
sed -i -e 's/^timing_rounds.*/timing_rounds = 0/' -e 's/^methods.*/methods = head, full/' -e 's/^lr.*/lr = 1e-3, 1e-2/' \
	-e 's/^epochs.*/epochs = 12\npatience = 6/' toy.ini
values() { sqlite3 "$1" "$2"; }

ok 'by mcc' run 0 run toy.ini --db mcc.db --set task.metric=mcc
ok 'progress says so' says 'validation mcc'
ok 'all metrics are stored' test "$(values mcc.db "SELECT group_concat(DISTINCT key) FROM value
	WHERE key LIKE 'accuracy.test.%'")" = accuracy.test.accuracy,accuracy.test.macro_f1,accuracy.test.mcc,accuracy.test.weighted_f1
ok 'the best epoch is that of mcc' test "$(values mcc.db "SELECT count(*) FROM value b WHERE b.key = 'train.best_epoch' AND
	b.value = (SELECT epoch FROM (SELECT value, row_number() OVER (ORDER BY step) AS epoch FROM value
	WHERE run = b.run AND key = 'accuracy.validation.mcc' AND step > 0) ORDER BY value DESC, epoch LIMIT 1)")" = 12
ok 'which differs' test "$(values mcc.db "SELECT count(DISTINCT value) FROM value WHERE key = 'train.best_epoch'")" -gt 2
ok 'its parameters are the result' test "$(values mcc.db "SELECT count(*) FROM value v WHERE key = 'accuracy.validation.mcc'
	AND step = -1 AND value = (SELECT max(value) FROM value WHERE run = v.run AND key = v.key AND step > 0)")" = 12
ok 'the setting chosen is the best by mcc' test "$(values mcc.db "WITH mean AS (SELECT row, choice, avg(value) AS m
	FROM value v JOIN run r ON r.id = v.run WHERE key = 'accuracy.validation.mcc' AND step = -1 GROUP BY row, choice)
	SELECT count(*) FROM selection s JOIN mean USING (row, choice)
	WHERE m = (SELECT max(m) FROM mean WHERE row = s.row)")" = 2
ok 'a table' run 0 table toy.ini --db mcc.db --set task.metric=mcc
ok 'is headed by it' prints ' test mcc '
ok 'ranks' run 0 rank toy.ini --db mcc.db --set task.metric=mcc
ok 'by it' prints '^toy +mcc'
ok 'a Pareto front' run 0 pareto toy.ini --db mcc.db --set task.metric=mcc
ok 'over it' prints 'accuracy.test.mcc'
mean() { values "$1" "SELECT round(avg(value), 4) FROM v_result WHERE key = '$2' AND split = 'test' AND row = '$3'"; }
"$program" compare head full --db mcc.db >out 2>err
ok 'a comparison knows it' prints "^accuracy.test.mcc +$(mean mcc.db accuracy.test.mcc head | sed 's/0*$//')"
ok 'figures' run 0 plot toy.ini --db mcc.db --set task.metric=mcc
ok 'another metric is another cell' run 1 status toy.ini --db mcc.db
ok 'that is missing' prints '^0 of 12 runs finished'

ok 'F1 of a class' run 0 run toy.ini --db f1.db --set task.metric=f1 --set task.positive=bad
ok 'is what its predictions give' test "$(values f1.db "SELECT count(*) FROM (SELECT run,
	2.0 * sum(label = 'bad' AND predicted = 'bad') / max(1, sum(label = 'bad') + sum(predicted = 'bad')) AS f1
	FROM v_prediction WHERE split = 'test' GROUP BY run) p JOIN value v ON v.run = p.run AND v.key = 'accuracy.test.f1'
	AND abs(v.value - p.f1) < 1e-9")" = 6
"$program" compare head full --db f1.db --json >out 2>err
ok 'is compared' prints '"accuracy.test.f1"'
ok 'F1 of the other' run 0 run toy.ini --db good.db --set task.metric=f1 --set task.positive=good
ok 'is not comparable' run 2 compare f1.db:head good.db:head
ok 'by name' says 'different primary metric, f1 of bad and f1 of good'
ok 'nor is another metric' run 2 compare f1.db:head mcc.db:head
ok 'by its name' says 'different primary metric, f1 of bad and mcc'

refused() { # MESSAGE LINE-OF-TASK...
	printf '%s\n' '[task]' 'kind = classify' 'train = toy.tsv' "${@:2}" >tasks/wrong.ini
	run 2 run toy.ini --db wrong.db --set experiment.task=wrong && says "$1" && [ ! -e wrong.db ]
}
ok 'no such metric' refused "tasks/wrong.ini:4: metric: no metric 'bleu'; want one of accuracy, macro_f1, weighted_f1, mcc, f1" \
	'metric = bleu'
ok 'no such class' refused "tasks/wrong.ini:5: positive: no class 'ugly'; want one of good, bad" 'metric = f1' 'positive = ugly'
ok 'F1 of no class' refused "tasks/wrong.ini:4: metric: f1 is that of one class; want \`positive = CLASS\` beside it" 'metric = f1'
ok 'a class without training examples' refused "tasks/wrong.ini:4: classes: train has no example of the class 'ugly'" \
	'classes = good, bad, ugly'
ok 'of --set' run 2 run toy.ini --db wrong.db --set task.metric=auc
ok 'with its place' says "--set task.metric=auc: metric: no metric 'auc'"
head -1 data/toy.tsv >data/test.tsv
printf 'good\tthe film 991 is good\n' >>data/test.tsv
ok 'a class without test examples' run 0 run toy.ini --db note.db --set task.test=test.tsv --set train.epochs=1
ok 'is noted' says "warning: toy: test has no example of 1 of the 2 classes, such as 'bad'"

finish
