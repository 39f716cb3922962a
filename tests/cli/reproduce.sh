#!/bin/bash
# reproduce: a stored run that is run again has the same predictions, whatever made its row.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
sweep_study
ok 'a database' run 0 run toy.ini --db one.db --set 'experiment.seeds=0'
for id in $(sqlite3 one.db "SELECT id FROM run r WHERE EXISTS (SELECT 1 FROM value v WHERE v.run = r.id AND split = 'test')"); do
	ok "run $id again" run 0 reproduce "$id" --db one.db
	ok 'says so' prints '^test: ([0-9]+) of \1 predictions identical'
done

sqlite3 one.db 'DROP TRIGGER prediction_delete; DELETE FROM prediction WHERE run = 1'
ok 'a run without predictions is not reproduced' run 2 reproduce 1 --db one.db --quiet
ok 'says why' says 'one.db: run 1 has no stored predictions, so nothing can be compared'

finish
