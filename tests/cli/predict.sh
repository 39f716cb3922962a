#!/bin/bash
# predict: labels of texts by a run, and what is not answered: another base, other settings, options of the other form.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
toy_task
rm models/tiny && cp -r "$root/tests/golden/tiny-bert" models/tiny
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = full, lora
seeds = 0
baseline = full
timing_rounds = 0

[train]
epochs = 2
batch = 8
lr = 1e-2
END
ok 'a run' run 0 run toy.ini
printf 'the film is good and fun\nthe film is bad\n' >texts
ok 'predict' eval 'run 0 predict toy.ini --row full <texts'
ok 'a label and a probability for each text' test "$(grep -cE '^(good|bad)	[01]\.[0-9]{4}$' out)" = 2
ok 'a text in one piece' eval 'run 0 predict toy.ini --row full < <(printf "the film is good bad slow\n")'
cp out whole
lines() { # STATUS FORMAT OPTION..: predicts these lines
	printf "$2" >texts.raw && run "$1" predict "${@:3}" <texts.raw
}
ok 'a CR inside a line' lines 0 'the film is good\rbad slow\n' toy.ini --row full
ok 'does not end the text' cmp -s out whole
ok 'one before the newline' lines 0 'the film is good bad slow\r\n' toy.ini --row full
ok 'belongs to the end of the line' cmp -s out whole
ok 'a NUL' lines 2 'the film is good\nthe film\0 is bad\n' toy.ini --row full
ok 'is refused by its line' says 'stdin:2: a NUL byte; want text without NUL'
ok 'before anything is predicted' [ ! -s out ]
ok 'predict with what a row does not take' eval 'run 2 predict toy.ini --row full --precision int8 <texts'
ok 'says where it belongs' says 'predict: --adapter, --merged, --precision, --force and --pairs go with --model'
ok 'a setting of no experiment' eval 'run 2 predict --model models/pico-encoder --set train.lr=1 <texts'
ok 'says so' says 'predict: --row, --seed, --set and --task go with an EXPERIMENT.ini'
ok 'predict with a setting that was not trained' eval 'run 2 predict toy.ini --row full --set train.max_tokens=5 <texts'
ok 'names it' says "toy.ini: train.max_tokens: run "
cp models/tiny/model.safetensors kept.safetensors
printf A | dd of=models/tiny/model.safetensors bs=1 seek=$(($(wc -c <kept.safetensors) - 2)) conv=notrunc 2>/dev/null
ok 'predict on another base than was trained on' eval 'run 2 predict toy.ini --row full <texts'
ok 'says so' says "toy.ini: the model of run "
mv kept.safetensors models/tiny/model.safetensors

finish
