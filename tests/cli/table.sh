#!/bin/bash
# table: intervals by seeds and examples, of predictions that are set here.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/known.bash

wrong a full 0
wrong a head 'example < 8'
wrong a null 'example < 8'
wrong a majority 'example >= 40'
# Two seeds that answer alike: Student's t over them would have no width.  By examples: 8 of 40 wrong are few, so four
# are imagined; seeds and rest vary by nothing: 34/44 +- 2.0167 sqrt(34/44 * 10/44 / 43), and for the pair
# -8/44 +- 2.0167 sqrt((10 - 64/44) / 43 / 44).
ok 'the table' run 0 table a.ini --db a.db
ok 'its intervals are by examples' prints '^head .* 0.8000 0.6438..0.9016 '
ok 'its pairs too' prints '^head .* -0.2000 -0.3174..-0.0463'
ok 'says so' prints '95 % interval for other seeds and examples'
ok 'one seed' run 0 table a.ini --db a.db --set experiment.seeds=1
ok 'says nothing of others' prints '^Scores are means over 1 seed; ± is the 95 % interval for other examples'
ok 'but of examples' prints '^head .* 0.8000 0.6438..0.9016 '
ok 'as JSON' run 0 table a.ini --db a.db --json
ok 'the same' prints '"accuracy.test.accuracy":\{"mean":0.8,"low":0.6438[0-9]*,"high":0.9016'
ok 'all right is not for sure' prints '"accuracy.test.accuracy":\{"mean":1,"low":0.8[0-9]*,"high":1,'
cp a.db without.db
sqlite3 without.db "DELETE FROM prediction WHERE run IN (SELECT id FROM run WHERE experiment = 'a')"
ok 'without predictions' run 0 table a.ini --db without.db
ok 'it is by seeds' prints "^head: ± covers other seeds only \\(Student's t\\), because no predictions are stored"

finish
