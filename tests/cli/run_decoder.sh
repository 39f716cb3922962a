#!/bin/bash
# Decoders as their user meets them: a task whose answers are texts, prompts in place of training, and what is
# refused.  With models/pico-decoder and a few facts.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

refuses() { run 2 "${@:2}" && says "$1"; }
number() { sqlite3 results/peftbench.db "$2" >"$work/out" && [ "$(cat "$work/out")" = "$1" ]; }

cd "$work" || exit 2
mkdir -p tasks data models
ln -s "$root/models/pico-decoder" models/decoder
ln -s "$root/tests/golden/tiny-bert" models/encoder
printf 'Facts: {text}\nText: {label}\n' >tasks/facts.txt
cat >tasks/facts.ini <<'END'
[task]
kind             = generate
train            = facts.tsv
validation_share = 0.2
test_share       = 0.2
source           = mr
references       = first, second
template         = tasks/facts.txt
forms            = forms.txt
END
printf 'food[no]: no food\n' >data/forms.txt
{
	printf 'mr\tfirst\tsecond\n'
	for name in Alder Birch Cedar Dogwood Elm Fir Ginkgo Hazel Ivy Juniper; do
		printf 'name[%s], food[Thai]\tThe %s serves Thai food.\tThai food is served at the %s.\n' $name $name $name
		printf 'name[%s], food[no]\tThe %s has no food.\t\n' $name $name
	done
} >data/facts.tsv
cat >facts.ini <<'END'
[experiment]
task          = facts
model         = models/decoder
methods       = lora, few-shot
seeds         = 0
baseline      = lora
timing_rounds = 2

[train]
epochs = 8
batch  = 4
lr     = 1e-2

[decode]
max_new = 16
stop    = \n

[method lora]
targets = *
END

# ---- texts from facts ----------------------------------------------------------------------------------------
ok 'plan' run 0 plan facts.ini
ok 'run' run 0 run facts.ini
ok 'the table names the metric' prints 'test bleu'
ok 'every test text is answered' number 5,5 "SELECT group_concat(n) FROM (SELECT count(*) AS n FROM answer
	WHERE split = 'test' GROUP BY run)"
ok 'statistics of each example' number 10 "SELECT count(*) FROM statistic WHERE split = 'test' AND metric = 'bleu'"
ok 'sums give the corpus value' number 1 "WITH sums AS (SELECT s.run, sum(json_extract(numbers, '\$[0]')) AS missing,
	sum(json_extract(numbers, '\$[1]')) AS wrong, sum(json_extract(numbers, '\$[2]')) AS slots FROM statistic s
	WHERE split = 'test' AND metric = 'slot-error' GROUP BY s.run)
	SELECT min(abs(1.0 * (missing + wrong) / slots - value) < 1e-9) FROM sums JOIN value v ON v.run = sums.run
	AND key = 'accuracy.test.slot-error'"
ok 'it learned the form' number 1 "SELECT max(value) > 20 FROM value WHERE key = 'accuracy.test.bleu'"
ok 'the curve is of perplexity' number 8 "SELECT count(*) FROM value v JOIN run r ON r.id = v.run WHERE row = 'lora'
	AND key = 'accuracy.validation.perplexity' AND step > 0"
ok 'texts stop by their perplexity' run 0 run facts.ini --db stop.db --no-timing \
	--set train.patience=1 --set train.lr=1e-1 --set decode.max_new=1 --set experiment.methods=lora
ok 'the best is the result' test "$(sqlite3 stop.db "SELECT count(*) FROM value v, value point, value best
	WHERE v.key = 'accuracy.validation.perplexity' AND v.step = -1 AND v.value = (SELECT min(value) FROM value WHERE key = v.key)
	AND point.key = v.key AND point.step > 0 AND point.value = v.value AND best.key = 'train.best_epoch'
	AND best.value = (SELECT count(*) FROM value WHERE key = v.key AND step > 0 AND step <= point.step)")" = 1
ok 'decoding was timed, merged too, in two processes' number 6 "SELECT count(*) FROM value
	WHERE key IN ('overhead.decode_ratio.b1', 'overhead.decode_ratio.b1.merged') AND run = 1"
ok 'shots are told' number 4.0 "SELECT value FROM value WHERE key = 'overhead.prompt_shots' AND run = 2"
ok 'data and model are told' number 64,64 "SELECT group_concat(length(value)) FROM provenance
	WHERE run = 1 AND key IN ('data', 'model')"
printf 'name[Rowan], food[Thai]\n' | "$program" predict facts.ini >out 2>err
ok 'predict writes a text' grep -qi food out

# ---- prompts --------------------------------------------------------------------------------------------------
texts_task toy 30 0.2 'film %d was good and fun' 'film %d was bad and dull'
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/decoder
methods       = majority, zero-shot, few-shot, few-shot:many, lora+zero-shot
seeds         = 0
timing_rounds = 2

[train]
epochs = 3
batch  = 8
lr     = 1e-2

[method few-shot:many]
shots = 1000
END
ok 'prompting' run 0 run toy.ini
ok 'majority knows nothing' number 0.5 "SELECT value FROM value v JOIN run r ON r.id = v.run WHERE row = 'majority'
	AND r.task = 'toy' AND key = 'accuracy.test.accuracy'"
ok 'words are learned' number 1.0 "SELECT value FROM value v JOIN run r ON r.id = v.run
	WHERE row = 'lora+zero-shot' AND key = 'accuracy.test.accuracy'"
ok 'nothing was trained' number 0.0 "SELECT max(value) FROM value v JOIN run r ON r.id = v.run
	WHERE row IN ('zero-shot', 'few-shot') AND r.task = 'toy' AND key = 'storage.trainable'"
ok 'what has no room is counted' number 1000.0 "SELECT sum(value) FROM value v JOIN run r ON r.id = v.run
	WHERE row = 'few-shot:many' AND key IN ('overhead.prompt_shots', 'overhead.prompt_dropped')"
ok 'the wall is met' number 1 "SELECT value > 0 FROM value v JOIN run r ON r.id = v.run
	WHERE row = 'few-shot:many' AND key = 'overhead.prompt_dropped'"

# ---- what is refused -------------------------------------------------------------------------------------------
ok 'an encoder' refuses 'row zero-shot needs a causal language model; models/encoder is a bert' run toy.ini \
	--set experiment.model=models/encoder --set experiment.methods=zero-shot
ok 'a head for texts' refuses 'methods: majority needs a head of classes; the answers of task facts' \
	run facts.ini --set experiment.baseline=majority --set 'experiment.methods=majority'
ok 'two prompts at once' refuses 'both zero-shot and few-shot present the text by a template' run toy.ini \
	--set experiment.methods=zero-shot+few-shot
ok 'decoding classes' refuses 'section [decode]: want a task whose answers are texts; this one has classes' run toy.ini --set decode.beams=2
printf 'Text: {text}\nWhat?\n' >bad.txt
ok 'a template without an answer' refuses 'bad.txt:3: no {label}' run toy.ini --set 'task toy.template=bad.txt'
ok 'the same of a method' refuses 'bad.txt:3: no {label}' run toy.ini --set 'method zero-shot.template=bad.txt' \
	--set experiment.methods=zero-shot
ok 'a chat format that the model does not have' run 2 run toy.ini --set 'method zero-shot.chat=auto' \
	--set experiment.methods=zero-shot
printf 'food[no]:\n' >data/bad-forms.txt
ok 'forms without a form' refuses 'bad-forms.txt:1: a value without a form' run facts.ini --set 'task facts.forms=bad-forms.txt'
printf 'mr\tfirst\tsecond\na[b]\t\t\n' >data/facts.tsv
ok 'no reference' refuses 'data/facts.tsv:2: want a text in mr and in first, second' run facts.ini
printf 'mr\tfirst\na[b]\tc\n' >data/facts.tsv
ok 'no such column' refuses "no column 'second'" run facts.ini


# ---- calibration whose content-free inputs are the longest, and none at all -------------------------------------
texts_task films 40 0.2 'fine %d' 'film %d'
printf '{text}{label}' >bare.txt
cat >films.ini <<'END'
[experiment]
task          = films
model         = models/decoder
methods       = few-shot
seeds         = 0
timing_rounds = 0

[method few-shot]
shots     = 64
calibrate = yes
template  = bare.txt
END
ok 'calibration that needs more memory than scoring' run 0 run films.ini --db films.db --quiet
ok 'without a token' run 1 run films.ini --db films.db --quiet --set 'experiment.methods=zero-shot:calibrate=yes,template=bare.txt'
ok 'is refused' sh -c "sqlite3 films.db 'SELECT error FROM run WHERE error IS NOT NULL' | grep -q \"content-free input '' of calibration has no tokens\""
finish
