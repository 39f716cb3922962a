#!/bin/bash
# Every layer of `check` fires, on its own, and says where: databases of one and the same training are changed by hand in
# one place each.  (That real faults are found: tests/torture/mutants.sh.)
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = head, lora, prefix
seeds = 0, 1

[train]
epochs = 6
batch = 8
lr = 1e-2
END
train() { run 0 run "$1" --db "$2" --no-timing --threads "$3"; }
ok 'a baseline' train toy.ini a.db 2
ok 'the same again' train toy.ini b.db 2
ok 'nothing has changed' run 0 check a.db --db b.db
ok 'to the bit' prints '^ok +toy/lora: identity: the same to the bit; trajectory: within 0 over the first 20 steps; exact: same; statistics: same'
ok 'every row is told' test "$(grep -c '^ok' out)" = 3

lora="run IN (SELECT id FROM run WHERE row = 'lora' AND seed = 0)"
change() { # NEW.db SQL: a copy of b.db that differs in what the statement says
	cp b.db "$1" && sqlite3 "$1" "DROP TRIGGER trace_update; DROP TRIGGER fingerprint_update; DROP TRIGGER prediction_update;
		DROP TRIGGER provenance_update; DROP TRIGGER trace_delete; DROP TRIGGER fingerprint_delete; $2"
}
lines() { grep -vE "^(ok|[0-9]+ rows)" out | grep -v '^ '; }

# ---- identity -----------------------------------------------------------------------------------------------
ok 'a loss' change loss.db "UPDATE trace SET numbers = json_replace(numbers, '\$[2]', json_extract(numbers, '\$[2]') * 1.00001)
	WHERE name = 'loss' AND $lora"
ok 'that differs in the sixth digit' run 1 check a.db --db loss.db
ok 'is named by its step' prints '^changed +toy/lora: identity: seed 0: the losses are equal up to step 2 and differ at step 3 by 1e-05 \(relative\)'
ok 'and nothing else is' test "$(lines | wc -l)" = 1
ok 'but is within the tolerance of a trajectory' prints '^ +toy/lora: identity: changed; trajectory: within 9[.0-9]*e-06 over'
ok 'a declared row' run 0 check a.db --db loss.db --declare toy/lora
ok 'is told' prints '^declared +toy/lora: identity: seed 0'
ok 'the declaration of another row' run 1 check a.db --db loss.db --declare toy/head
ok 'a misspelt one' run 2 check a.db --db loss.db --declare toy/lorra
ok 'its message' says "--declare: want rows as EXPERIMENT/ROW or keys of exact numbers that are compared; got 'toy/lorra'"
ok 'a tensor' change tensor.db "UPDATE fingerprint SET prints = CAST(x'00' || substr(prints, 2) AS BLOB) WHERE number = 1 AND $lora"
ok 'that differs at the start' run 1 check a.db --db tensor.db
ok 'is named' prints 'identity: seed 0: the losses are equal; the first tensor that differs is layer.0.attn.q.lora.B at initialization|the first tensor that differs is .* at initialization'
ok 'a logit' change logit.db "UPDATE trace SET numbers = json_replace(numbers, '\$[0]', json_extract(numbers, '\$[0]') + 1e-6)
	WHERE name = 'logits' AND step = 5 AND $lora"
ok 'of the probe' run 1 check a.db --db logit.db
ok 'is named by its step' prints 'the losses are equal; the probe logits differ after step 5 by '
ok 'a prediction' change said.db "UPDATE prediction SET probability = probability * 1.000001 WHERE example = 1 AND split = 'test' AND $lora"
ok 'that is as right as before' run 1 check a.db --db said.db
ok 'has another probability' prints 'the losses are equal; the predictions are equal, but 1 of [0-9]+ probabilities differ'

ok 'a metric' change metric.db "DROP TRIGGER value_update; UPDATE value SET value = value + 1e-9
	WHERE key = 'accuracy.validation.macro_f1' AND step = -1 AND $lora"
ok 'of the same predictions' run 1 check a.db --db metric.db
ok 'is named' prints 'identity: seed 0: the losses are equal; accuracy.validation.macro_f1 was [.0-9]+, is [.0-9]+'

# ---- trajectory ---------------------------------------------------------------------------------------------
elsewhere="UPDATE provenance SET value = 'another one' WHERE key = 'processor';"
ok 'another processor' change cpu.db "$elsewhere"
ok 'is not judged to the bit' run 0 check a.db --db cpu.db
ok 'and says why' prints "^ok +toy/lora: identity: not judged because the processor differs; trajectory: within 0"
ok 'a small difference there' change cpu-loss.db "$elsewhere UPDATE trace SET numbers = json_replace(numbers, '\$[2]',
	json_extract(numbers, '\$[2]') * 1.00001) WHERE name = 'loss' AND $lora"
ok 'is rounding' run 0 check a.db --db cpu-loss.db
ok 'a larger one' change cpu-loss.db "$elsewhere UPDATE trace SET numbers = json_replace(numbers, '\$[2]',
	json_extract(numbers, '\$[2]') * 1.01) WHERE name = 'loss' AND $lora"
ok 'is none' run 1 check a.db --db cpu-loss.db
ok 'and named' prints '^changed +toy/lora: trajectory: seed 0: the relative difference is 0.0[01][0-9]* \(tolerance 0.00015\) in the loss of step 3'
ok 'unless that is allowed' run 0 check a.db --db cpu-loss.db --margin 0.01,0.05,0.1
for step in 3 10; do # the tolerance grows with the steps: 1.5e-4 and 5e-4
	ok "a difference at step $step" change "cpu-step$step.db" "$elsewhere UPDATE trace SET numbers = json_replace(numbers, '\$[$((step - 1))]',
		json_extract(numbers, '\$[$((step - 1))]') * 1.0003) WHERE name = 'loss' AND $lora"
done
ok 'early it is none' run 1 check a.db --db cpu-step3.db
ok 'later it is rounding' run 0 check a.db --db cpu-step10.db
ok 'and is told' prints '^ok +toy/lora: .*trajectory: within 0.000[23][0-9]* over'
ok 'a method that chooses by rank' run 0 run toy.ini --db ranks.db --no-timing --threads 2 --set experiment.methods=sparseadapter
cp b.db others.db && cp ranks.db b.db
tipped="UPDATE trace SET numbers = json_replace(numbers, '\$[2]', json_extract(numbers, '\$[2]') * 1.01) WHERE name = 'loss'"
ok 'and a large difference' change tipped.db "$elsewhere $tipped"
ok 'may come of another choice there' run 0 check ranks.db --db tipped.db
ok 'which is told' prints 'trajectory: not judged because rounding can tip what the method chooses by rank: seed 0: the relative difference is 0.0'
ok 'and a large difference here' change tipped.db "$tipped"
ok 'has not' run 1 check ranks.db --db tipped.db
mv others.db b.db
ok 'another number of threads' train toy.ini threads.db 1
ok 'agrees in its first steps' run 0 check a.db --db threads.db
ok 'and no more is asked' prints 'identity: not judged because the number of threads differs; trajectory: within [0-9.e-]+ over'
ok 'another start' change cpu-start.db "$elsewhere UPDATE fingerprint SET prints = CAST(substr(prints, 1, 8) || x'0000003F' ||
	substr(prints, 13) AS BLOB) WHERE number = 0 AND $lora"
ok 'shows in a norm' run 1 check a.db --db cpu-start.db
ok 'of the tensor' prints 'trajectory: seed 0: the relative difference is .* in the norm of .* at initialization'

other_code="$elsewhere DROP TRIGGER run_update; UPDATE run SET hash = substr(hash, 2) || '0';"
ok 'other code there' change code.db "$other_code"
ok 'that answers every example alike' run 0 check a.db --db code.db
ok 'has the same score' prints '^ok +toy/lora: .*; statistics: same'
ok 'one answer less' change code.db "$other_code UPDATE prediction SET predicted = 1 - predicted
	WHERE example = 0 AND split = 'test' AND $lora"
ok 'is for statistics to judge' run 3 check a.db --db code.db
ok 'of its row alone' test "$(grep -c '^ok' out)" = 2

# ---- exact ----------------------------------------------------------------------------------------------------
ok 'a method that is folded wrongly' change merge.db "UPDATE trace SET numbers = json_replace(numbers, '\$[0]',
	json_extract(numbers, '\$[0]') + 0.01) WHERE name = 'logits.merged' AND $lora; $elsewhere"
ok 'is found anywhere' run 1 check a.db --db merge.db --declare toy/lora
ok 'by the error of merging' prints '^changed +toy/lora: merge_error: was [0-9.e-]+, is [0-9.e-]+, tolerance 2e-05'

# ---- what there is not ----------------------------------------------------------------------------------------
ok 'an older database' change old.db "DELETE FROM trace; DELETE FROM fingerprint"
ok 'is compared as far as it goes' run 0 check old.db --db b.db
ok 'and says so' prints '^ok +toy/lora: identity: not recorded; trajectory: not recorded; exact: same'
sed 's/^lr.*/lr = 9e-3/' toy.ini >rate.ini && mkdir other && cp -r tasks data models other && mv rate.ini other/toy.ini
cd other && ok 'another learning rate' train toy.ini ../rate.db 2
cd ..
ok 'is a change' run 1 check a.db --db rate.db --method lora
ok 'from the first step on' prints 'identity: seed 0: the losses are equal up to step [12] and differ at step [23] by .*the first tensor that differs is .* after step [12]'

ok 'a probe' change probe.db "DELETE FROM trace WHERE name = 'logits' AND step = 5 AND $lora; $elsewhere"
ok 'that was not taken' run 1 check a.db --db probe.db
ok 'is missed' prints '^changed +toy/lora: trajectory: seed 0: the relative difference is inf .* in the steps after which the probe'
ok 'a seed of another machine' change mixed.db "UPDATE trace SET numbers = json_replace(numbers, '\$[2]', json_extract(numbers, '\$[2]') * 1.00001)
	WHERE name = 'loss' AND $lora; UPDATE provenance SET value = 'another one' WHERE key = 'processor' AND run IN
	(SELECT id FROM run WHERE seed = 1)"
ok 'takes back nothing of what another seed has shown' run 1 check a.db --db mixed.db
ok 'which is told' prints '^changed +toy/lora: identity: seed 0: the losses are equal up to step 2'
ok 'a seed' change lost.db "DROP TRIGGER selected_delete; DELETE FROM selected WHERE $lora"
ok 'that is there no more' run 1 check a.db --db lost.db
ok 'is missed too' prints '^changed +toy/lora: trajectory: seed 0: it was scored on test and has no such run now'

# ---- for programs ---------------------------------------------------------------------------------------------
ok 'JSON' run 1 check a.db --db loss.db --json --out junit.xml
ok 'has each layer' test "$(grep -c '"layer":' out)" = 9
ok 'and what it found' grep -q '{"row":"toy/lora","layer":"identity","verdict":"changed","note":"seed 0: the losses are equal' out
ok 'a failure for JUnit' grep -q 'classname="toy/lora" name="identity"><failure message="toy/lora: identity: seed 0' junit.xml
ok 'and what held' grep -q 'classname="toy/lora" name="trajectory"/>' junit.xml

finish
