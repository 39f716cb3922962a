#!/bin/bash
# Weights of classes and smoothed labels: a task's settings, and what they are refused for.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
sweep_study
sed -i -e 's/^methods.*/methods = full/' -e 's/^seeds.*/seeds = 0/' -e 's/^lr.*/lr = 1e-2/' -e '/^\[method/,$d' toy.ini
{
	printf 'label\ttext\n'
	for i in $(seq 20); do printf 'good\tfilm %d was good\n' "$i"; done
	for i in $(seq 5); do printf 'bad\tfilm %d was bad\nso: so\tfilm %d was\n' "$i" "$i"; done
} >data/train.tsv
{
	printf 'label\ttext\n'
	for i in $(seq 30 36); do printf 'good\tfilm %d was good\nbad\tfilm %d was bad\nso: so\tfilm %d was\n' "$i" "$i" "$i"; done
} >data/test.tsv
sed 's/film/movie/' data/test.tsv >data/validation.tsv
printf '[task]\nkind = classify\ntrain = train.tsv\nvalidation = validation.tsv\ntest = test.tsv\n' >tasks/toy.ini
probabilities() { sqlite3 "$1" 'SELECT split, example, predicted, probability FROM prediction ORDER BY 1, 2'; }
with() { run 0 run toy.ini --db "$1.db" --quiet "${@:2}" && probabilities "$1.db" >"$1.txt"; }

ok 'no weights' with plain
ok 'balanced' with balanced --set task.class_weights=balanced
ok 'weights n / (classes n_c)' with listed --set 'task.class_weights=so: so:2, good:0.5, bad: 2'
ok 'are the balanced ones' diff balanced.txt listed.txt
ok 'and no others' test "$(diff plain.txt balanced.txt | wc -l)" -gt 0
ok 'equal weights' with equal --set 'task.class_weights=good:1, bad:1, so: so:1'
ok 'are none, but for rounding' test "$(sqlite3 plain.db "ATTACH 'equal.db' AS e; SELECT max(abs(a.probability - b.probability)) < 1e-4
	FROM prediction a JOIN e.prediction b USING (split, example)")" = 1
ok 'smoothed labels' with smooth --set task.label_smoothing=0.3
ok 'are learnt less' test "$(sqlite3 plain.db "ATTACH 'smooth.db' AS s; SELECT avg(a.probability) > avg(b.probability)
	FROM prediction a JOIN s.prediction b USING (split, example)")" = 1
ok 'both' with both --set task.label_smoothing=0.3 --set task.class_weights=balanced
ok 'weights are those of the examples that are used' with part --set task.class_weights=balanced --set train.examples=24
ok 'the plan is kept' run 0 plan toy.ini --set task.class_weights=balanced

refused() { # MESSAGE SETTING..
	run 2 run toy.ini --db wrong.db --set "$2" "${@:3}" && says "$1" && [ ! -e wrong.db ]
}
ok 'no list' refused "class_weights: want balanced, or a list NAME:WEIGHT, .., got 'even'" task.class_weights=even
ok 'no such class' refused "class_weights: no class 'fine'; want one of good, bad, so: so" task.class_weights=fine:1
ok 'a class without a weight' refused "class_weights: no weight of the class 'so: so'; want one of every class" \
	'task.class_weights=good:1, bad:1'
ok 'a class twice' refused "class_weights: the class 'bad' is listed twice; want it once" 'task.class_weights=bad:1, bad:2, good:1'
ok 'no weight' refused "class_weights: good: want a weight greater than 0, got '0'" 'task.class_weights=good:0'
ok 'a class that the limit leaves without an example' refused "class_weights: balanced: none of the 1 training examples is of the class '" \
	task.class_weights=balanced --set task.train_limit=1
ok 'too much smoothing' refused 'label_smoothing' task.label_smoothing=1
ln -s "$root/models/pico-decoder" models/pico
ok 'a verbalizer' refused 'class_weights: the loss of a head has it, and a row that answers with a verbalizer has none' \
	task.class_weights=balanced --set experiment.model=models/pico --set experiment.methods=zero-shot --set experiment.baseline=zero-shot

finish
