#!/bin/bash
# Sets of labels from their file to predictions, tables and comparisons, and what is refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
scored_study
printf '[task]\nkind = multilabel\ntrain = toy.tsv\nvalidation_share = 0.2\ntest_share = 0.4\n' >tasks/toy.ini
{
	printf 'labels\ttext\n'
	for i in $(seq 30); do
		printf 'good | fun\tthe film %d is good and fun\ngood\tthe film %d is good\n' "$i" "$i"
		printf 'fun|dull\tthe film %d is dull and fun\ndull\tthe film %d is dull\n' "$i" "$i"
	done
} >data/toy.tsv
sed -i -e 's/^methods.*/methods = majority, full/' -e 's/^epochs.*/epochs = 12/' -e 's/^timing.*/timing_rounds = 0/' \
	-e 's/^lr.*/lr = 5e-3/' toy.ini
sql() { sqlite3 "$1" "$2"; }
# How many stored values of micro F1 are not those of the predictions that are stored as texts.
disagree() { # DATABASE
	sql "$1" "WITH t AS (SELECT run, split, example, j.value AS l FROM v_prediction p, json_each(p.label) j),
		g AS (SELECT run, split, example, j.value AS l FROM v_prediction p, json_each(p.predicted) j),
		m AS (SELECT v.value, (SELECT count(*) FROM t WHERE t.run = v.run AND t.split = v.split) AS is_so,
			(SELECT count(*) FROM g WHERE g.run = v.run AND g.split = v.split) AS said,
			(SELECT count(*) FROM t JOIN g USING (run, split, example, l) WHERE t.run = v.run AND t.split = v.split) AS both
			FROM value v WHERE v.step = -1 AND v.key = 'accuracy.' || v.split || '.micro_f1')
		SELECT count(*) || ' ' || sum(NOT abs(value - 2.0 * both / (is_so + said)) < 1e-12) FROM m"
}

ok 'the data' run 0 data toy
ok 'has the labels by split' prints '^  fun  *[0-9]+ '
ok 'and how many a text has' prints '^  2  *[0-9]+ '
ok 'also as JSON' run 0 data toy --json
ok 'with both' prints '"classes":\{"good":[0-9]+,"fun":[0-9]+,"dull":[0-9]+\},"labels_of_a_text":\[0,[0-9]+,[0-9]+,0\]'
ok 'and the labels of an example' prints '"labels":\["fun","dull"\]'

ok 'it runs' run 0 run toy.ini --db a.db
ok 'its values are those of its predictions' test "$(disagree a.db)" = '12 0'
ok 'majority predicts what more than half have' test "$(sql a.db "SELECT count(DISTINCT predicted) FROM v_prediction
	WHERE row = 'majority'")" = 1
ok 'full learns' test "$(sql a.db "SELECT max(value) > 0.9 FROM v_result WHERE row = 'full' AND key = 'accuracy.test.map'")" = 1
ok 'probabilities of all labels are stored' test "$(sql a.db "SELECT count(*) = (SELECT count(*) FROM answer) AND
	min(json_array_length(numbers)) = 3 FROM statistic WHERE metric = 'probability'")" = 1
ok 'a table' run 0 table toy.ini --db a.db
ok 'is headed by micro F1' prints ' test micro_f1 '
"$program" compare full majority --db a.db >out 2>err
ok 'a comparison' prints '^accuracy.test.micro_f1 '
ok 'the gate' run 0 check a.db --db a.db
ok 'a run again' run 0 reproduce 4 --db a.db
ok 'is the same' prints 'test: 48 of 48 predictions identical'
printf 'the film 3 is good and fun\nthe film 9 is dull\n' >texts
ok 'predictions' eval 'run 0 predict toy.ini --db a.db --row full <texts'
ok 'are labels with probabilities' test "$(grep -cE '^(|[a-z]+	0\.[0-9]+(	[a-z]+	0\.[0-9]+)*)$' out)" = 2

cp out before
run_of() { sql a.db "SELECT min(id) FROM run WHERE row = '$1'"; }
ok 'it is exported' run 0 export "$(run_of full)" whole --db a.db --merged
ok 'as a multi-label model' grep -q '"problem_type": "multi_label_classification"' whole/config.json
ok 'with its labels' grep -q '"id2label": {"0": "good", "1": "fun", "2": "dull"}' whole/config.json
ok 'the folder predicts' eval 'run 0 predict --model whole <texts'
ok 'the same' diff before out
ok 'a row with an adapter' run 0 run toy.ini --db l.db --set experiment.methods=lora --set experiment.baseline=lora --set train.epochs=2
ok 'is exported' run 0 export 1 adapter --db l.db
ok 'which predicts' eval 'run 0 predict toy.ini --db l.db --set experiment.methods=lora --set experiment.baseline=lora \
	--set train.epochs=2 <texts' && cp out before
ok 'sets of labels too' eval 'run 0 predict --model models/tiny --adapter adapter <texts'
ok 'the same ones' diff before out
ok 'training goes on from its head' run 0 run toy.ini --db h.db --set experiment.model=whole --set train.epochs=1 --set experiment.methods=head \
	--set experiment.baseline=head
sed 's/multilabel/classify/; s/^train.*/&\nlabel = labels/' tasks/toy.ini >tasks/other.ini
ok 'a head for sets of labels' run 2 run toy.ini --db wrong.db --set experiment.model=whole --set experiment.task=other \
	--set 'task.classes=good, dull, fun|dull=other, good | fun=other'
ok 'is not one of classes' says "whole: config.json: problem_type: the checkpoint's classification head is for multi_label_classification, and the task needs single_label_classification; want a checkpoint without a head"
sed 's/dull/good/; s/good|good/good/; s/fun|good/fun/' data/toy.tsv >data/two.tsv
ok 'of as many labels' run 2 run toy.ini --db wrong.db --set experiment.model=whole --set task.train=two.tsv
ok 'as the task' says "whole: config.json: the checkpoint has a classification head with 3 outputs, and the task needs 2; want a checkpoint without a head"
ok 'nothing is stored' [ ! -e wrong.db ]

cp data/toy.tsv keep.tsv
{ echo && sed 1d keep.tsv; } | awk -F '\t' '!$2 { print; next } { gsub(/ *\| */, "\",\"", $1); print "{\"labels\": [\"" $1 "\"], \"text\": \"" $2 "\"}" }' >data/toy.jsonl
ok 'lists of JSON Lines' run 0 data toy --set task.train=toy.jsonl --json
cp out lists
ok 'are the same data' eval 'run 0 data toy --json && diff lists out'
ok 'by average precision' run 0 run toy.ini --db m.db --set task.metric=map --set experiment.methods=majority,full
"$program" rank toy.ini --db m.db --set task.metric=map >out 2>err
ok 'with a value for each example' prints 'jackknife pseudo-values of the 48 examples'
ok 'whose mean is the stored value' run 0 check m.db --db m.db

refused() { # MESSAGE LABELS [SETTING]
	{
		printf 'labels\ttext\na|b\tone\nb\tthree\n'
		printf '%s\ttwo\n' "$2"
	} >data/wrong.tsv
	printf 'labels\ttext\na|b\tfour\n' >data/fine.tsv
	run 2 run toy.ini --db wrong.db --set task.train=wrong.tsv --set task.test=fine.tsv --set task.validation=fine.tsv "${@:3}" &&
		says "$1" && [ ! -e wrong.db ]
}
ok 'no label' refused 'wrong.tsv:4: labels: want a label, got nothing; or unlabeled = keep' ''
ok 'no label between two' refused 'wrong.tsv:4: labels: want a label between two separators, got nothing' 'a||b'
ok 'a label twice' refused "wrong.tsv:4: labels: got the label 'a' twice; want it once" 'a | b | a'
ok 'a label in two spellings' refused "wrong.tsv:4: labels: got 'A', which is written 'a' in " 'A'
ok 'a label that is not listed' refused "wrong.tsv:4: labels: want one of a, b, got 'c'" 'c' --set 'task.classes=a, b'
ok 'a listed label without an example' refused "train has no example of the label 'c'; want some, or a list without it" 'a' \
	--set 'task.classes=a, b, c'
ok 'another separator' refused "labels: no text has two labels, with ';' between them; want the separator that the file has" 'a' \
	--set 'task.separator=;'
ok 'no separator' refused 'separator: want what separates two labels, such as |, got nothing' 'a' --set task.separator=
ok 'no such metric' refused "no metric 'accuracy'; want one of micro_f1, macro_f1, weighted_f1, samples_f1, subset_accuracy, map" 'a' \
	--set task.metric=accuracy
printf 'labels\ttext\nc\tfive\n' >data/new.tsv
ok 'a label that train does not have' run 2 run toy.ini --db wrong.db --set task.test=new.tsv
ok 'is named with its line' says "new.tsv:2: labels: got 'c', a label that train does not have"
printf '%s\n' '{"labels": ["a", ["b"]], "text": "one"}' >data/deep.jsonl
ok 'a list of lists' run 2 data toy --set task.train=deep.jsonl
ok 'is refused' says "deep.jsonl:1: 'labels': want a text without NUL, a number, true, false or null, or a list of texts"
ok 'prompts' run 2 run toy.ini --db wrong.db --set experiment.methods=zero-shot
ok 'are refused' says 'zero-shot answers with one word; the answers of task toy are sets of labels, which only a head gives'
ok 'two predictions that should agree' run 2 run toy.ini --db wrong.db --set experiment.methods=full,adamix
ok 'are refused too' says 'consistency compares probabilities of classes; the answers of task toy are sets of labels; want consistency=0'
{ cat keep.tsv && for i in $(seq 9); do printf '\tthe film %d is\n' "$i"; done; } >data/some.tsv
ok 'texts without labels are kept where the task says so' run 0 data toy --set task.train=some.tsv --set task.unlabeled=keep
ok 'and counted' prints '^  0  *[0-9]+ '

finish
