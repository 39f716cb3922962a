#!/bin/bash
# rank: rows against the baseline on one data set, and against each other over several.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
experiments='a b c d'
. tests/cli/known.bash

cp a.db empty.db
sqlite3 empty.db "DELETE FROM value WHERE split = 'test'"
ok 'nothing scored' run 2 rank a.ini --db empty.db
ok 'its message' says 'a: the baseline full has not been scored on test yet'

# ---- one data set --------------------------------------------------------------------------------------------------
wrong a full 0
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
ok 'the family' prints '^Holm: p adjusted for the family of 3 comparisons with full'
ok 'of a mean' prints '^permutation test over the differences of the 40 examples, averaged over the seeds'
ok 'as JSON' run 0 rank a.ini --db a.db --json
ok 'adjusted' prints '"row":"null","baseline":"full","score":0.85,"difference":-0.15,.*"p":0.03125,"holm":0.0625,"family":3'
wrong a null 'example < 8'
ok 'of two that are equal' run 0 rank a.ini --db a.db
ok 'neither is the less' prints '^null .* 0.00781 +0.0234$'
ok 'by its place' prints '^head .* 0.00781 +0.0234$'
wrong a majority 'example >= 40'
ok 'no difference' run 0 rank a.ini --db a.db
ok 'is none' prints '^majority +1.0000 +\+0.0000 .* 1 +1$'
cp a.db without.db
sqlite3 without.db "DELETE FROM prediction WHERE run IN (SELECT id FROM run WHERE experiment = 'a')"
ok 'without predictions' run 0 rank a.ini --db without.db
ok 'of nothing' prints '^Holm: p adjusted for the family of 0 comparisons with full'
cp a.db part.db
sqlite3 part.db "DELETE FROM value WHERE split = 'test' AND run = (SELECT id FROM run WHERE experiment = 'a' AND
	row = 'null' AND seed = 1)"
ok 'ranked' run 0 rank a.ini --db part.db
ok 'by what is common' prints '^null: compared over the 1 of 2 seeds that it has in common with full'

# ---- several ------------------------------------------------------------------------------------------------
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
ok 'one pair' prints '^full is ranked before head: 1.75$'
ok 'and no more' test "$(grep -c ' before ' out)" = 1
ok 'a row of one data set' prints '^bitfit: left out because it was not scored on test in a, c, d$'
ok 'as JSON' run 0 rank a.ini b.ini c.ini d.ini --db a.db --json
ok 'the tests' prints '^\{"rows":3,"sets":4,"chi2":6.5,"chi2_p":0.03877420783,"p":0.04[0-9]*,"f":13,"f_p":0.00659179687'
ok 'no two of the same data' run 2 rank a.ini a.ini --db a.db
ok 'its message' says 'a.ini and a.ini have the same data; want one experiment for each data set'
ok 'two data sets' run 2 rank a.ini b.ini --db a.db
ok 'are too few' says '2 data sets are too few to rank 3 rows: '
ok 'what is enough' says 'want experiments on at least 3 data sets'
wrong c null 'example < 1'
ok 'one order everywhere' run 0 rank a.ini b.ini c.ini d.ini --db a.db
ok 'has no p of 0' prints '^Friedman: chi2 8 of 2, p 0.0183, by permutation 0.00[0-9]*; F is infinite because all data sets have the same order'
ok 'in JSON neither' run 0 rank a.ini b.ini c.ini d.ini --db a.db --json
ok 'but nothing' prints '"f":null,"f_p":null'
for one in a b c d; do for row in head null full; do wrong $one $row 'example < 3'; done; done
ok 'no order anywhere' run 0 rank a.ini b.ini c.ini d.ini --db a.db
ok 'is no difference' prints '^Friedman: chi2 0 of 2, p 1, by permutation 1; Iman-Davenport: F 0 of 2 and 6, p 1 '
sed -i 's/^methods.*/methods = majority, full/' d.ini
ok 'one row in common' run 2 rank a.ini d.ini --db a.db
ok 'its message' says '1 row was scored on test in all 2 experiments; want at least 2'
ok 'no experiment' run 2 rank
ok 'one that is not there' run 2 rank a.ini none.ini --db a.db

finish
