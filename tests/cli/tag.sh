#!/bin/bash
# Tags of words from their files to predictions, tables and comparisons, and files that are refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
mkdir -p tasks data models
ln -s "$root/tests/golden/tiny-bert" models/tiny
ln -s "$root/models/pico-decoder" models/decoder
printf '[task]\nkind = tag\nformat = conll\ntrain = toy.conll\nvalidation_share = 0.2\ntest_share = 0.4\n' >tasks/toy.ini
{
	printf -- '-DOCSTART- O\n\n'
	for i in $(seq 40); do
		printf 'the O\nfilm O\n%d O\nis O\ngood B-OPINION\nfun I-OPINION\n. O\n\n' "$i"
		printf 'no\tO\nbad\tB-OPINION\nscene\tO\nin\tO\nnew\tB-PLACE\nyork\tI-PLACE\n%d\tO\n\n' "$i"
	done
} >data/toy.conll
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = majority, head, full, lora, prefix
seeds = 0, 1, 2
timing_rounds = 0

[train]
epochs = 20
batch = 8
lr = 1e-2
END
sql() { sqlite3 "$1" "$2"; }
value() { sql a.db "SELECT round(avg(value), 4) FROM v_result WHERE row = '$1' AND key = 'accuracy.test.$2'"; }

ok 'a plan of tags' run 0 plan toy.ini
ok 'tags are learnt' run 0 run toy.ini --db a.db
ok 'majority says O' test "$(sql a.db "SELECT count(*) FROM v_prediction WHERE row = 'majority' AND predicted LIKE '%B-%'")" = 0
ok 'its F1 is 0' test "$(value majority f1)" = 0.0
ok 'its accuracy is the share of O' test "$(value majority accuracy)" = "$(sql a.db "SELECT round(sum(CASE WHEN label LIKE
	'%PLACE%' THEN 4.0 ELSE 5 END) / sum(7), 4) FROM v_prediction WHERE row = 'majority' AND split = 'test'")"
ok 'full finds the names' test "$(sql a.db "SELECT avg(value) > 0.7 FROM v_result WHERE row = 'full' AND key = 'accuracy.test.f1'")" = 1
ok 'a prediction has a tag for each word' test "$(sql a.db "SELECT count(*) FROM v_prediction WHERE row = 'full' AND
	length(predicted) - length(replace(predicted, ' ', '')) = 6")" -gt 60
ok 'a table' run 0 table toy.ini --db a.db
ok 'is headed by the F1' prints ' test f1 '
"$program" compare full majority --db a.db >out 2>err
ok 'full is better' prints '^accuracy.test.f1 .* better'
ok 'a ranking' run 0 rank toy.ini --db a.db
ok 'the gate' run 0 check a.db --db a.db
printf 'the film 3 is good fun .\nno bad scene in new york 9\n' >texts
ok 'predictions' eval 'run 0 predict toy.ini --db a.db --row full <texts'
ok 'are words and tags' test "$(tr '\n\t' ' /' <out)" = 'the/O film/O 3/O is/O good/B-OPINION fun/I-OPINION ./O  no/O bad/B-OPINION scene/O in/O new/B-PLACE york/I-PLACE 9/O  '
cp out before
run_of() { sql a.db "SELECT min(id) FROM run WHERE row = '$1'"; }
ok 'it is exported' run 0 export "$(run_of full)" whole --db a.db --merged
ok 'as a token classifier' grep -q '"architectures": \["BertForTokenClassification"\]' whole/config.json
ok 'the folder predicts' eval 'run 0 predict --model whole <texts'
ok 'the same' diff before out
ok 'an adapter' run 0 export "$(run_of lora)" adapter --db a.db
ok 'for tokens' grep -q '"task_type": "TOKEN_CLS"' adapter/adapter_config.json
ok 'of the row' eval 'run 0 predict toy.ini --db a.db --row lora <texts' && cp out before
ok 'predicts' eval 'run 0 predict --model models/tiny --adapter adapter <texts'
ok 'the same too' diff before out

ok 'words that are cut' run 0 run toy.ini --db c.db --set max_tokens=8 --set experiment.methods=full --set experiment.seeds=0
ok 'are predicted as O' test "$(sql c.db "SELECT count(*) FROM v_prediction WHERE predicted NOT LIKE '% O'")" = 0
ok 'a decoder' run 0 run toy.ini --db d.db --set experiment.model=models/decoder --set experiment.methods=head,lora --set experiment.seeds=0

# ---- JSON Lines ----------------------------------------------------------------------------------------------------
printf '[task]\nkind = tag\ntrain = toy.jsonl\nvalidation_share = 0.2\ntest_share = 0.4\nclasses = 0=O, 1=B-X, 2=I-X\n' >tasks/lists.ini
for i in $(seq 20); do printf '{"tokens": ["film", "%d", "good one"], "ner_tags": [0, 1, 2]}\n' "$i"; done >data/toy.jsonl
ok 'lists' run 0 data lists
ok 'have numbers for tags' prints '^ +I-X +8 +33.3 %'

# ---- the data ------------------------------------------------------------------------------------------------------
ok 'data' run 0 data toy --model models/tiny
ok 'counts words' prints '^words +224 '
ok 'and entities' prints '^ +PLACE +[0-9]+ '
ok 'and shows pieces with their tags' prints 'bad/B-OPINION scene/O in/O new/B-PLACE york/I-PLACE'
card() { sed -nE "s/^ *$1 +([0-9]+)( +[0-9.]+ %)? +([0-9]+)( +[0-9.]+ %)? +([0-9]+).*/\1 \3 \5/p" card | tail -n 1; }
json() { sed -nE 's/^\{"task".*"'"$1"'":([0-9]+)[,}].*/\1/p' out | paste -sd ' '; }
cp out card
ok 'the same as JSON' run 0 data toy --model models/tiny --json
for pair in words:words entities:entities PLACE:PLACE OPINION:OPINION; do
	ok "has its ${pair%:*}" [ "$(json "${pair#*:}")" = "$(card "${pair%:*}")" ]
done
ok 'there are some' [ "$(json entities | wc -w)" = 3 ]
ok 'and the words that the model does not read' [ "$(json words_not_read)" = '0 0 0' ]

# ---- what is refused -----------------------------------------------------------------------------------------------
refused() { # MESSAGE TEXT [SETTING..]
	printf "$2" >data/wrong.conll
	run 2 run toy.ini --db wrong.db --set task.train=wrong.conll "${@:3}" && says "$1" && [ ! -e wrong.db ]
}
ok 'a line with too few columns' refused 'wrong.conll:3: want 2 columns (a word, .., a tag), separated by tabs or blanks, got 1' 'a\tO\nb\tO\nc\n'
ok 'a tag without prefix' refused "wrong.conll:2: ner_tags: want a tag O, B-TYPE, I-TYPE, E-TYPE or S-TYPE, got 'person'" 'a\tO\nb\tperson\n'
ok 'a tag of another scheme' refused "wrong.conll:1: ner_tags: want a tag O, B-TYPE or I-TYPE, got 'S-X'" 'a\tS-X\n' --set task.scheme=bio
ok 'no word' refused 'wrong.conll:2: want a word and a tag, got no word' 'a\tO\n\tO\n'
printf 'a\tB-NEW\n\n' >data/test.conll
ok 'an unknown tag in test' run 2 run toy.ini --db wrong.db --set task.test=test.conll
ok 'by its line' says "test.conll:1: ner_tags: got 'B-NEW', a label that train does not have"
lists() { # MESSAGE LINE
	printf '%s\n' "$2" >data/wrong.jsonl
	run 2 data lists --set task.train=wrong.jsonl && says "$1"
}
ok 'lists of different lengths' lists 'wrong.jsonl:1: want a tag for each word, got 2 tokens and 1 ner_tags' '{"tokens": ["a", "b"], "ner_tags": [0]}'
ok 'an empty sentence' lists 'wrong.jsonl:1: tokens: want at least one word, got an empty sentence' '{"tokens": [], "ner_tags": []}'
ok 'no list' lists 'wrong.jsonl:1: tokens: want a list of words' '{"tokens": "a b", "ner_tags": [0, 0]}'
ok 'prompts' run 2 run toy.ini --db wrong.db --set experiment.model=models/decoder --set experiment.methods=zero-shot
ok 'are refused' says 'zero-shot answers with a word; the answers of task toy are a tag for each word, which only a head gives'
ok 'an adapter for tokens' run 2 logits --model whole --adapter "$root/tests/golden/families/roberta/adapter"
ok 'no such metric' run 2 run toy.ini --db wrong.db --set task.metric=mcc
ok 'by name' says "want one of f1, precision, recall, accuracy"

finish
