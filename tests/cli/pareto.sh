#!/bin/bash
# pareto: which rows no other row beats, and how often that holds under resampling.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/known.bash

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
ok 'of commands' prints '^  pareto EXPERIMENT.ini[^ ]* .* \(alias: front\)'
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


# ---- times -------------------------------------------------------------------------------------------------------
key=overhead.prefill_ratio.b1
timed() { # ROW FIRST SECOND LOW HIGH: what two processes measured, and the interval
	sqlite3 a.db "DELETE FROM value WHERE key LIKE '$key%' AND run IN (SELECT id FROM run WHERE experiment = 'a' AND row = '$1');
		INSERT INTO value SELECT id, column1, '', column2, column3 FROM run JOIN (VALUES ('$key', 0, $2), ('$key', 1, $3),
		('$key', -1, sqrt($2 * $3)), ('$key.low', -1, $4), ('$key.high', -1, $5)) WHERE experiment = 'a' AND row = '$1'
		AND seed = 1"
}
times() { run 0 pareto a.ini --db a.db --axes storage.stored,$key; }
cost null storage.stored 10
timed head 1.00 1.01 0.99 1.02
timed null 1.20 1.22 1.19 1.23
ok 'times that their intervals tell apart' times
ok 'count' prints '^null +10 +1.20996 +no +0.0 %'
ok 'of all samples' prints '^head .* yes +100.0 %'
ok 'says when they do not' prints '^Differences of times within their 95 % intervals count as ties, neither better nor worse; so do those of less$'
ok 'and that processes are drawn' prints '^sample draws seeds, the same for all rows, and the processes that timed each row'
timed null 1.04 1.04 1.039 1.041
ok 'apart, but within the margin' times
ok 'is a tie' prints '^null +10 +1.04 +yes +100.0 %'
timed null 1.02 1.50 0.50 2.00
ok 'an interval that contains the other' times
ok 'is a tie' prints '^null +10 +1.2369. +yes '
ok 'that a draw of processes decides' share null 20 30
for row in head null; do
	sqlite3 a.db "INSERT INTO value SELECT id, 'overhead.flops', '', -1, CASE row WHEN 'head' THEN 100 ELSE 101 END FROM run
		WHERE experiment = 'a' AND row = '$row' AND seed = 1"
done
ok 'a cost that no clock takes' run 0 pareto a.ini --db a.db --axes storage.stored,overhead.flops
ok 'is exact' prints '^null +10 +101 +no '
ok 'and has no ties' eval '! prints "count as ties"'
ok 'times again' times
ok 'a cheaper row without times stays' prints '^majority +1 +- +yes +100.0 %'

cp a.db without.db
sqlite3 without.db "DELETE FROM prediction WHERE run IN (SELECT id FROM run WHERE experiment = 'a')"
ok 'without predictions' run 0 pareto a.ini --db without.db
ok 'says so' prints '^sample draws seeds, the same for all rows'
cp a.db part.db
sqlite3 part.db "DELETE FROM value WHERE split = 'test' AND run = (SELECT id FROM run WHERE experiment = 'a' AND
	row = 'null' AND seed = 1)"
ok 'a row of one seed' run 0 pareto a.ini --db part.db
ok 'is told' prints '^null: 1 of 2 seeds were scored on test; every row is judged by the 1 seed that all rows have'
ok 'all are by that one' prints '^a: 4 rows, 1 seed, 40 test examples'

finish
