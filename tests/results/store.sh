#!/bin/bash
# The database of results: what is stored once, how a database of an earlier schema is read and brought up to date, and
# reading where nothing may be written.
set -u
cd "$(dirname "$0")/../.." || exit 2
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

# Makes a database of schema 4, which has no numbers, of one of today's.
make_fourth() { # DATABASE
	local view
	view=$(sqlite3 "$1" "SELECT substr(sql, 1, instr(sql, ' UNION ALL SELECT r.experiment, r.row, r.choice, r.seed, r.id, n.split') - 1)
		FROM sqlite_schema WHERE name = 'v_prediction'")
	sqlite3 "$1" "PRAGMA journal_mode=DELETE; BEGIN; DROP VIEW v_prediction; DROP TABLE number; $view; PRAGMA user_version = 4; COMMIT" >/dev/null
}
# Makes a database of schema 3 of one of today's.
make_third() { # DATABASE
	sqlite3 "$1" "PRAGMA journal_mode=DELETE; PRAGMA foreign_keys=OFF; BEGIN;
		CREATE TEMP TABLE kept AS SELECT data, split, example, line, digest, text, wanted FROM example;
		DROP VIEW v_prediction; DROP TABLE example; DROP TABLE number;
		CREATE TABLE example ( data TEXT NOT NULL, split TEXT NOT NULL, example INTEGER NOT NULL, line INTEGER NOT NULL,
		digest TEXT NOT NULL, text TEXT NOT NULL, wanted TEXT, PRIMARY KEY (data, split, example)) STRICT, WITHOUT ROWID;
		INSERT INTO example SELECT * FROM kept; DROP TABLE kept;
		CREATE VIEW v_prediction AS SELECT r.experiment, r.row, r.choice, r.seed, r.id AS run, p.split, p.example, e.text,
		l.name AS label, s.name AS predicted, p.probability, p.label = p.predicted AS right
		FROM finished r JOIN prediction p ON p.run = r.id
		LEFT JOIN example e ON e.data = r.data AND e.split = p.split AND e.example = p.example
		LEFT JOIN class l ON l.data = r.data AND l.label = p.label
		LEFT JOIN class s ON s.data = r.data AND s.label = p.predicted
		UNION ALL SELECT r.experiment, r.row, r.choice, r.seed, r.id, a.split, a.example, e.text, e.wanted, a.text, NULL, NULL
		FROM finished r JOIN answer a ON a.run = r.id
		LEFT JOIN example e ON e.data = r.data AND e.split = a.split AND e.example = a.example;
		CREATE TRIGGER example_update BEFORE UPDATE ON example BEGIN SELECT raise(ABORT, 'results are append only'); END;
		CREATE TRIGGER example_delete BEFORE DELETE ON example BEGIN SELECT raise(ABORT, 'results are append only'); END;
		PRAGMA user_version = 3; COMMIT" >/dev/null
}
# Makes a database of schema 1, 2, 3 or 4 of one of today's.
make_old() { # DATABASE VERSION
	[ "$2" != 4 ] || { make_fourth "$1" && return; }
	[ "$2" != 3 ] || { make_third "$1" && return; }
	local columns='id, hash, experiment, task, model, row, choice, seed, status, error, ended, seconds, machine, kernels, threads,
		compiler, flags, version, code'
	local newer
	newer=$(sqlite3 "$1" "SELECT 'DROP TABLE ' || name || ';' FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('run', 'setting',
		'value', 'prediction', 'sample', 'answer', 'statistic', 'provenance', 'imported', 'imported_value')")
	sqlite3 "$1" "PRAGMA journal_mode=DELETE; PRAGMA foreign_keys=OFF; BEGIN; CREATE TEMP TABLE kept AS SELECT $columns FROM run;
		DROP VIEW finished; DROP VIEW v_result; DROP VIEW v_prediction; $newer DROP TABLE run;
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
lose() { # DATABASE RUN..: as if they had never ended
	local table run
	for table in setting value prediction sample answer statistic provenance run selection selected trace fingerprint; do
		sqlite3 "$1" "PRAGMA foreign_keys=OFF; DROP TRIGGER IF EXISTS ${table}_delete"
		for run in "${@:2}"; do
			sqlite3 "$1" "PRAGMA foreign_keys=OFF; DELETE FROM $table WHERE $([ $table = run ] && echo id || echo run) = $run" 2>/dev/null
		done
	done
}
predictions() { sqlite3 "$1" 'SELECT run, split, example, text, label, predicted FROM v_prediction ORDER BY 1, 2, 3'; }
results() { sqlite3 "$1" 'SELECT * FROM value ORDER BY 1, 2, 3, 4; SELECT * FROM prediction ORDER BY 1, 2, 3'; }

ok 'run' run 0 run toy.ini --db new.db
ok 'eight results' [ "$(number new.db 'SELECT count(*) FROM finished')" = 8 ]
ok 'one a hash' [ -n "$(sqlite3 new.db "INSERT INTO run SELECT NULL, hash, experiment, task, model, row, choice, seed, status,
	error, ended, seconds, machine, kernels, threads, compiler, flags, version, code, data, NULL FROM run LIMIT 1" 2>&1)" ]
ok 'table' run 0 table toy.ini --db new.db
cp out wanted
"$program" compare head lora --db new.db >out
ok 'names the sweep' prints '^toy/head: lr=1e-[23], the best of 2 settings, 2 seeds; sweep [0-9a-f]{8}$'
tail -n +3 out >compared

# ---- earlier schemas ----------------------------------------------------------------------------------------------
for version in 1 2 3 4; do
	cp new.db old$version.db
	make_old old$version.db $version
	results old$version.db >before
	sum=$(sha256sum <old$version.db)
	ok "schema $version is read" run 0 table toy.ini --db old$version.db
	ok 'as it is' cmp -s out wanted
	ok 'and left so' [ "$sum" = "$(sha256sum <old$version.db)" ]
	ok 'nothing is left beside it' [ "$(ls old$version.db*)" = old$version.db ]
done
for version in 1 2; do # made by an older program, so its hashes are of other code
	cp old$version.db changed.db
	sqlite3 changed.db "DROP TRIGGER run_update; UPDATE run SET hash = 'aa' || substr(hash, 3)"
	[ $version = 1 ] || sqlite3 changed.db "DROP TRIGGER IF EXISTS provenance_delete; DELETE FROM provenance WHERE key GLOB 'code.*'"
	ok "status of schema $version" run 1 status toy.ini --db changed.db
	ok 'names the runs' prints '^missing    head lr=1e-2 seed 0: run [0-9]+ has the same settings; it was made by another version of the code$'
	ok 'the table of any version' run 0 table toy.ini --db changed.db --any-version
	ok 'shows them if their data are recorded' [ "$(grep -c '^† .*: it was made by another version of the code' out)" = $((2 * version - 2)) ]
done
"$program" compare head lora --db old2.db >out
ok 'whose sweep is not known' prints '^toy/head: lr=1e-[23], the best of 2 settings, 2 seeds; sweep unknown$'
tail -n +3 out >old
ok 'names are known there' cmp -s old compared
predictions new.db >wanted_predictions
for version in 1 2 3 4; do
	results old$version.db >before
	cp old$version.db copy.db
	ok "schema $version is brought up to date" run 0 run toy.ini --db copy.db --quiet
	ok 'to this one' [ "$(number copy.db 'PRAGMA user_version')" = 5 ]
	results copy.db >after
	ok 'no result is changed' cmp -s before after
	ok 'nothing was trained again' [ "$(number copy.db 'SELECT count(*) FROM run')" = 8 ]
	ok 'what was scored on test is chosen' [ "$(number copy.db 'SELECT count(DISTINCT run) FROM selected')" = 4 ]
	ok 'it is sound' [ "$(number copy.db 'PRAGMA integrity_check; PRAGMA foreign_key_check')" = ok ]
	predictions copy.db >after
	[ $version -lt 3 ] || ok 'its texts are there' cmp -s wanted_predictions after
done
ok 'and not empty' [ -s wanted_predictions ]
for version in 3 4; do
	ok "schema $version is merged" run 0 merge merged$version.db old$version.db
	predictions merged$version.db >after
	ok 'with its texts' cmp -s wanted_predictions after
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

# ---- broken pages -------------------------------------------------------------------------------------------------
# Each page in turn: the answer is the right one, or there is none.
pages=$(($(stat -c %s new.db) / 4096)) wrong=0
while read -r -a command; do
	cp new.db broken.db
	"$program" "${command[@]}" --db broken.db >good 2>/dev/null
	right=$?
	for ((page = 1; page < pages; page++)); do
		cp new.db broken.db
		dd if=/dev/zero of=broken.db bs=4096 seek=$page count=1 conv=notrunc 2>/dev/null
		"$program" "${command[@]}" --db broken.db >out 2>err
		status=$?
		[ $status = 2 ] && [ -s err ] && continue
		[ $status = $right ] && ! grep -q malformed err && cmp -s out good && continue
		wrong=$((wrong + 1))
		echo "    ${command[*]}: page $page: exit status $status"
	done
done <<'END'
table toy.ini
compare head lora
END
ok "$pages pages broken in turn: the right answer or none" [ $wrong = 0 ]

# ---- what is not ours ---------------------------------------------------------------------------------------------
cp new.db view.db
sqlite3 view.db 'DROP VIEW finished; CREATE VIEW finished AS SELECT * FROM run'
ok 'a view of somebody else' run 2 table toy.ini --db view.db
ok 'its message' says "view.db: its view 'finished' was not created by peftbench"
cp new.db extra.db
sqlite3 extra.db 'CREATE TRIGGER more AFTER INSERT ON run BEGIN DELETE FROM claim; END'
ok 'a trigger of somebody else' run 2 run toy.ini --db extra.db
ok 'its message' says "extra.db: its trigger 'more' was not created by peftbench"
cp new.db less.db
sqlite3 less.db 'DROP TABLE sample'
ok 'a table that is missing' run 2 table toy.ini --db less.db
ok 'its message' says 'less.db: tables are missing'
for name in '' :memory: 'file:x.db?mode=memory'; do
	ok "no file: '$name'" run 2 run toy.ini --db "$name"
	ok 'its message' says 'want the path of a file'
	ok 'nor to read' run 2 table toy.ini --db "$name"
done

# ---- what a run's examples were ------------------------------------------------------------------------------------
ok 'texts, labels and answers in one join' [ "$(number new.db "SELECT count(*) FROM v_prediction WHERE split = 'test' AND
	text LIKE 'film % was ' || label AND predicted IN ('good', 'bad') AND right = (label = predicted)")" = "$(number new.db \
	"SELECT count(*) FROM prediction WHERE split = 'test'")" ]
ok 'a text is stored once' [ "$(number new.db 'SELECT count(*) = count(DISTINCT digest) FROM example')" = 1 ]
ok 'results of the choice' [ "$(number new.db "SELECT count(*) FROM v_result WHERE key = 'accuracy.test.accuracy'")" = 4 ]

# ---- a choice belongs to its sweep -----------------------------------------------------------------------------------
sed 's/^lr.*/lr = 1e-2/' toy.ini >wide.ini
ok 'one rate' run 0 run wide.ini --db wide.db --quiet
cp toy.ini wide.ini
ok 'a rate more' run 0 run wide.ini --db wide.db --quiet
ok 'has a choice beside the old' [ "$(number wide.db "SELECT group_concat(settings) FROM selection WHERE row = 'head'")" = 1,2 ]
"$program" compare head lora --db wide.db >out
ok 'compare takes the newer' prints '^wide/head: lr=1e-[23], the best of 2 settings'
ok 'rank names the sweep' run 0 rank wide.ini --db wide.db
ok 'as the table does' prints '^head: lr=1e-[23], the best of 2 on validation; sweep [0-9a-f]{8}: 2 settings x 2 seeds$'
sed 's/^seeds.*/seeds = 0, 1, 2/' toy.ini >wide.ini
ok 'a seed more' run 0 run wide.ini --db wide.db --quiet
"$program" compare head lora --db wide.db >out
ok 'is compared' prints '^wide/head: .*, 3 seeds; sweep'
ok 'predict says of which' eval 'echo film | run 0 predict wide.ini --row head --db wide.db'
ok 'sweep' grep -qE '^peftbench: run [0-9]+: head lr=1e-[23] seed 0, sweep [0-9a-f]{8}$' err
sed 's/^lr.*/lr = 1e-3, 1e-2, 4e-2/' toy.ini >wide.ini
ok 'a third rate' run 0 run wide.ini --db wide.db --quiet
cp toy.ini wide.ini
ok 'predict takes a choice that the experiment still has' eval 'echo film | run 0 predict wide.ini --row head --db wide.db'
ok 'one of its rates' grep -qE '^peftbench: run [0-9]+: head lr=1e-[23] seed 0, sweep' err

mkdir kept
for rates in 1e-2 1e-3 '1e-2, 1e-3'; do
	sed "s/^lr.*/lr = $rates/" toy.ini >wide.ini
	ok "rates $rates" run 0 run wide.ini --db kept/wide.db --quiet
done
ok 'three choices' [ "$(number kept/wide.db "SELECT count(*) FROM selection WHERE row = 'head'")" = 3 ]
for hash in $(number kept/wide.db 'SELECT DISTINCT hash FROM run JOIN selected ON run = id'); do
	ok 'the parameters of each are kept' test -s "kept/artifacts/$hash.safetensors"
done

# One cell of the sweep is missing, as a kill leaves it.
cp new.db part.db
lose part.db 8
sqlite3 part.db 'DELETE FROM selected; DELETE FROM selection'
row=$(number new.db 'SELECT row FROM run ORDER BY id DESC LIMIT 1')
ok 'an incomplete row has no choice' run 0 table toy.ini --db part.db
ok 'and says what is missing' prints "^$row: sweep [0-9a-f]{8}: 2 settings x 2 seeds, 3 of 4 runs finished, 0 failed; no setting is chosen"
ok 'status too' run 1 status toy.ini --db part.db
ok 'run does the rest' run 0 run toy.ini --db part.db --quiet
ok 'and chooses' [ "$(number part.db "SELECT count(*) FROM selection WHERE partial = 0 AND cells = 4")" = 2 ]
# One setting always fails.
sed 's/^methods.*/methods = prompt, head/; s/^lr.*/lr = 1e-2/' toy.ini >wrong.ini
printf '\n[method prompt]\nlength = 2, 1000\n' >>wrong.ini # longer than the model's texts may be
ok 'a run that fails' run 1 run wrong.ini --db wrong.db --quiet
ok 'does not keep its row from a choice between the others' [ "$(number wrong.db "SELECT choice || ' ' || cells || ' ' || finished
	FROM selection WHERE row = 'prompt'")" = 'prompt.length=2 4 4' ]
left_out='^prompt: prompt.length=2, the best of 2 on validation; sweep [0-9a-f]{8}: 2 settings x 2 seeds; 1 setting not chosen from, because a run failed$'
ok 'the table says so' prints "$left_out"
ok 'as JSON too' run 0 table wrong.ini --db wrong.db --json
ok 'with the runs that failed' prints '"method":"prompt".*"failed":2'
ok 'status lists them' run 0 status wrong.ini --db wrong.db
ok 'by name' prints '^failed     prompt prompt.length=1000 seed 1: '
ok 'and says that the setting is left out' prints "$left_out"
ok 'all that can be is finished' prints '^4 of 4 runs finished$'
"$program" compare prompt prompt --db wrong.db >out
ok 'the row is compared' prints '^wrong/prompt: prompt.length=2, the best of 2 settings, 2 seeds; sweep [0-9a-f]{8}$'
cp wrong.db half.db # a seed of the other setting failed as well: then all settings are left, and none is chosen
sed 's/^length.*/length = 1000, 2000/' wrong.ini >none.ini
ok 'a row all of whose settings fail' run 1 run none.ini --db half.db --quiet
ok 'has no choice' prints '^prompt: sweep .* 0 of 4 runs finished, 4 failed$'
# A choice among fewer runs, as of a driver that was killed.
cp new.db few.db
lose few.db 8
sqlite3 few.db "DROP TRIGGER selection_update; UPDATE selection SET finished = 3, partial = 1 WHERE row = '$row'"
ok 'a partial choice is shown' run 0 table toy.ini --db few.db
ok 'as such' prints "^$row: .*; PARTIAL: chosen while runs were missing$"
"$program" compare "$row" "$row" --db few.db >out
ok 'by compare too' prints "^toy/$row: .*, PARTIAL: chosen while runs were missing$"

# ---- drivers share the work ------------------------------------------------------------------------------------------
"$program" run toy.ini --db two.db --quiet >out 2>err & first=$!
"$program" run toy.ini --db two.db --quiet >out2 2>err2 & second=$!
wait $first; one=$?
wait $second; two=$?
ok 'two drivers' [ $one = 0 -a $two = 0 ]
ok 'each result once' [ "$(number two.db 'SELECT count(*) || count(DISTINCT hash) FROM run')" = 88 ]
ok 'their database is merged' run 0 merge two-merged.db two.db
cp new.db claimed.db # a claim of another machine that still holds, and one of a process that is dead
here="$(cat /proc/sys/kernel/random/boot_id) $(readlink /proc/self/ns/pid)"
sqlite3 claimed.db "INSERT INTO claim SELECT hash, 'train', 'elsewhere', 1, 1, unixepoch() + 9999 FROM run WHERE id = 8;
	INSERT INTO claim SELECT hash, 'train', '$here', 999999, 1, unixepoch() + 9999 FROM run WHERE id = 7"
lose claimed.db 7 8
"$program" run toy.ini --db claimed.db >out 2>err & waiting=$!
for ((i = 0; i < 600; i++)); do grep -q '^train: waiting' err && break || sleep 0.1; done
ok 'a claim of another machine is waited for' grep -q '^train: waiting for 1 that another run works on' err
sqlite3 claimed.db "UPDATE claim SET until = 0 WHERE place = 'elsewhere'" # its time is over
wait $waiting; one=$?
ok 'and taken over when its time is over' [ $one = 0 ]
ok 'all is done then' [ "$(number claimed.db 'SELECT count(*) FROM finished')" = 8 ]

# ---- no command looks through a large table ---------------------------------------------------------------------------
cat >spy.c <<'X'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
typedef int prepare(void *db, const char *sql, int n, void **statement, const char **tail);
int sqlite3_prepare_v2(void *db, const char *sql, int n, void **statement, const char **tail)
{
	prepare *real = (prepare *)dlsym(RTLD_NEXT, "sqlite3_prepare_v2");
	FILE *out = fopen(getenv("STATEMENTS"), "a");
	fprintf(out, "%s\n", sql);
	fclose(out);
	return real(db, sql, n, statement, tail);
}
X
${CC:-gcc} -O1 -shared -fPIC -o spy.so spy.c -ldl
while read -r -a command; do
	STATEMENTS=$work/statements LD_PRELOAD=$work/spy.so "$program" "${command[@]}" >out 2>err
done <<'X'
run toy.ini --db planned.db --quiet
run toy.ini --db planned.db --quiet
table toy.ini --db planned.db --json
rank toy.ini --db planned.db
pareto toy.ini --db planned.db
plot toy.ini --db planned.db
status toy.ini --db planned.db
compare head lora --db planned.db
check planned.db --db planned.db
X
grep '^SELECT ' statements | sort -u >asked
while IFS= read -r sql; do # of the small tables, lists and SQLite's own it may
	sqlite3 planned.db "EXPLAIN QUERY PLAN $sql" 2>&1 |
		grep -E 'SCAN|no such' | grep -vE 'SCAN (main\.)?(sqlite_|pragma_|json_each|selection( USING .*)?$)' >plan && echo "    $sql" && cat plan
done <asked >scans
ok 'statements were seen' [ "$(wc -l <asked)" -gt 12 ]
cp scans err
ok 'no scan' [ ! -s scans ]

finish
