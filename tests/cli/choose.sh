#!/bin/bash
# Questions with choices from their files to predictions, tables and comparisons, and files that are refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
mkdir -p tasks data models
ln -s "$root/models/pico-encoder" models/encoder
ln -s "$root/models/pico-decoder" models/decoder
printf '[task]\nkind = choose\ntrain = toy.jsonl\nvalidation_share = 0.2\ntest_share = 0.4\nanswer_as = index\n' >tasks/toy.ini
question() { # NUMBER ANSWER CHOICE..
	local n=$1 right=$2 list
	shift 2
	list=$(printf ', "%s"' "$@")
	printf '{"question": "Which film is number %s?", "choices": [%s], "answer": %s}\n' "$n" "${list#, }" "$right"
}
for i in $(seq 0 3 87); do
	question "$i" 0 "good $i" 'bad one'
	question $((i + 1)) 1 'bad one' "good $i" "bad $i"
	question $((i + 2)) 3 "bad $i" 'bad one' 'bad two' "good $i"
done >data/toy.jsonl
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/encoder
methods = majority, head, lora
seeds = 0, 1
timing_rounds = 0

[train]
epochs = 4
batch = 8
lr = 3e-3
END
sql() { sqlite3 "$1" "$2"; }
value() { sql "$1" "SELECT round(avg(value), 4) FROM v_result WHERE row = '$2' AND key = 'accuracy.test.$3'"; }

# ---- a head --------------------------------------------------------------------------------------------------------
ok 'choices are learnt' run 0 run toy.ini --db a.db
ok 'majority gives all the same score and takes the first' test "$(sql a.db "SELECT count(*) FROM v_prediction
	WHERE row = 'majority' AND (predicted != 'A' OR label NOT IN ('A', 'B', 'D'))")" = 0
ok 'which is right as often as A is' test "$(value a.db majority acc)" = "$(sql a.db "SELECT round(avg(label = 'A'), 4)
	FROM v_prediction WHERE row = 'majority' AND split = 'test'")"
ok 'lora finds the good ones' test "$(sql a.db "SELECT avg(value) > 0.9 FROM v_result WHERE row = 'lora' AND key = 'accuracy.test.acc'")" = 1
ok 'a score for each choice is stored' test "$(sql a.db "SELECT count(*) FROM statistic s JOIN run r ON r.id = s.run
	JOIN example e ON e.data = r.data AND e.split = s.split AND e.example = s.example
	WHERE metric = 'choice_score' AND json_array_length(numbers) = json_array_length(e.wanted)")" \
	= "$(sql a.db 'SELECT count(*) FROM prediction')"
ok 'the highest of them is the prediction' test "$(sql a.db "SELECT count(*) FROM statistic s JOIN prediction p
	ON p.run = s.run AND p.split = s.split AND p.example = s.example WHERE metric = 'choice_score'
	AND json_extract(numbers, '\$[' || predicted || ']') < (SELECT max(value) FROM json_each(numbers))")" = 0
ok 'a head has no acc_norm' test "$(sql a.db "SELECT count(*) FROM value WHERE key LIKE '%acc_norm'")" = 0
ok 'a table' run 0 table toy.ini --db a.db
ok 'is headed by acc' prints ' test acc '
"$program" compare lora majority --db a.db >out 2>err
ok 'lora is better' prints '^accuracy.test.acc .* better'
ok 'a ranking' run 0 rank toy.ini --db a.db
ok 'the gate' run 0 check a.db --db a.db
printf 'Which film is number 3?\tbad one\tgood 90\nWhich film?\tgood 4\tbad 5\tbad 6\tbad 7\tbad 8\n' >questions
ok 'predictions' eval 'run 0 predict toy.ini --db a.db --row lora <questions'
ok 'are the chosen texts' test "$(cut -f 1 out | tr '\n' ,)" = 'good 90,good 4,'
ok 'no choices' eval "run 2 predict toy.ini --db a.db --row lora <<<'Which film?'"
ok 'are refused' says 'stdin:1: want a question and at least 2 choices with tabs between them, got no tab'
ok 'an empty choice' eval "run 2 predict toy.ini --db a.db --row lora <<<$'Which film?\t\tgood'"
ok 'is refused' says 'stdin:1: want a choice between two tabs, got nothing'
ok 'a plan' run 0 plan toy.ini
run_of() { sql "$1" "SELECT min(id) FROM run WHERE row = '$2'"; }
ok 'predictions of lora' eval 'run 0 predict toy.ini --db a.db --row lora <questions' && cp out before
ok 'it is exported' run 0 export "$(run_of a.db lora)" whole --db a.db --merged
ok 'as a model for multiple choice' grep -q '"architectures": \["BertForMultipleChoice"\]' whole/config.json
ok 'without names of labels' test "$(grep -c 'id2label\|problem_type' whole/config.json)" = 0
ok 'the folder predicts' eval 'run 0 predict --model whole <questions'
ok 'the same' diff before out
ok 'an adapter' run 0 export "$(run_of a.db lora)" adapter --db a.db
ok 'for such models' grep -q '"base_model_class": "BertForMultipleChoice"' adapter/adapter_config.json
ok 'predicts' eval 'run 0 predict --model models/encoder --adapter adapter <questions'
ok 'the same, too' diff before out
ok 'a head that fits' run 0 run toy.ini --db w.db --set experiment.model=whole --set experiment.methods=lora --set experiment.seeds=0 --set epochs=1
printf '[task]\nkind = classify\ntrain = two.tsv\nvalidation_share = 0.2\ntest_share = 0.2\n' >tasks/two.ini
(printf 'text\tlabel\n' && for i in $(seq 20); do printf 'film %d\t%s\n' "$i" "$((i % 2))"; done) >data/two.tsv
ok 'a head that does not fit' run 2 run toy.ini --db wrong.db --set experiment.model=whole --set experiment.task=two
ok 'is refused' says 'a classification head with 1 output, and the task needs 2'
ok 'a head for classes' run 2 run toy.ini --db wrong.db --set "experiment.model=$root/tests/golden/families/roberta"
ok 'is refused, too' says 'a classification head with 3 outputs, and the task needs 1'

# ---- likelihoods ---------------------------------------------------------------------------------------------------
prompts=(--set experiment.model=models/decoder --set 'experiment.methods=zero-shot,few-shot,lora+zero-shot')
ok 'a decoder' run 0 run toy.ini --db d.db "${prompts[@]}" --set experiment.seeds=0
long=$(printf 'word %.0s' $(seq 300))
text=$(printf 'film %.0s' $(seq 400))
alone=$("$program" predict toy.ini --db d.db "${prompts[@]}" --set experiment.seeds=0 --row zero-shot <<<"$text"$'\tgood 1\tbad one')
beside=$(printf '%s\tgood 1\tbad one\nWhich?\tgood\t%s\n' "$text" "$long" | "$program" predict toy.ini --db d.db "${prompts[@]}" --set experiment.seeds=0 --row zero-shot | head -n 1)
ok 'a question is cut for its own choices, not for those of another' is "${alone:-nothing}" "$beside"
ok 'has both metrics' test "$(sql d.db "SELECT count(DISTINCT key) FROM v_result WHERE key LIKE 'accuracy.test.acc%'")" = 2
ok 'learns the right choices' test "$(sql d.db "SELECT avg(value) > 0.8 FROM v_result WHERE row = 'lora+zero-shot' AND
	key = 'accuracy.test.acc'")" = 1
norm="SELECT avg((SELECT c.key FROM json_each(s.numbers) c JOIN json_each(l.numbers) n ON n.key = c.key
	ORDER BY c.value / n.value DESC, c.key LIMIT 1) = p.label) FROM statistic s JOIN statistic l USING (run, split, example)
	JOIN prediction p USING (run, split, example) JOIN run r ON r.id = s.run
	WHERE s.metric = 'choice_score' AND l.metric = 'choice_length' AND split = 'test' AND r.row = 'zero-shot'"
ok 'acc_norm follows from what is stored' test "$(value d.db zero-shot acc_norm)" = "$(sql d.db "SELECT round(($norm), 4)")"
ok 'a length is that of the text' test "$(sql d.db "SELECT count(*) FROM statistic s JOIN run r ON r.id = s.run
	JOIN example e ON e.data = r.data AND e.split = s.split AND e.example = s.example
	WHERE metric = 'choice_length' AND json_extract(numbers, '\$[0]') != length(json_extract(wanted, '\$[0]'))")" = 0
"$program" compare lora+zero-shot zero-shot --db d.db >out 2>err
ok 'they are compared by pairs' prints '^accuracy.test.acc .*McNemar: p '
ok 'by acc_norm' run 0 run toy.ini --db n.db "${prompts[@]}" --set experiment.methods=zero-shot --set experiment.seeds=0 \
	--set task.metric=acc_norm
ok 'which heads the table' prints ' test acc_norm '
ok 'which a head does not have' run 2 run toy.ini --db wrong.db --set task.metric=acc_norm
ok 'by name' says 'row majority has no acc_norm: the scores of its head are no likelihoods'
ok 'calibration' run 2 run toy.ini --db wrong.db "${prompts[@]}" --set method.zero-shot.calibrate=yes
ok 'is refused' says 'calibrate: the prior of a class is the same for all texts'
ok 'a method that compares classes' run 2 run toy.ini --db wrong.db --set experiment.methods=adamix --set method.adamix.consistency=1
ok 'is refused, too' says 'the answers of task toy are choices, each with a score of its own'
ok 'a head of a decoder' run 0 run toy.ini --db h.db --set experiment.model=models/decoder --set experiment.methods=lora --set experiment.seeds=0
ok 'has no format' run 2 export "$(run_of h.db lora)" none --db h.db --merged
ok 'is said' says 'transformers has no model for multiple choice of the family llama'

# ---- files ---------------------------------------------------------------------------------------------------------
cut_head() { # FILE: with the settings that follow, its letters are those of toy.jsonl
	run 0 data toy --json --set "task.train=$1" "${@:2}" && head -n 1 out | grep -o '"classes":{[^}]*}'
}
cut_head toy.jsonl >want
python3 - <<'END'
import json
rows = [json.loads(line) for line in open("data/toy.jsonl")]
letters = "ABCD"
def write(name, make):
    with open("data/" + name, "w") as f:
        f.writelines(json.dumps(make(r)) + "\n" for r in rows)
write("letters.jsonl", lambda r: r | {"answer": letters[r["answer"]]})
write("texts.jsonl", lambda r: r | {"answer": r["choices"][r["answer"]]})
write("numbers.jsonl", lambda r: r | {"answer": r["answer"] + 1})
labelled = lambda r: [{"text": c, "label": str(k + 1)} for k, c in enumerate(r["choices"])]
write("labels.jsonl", lambda r: r | {"choices": labelled(r), "answer": str(r["answer"] + 1)})
write("stems.jsonl", lambda r: {"question": {"stem": r["question"], "choices": labelled(r)}, "answerKey": str(r["answer"] + 1)})
write("lists.jsonl", lambda r: r | {"choices": {"text": r["choices"], "label": list(letters[:len(r["choices"])])},
                                    "answer": letters[r["answer"]]})
with open("data/columns.tsv", "w") as f:
    f.write("question\ta\tb\tc\td\tanswer\n")
    f.writelines("\t".join([r["question"]] + (r["choices"] + ["", ""])[:4] + [str(r["answer"])]) + "\n" for r in rows)
END
for file in letters.jsonl texts.jsonl labels.jsonl lists.jsonl; do
	ok "the answers of $file" test "$(cut_head $file --set task.answer_as=auto)" = "$(cat want)"
done
ok 'numbers from 1' test "$(cut_head numbers.jsonl --set task.answer_as=number)" = "$(cat want)"
ok 'members of objects' test "$(cut_head stems.jsonl --set task.question=question.stem --set task.choices=question.choices \
	--set task.answer=answerKey --set task.answer_as=auto)" = "$(cat want)"
ok 'columns' test "$(cut_head columns.tsv --set 'task.choices=a, b, c, d')" = "$(cat want)"

# ---- the data ------------------------------------------------------------------------------------------------------
ok 'data' run 0 data toy --model models/encoder
ok 'counts the right places' prints '^  A +12  33.3 % '
ok 'and the choices' prints '^  4 +12  33.3 % '
ok 'and says what guesses reach' prints '^accuracy of guesses on test: 0.3611'
ok 'and shows them' prints '^  > D  good'
ok 'data of a decoder' run 0 data toy --model models/decoder
ok 'shows the prompt' prints '^  \| Answer:'

{ question 90 0 a b b && cat data/toy.jsonl; } >data/twice.jsonl

# ---- what is refused -----------------------------------------------------------------------------------------------
refused() { # MESSAGE LINE [SETTING..]
	printf '{"question": "Which?", "choices": ["a", "b"], "answer": %s}\n%s\n' "${first:-0}" "$2" >data/wrong.jsonl
	run 2 run toy.ini --db wrong.db --set task.train=wrong.jsonl "${@:3}" && says "$1" && [ ! -e wrong.db ]
}
line() { printf '{"question": "Which?", "choices": %s, "answer": %s}' "$1" "$2"; }
ok 'an index too large' refused "wrong.jsonl:2: answer: want the index of a choice, 0..1, got '2'" "$(line '["a b", "c d"]' 2)"
ok 'a negative index' refused "wrong.jsonl:2: answer: want the index of a choice, 0..1, got '-1'" "$(line '["a b", "c d"]' -1)"
first=1 ok 'the number 0' refused "wrong.jsonl:2: answer: want the number of a choice, 1..2, got '0'" "$(line '["a b", "c d"]' 0)" \
	--set task.answer_as=number
ok 'no choice' refused "wrong.jsonl:2: answer: got 'x', which is none of the choices; want an index 0..1, a letter A..B or the text of one" \
	"$(line '["a b", "c d"]' '"x"')" --set task.answer_as=auto
first='"a"' ok 'a letter too late' refused "wrong.jsonl:2: answer: want the letter of a choice, A..B, got 'C'" "$(line '["a b", "c d"]' '"C"')" \
	--set task.answer_as=letter
ok 'an answer with two meanings' refused "wrong.jsonl:2: answer: '1' is the index of one choice and the text of another; want answer_as = index or text" \
	"$(line '["1", "2"]' 1)" --set task.answer_as=auto
ok 'a label that no choice has' refused "wrong.jsonl:2: answer: want the label of a choice, such as '1', got 'B'" \
	"$(line '[{"text": "a", "label": "1"}, {"text": "b", "label": "2"}]' '"B"')" --set task.answer_as=auto
ok 'the right choice twice' refused 'wrong.jsonl:2: answer: choice 1 is the right one and another is the same' "$(line '["a b", "c d", "a b"]' 0)"
ok 'a wrong choice twice' run 0 data toy --set task.train=twice.jsonl
for i in $(seq 12); do question "$i" $((i % 2 + 1)) "a $i" "b $i" "c $i"; done >data/ones.jsonl
ok 'numbers from 1 that are indices too' run 0 data toy --set task.train=ones.jsonl --set task.answer_as=number
for i in $(seq 30); do question "$i" $((i % 2 + 1)) "a $i" "b $i" "c $i"; done >data/ones.jsonl
ok 'are not guessed' run 2 data toy --set task.train=ones.jsonl --set task.answer_as=auto
ok 'but asked for' says 'ones.jsonl:1: answer: no answer is 0, which would be by chance less than once in 1000'
ok 'one choice' refused 'wrong.jsonl:2: choices: want at least 2 choices, got 1' "$(line '["a"]' 0)"
ok 'an empty choice' refused 'wrong.jsonl:2: choices: choice 2: want a text, got nothing' "$(line '["a", " "]' 0)"
ok 'a choice that is a list' refused 'wrong.jsonl:2: choices: choice 1: want a text' "$(line '[["a"], "b"]' 0)"
ok 'an object without text' refused 'wrong.jsonl:2: choices: choice 1: want a text' "$(line '[{"label": "A"}, {"text": "b"}]' 0)"
ok 'no list' refused 'wrong.jsonl:2: choices: want a JSON list of choices, ["yes", "no"]' "$(line 3 0)"
ok 'no JSON' refused 'wrong.jsonl:2: choices: JSON:1' "$(line '"yes or no"' 0)"
ok 'lists of different lengths' refused "wrong.jsonl:2: choices: want lists 'text' and 'label' of one length" \
	"$(line '{"text": ["a", "b"], "label": ["A"]}' 0)"
ok 'too many choices' refused 'wrong.jsonl:2: choices: want at most 26 choices' \
	"$(line "[$(printf '"%s", ' $(seq 26))\"27\"]" 0)"
ok 'an empty question' refused 'wrong.jsonl:2: question: want a text, got nothing' '{"question": "", "choices": ["a", "b"], "answer": 0}'
ok 'an object that is not asked for' refused 'question' '{"question": {"stem": "a"}, "choices": ["a", "b"], "answer": 0}'
ok 'a member that is not there' refused "wrong.jsonl:1: question.stem: JSON:1" "$(line '["a b", "c d"]' 1)" --set task.question=question.stem
ok 'no column' refused "no column 'choice'; has: question, choices, answer" "$(line '["a b", "c d"]' 1)" --set task.choices=choice
cp data/toy.jsonl data/test.jsonl
ok 'a question in two splits' run 2 run toy.ini --db wrong.db --set task.test=test.jsonl
ok 'is refused' says 'the question "Which film is number'
question 0 1 'bad one' 'good 0' >data/test.jsonl # as in training, in the other order
ok 'with its choices in another order' run 2 run toy.ini --db wrong.db --set task.test=test.jsonl
ok 'it is the same question' says 'the question "Which film is number 0?"'
sed 's/good/very good/' data/toy.jsonl >data/test.jsonl
ok 'one with other choices is another' run 0 data toy --set task.test=test.jsonl
ok 'no such metric' run 2 run toy.ini --db wrong.db --set task.metric=mcc
ok 'by name, too' says 'want one of acc, acc_norm'
ok 'prompts of an encoder' run 2 run toy.ini --db wrong.db --set experiment.methods=zero-shot
ok 'need a decoder' says 'row zero-shot needs a causal language model'

finish
