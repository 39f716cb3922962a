#!/bin/bash
# run, and the commands around it (plan, status, table): a whole experiment on the tiny BERT of tests/golden, then every
# kind of bad input with its message, and a run that is killed.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

# Bad input: exit 2, the message, and a database that is what it was.
refuses() { # MESSAGE ARGUMENTS...
	run 2 "${@:2}" && says "$1" && [ "$(cat results/peftbench.db 2>/dev/null | sha256sum)" = "$before" ]
}

cd "$work" || exit 2
mkdir -p tasks data/toy models
cp -r "$root/tests/golden/tiny-bert" models/tiny
printf '[task]\nkind = classify\ntrain = toy/train.tsv\nvalidation_share = 0.2\ntest_share = 0.2\n' >tasks/toy.ini
{
	printf 'label\ttext\n'
	for i in $(seq 40); do
		printf 'good\tthe film number %d is good and fun\n' "$i"
		printf 'bad\tthe film number %d is bad and dull\n' "$i"
	done
} >data/toy/train.tsv
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = majority, head, full, lora, lora+prefix
seeds = 0, 1
baseline = full
timing_rounds = 6

[train]
epochs = 2
batch = 8
lr = 1e-2, 1e-3

[method lora]
rank = 2
END

# ---- the main job ----------------------------------------------------------------------------
ok 'plan needs no run' run 0 plan toy.ini
ok 'plan shows every row' prints '^lora\+prefix '
ok 'table without a database' run 2 table toy.ini
cp toy.ini ...ini
ok 'a file whose figures would be beside the others' run 2 plan ./...ini
ok 'is told so' says "./...ini: want a file with a name, such as NAME.ini"
rm ...ini
ok 'run' run 0 run toy.ini
ok 'the table is printed' prints '^full .*[0-9]'
ok 'the choice is told' prints 'best of 2 on validation'
for figure in axes accuracy-parameters accuracy-memory overhead curves; do
	ok "figure $figure" test -s plots/toy/$figure.svg -a -s plots/toy/$figure.pdf
done
ok 'status: all there' run 0 status toy.ini
ok 'status counts' prints '^20 of 20 runs finished'
ok 'status numbers the runs' test "$(grep -cE '^done .* seed [0-9]+, run [0-9]+$' out)" = 20
ok 'and has no note' test "$(grep -c 'another version of the code' out)" = 0
sqlite3 results/peftbench.db 'VACUUM INTO "older.db"'
sqlite3 older.db "DROP TRIGGER run_update; UPDATE run SET code = 'older', hash = 'aa' || substr(hash, 3);
	DROP TRIGGER provenance_delete; DELETE FROM provenance WHERE key GLOB 'code.*'"
ok 'runs of an older version' run 1 status toy.ini --db older.db
ok 'are named' test "$(grep -cE '^missing .*: run [0-9]+ has the same settings; it was made by another version of the code$' out)" = 20
ok 'the table too' run 0 table toy.ini --db older.db
ok 'counts them' prints '^20 missing runs are stored with the same settings, made by another version of the code'
sum=$(sha256sum <results/peftbench.db)
ok 'a second run repeats nothing' run 0 run toy.ini
ok 'nothing was trained' test -z "$(grep -E '^train' err)"
ok 'one object a row' test "$("$program" table toy.ini --json | grep -c '^{.*}$')" = 5
ok 'an accuracy can be recomputed' test "$(sqlite3 results/peftbench.db "
	SELECT count(*) FROM value v WHERE key = 'accuracy.test.accuracy' AND abs(value - (SELECT avg(label = predicted)
	FROM prediction p WHERE p.run = v.run AND p.split = 'test')) > 1e-9")" = 0
ok 'test was scored once for each choice' test "$(sqlite3 results/peftbench.db "
	SELECT count(*) FROM value WHERE key = 'accuracy.test.accuracy'")" = 10
ok 'results cannot be changed' test -n "$(sqlite3 results/peftbench.db 'UPDATE run SET seed = 5' 2>&1)"
for command in run plan list show status table plot predict fetch; do
	ok "$command --help" run 0 $command --help
done
ok 'list' run 0 list
ok 'show a method' run 0 show lora
before=$(sha256sum <results/peftbench.db)

# ---- bad experiments ----------------------------------------------------------------------------
bad() { # NAME SED-SCRIPT MESSAGE
	sed "$2" toy.ini >bad.ini
	ok "$1" refuses "$3" run bad.ini
}
bad 'unknown section' 's/\[train\]/[trian]/' 'bad.ini:9: unknown section [trian]; did you mean [train]?'
bad 'unknown key' 's/^epochs/epoch/' "bad.ini:10: no setting 'epoch'; did you mean 'epochs'?"
bad 'value out of range' 's/^rank = 2/rank = 0/' 'bad.ini:15: rank: want a whole number in 1..4096'
bad 'value of a sweep' 's/1e-3$/fast/' "bad.ini:12: lr: want a number in 0..1000, got 'fast'"
bad 'targets that the model does not have' 's/^rank = 2/targets = attn.q, atn.v/' \
	"bad.ini:15: lora: targets: 'atn.v' matches no site; roles in layers 0 to 1 are"
bad 'and the values of single sites' 's/^rank = 2/rank_pattern = mlp.up=4/' \
	"bad.ini:15: lora: rank_pattern: 'mlp.up' matches no targeted site"
bad 'in the label of a row' 's/, lora,/, lora:targets=atn.q,/' "bad.ini:4: methods: lora:targets=atn.q: lora: targets: 'atn.q' matches no site"
ok 'in --set' refuses "--set lora.targets=atn.q: lora: targets: 'atn.q' matches no site" run toy.ini --set lora.targets=atn.q
bad 'unknown method' 's/, lora,/, lroa,/' "bad.ini:4: methods: no method 'lroa'; did you mean 'lora'?"
bad 'a section of no row' 's/\[method lora\]/[method houlsby]/' 'bad.ini:14: section [method houlsby] belongs to no row'
bad 'a missing variant' 's/, lora,/, lora:all,/' 'there is no section [method lora:all]'
bad 'a key twice' 's/^batch = 8/epochs = 3/' 'bad.ini:11: epochs is given twice; the first is at bad.ini:10'
bad 'an indented line' 's/^batch/ batch/' 'bad.ini:11: the line is indented'
bad 'a long line' "s/^task.*/task = $(printf 'x%.0s' $(seq 200))/" 'bad.ini:2: the line has more than 190 bytes'
bad 'no key' 's/^task = toy/task/' "bad.ini:2: want 'key = value'"
bad 'no task' '/^task/d' "bad.ini: [experiment] has no 'task'"
bad 'an unknown task' 's/^task = toy/task = toys/' 'there is no file tasks/toys.ini'
bad 'seeds' 's/^seeds.*/seeds = 0, one/' "bad.ini:5: seeds: want whole numbers"
bad 'a seed beyond 63 bits' 's/^seeds.*/seeds = 9223372036854775808/' "bad.ini:5: seeds: want whole numbers"
bad 'a baseline that is no row' 's/^baseline.*/baseline = ia3/' "bad.ini:6: baseline: 'ia3' is not in methods"
bad 'a folder that is no model' 's/^model.*/model = models/' 'models/config.json: cannot read'
ok 'rows taken away by --set leave their sections' run 0 plan toy.ini --set experiment.methods=full
ok 'a --set that is none' refuses '--set lr: want section.key=value' run toy.ini --set lr
ok 'a --set out of range' refuses '--set train.epochs=-1: epochs: want a whole number' run toy.ini --set train.epochs=-1
ok 'an unknown option' refuses 'did you mean --json' table toy.ini --jsn
ok 'an unknown command' refuses "did you mean 'plan'" paln
ok 'no file' refuses 'nix.ini: cannot read' run nix.ini

# ---- bad models ------------------------------------------------------------------------------------
model() { # NAME MESSAGE; the broken model lies in models/bad
	sed 's/^model.*/model = models\/bad/' toy.ini >bad.ini
	ok "$1" refuses "$2" run bad.ini
	rm -rf models/bad
}
fresh() { rm -rf models/bad && cp -r models/tiny models/bad; }
fresh && printf '{"model_type": "bert",' >models/bad/config.json && model 'JSON that ends early' 'models/bad/config.json:1:'
fresh && sed -i 's/"bert"/"mamba"/' models/bad/config.json && model 'an unknown family' 'mamba'
fresh && head -c 30000 models/tiny/model.safetensors >models/bad/model.safetensors && model 'weights cut off' 'model.safetensors: '
fresh && : >models/bad/model.safetensors && model 'no weights' 'want a safetensors file'
fresh && printf '\377\377\377\377\377\377\377\377{}' >models/bad/model.safetensors && model 'a header too long' 'not a safetensors file, or cut off'
fresh && rm models/bad/tokenizer.json && model 'no tokenizer' 'models/bad: no tokenizer.json; want a model with a tokenizer'
fresh && sed -i 's/"WordPiece"/"Morphs"/' models/bad/tokenizer.json && model 'another tokenizer' "'Morphs' is not supported"
fresh && printf '[1, 2' >models/bad/tokenizer.json && model 'a broken tokenizer' 'models/bad/tokenizer.json:1:'

# ---- bad data -----------------------------------------------------------------------------------------
data() { # NAME MESSAGE FILE-CONTENT
	mv data/toy/train.tsv kept.tsv
	printf "$3" >data/toy/train.tsv
	ok "$1" refuses "$2" run toy.ini
	mv kept.tsv data/toy/train.tsv
}
data 'a missing column' "no column 'text'; has: label, txt" 'label\ttxt\ngood\ta\n'
data 'a field too many' 'train.tsv:3: want 2 fields' 'label\ttext\ngood\ta\ngood\tb\tc\n'
data 'not UTF-8' 'train.tsv:2: bytes that are not UTF-8' 'label\ttext\ngood\t\377\n'
data 'a NUL byte' 'train.tsv:2: a NUL byte' 'label\ttext\ngood\t\000\n'
data 'an empty file' 'train.tsv:1: want at least one row' ''
data 'no text' 'train.tsv:3: text: want a text' 'label\ttext\ngood\ta\ngood\t\n'
data 'two spellings' "train.tsv:3: label: got 'Good', which is written 'good' in" 'label\ttext\ngood\ta\nGood\tb\nbad\tc\n'
data 'real numbers' 'the labels are real numbers' 'label\ttext\n0.5\ta\n1.5\tb\n'
data 'one class' 'want at least 2 classes' 'label\ttext\ngood\ta\ngood\tb\n'

# ---- bad databases --------------------------------------------------------------------------------------
printf 'this is no database, it is a text of some length to be read as one' >no.db
ok 'not a database' run 2 run toy.ini --db no.db
ok 'its message' says 'no.db: '
sqlite3 other.db 'CREATE TABLE t (x)'
ok 'a database of somebody else' run 2 run toy.ini --db other.db
ok 'its message' says 'other.db: not a peftbench database'
cp results/peftbench.db new.db && sqlite3 new.db 'PRAGMA user_version = 99'
ok 'a newer schema' run 2 table toy.ini --db new.db
ok 'its message' says 'new.db: the schema version is 99; want 1..'

# ---- interruptions ----------------------------------------------------------------------------------------
sed 's/^epochs.*/epochs = 100/; s/^methods.*/methods = majority, lora/; s/^baseline.*/baseline = lora/' toy.ini >long.ini
"$program" run long.ini --db killed.db --quiet >out 2>err &
pid=$!
for _ in $(seq 600); do
	[ "$(sqlite3 killed.db 'SELECT count(*) FROM run' 2>/dev/null || echo 0)" -gt 4 ] 2>/dev/null && break
	sleep 0.1
done
kill -9 $pid
wait $pid 2>/dev/null
gone 'run long.ini --db killed.db' # killed, not gone yet
kept=$(sqlite3 killed.db 'SELECT count(*) FROM run')
ok 'the database is whole after kill -9' test "$(sqlite3 killed.db 'PRAGMA integrity_check')" = ok
ok 'the runs before it are kept' test "$kept" -gt 4
ok 'only whole runs are there' test "$(sqlite3 killed.db "SELECT count(*) FROM run WHERE id NOT IN
	(SELECT run FROM value WHERE key = 'accuracy.validation.accuracy' AND step = -1)")" = 0
ok 'nobody goes on training' test -z "$(pgrep -f 'run long.ini --db killed.db')"
ok 'running again does the rest' run 0 run long.ini --db killed.db
ok 'and not what was there' test "$(sqlite3 killed.db 'SELECT count(*) FROM run')" = 8

# A child that dies is a row; the others go on.
"$program" run long.ini --db dead.db --set experiment.methods=lora --set experiment.timing_rounds=0 >out 2>err &
pid=$!
child=
for _ in $(seq 100); do
	[ -e dead.db ] && child=$(pgrep -P $pid | head -n 1) # gnuplot was tried before the database was made
	[ -n "$child" ] && break
	sleep 0.02
done
kill -SEGV "$child"
wait $pid
ok 'a cell failed: exit 1' test $? = 1
ok 'the failed cell is a row with its cause' test "$(sqlite3 dead.db "SELECT count(*) FROM run WHERE status = 'failed'
	AND error LIKE 'killed by signal 11%'")" = 1
ok 'the other cells ran' test "$(sqlite3 dead.db "SELECT count(*) FROM run WHERE status = 'done'")" = 3

finish
