#!/bin/bash
# Classification of pairs of texts: an encoder and a decoder learn a toy task, what is stored, and what is refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
mkdir -p tasks data models
ln -s "$root/tests/golden/tiny-bert" models/tiny
ln -s "$root/models/pico-decoder" models/pico-decoder
cat >tasks/toy.ini <<'X'
[task]
kind = classify
train = toy.tsv
validation_share = 0.2
test_share = 0.2
text = #1 String, #2 String
label = Quality
classes = 1=first, 0=second
template = tasks/toy.txt
X
cat >tasks/toy.txt <<'X'
Which text is good, first or second?
One: {#1 String}
Two: {#2 String}
Answer: {label}
X
# Which of both texts is the good one: each word alone says nothing.  A byte order mark, and quotes that are no quotes.
{
	printf '\xef\xbb\xbfQuality\t#1 ID\t#1 String\t#2 String\n'
	for i in $(seq 40); do
		printf '1\t%d\tthe "film %d is good\tthe film %d is bad\n0\t%d\tthe "film %d is bad\tthe film %d is good\n' "$i" "$i" "$i" "$i" "$i" "$i"
	done
} >data/toy.tsv
cat >toy.ini <<'X'
[experiment]
task = toy
model = models/tiny
methods = majority, full, lora, prompt
seeds = 0
baseline = full
timing_rounds = 2
serving = 2

[train]
epochs = 12
batch = 8
lr = 1e-2
X

# ---- an encoder ---------------------------------------------------------------------------------------------------
ok 'run' run 0 run toy.ini --db toy.db --quiet
learned() { # DATABASE ROW
	[ "$(sqlite3 "$1" "SELECT avg(right) >= 0.9 FROM v_prediction WHERE split = 'test' AND row = '$2'")" = 1 ]
}
ok 'which of both is good is learned' learned toy.db full
ok 'both texts are stored' [ "$(sqlite3 toy.db "SELECT count(*) FROM v_prediction WHERE split = 'test' AND row = 'full'
	AND text GLOB '*film*' AND second GLOB '*film*' AND (text GLOB '*good') = (label = 'first')
	AND (second GLOB '*good') = (label = 'second')")" = 16 ]
ok 'the example has both' [ "$(sqlite3 toy.db "SELECT count(*) FROM example WHERE text LIKE 'the \"film%' AND second LIKE 'the film%'")" = 32 ]
ok 'adapters are served to pairs' [ "$(sqlite3 toy.db "SELECT count(DISTINCT key) FROM sample WHERE key LIKE 'serving.m%'")" = 2 ]
ok 'a second run finds them' run 0 run toy.ini --db toy.db --quiet
ok 'and trains nothing again' [ "$(sqlite3 toy.db 'SELECT count(*) FROM run')" = 4 ]
ok 'plan' run 0 plan toy.ini
ok 'table' run 0 table toy.ini --db toy.db

printf 'the "film 3 is good\tthe film 3 is bad\nthe "film 9 is bad\tthe film 9 is good\n' >texts
ok 'predict reads pairs' run 0 predict toy.ini --db toy.db <texts
ok 'and knows which is good' [ "$(cut -f 1 out | tr '\n' ' ')" = 'first second ' ]
ok 'export' run 0 export "$(sqlite3 toy.db "SELECT id FROM run WHERE row = 'lora'")" adapter --db toy.db
ok 'the row predicts' run 0 predict toy.ini --row lora --db toy.db <texts
cut -f 2 out >wanted
ok 'as its adapter does' run 0 predict --model models/tiny --adapter adapter --pairs <texts
ok 'with these probabilities' cmp -s wanted <(cut -f 2 out)
ok 'an experiment knows that it is about pairs' run 2 predict toy.ini --pairs --db toy.db <texts
ok 'so that it is told' says '--force and --pairs go with --model'
refused() { # NAME LINE MESSAGE
	printf '%s\n' 'the film is good	the film is bad' "$2" >texts
	ok "$1" run 2 predict toy.ini --db toy.db <texts
	ok "$1: message" says "stdin:2: want a pair of texts with a tab between them, got $3"
	ok "$1: no prediction" [ ! -s out ]
}
refused 'a line without a tab' 'the film is good' 'no tab'
refused 'several tabs' 'a	b	c' 'several tabs'
refused 'no second text' 'the film	' 'an empty text'
refused 'no first text' '	the film' 'an empty text'

# ---- bad input ----------------------------------------------------------------------------------------------------
wrong() { # NAME MESSAGE SETTING..: of the task
	local set=()
	for s in "${@:3}"; do set+=(--set "$s"); done
	ok "$1" run 2 run toy.ini --db new.db "${set[@]}"
	ok "$1: message" says "$2"
	ok "$1: nothing is stored" [ ! -e new.db ]
}
wrong 'three columns' "toy: text: want one column, or two for pairs of texts, got 'a, b, c'" 'task.text=a, b, c'
wrong 'one column twice' "toy: text: the column 'a' is named twice; want the columns of two texts" 'task.text=a, a'
wrong 'no second name' "toy: text: want the names of two columns, without braces and other than 'label', got 'a,'" 'task.text=a,'
wrong 'no such column' "data/toy.tsv: no column '#3 String'; has: Quality, #1 ID, #1 String, #2 String" \
	'task.text=#1 String, #3 String' 'task.template='
wrong 'a template of single texts' 'tasks/toy.txt:5: no {text}; want a template with {text} and, after it, {label}' 'task.text=#1 String'
sed 's/.*{#2 String}.*/Two/' tasks/toy.txt >one.txt
wrong 'a template without the second text' 'one.txt:5: no {#2 String}; want a template with {#1 String}, {#2 String} and, after them, {label}' \
	'task.template=one.txt'
printf '%s\n' 'Quality	#1 String	#2 String' '1	a	b' '0	c	' >data/empty.tsv
wrong 'an empty text' 'data/empty.tsv:3: #2 String: want a text, got nothing' task.train=empty.tsv
{
	printf 'Quality\t#1 String\t#2 String\n'
	for i in $(seq 9); do printf '1\ta\t%d\n0\t%d\ta\n' "$i" "$i"; done
} >data/left.tsv
{ cat data/left.tsv; printf '1\tx\ty\n'; } >data/right.tsv
wrong 'a pair in two splits' 'is in both train and test; want every pair in one split, or overlap = drop' \
	task.train=left.tsv task.test=right.tsv
ok 'whose texts are named' grep -qE 'toy: the pair "(a", "[1-9]|[1-9]", "a)" is in both' err
{ head -n 1 data/left.tsv; for i in $(seq 9); do printf '0\ta\tx%d\n1\tx%d\ta\n' "$i" "$i"; done; } >data/other.tsv
ok 'one text of a pair may be in both' run 0 data toy --set task.train=left.tsv --set task.test=other.tsv
cp -rL models/tiny models/single
sed -i 's/"pair":/"no pair":/' models/single/tokenizer.json
ok 'an encoder without a form for pairs' run 2 run toy.ini --db new.db --set experiment.model=models/single
ok 'is named' says 'models/single/tokenizer.json: post_processor: it does not say how a pair of texts is encoded; want a TemplateProcessing'
ok 'and nothing is stored' [ ! -e new.db ]

# ---- a decoder ----------------------------------------------------------------------------------------------------
cat >decoder.ini <<'X'
[experiment]
task = toy
model = models/pico-decoder
methods = zero-shot, few-shot, lora, lora+zero-shot
seeds = 0
baseline = zero-shot
timing_rounds = 0

[train]
epochs = 8
batch = 8
lr = 3e-3

[method few-shot]
shots = 2
calibrate = yes
X
ok 'a decoder by head and by template' run 0 run decoder.ini --db decoder.db --quiet
ok 'with a head it learns' learned decoder.db lora
ok 'by the template too' learned decoder.db lora+zero-shot
ok 'with examples in front' [ "$(sqlite3 decoder.db "SELECT count(*) FROM prediction p JOIN run r ON r.id = p.run WHERE r.row = 'few-shot'
	AND split = 'test'")" = 16 ]
printf 'the "film 3 is good\tthe film 3 is bad\nthe "film 9 is bad\tthe film 9 is good\n' >texts
for row in lora lora+zero-shot; do
	ok "predict $row" run 0 predict decoder.ini --row $row --db decoder.db <texts
	ok 'knows which is good' [ "$(cut -f 1 out | tr '\n' ' ')" = 'first second ' ]
done
printf 'Which?\nTwo: {#2 String}\n{label}\n' >half.txt
ok "a row's template without the first text" run 2 run decoder.ini --db new.db --set method.zero-shot.template=half.txt
ok 'is refused' says 'half.txt:4: no {#1 String}; want a template with {#1 String}, {#2 String} and, after them, {label}'
ok 'before anything is stored' [ ! -e new.db ]

finish
