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

finish
