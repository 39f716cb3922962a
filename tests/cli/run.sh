#!/bin/bash
# The program as its user meets it: a whole experiment on the tiny BERT of tests/golden, then every
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
ok 'is told so' says "./...ini: want an experiment's file with a name"
rm ...ini
ok 'run' run 0 run toy.ini
ok 'the table is printed' prints '^full .*[0-9]'
ok 'the choice is told' prints 'best of 2 on validation'
for figure in accuracy-parameters accuracy-memory overhead curves; do
	ok "figure $figure" test -s plots/toy/$figure.svg -a -s plots/toy/$figure.pdf
done
ok 'status: all there' run 0 status toy.ini
ok 'status counts' prints '^20 of 20 runs finished'
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
printf 'the film is good and fun\nthe film is bad\n' >texts
ok 'predict' eval 'run 0 predict toy.ini --row full <texts'
ok 'a label and a probability for each text' test "$(grep -cE '^(good|bad)	[01]\.[0-9]{4}$' out)" = 2
ok 'predict with what a row does not take' eval 'run 2 predict toy.ini --row full --precision int8 <texts'
ok 'says where it belongs' says 'predict: --adapter, --merged, --precision and --force go with --model'
ok 'a setting of no experiment' eval 'run 2 predict --model models/pico-encoder --set train.lr=1 <texts'
ok 'says so' says 'predict: --row, --seed and --set go with an EXPERIMENT.ini'
ok 'predict with a setting that was not trained' eval 'run 2 predict toy.ini --row full --set train.max_tokens=5 <texts'
ok 'names it' says "toy.ini: train.max_tokens: run "
cp models/tiny/model.safetensors kept.safetensors
printf A | dd of=models/tiny/model.safetensors bs=1 seek=$(($(wc -c <kept.safetensors) - 2)) conv=notrunc 2>/dev/null
ok 'predict on another base than was trained on' eval 'run 2 predict toy.ini --row full <texts'
ok 'says so' says "toy.ini: the model of run "
mv kept.safetensors models/tiny/model.safetensors
for command in run plan list show status table plot predict; do
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
bad 'unknown method' 's/, lora,/, lroa,/' "bad.ini:4: methods: no method 'lroa'; did you mean 'lora'?"
bad 'a section of no row' 's/\[method lora\]/[method houlsby]/' 'bad.ini:14: section [method houlsby] belongs to no row'
bad 'a missing variant' 's/, lora,/, lora:all,/' 'there is no section [method lora:all]'
bad 'a key twice' 's/^batch = 8/epochs = 3/' 'bad.ini:11: epochs: given twice; first at bad.ini:10'
bad 'an indented line' 's/^batch/ batch/' 'bad.ini:11: an indented line'
bad 'a long line' "s/^task.*/task = $(printf 'x%.0s' $(seq 200))/" 'bad.ini:2: a line of more than 190 bytes'
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
ok 'its message' says 'other.db: a database, but not of peftbench'
cp results/peftbench.db new.db && sqlite3 new.db 'PRAGMA user_version = 99'
ok 'a newer schema' run 2 table toy.ini --db new.db
ok 'its message' says 'new.db: schema version 99; this program wants'

# ---- a run again, and databases together --------------------------------------------------------------------
sed 's/^timing_rounds.*/timing_rounds = 0/; s/^methods.*/methods = full, lora:x, lora+prefix/' toy.ini >two.ini
printf '\n[method lora:x]\nalpha = 4\n' >>two.ini
ok 'a database' run 0 run two.ini --db one.db --set 'experiment.seeds=0'
ok 'another' run 0 run two.ini --db two.db --set 'experiment.seeds=0, 1'
for id in $(sqlite3 one.db "SELECT id FROM run r WHERE EXISTS (SELECT 1 FROM value v WHERE v.run = r.id AND split = 'test')"); do
	ok "run $id again" run 0 reproduce "$id" --db one.db
	ok 'says so' prints '^test: ([0-9]+) of \1 predictions identical'
done
cp one.db all.db
count() { sqlite3 "$1" "SELECT (SELECT count(*) FROM run) || ' ' || (SELECT count(*) FROM value) || ' ' || (SELECT count(*) FROM prediction)"; }
ok 'merge' run 0 merge all.db two.db one.db
ok 'none is lost' test "$(count all.db)" = "$(sqlite3 one.db "ATTACH 'two.db' AS t; SELECT
	((SELECT count(*) FROM main.run) + (SELECT count(*) FROM t.run)) || ' ' ||
	((SELECT count(*) FROM main.value) + (SELECT count(*) FROM t.value)) || ' ' ||
	((SELECT count(*) FROM main.prediction) + (SELECT count(*) FROM t.prediction))")"
before_merge=$(count all.db)
ok 'none is doubled' run 0 merge all.db two.db
ok 'as it was' test "$(count all.db)" = "$before_merge"
cp two.db false.db
sqlite3 false.db 'DROP TRIGGER value_update; UPDATE value SET value = value + 1 WHERE run = 2'
ok 'other results of the same run' run 2 merge all.db false.db
ok 'its message' says 'but with other results in value'
ok 'nothing was merged' test "$(count all.db)" = "$before_merge"
ok 'no database' run 2 merge all.db nowhere.db

# ---- results of others --------------------------------------------------------------------------------------
cat >theirs.json <<'END'
{
 "run_info": {
  "created_at": "2025-06-19T19:15:35+00:00",
  "experiment_name": "lora/made-up",
  "peft_config": {
   "peft_type": "LORA",
   "r": 32,
   "target_modules": [
    "q",
    "v"
   ]
  }
 },
 "train_info": {
  "accelerator_memory_max": 22273851392,
  "train_time": 1796.18,
  "file_size": 36715216,
  "num_trainable_params": 9175040,
  "status": "success",
  "metrics": [
   {
    "step": 250,
    "valid accuracy": 0.34
   },
   {
    "step": 5000,
    "test accuracy": 0.482
   }
  ]
 },
 "meta_info": {
  "model_info": {
   "sha": null
  }
 }
}
END
for _ in 1 2; do ok 'import' run 0 import theirs.json --db all.db; done
ok 'a row of theirs' prints '^lora/made-up +LORA +9175040 +36.7 +22274 +1796 +0.4820$'
ok 'once' test "$(wc -l <out)" = 2
ok 'apart from ours' test "$(count all.db)" = "$before_merge"
sed 's/"test accuracy": 0.482/"test dino_similarity": 0.68/; s/"train_time": [0-9.e]*,//' theirs.json >bare.json
for i in $(seq 40); do sed "s/made-up/file-$i/" bare.json >"bare$i.json"; done
ok 'files without limit' run 0 import bare*.json --db bare.db
ok 'each of them' test "$(wc -l <out)" = 42
ok 'what a file does not have' prints '^lora/file-40 +LORA +9175040 +36.7 +22274 +- +-$'
echo '{"run_info": {}}' >theirs.json
ok 'some other file' run 2 import theirs.json --db all.db
ok 'its message' says "theirs.json:1: no object 'train_info'"

# ---- the conformance suite ----------------------------------------------------------------------------------
ok 'verify' run 0 verify 'ia3+lora:rank=2'
ok 'a line a check' prints '^ok +ia3\+lora:rank=2 +decoder +cached decoding$'
ok 'with the others' prints '^ok +ia3\+lora:rank=2 +encoder +works with [0-9]+ other methods$'
ok 'verify: no such method' run 2 verify lorra
ok 'its message' says "no method 'lorra'"
ok 'verify: no such setting' run 2 verify lora:rnk=2

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
