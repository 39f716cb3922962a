#!/bin/bash
# show, list and --help: what a user finds of methods, tasks, settings and options.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

ok 'a method' run 0 show lora
ok 'with a setting, its default and range' prints '^  rank +\= 8 .*\(1\.\.4096\)$'
for section in experiment:seeds timing:timing_rounds train:lr task:label_smoothing model:precision decode:max_new tune:trials pretrain:teacher network:kv_heads; do
	ok "show ${section%:*}" run 0 show "${section%:*}"
	ok "lists ${section#*:}" prints "^  ${section#*:} +="
done
ok 'a kind of task' run 0 show classify
ok 'lists its settings' prints '^  classes +='
ok 'list' run 0 list
ok 'list has a method with its paper and count' prints '^  +Hu et al\. 2021, LoRA, arXiv:2106\.09685; adds rank\*\(\(freeze==0\)\*in\+out\)'
ok 'list has a preset with its settings' prints '^  dora +yes +LORA +DoRA: .*; = lora: dora=yes$'
for named in tasks/*.ini; do
	name=$(basename "$named" .ini)
	ok "list has $name" prints "^  $name\$"
done
ok 'a card' run 0 show said
for line in 'equation: W \+' 'size, .* chooses: dimension$' 'can be merged into the weights: yes$' 'in PEFT: none$'; do
	ok "has $line" prints "^$line"
done
ok 'a card for the page of methods' run 0 list --markdown
ok 'has a heading' prints '^### said$'
ok 'has a setting' prints '^\| `dimension` \| 1000 \| '
ok 'a named task' run 0 show sentiment
ok 'shows its file' prints '^kind +\= classify$'
ok 'a path is no name' run 2 show ../tasks/sentiment
ok 'an unknown name' run 2 show trian
ok 'has a near one' says "did you mean 'train'?"
ok 'nearly a task' run 2 show sentimnt
ok 'has a near one, too' says "did you mean 'sentiment'?"
ok 'timing has its settings alone' eval 'run 0 show timing && ! prints seeds'
known() { run 2 "${@:2}" && says "$1"; } # a refused name has a near one
ok 'a value' known "want adamw|sgd|adafactor|lion, got 'adam'; did you mean 'adamw'?" plan experiments/sentiment.ini --set optimizer=adam
ok 'a metric' known "no metric 'acuracy'; did you mean 'accuracy'? want one of" data sentiment --set task.metric=acuracy
ok 'a named task' known "no named task 'sentimnt'" plan experiments/sentiment.ini --set experiment.task=sentimnt
ok 'has a near one' says "did you mean 'sentiment'?"
ok 'a row' known "is not in methods: " plan experiments/sentiment.ini --set experiment.baseline=lroa
ok 'has a near one' says "did you mean 'lora'?"
ok 'a command' known "did you mean 'table'?" tabel
ok 'a format' known "got 'markdwn'; did you mean 'markdown'?" table experiments/sentiment.ini --format markdwn

# An option that means something else to one command.
ok 'plot --help' run 0 plot --help
ok 'has the folder' prints '^  --out PATH +output folder \(default: plots/EXPERIMENT\)$'
ok 'check --help' run 0 check --help
ok 'has the file' prints '^  --out PATH +also write the result to this file, as JUnit XML$'
ok 'pareto --help' run 0 pareto --help
ok 'has the alias' prints '^The command is also called `peftbench front`\.$'

finish
