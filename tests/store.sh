#!/bin/bash
# The database of results: what is stored once, how a database of an earlier schema is read and brought up to date, and
# reading where nothing may be written.
set -u
cd "$(dirname "$0")/.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
toy_task
cat >toy.ini <<'X'
[experiment]
task = toy
model = models/tiny
methods = head, lora
seeds = 0, 1
timing_rounds = 0

[train]
epochs = 1
batch = 8
lr = 1e-2, 1e-3
X
number() { sqlite3 "$1" "$2"; } # of a database

# Makes a database of schema 1 or 2 of one of today's.
make_old() { # DATABASE VERSION
	local columns='id, hash, experiment, task, model, row, choice, seed, status, error, ended, seconds, machine, kernels, threads,
		compiler, flags, version, code'
	sqlite3 "$1" "PRAGMA journal_mode=DELETE; PRAGMA foreign_keys=OFF; BEGIN; CREATE TABLE kept AS SELECT $columns FROM run;
		DROP VIEW finished; DROP VIEW v_result; DROP VIEW v_prediction; DROP TABLE selected; DROP TABLE selection;
		DROP TABLE example; DROP TABLE class; DROP TABLE claim; DROP TABLE run;
		CREATE TABLE run ( id INTEGER PRIMARY KEY, hash TEXT NOT NULL, experiment TEXT NOT NULL, task TEXT NOT NULL,
		model TEXT NOT NULL, row TEXT NOT NULL, choice TEXT NOT NULL, seed INTEGER NOT NULL,
		status TEXT NOT NULL CHECK (status IN ('done', 'diverged', 'failed')), error TEXT, ended TEXT NOT NULL,
		seconds REAL NOT NULL, machine TEXT NOT NULL, kernels TEXT NOT NULL, threads INTEGER NOT NULL,
		compiler TEXT NOT NULL, flags TEXT NOT NULL, version TEXT NOT NULL, code TEXT NOT NULL) STRICT;
		INSERT INTO run SELECT * FROM kept; DROP TABLE kept;
		CREATE INDEX run_by_hash ON run (hash); CREATE INDEX run_by_row ON run (experiment, row);
		CREATE VIEW finished AS SELECT * FROM run WHERE id IN
		(SELECT max(id) FROM run WHERE status <> 'failed' GROUP BY hash);
		CREATE TRIGGER run_update BEFORE UPDATE ON run BEGIN SELECT raise(ABORT, 'results are append only'); END;
		CREATE TRIGGER run_delete BEFORE DELETE ON run BEGIN SELECT raise(ABORT, 'results are append only'); END;
		PRAGMA user_version = 2; COMMIT" >/dev/null
	[ "$2" = 2 ] || sqlite3 "$1" 'DROP TABLE answer; DROP TABLE statistic; DROP TABLE provenance; DROP TABLE imported_value;
		DROP TABLE imported; PRAGMA user_version = 1'
}
results() { sqlite3 "$1" 'SELECT * FROM value ORDER BY 1, 2, 3, 4; SELECT * FROM prediction ORDER BY 1, 2, 3'; }

ok 'run' run 0 run toy.ini --db new.db
ok 'eight results' [ "$(number new.db 'SELECT count(*) FROM finished')" = 8 ]
ok 'one a hash' [ -n "$(sqlite3 new.db "INSERT INTO run SELECT NULL, hash, experiment, task, model, row, choice, seed, status,
	error, ended, seconds, machine, kernels, threads, compiler, flags, version, code, data, NULL FROM run LIMIT 1" 2>&1)" ]
ok 'table' run 0 table toy.ini --db new.db
cp out wanted
"$program" compare head lora --db new.db >out
cp out compared

# ---- earlier schemas ----------------------------------------------------------------------------------------------
for version in 1 2; do
	cp new.db old$version.db
	make_old old$version.db $version
	results old$version.db >before
	sum=$(sha256sum <old$version.db)
	ok "schema $version is read" run 0 table toy.ini --db old$version.db
	ok 'as it is' cmp -s out wanted
	ok 'and left so' [ "$sum" = "$(sha256sum <old$version.db)" ]
	ok 'nothing is left beside it' [ "$(ls old$version.db*)" = old$version.db ]
done
"$program" compare head lora --db old2.db >out
ok 'names are known there' cmp -s out compared
for version in 1 2; do
	results old$version.db >before
	cp old$version.db copy.db
	ok "schema $version is brought up to date" run 0 run toy.ini --db copy.db --quiet
	ok 'to this one' [ "$(number copy.db 'PRAGMA user_version')" = 3 ]
	results copy.db >after
	ok 'no result is changed' cmp -s before after
	ok 'nothing was trained again' [ "$(number copy.db 'SELECT count(*) FROM run')" = 8 ]
	ok 'what was scored on test is chosen' [ "$(number copy.db 'SELECT count(*) FROM selected')" = 4 ]
	ok 'it is sound' [ "$(number copy.db 'PRAGMA integrity_check; PRAGMA foreign_key_check')" = ok ]
done

# Two results of one hash, and a gap between the numbers: nothing is lost, the first that was scored counts.
cp old2.db doubles.db
sqlite3 doubles.db "PRAGMA foreign_keys=OFF; DROP TRIGGER run_update; CREATE TEMP TABLE d AS SELECT * FROM run;
	UPDATE d SET id = id + 100; INSERT INTO run SELECT * FROM d; INSERT INTO value SELECT run + 100, key, split, step, value FROM value;
	INSERT INTO setting SELECT run + 100, key, value FROM setting;
	INSERT INTO prediction SELECT run + 100, split, example, label, predicted, probability FROM prediction;
	INSERT INTO provenance SELECT run + 100, key, value FROM provenance;
	CREATE TRIGGER run_update BEFORE UPDATE ON run BEGIN SELECT raise(ABORT, 'results are append only'); END"
ok 'doubles are read once' run 0 table toy.ini --db doubles.db
ok 'and say the same' cmp -s out wanted
ok 'doubles are merged' run 0 merge merged.db doubles.db
ok 'all are there' [ "$(number merged.db 'SELECT count(*) FROM run')" = 16 ]
ok 'one a hash counts' [ "$(number merged.db 'SELECT count(*) FROM finished')" = 8 ]
ok 'merged once more' run 0 merge merged.db doubles.db new.db
ok 'nothing is new' [ "$(number merged.db 'SELECT count(*) FROM run')" = 16 ]
ok 'the table of them' run 0 table toy.ini --db merged.db
ok 'is the same' cmp -s out wanted

# ---- what is not ours ---------------------------------------------------------------------------------------------
cp new.db view.db
sqlite3 view.db 'DROP VIEW finished; CREATE VIEW finished AS SELECT * FROM run'
ok 'a view of somebody else' run 2 table toy.ini --db view.db
ok 'its message' says "view.db: its view 'finished' is not of peftbench's making"
cp new.db extra.db
sqlite3 extra.db 'CREATE TRIGGER more AFTER INSERT ON run BEGIN DELETE FROM claim; END'
ok 'a trigger of somebody else' run 2 run toy.ini --db extra.db
ok 'its message' says "extra.db: its trigger 'more' is not"
cp new.db less.db
sqlite3 less.db 'DROP TABLE sample'
ok 'a table that is missing' run 2 table toy.ini --db less.db
ok 'its message' says 'less.db: tables are missing'
for name in '' :memory: 'file:x.db?mode=memory'; do
	ok "no file: '$name'" run 2 run toy.ini --db "$name"
	ok 'its message' says 'want the path of a file'
	ok 'nor to read' run 2 table toy.ini --db "$name"
done

finish
