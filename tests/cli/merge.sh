#!/bin/bash
# merge: the runs of several databases in one, each once, and none if one of them contradicts another.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
sweep_study
ok 'a database' run 0 run toy.ini --db one.db --set 'experiment.seeds=0'
ok 'another' run 0 run toy.ini --db two.db --set 'experiment.seeds=0, 1'
cp one.db all.db
ok 'merge' run 0 merge all.db two.db one.db
ok 'none is lost' test "$(count_results all.db)" = "$(sqlite3 one.db "ATTACH 'two.db' AS t; SELECT
	((SELECT count(*) FROM main.run) + (SELECT count(*) FROM t.run)) || ' ' ||
	((SELECT count(*) FROM main.value) + (SELECT count(*) FROM t.value)) || ' ' ||
	((SELECT count(*) FROM main.prediction) + (SELECT count(*) FROM t.prediction))")"
before_merge=$(count_results all.db)
ok 'none is doubled' run 0 merge all.db two.db
ok 'as it was' test "$(count_results all.db)" = "$before_merge"
cp two.db false.db
sqlite3 false.db 'DROP TRIGGER value_update; UPDATE value SET value = value + 1 WHERE run = 2'
ok 'other results of the same run' run 2 merge all.db false.db
ok 'its message' says 'but their results in table value differ'
ok 'nothing was merged' test "$(count_results all.db)" = "$before_merge"
ok 'no database' run 2 merge all.db nowhere.db

# one experiment, and a brief copy
sed 's/^epochs = 2/epochs = 1/' toy.ini >other.ini
ok 'a second experiment' run 0 run other.ini --db two.db --set 'experiment.seeds=0'
ok 'one of them' run 0 merge part.db two.db:toy
ok 'its runs alone' test "$(sqlite3 part.db 'SELECT DISTINCT experiment FROM run')" = toy
ok 'a wrong name' run 2 merge part.db two.db:tay
ok 'its message' says "there are no runs of experiment 'tay'"
ok 'a brief copy' run 0 merge --brief brief.db two.db:toy
ok 'without traces' test "$(sqlite3 brief.db 'SELECT (SELECT count(*) FROM trace) + (SELECT count(*) FROM fingerprint)
	+ (SELECT count(probability) FROM prediction)')" = 0
ok 'with chosen predictions' test "$(sqlite3 brief.db 'SELECT count(*) FROM prediction')" = "$(sqlite3 part.db \
	'SELECT count(*) FROM prediction WHERE run IN (SELECT run FROM selected)')"
for command in table pareto rank settings; do
	ok "$command" run 0 $command part.db:toy
	whole=$(<out)
	ok "$command of the copy" run 0 $command brief.db:toy
	ok "$command: as of the whole" is "$(<out)" "$whole"
done
ok 'no repetition of it' run 2 reproduce 1 --db brief.db
ok 'its message' says 'run 1 is a brief copy'
ok 'no baseline' run 2 check brief.db --db two.db
ok 'nothing new in it' run 0 merge part.db brief.db
ok 'its runs are known' is "$(<out)" 'brief.db: 0 runs added, 12 already known'
ok 'nothing is added to it' run 0 merge brief.db part.db
ok 'it stays brief' test "$(sqlite3 brief.db 'SELECT count(*) FROM trace')" = 0

finish
