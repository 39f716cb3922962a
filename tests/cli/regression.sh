#!/bin/bash
# A regression from its file to predictions, tables and comparisons, and what is no regression.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
scored_study
printf '[task]\nkind = regression\ntrain = toy.tsv\nlabel = score\nvalidation_share = 0.2\ntest_share = 0.4\n' >tasks/toy.ini
{
	printf 'score\ttext\n'
	for i in $(seq 50); do
		for word in 4.5:good 3.25:fun 1:bad 0.5:dull; do printf '%s\tthe film %d is %s\n' "${word%:*}" "$i" "${word#*:}"; done
	done
} >data/toy.tsv
sed -i -e 's/^methods.*/methods = majority, full, lora/' -e 's/^epochs.*/epochs = 25/' -e 's/^timing.*/timing_rounds = 0/' \
	-e 's/^lr.*/lr = 5e-3/' toy.ini
sql() { sqlite3 "$1" "$2"; }
# The correlation and the error of the predictions of each run, beside the stored values: how many agree.
agree() { # DATABASE
	sql "$1" "WITH p AS (SELECT run, label AS x, predicted AS y FROM v_prediction WHERE split = 'test'),
		m AS (SELECT run, avg(x) AS mx, avg(y) AS my FROM p GROUP BY run),
		s AS (SELECT run, sum((x-mx)*(y-my)) AS xy, sum((x-mx)*(x-mx)) AS xx, sum((y-my)*(y-my)) AS yy,
			sqrt(avg((x-y)*(x-y))) AS rmse FROM p JOIN m USING (run) GROUP BY run)
		SELECT count(*) FROM s JOIN value v USING (run) WHERE v.split = 'test' AND v.step = -1 AND
		(v.key = 'accuracy.test.rmse' AND abs(v.value - rmse) < 1e-9 OR v.key = 'accuracy.test.pearson' AND
		abs(v.value - CASE WHEN yy < 1e-12 THEN 0 ELSE xy / sqrt(xx) / sqrt(yy) END) < 1e-9)"
}

ok 'a regression runs' run 0 run toy.ini --db a.db
ok 'its values are those of its predictions' test "$(agree a.db)" = 18
ok 'majority predicts the mean of train' test "$(sql a.db "SELECT count(DISTINCT round(predicted, 5)) = 1 AND
	abs(avg(predicted) - 2.3125) < 0.2 FROM v_prediction WHERE row = 'majority'")" = 1
ok 'its correlation is 0' test "$(sql a.db "SELECT DISTINCT value FROM v_result WHERE row = 'majority'
	AND key = 'accuracy.test.pearson'")" = 0.0
ok 'full learns' test "$(sql a.db "SELECT avg(value) > 0.6 FROM v_result WHERE row = 'full' AND key = 'accuracy.test.pearson'")" = 1
ok 'a table' run 0 table toy.ini --db a.db
ok 'is headed by the correlation' prints ' test pearson '
"$program" compare full majority --db a.db >out 2>err
ok 'full is better' prints '^accuracy.test.pearson .* better'
ok 'a ranking' run 0 rank toy.ini --db a.db
ok 'by what stands for the examples of a correlation' prints \
	'^permutation test over the differences of the jackknife pseudo-values of the 80 examples, averaged'
ok 'a Pareto front' run 0 pareto toy.ini --db a.db
ok 'figures' run 0 plot toy.ini --db a.db
ok 'the gate' run 0 check a.db --db a.db
ok 'a run again' run 0 reproduce 4 --db a.db
ok 'is the same' prints 'identical'
printf 'the film 3 is good\nthe film 9 is dull\n' >texts
ok 'predictions' eval 'run 0 predict toy.ini --db a.db --row full <texts'
ok 'are one number a line' test "$(grep -cE '^-?[0-9.]+$' out)" = 2
ok 'in order' test "$(awk 'NR == 1 { a = $1 } END { print (a > $1) }' out)" = 1
cp out before
run_of() { sql a.db "SELECT min(id) FROM run WHERE row = '$1'"; }
ok 'it is exported' run 0 export "$(run_of full)" whole --db a.db --merged
ok 'as a regression' grep -q '"problem_type": "regression"' whole/config.json
ok 'with one output' grep -q '"id2label": {"0": "score"}' whole/config.json
ok 'the folder predicts' eval 'run 0 predict --model whole <texts'
ok 'the same' diff before out
ok 'an adapter' run 0 export "$(run_of lora)" adapter --db a.db
ok 'of the row' eval 'run 0 predict toy.ini --db a.db --row lora <texts' && cp out before
ok 'predicts' eval 'run 0 predict --model models/tiny --adapter adapter <texts'
ok 'the same too, but for rounding' test "$(paste before out | awk '{ d = $1 - $2; n += d * d < 1e-8 } END { print n }')" = 2

ok 'by the error' run 0 run toy.ini --db e.db --set task.metric=rmse
ok 'whose values agree' test "$(agree e.db)" = 18
"$program" compare full majority --db e.db >out 2>err
ok 'less is better' prints '^accuracy.test.rmse .* better'
ok 'a table by the error' run 0 table toy.ini --db e.db --set task.metric=rmse
ok 'a ranking by the error' run 0 rank toy.ini --db e.db --set task.metric=rmse
ok 'databases are merged' run 0 merge e.db a.db
ok 'with their numbers' test "$(sql e.db 'SELECT count(DISTINCT run) FROM number')" = 18
ok 'by ranks' run 0 run toy.ini --db s.db --set task.metric=spearman --set experiment.methods=full

refused() { # MESSAGE ROW
	printf 'score\ttext\n1\tone\n%s\ttwo\n' "$2" >data/wrong.tsv
	run 2 run toy.ini --db wrong.db --set task.train=wrong.tsv && says "wrong.tsv:3: score: want a finite number, got '$2'" &&
		[ ! -e wrong.db ]
}
for label in high nan inf 1e999 0x10 '' '1,5'; do ok "no number: '$label'" refused "$label" "$label"; done
printf 'score\ttext\n1\tone\n-1e39\ttwo\n' >data/wrong.tsv
ok 'a number that no float has' run 2 run toy.ini --db wrong.db --set task.train=wrong.tsv
ok 'is refused' says "wrong.tsv:3: score: want a number from -3.403e+38 to 3.403e+38, which a float has, got '-1e39'"
ok 'prompts' run 2 run toy.ini --db wrong.db --set experiment.methods=zero-shot
ok 'are refused' says 'zero-shot answers with a word; the answers of task toy are numbers, which only a head gives'
ok 'two predictions that should agree' run 2 run toy.ini --db wrong.db --set experiment.methods=head,adamix
ok 'are refused before training' says 'toy.ini: adamix: consistency compares probabilities of classes; the answers of task toy are numbers; want consistency=0'
ok 'nothing is stored' [ ! -e wrong.db ]
ok 'also as one of several values' run 2 plan toy.ini --set experiment.methods=adamix --set 'method.adamix.consistency=0 | 1'
ok 'without that term they are not' run 0 plan toy.ini --set experiment.methods=adamix:consistency=0
ok 'no such metric' run 2 run toy.ini --db wrong.db --set task.metric=mcc
ok 'by name' says "--set task.metric=mcc: metric: no metric 'mcc'; want one of pearson, spearman, rmse"
sed -i 's/regression/classify/' tasks/toy.ini
ok 'numbers are no classes' run 2 run toy.ini --db wrong.db
ok 'the message names the kind' says 'a regression set; want labels of classes, kind = regression, or'

finish
