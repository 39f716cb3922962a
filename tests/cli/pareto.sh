#!/bin/bash
# pareto and rank as their user meets them, on predictions and costs that are set here, so that the answers are known.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
mkdir -p tasks data models
cp -r "$root/tests/golden/tiny-bert" models/tiny

# Four data sets of 40 examples of test.  Predictions are set below: what training does here is of no matter.
experiment() { # NAME METHODS
	printf '[task]\nkind = classify\ntrain = %s.tsv\nvalidation_share = 0.2\ntest_share = 0.4\n' "$1" >"tasks/$1.ini"
	{
		printf 'label\ttext\n'
		for i in $(seq 50); do printf 'good\ta good %s film %d\nbad\ta bad %s film %d\n' "$1" "$i" "$1" "$i"; done
	} >"data/$1.tsv"
	cat >"$1.ini" <<-END
		[experiment]
		task = $1
		model = models/tiny
		methods = $2
		seeds = 0, 1
		baseline = full

		[train]
		epochs = 1
		batch = 32
	END
}
experiment a 'majority, null, head, full'
experiment b 'full, majority, null, head, bitfit'
experiment c 'head, null, majority, full'
experiment d 'majority, null, head, full'
for one in a b c d; do ok "$one runs" run 0 run $one.ini --db a.db --no-timing; done
sqlite3 a.db 'DROP TRIGGER prediction_update; DROP TRIGGER value_update; DROP TRIGGER value_delete;
	DROP TRIGGER prediction_delete'

# All right but the examples that SQL says, in all seeds.
wrong() { # EXPERIMENT ROW CONDITION
	sqlite3 a.db "UPDATE prediction SET predicted = CASE WHEN $3 THEN 1 - label ELSE label END
		WHERE split = 'test' AND run IN (SELECT id FROM run WHERE experiment = '$1' AND row = '$2')"
}
cost() { # ROW KEY VALUE
	sqlite3 a.db "UPDATE value SET value = $3 WHERE key = '$2' AND run IN (SELECT id FROM run WHERE experiment = 'a' AND
		row = '$1')"
}
axes=accuracy.test.accuracy,storage.stored

# ---- pareto ----------------------------------------------------------------------------------------------------
# full is right everywhere and dearest; head and null are wrong once, elsewhere, at one price; majority is the
# cheapest.  head leaves the front where null is luckier, by the examples that are drawn and by the four imagined ones;
# full where a cheaper row is as good.  How often: tests/parity/make_stats.py.
wrong a full 0
wrong a head 'example = 3'
wrong a null 'example = 7'
wrong a majority 'example < 20'
cost full storage.stored 100
cost head storage.stored 10
cost null storage.stored 10
cost majority storage.stored 1
share() { awk -v row="$1" -v low="$2" -v high="$3" '$1 == row { x = $(NF - 1) } END { exit !(x >= low && x <= high) }' out; }
ok 'a front' run 0 pareto a.ini --db a.db --axes $axes
ok 'the best score is on it' prints '^full +1 +100 +yes '
ok 'where a cheaper one shows its fault' share full 38 45
ok 'the least cost is on it' prints '^majority +0.5 +1 +yes +100.0 %'
ok 'two that are equal are' prints '^head +0.975 +10 +yes '
ok 'both' prints '^null +0.975 +10 +yes '
ok 'one leaves it by chance' share head 55 63
ok 'and so does the other' share null 55 63
ok 'says over what' prints '^a: 4 rows, 2 seeds, 40 test examples$'
ok 'and by how many samples' prints '2000 bootstrap'
cp out first && ok 'the same draws' run 0 pareto a.ini --db a.db --axes $axes && ok 'the same answer' cmp -s out first
ok 'other draws' run 0 pareto a.ini --db a.db --axes $axes --seed 1
ok 'another share' test "$(grep '^head' out)" != "$(grep '^head' first)"
cost null storage.stored 11
ok 'a dearer one' run 0 pareto a.ini --db a.db --axes $axes
ok 'is beaten' prints '^null +0.975 +11 +no '
ok 'but where it is luckier' share null 37 45
ok 'and never the other' share head 100 100
wrong a null 'example IN (3, 7)'
ok 'never as good' run 0 pareto a.ini --db a.db --axes $axes --json
ok 'is there by imagined examples alone' prints '"row":"null","pareto":false,"share":0.2[0-9]*,"resamples":2000,"seed":0,"seeds":2,"examples":40'
ok 'one object a row' test "$(wc -l <out)" = 4
ok 'the usual axes' run 0 pareto a.ini --db a.db
ok 'are of what was measured' prints \
	'^row +accuracy.test.accuracy +storage.stored +memory.train.total +compute.train_flops +pareto'
ok 'which way they go' prints '^better is +higher +lower +lower +lower$'
ok 'what trains nothing took no FLOP' prints '^majority +0.5 +1 +[0-9]+ +0 +yes'
ok 'an axis that not all have' run 0 pareto a.ini --db a.db --axes compute.step_ms,storage.stored
ok 'what has no value' prints '^-: the value was not measured and counts as the worst'
ok 'an unknown axis' run 2 pareto a.ini --db a.db --axes accuracy.test.accuracy,storage.stord
ok 'its message' says "no run of a has a value 'storage.stord'; did you mean 'storage.stored'?"
ok 'the older name of the command' run 0 front a.ini --db a.db --axes $axes
ok 'prints the same' prints '^null +0.95 +11 +no '
ok 'the help has it' run 0 pareto --help
ok 'as an alias' prints 'also called .peftbench front.'
ok 'and so has the list' run 0 --help
ok 'of commands' prints '^  pareto EXPERIMENT.ini .* \(alias: front\)'
ok 'no axis' run 2 pareto a.ini --db a.db --axes ''
ok 'nothing was timed' run 2 pareto a.ini --db a.db --axes overhead.prefill_ratio.b1
cost head compute.tokens_per_s 5
cost null compute.tokens_per_s 7
cost full compute.tokens_per_s 6
ok 'faster is better' run 0 pareto a.ini --db a.db --axes compute.tokens_per_s
ok 'of times too' prints '^null +7 +yes +100.0 %'
ok 'the others are not' test "$(grep -cE '^[a-z]+ .* no +0.0 %' out)" = 3
sed '/^methods/s/$/, bitfit/' a.ini >more && cp a.ini less && cp more a.ini
ok 'a row that did not run' run 0 pareto a.ini --db a.db --axes $axes
ok 'is named' prints '^bitfit: left out because it has no finished run that was scored on test'
ok 'in JSON too' run 0 pareto a.ini --db a.db --json
ok 'without a front' prints '"row":"bitfit","pareto":null,"seeds":0'
cp less a.ini
cp a.db empty.db
sqlite3 empty.db "DELETE FROM value WHERE split = 'test'"
ok 'nothing scored' run 2 pareto a.ini --db empty.db
ok 'its message' says 'a: no row has been scored on test yet'
ok 'nor ranked' run 2 rank a.ini --db empty.db
ok 'its message' says 'a: the baseline full was not scored on test yet'

# ---- rank, one data set ------------------------------------------------------------------------------------------
# Wrong on 8, 6 and 4 examples where full never is: all signs one way have p 2/2^8, 2/2^6, 2/2^4.  Holm takes them
# 3, 2 and 1 times (Bonferroni would have 3 times all).
wrong a head 'example < 8'
wrong a null 'example < 6'
wrong a majority 'example < 4'
ok 'against the baseline' run 0 rank a.ini --db a.db
ok 'three times the least' prints '^head +0.8000 +-0.2000 .* 0.00781 +0.0234$'
ok 'twice the next' prints '^null +0.8500 +-0.1500 .* 0.0312 +0.0625$'
ok 'once the last' prints '^majority +0.9000 +-0.1000 .* 0.125 +0.125$'
ok 'the best first' test "$(awk 'NR > 1 && NR < 6 { print $1 }' out | tr '\n' ' ')" = 'full majority null head '
ok 'the baseline' prints '^full +1.0000 +baseline$'
ok 'the family' prints '^of 3 comparisons with full'
ok 'as JSON' run 0 rank a.ini --db a.db --json
ok 'adjusted' prints '"row":"null","baseline":"full","score":0.85,"difference":-0.15,.*"p":0.03125,"holm":0.0625,"family":3'
wrong a null 'example < 8'
ok 'of two that are equal' run 0 rank a.ini --db a.db
ok 'neither is the less' prints '^null .* 0.00781 +0.0234$'
ok 'by its place' prints '^head .* 0.00781 +0.0234$'
wrong a majority 'example >= 40'
ok 'no difference' run 0 rank a.ini --db a.db
ok 'is none' prints '^majority +1.0000 +\+0.0000 .* 1 +1$'

# ---- the table ----------------------------------------------------------------------------------------------------
# Two seeds that answer alike: Student's t over them would have no width.  By examples: 8 of 40 wrong are few, so four
# are imagined; seeds and rest vary by nothing: 34/44 +- 2.0167 sqrt(34/44 * 10/44 / 43), and for the pair
# -8/44 +- 2.0167 sqrt((10 - 64/44) / 43 / 44).
ok 'the table' run 0 table a.ini --db a.db
ok 'its intervals are by examples' prints '^head .* 0.8000 0.6438..0.9016 '
ok 'its pairs too' prints '^head .* -0.2000 -0.3174..-0.0463'
ok 'says so' prints '95 % interval for other seeds and examples'
ok 'one seed' run 0 table a.ini --db a.db --set experiment.seeds=1
ok 'says nothing of others' prints '^Mean over 1 seed, ± 95 % interval for other examples;'
ok 'but of examples' prints '^head .* 0.8000 0.6438..0.9016 '
ok 'as JSON' run 0 table a.ini --db a.db --json
ok 'the same' prints '"accuracy.test.accuracy":\{"mean":0.8,"low":0.6438[0-9]*,"high":0.9016'
ok 'all right is not for sure' prints '"accuracy.test.accuracy":\{"mean":1,"low":0.8[0-9]*,"high":1,'
cp a.db without.db
sqlite3 without.db "DELETE FROM prediction WHERE run IN (SELECT id FROM run WHERE experiment = 'a')"
ok 'without predictions' run 0 table a.ini --db without.db
ok 'it is by seeds' prints "^head: ± for other seeds alone \\(Student's t\\): no predictions are stored"
ok 'and so is the front' run 0 pareto a.ini --db without.db
ok 'says so' prints '^sample draws seeds, the same for all rows'
ok 'no test' run 0 rank a.ini --db without.db
ok 'of nothing' prints '^of 0 comparisons with full'

cp a.db part.db
sqlite3 part.db "DELETE FROM value WHERE split = 'test' AND run = (SELECT id FROM run WHERE experiment = 'a' AND
	row = 'null' AND seed = 1)"
ok 'a row of one seed' run 0 pareto a.ini --db part.db
ok 'is told' prints '^null: 1 of 2 seeds were scored on test; every row is judged by the 1 seed that all rows have'
ok 'all are by that one' prints '^a: 4 rows, 1 seed, 40 test examples'
ok 'ranked' run 0 rank a.ini --db part.db
ok 'by what is common' prints '^null: by the 1 of 2 seeds that it has in common with full'

# ---- rank, several ------------------------------------------------------------------------------------------------
# Three rows over four data sets, ranks 1 2 3 in three of them and 1 3 2 in one: means 1, 2.25, 2.75; chi2 6.5, its p
# exp(-3.25); F = 3 * 6.5 / (8 - 6.5) = 13, its p (1 + 2 * 13 / 6)^-3; critical 3.3145 / sqrt 2 * sqrt(3 * 4 / 24).
for one in a b c d; do
	sed -i 's/^methods.*/methods = head, null, full/' $one.ini
	wrong $one full 0
	wrong $one null 'example < 5'
	wrong $one head 'example < 9'
done
wrong c head 'example < 2'
sed -i 's/^methods.*/methods = head, null, full, bitfit/' b.ini
ok 'four data sets' run 0 rank a.ini b.ini c.ini d.ini --db a.db
ok 'the best' prints '^full +1 +1.0000 +1.0000 +1.0000 +1.0000$'
ok 'the next' prints '^null +2.25 +0.8750 '
ok 'the last' prints '^head +2.75 +0.7750 +0.7750 +0.9500 +0.7750$'
ok 'Friedman' prints '^Friedman: chi2 6.5 of 2, p 0.0388, by permutation 0.04[0-9]*; Iman-Davenport: F 13 of 2 and 6, p 0.00659 \(3 rows, 4 data sets'
ok 'Nemenyi' prints '^Nemenyi: .* 1.657:$'
ok 'one pair' prints '^full before head: 1.75$'
ok 'and no more' test "$(grep -c ' before ' out)" = 1
ok 'a row of one data set' prints '^bitfit: left out, not scored on test in a, c, d$'
ok 'as JSON' run 0 rank a.ini b.ini c.ini d.ini --db a.db --json
ok 'the tests' prints '^\{"rows":3,"sets":4,"chi2":6.5,"chi2_p":0.03877420783,"p":0.04[0-9]*,"f":13,"f_p":0.00659179687'
ok 'no two of the same data' run 2 rank a.ini a.ini --db a.db
ok 'its message' says 'a.ini and a.ini have the same data; want one experiment a data set'
ok 'two data sets' run 2 rank a.ini b.ini --db a.db
ok 'are too few' says '2 data sets are too few to rank 3 rows: '
ok 'what is enough' says 'want experiments of 3 data sets or more'
wrong c null 'example < 1'
ok 'one order everywhere' run 0 rank a.ini b.ini c.ini d.ini --db a.db
ok 'has no p of 0' prints '^Friedman: chi2 8 of 2, p 0.0183, by permutation 0.00[0-9]*; all data sets have one order, of which F is infinite'
ok 'in JSON neither' run 0 rank a.ini b.ini c.ini d.ini --db a.db --json
ok 'but nothing' prints '"f":null,"f_p":null'
for one in a b c d; do for row in head null full; do wrong $one $row 'example < 3'; done; done
ok 'no order anywhere' run 0 rank a.ini b.ini c.ini d.ini --db a.db
ok 'is no difference' prints '^Friedman: chi2 0 of 2, p 1, by permutation 1; Iman-Davenport: F 0 of 2 and 6, p 1 '
sed -i 's/^methods.*/methods = majority, full/' d.ini
ok 'one row in common' run 2 rank a.ini d.ini --db a.db
ok 'its message' says '1 row was scored on test in all 2 experiments, want 2 or more'
ok 'no experiment' run 2 rank
ok 'one that is not there' run 2 rank a.ini none.ini --db a.db

finish
