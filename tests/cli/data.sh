#!/bin/bash
# data: every number that it shows, against values that were counted by hand, and data that it refuses.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
export LC_ALL=C.UTF-8
mkdir -p tasks data/mine models
ln -s "$root/tests/golden/tiny-bert" models/tiny
ln -s "$root/models/pico-decoder" models/decoder
escape=$'\e'

# In words and in tokens of models/tiny, which [CLS] and [SEP] are among:  a fine film: 3, 8;  a bad film: 3, 5;
# one two .. seven: 7, 19;  very good: 2, 4;  very bad film: 3, 5;  so bad: 2, 5.
printf 'label\ttext\ngood\ta fine film\nbad\ta bad film\ngood\ta fine film\nbad\ta fine film\n' >data/mine/train.tsv
printf 'good\tone two three four five six seven\n' >>data/mine/train.tsv
printf 'label\ttext\ngood\tvery good\nbad\tvery bad film\n' >data/mine/validation.tsv
printf 'label\ttext\ngood\ta bad film\nbad\tso bad\n' >data/mine/test.tsv
cat >tasks/mine.ini <<'END'
[task]
kind = classify
train = mine/train.tsv
validation = mine/validation.tsv
test = mine/test.tsv
END

row() { # LABEL WORDS..: a row of the table, whatever its blanks
	sed -E 's/ +/ /g; s/^ //; s/ $//' out | grep -qxF -- "$*"
}
narrow() { ! grep -qE '.{81}' out; }
shows() { # WORDS..: rows one after the other, each an argument
	for line; do row "$line" || { echo "    no row: $line" && return 1; }; done
}

# ---- classes, in words and in tokens ----------------------------------------------------------------------------------
counts=('examples 5 2 2' 'good 3 60.0 % 1 50.0 % 1 50.0 %' 'bad 2 40.0 % 1 50.0 % 1 50.0 %'
	'text a second time in its split 2 40.0 % 0 0.0 % 0 0.0 %' 'text in another split 1 20.0 % 0 0.0 % 1 50.0 %'
	'overlap = drop would remove 1 20.0 % 0 0.0 % 0 0.0 %' 'text with several labels 4 80.0 % 0 0.0 % 1 50.0 %')
ok 'data that run would refuse' run 1 data mine
ok 'is told so' says 'mine: the text "a bad film" is in both train and test'
ok 'the counts' shows "${counts[@]}"
ok 'the lengths in words' shows 'words of a text train validation test' 'shortest 3 2 2' 'median 3 2 2' \
	'95 % have at most 7 3 3' 'longest 7 3 3'
ok 'without a model nothing is cut' test "$(grep -c 'cut by' out)" = 0
ok 'the text that is there twice' shows '1 text more than once in a split:' 'a fine film' 'train, line 2: good' 'train, line 4: good'
ok 'the text of two splits' shows '1 text in several splits:' 'a bad film' 'train, line 3: bad' 'test, line 2: good'
ok 'the texts with two labels' shows '2 texts with several labels:' 'train, line 5: bad'
ok 'in 80 columns' narrow

ok 'with a model' run 1 data mine --model models/tiny --set max_tokens=8
ok 'the same counts' shows "${counts[@]}"
ok 'the lengths in tokens' shows 'tokens of a text train validation test' 'shortest 5 4 5' 'median 8 4 5' \
	'95 % have at most 19 5 5' 'longest 19 5 5'
ok 'what is cut' row 'cut by max_tokens = 8 1 20.0 % 0 0.0 % 0 0.0 %'
ok 'the histogram' shows '4..5 1 ##################' '6..7 0' \
	'8..9 3 ######################################################' '16..17 0' '18..19 1 ##################'
ok 'an example with its special tokens' shows 'train, line 3, 5 tokens: bad' '[CLS] a bad film [SEP]'
ok 'and a text that is cut' row '[CLS] one two three f ##o ##u [SEP]'
ok 'the example that is last of equal ones in the middle' row 'train, line 4, 8 tokens: good'
cp out first
ok 'once more' run 1 data mine --model models/tiny --set max_tokens=8
ok 'is the same' cmp -s out first
ok 'a smaller limit' run 1 data mine --model models/tiny --set train.max_tokens=7
ok 'cuts more' row 'cut by max_tokens = 7 4 80.0 % 0 0.0 % 0 0.0 %'

ok 'overlap = drop' run 0 data mine --set task.overlap=drop
ok 'has removed the one' shows 'examples 4 2 2' 'removed by overlap = drop 1 0 0' 'text in another split 0 0.0 % 0 0.0 % 0 0.0 %' \
	'text with several labels 3 75.0 % 0 0.0 % 0 0.0 %'
ok 'a limit' run 0 data mine --set task.overlap=drop --set task.train_limit=3
ok 'has left out one' shows 'examples 3 2 2' 'left out by a limit 1 0 0'

# ---- JSON -------------------------------------------------------------------------------------------------------------
json() { # LINE PATH VALUE
	[ "$(sqlite3 :memory: "SELECT json_extract('$(sed -n "$1p" out | sed "s/'/''/g")', '$2')")" = "$3" ]
}
ok 'JSON' run 1 data mine --model models/tiny --set max_tokens=8 --json
ok 'a line a split, and three examples' test "$(wc -l <out)" = 6
for pair in task:mine kind:classify model:models/tiny split:train examples:5 classes.good:3 classes.bad:2 duplicates:2 \
	in_another_split:1 in_a_later_split:1 conflicts:4 dropped:0 left_out:0 tokens.min:5 tokens.median:8 tokens.p95:19 \
	tokens.max:19 tokens.histogram.from:4 tokens.histogram.width:2 'tokens.histogram.counts:[1,0,3,0,0,0,0,1]' \
	'cut:[{"max_tokens":8,"texts":1}]'; do
	ok "JSON ${pair%%:*}" json 1 "\$.${pair%%:*}" "${pair#*:}"
done
ok 'JSON of test' json 3 '$.split' test
ok 'JSON of an example' json 6 '$.tokens' '["[CLS]","one","two","three","f","##o","##u","[SEP]"]'
ok 'its ids' json 4 '$.ids' '[2,5,195,192,3]'
ok 'its text' json 6 '$.text' 'one two three four five six seven'

# ---- a path, an experiment, a decoder ---------------------------------------------------------------------------------
mkdir elsewhere
cp tasks/mine.ini elsewhere/other.ini
ok 'the path of a task' run 1 data elsewhere/other.ini
ok 'is a task of that name' row 'other: classify'
cat >mine.ini <<'END'
[experiment]
task = mine
model = models/tiny
methods = head, lora:x

[task mine]
overlap = drop

[train]
max_tokens = 5, 9

[method lora:x]
rank = 2
END
ok 'an experiment' run 0 data mine.ini
ok 'has its model, its limits and its settings' shows 'mine: classify, read by models/tiny' 'removed by overlap = drop 1 0 0' \
	'cut by max_tokens = 5 4 100.0 % 0 0.0 % 0 0.0 %' 'cut by max_tokens = 9 1 25.0 % 0 0.0 % 0 0.0 %'
ok 'with another model' run 0 data mine.ini --model models/decoder
ok 'that is a decoder' shows 'mine: classify, read by models/decoder' '| Classify the text into good or bad.' '| Text: a fine film' \
	'| Class:' '> good'
sed -i 's/^model.*/model = models\/decoder/; s/^methods.*/methods = few-shot:shots=1, lora:x/' mine.ini
ok 'an experiment with prompts' run 0 data mine.ini --set max_tokens=64
ok 'has the examples of the prompt' test "$(grep -c '| Text: ' out)" = 6

mkdir data/pairs
printf 'name[a b]||it is a b\nname[a b]||a b it is\nname[c]||it is c\n' >data/pairs/train.txt
printf 'name[d]||it is d\n' >data/pairs/validation.txt
printf 'name[c]||it is c again\n' >data/pairs/test.txt
cat >tasks/pairs.ini <<'END'
[task]
kind = generate
format = ||
columns = mr, ref
train = pairs/train.txt
validation = pairs/validation.txt
test = pairs/test.txt
source = mr
references = ref
END
ok 'texts from texts' run 1 data pairs
ok 'the counts' shows 'examples 2 1 1' 'reference answers 3 1 1' 'text in another split 1 50.0 % 0 0.0 % 1 100.0 %'
ok 'nothing is said of a setting that it does not have' test "$(cat out err | grep -c 'overlap = drop')" = 0
ok 'the error says what would be right' says 'is in both train and test; want every text in one split'
ok 'the lengths of answers' shows 'words of a reference answer train validation test' 'shortest 3 3 4' 'longest 4 3 4'
ok 'both answers' shows '> it is a b' '> a b it is'
ok 'with a decoder' run 1 data pairs --model models/decoder
ok 'an example as the model reads it' shows '| name[c]' '> it is c<|endoftext|>'

mkdir data/two
printf 'label\ts1\ts2\nyes\ta film\tso bad\nno\tso bad\ta film\nyes\ta film\tso bad\nno\ta film\tso good film\n' >data/two/train.tsv
printf 'label\ts1\ts2\nyes\ta\tfilm bad\nno\ta film\tbad\n' >data/two/validation.tsv
printf 'label\ts1\ts2\nyes\tso bad\ta film\nno\tgood\tgood\n' >data/two/test.tsv
sed 's/mine/two/; s/^kind.*/&\ntext = s1, s2/' tasks/mine.ini >tasks/two.ini
ok 'pairs of texts' run 1 data two
ok 'count as a whole' shows 'examples 4 2 2' 'text a second time in its split 1 25.0 % 0 0.0 % 0 0.0 %' \
	'text in another split 1 25.0 % 0 0.0 % 1 50.0 %' 'text with several labels 1 25.0 % 0 0.0 % 1 50.0 %' \
	'longest 5 3 4'
ok 'both texts are shown' test "$(grep -A 1 '^  a film$' out | grep -c '^  so bad$')" = 1
ok 'with a model' run 1 data two --model models/tiny --set max_tokens=7
ok 'the tokens of both' shows 'train, line 2, 8 tokens: yes' '[CLS] a film [SEP] s ##o [SEP]'
ok 'in JSON' run 1 data two --json
ok 'the second one' json 4 '$.second' 'so bad'

# Each word is a token of the decoder.  A head also reads the new line between the texts, and behind it `film` is two tokens.
# Train: 4, 4, 5 words; validation: 3, 3, one with `film` behind the line; test: 4, 2.
for methods in 'zero-shot, head' 'head, zero-shot'; do
	printf '[experiment]\ntask = two\nmodel = models/decoder\nmethods = %s, full\n[task two]\noverlap = drop\n[train]\nmax_tokens = 4, 9\n' \
		"$methods" >two.ini
	ok "$methods" run 0 data two.ini
	ok "$methods: as each row reads" shows 'cut by max_tokens, as the row reads' '4, zero-shot 1 33.3 % 0 0.0 % 0 0.0 %' \
		'9, zero-shot 0 0.0 % 0 0.0 % 0 0.0 %' '4, head 3 100.0 % 1 50.0 % 1 50.0 %' '9, head 0 0.0 % 0 0.0 % 0 0.0 %'
	ok "$methods: rows that read alike are one" test "$(grep -c ', full' out)" = 0
	ok "$methods: in JSON" run 0 data two.ini --json
	ok "$methods: with the row" json 1 "\$.cut[$([ "${methods%%,*}" = head ] && echo 0 || echo 2)]" '{"max_tokens":4,"texts":3,"row":"head"}'
done
for limit in 100 4; do
	ok "lengths with max_tokens = $limit" run 0 data two.ini --set max_tokens=$limit --set experiment.methods=zero-shot
	ok 'are the same' shows 'shortest 4 3 2' 'median 4 3 2' 'longest 5 3 4'
done

# ---- numbers ----------------------------------------------------------------------------------------------------------
# Train: 0.5 1 1.25 2 2.75, whose mean is 7.5 / 5 and that of their squares 14.375 / 5: the variance is 0.625.
# Validation: -1 2: 0.5, 1.5.  Test: 4.
mkdir data/rate
printf 'score\ttext\n2.750\ta fine film\n1\ta bad film\n1.25\ta fine film\n5e-1\tso bad\n2\tvery good\n' >data/rate/train.tsv
printf 'score\ttext\n-1\tbad\n2\tvery good\n' >data/rate/validation.tsv
printf 'score\ttext\n4\ta bad film\n' >data/rate/test.tsv
sed 's/mine/rate/; s/classify/regression\nlabel = score/' tasks/mine.ini >tasks/rate.ini
numbers=('examples 5 2 1' 'text a second time in its split 1 20.0 % 0 0.0 % 0 0.0 %' 'text with several targets 3 60.0 % 0 0.0 % 1 100.0 %'
	'targets (score) train validation test' 'least 0.5 -1 4' '5 % have at most 0.5 -1 4' 'median 1.25 -1 4'
	'95 % have at most 2.75 2 4' 'most 2.75 2 4' 'mean 1.5 0.5 4' 'standard deviation 0.790569 1.5 0')
ok 'numbers' run 1 data rate
ok 'are shown by split' shows "${numbers[@]}"
ok 'not as a class' test "$(grep -cE '^ +score|label' out)" = 0
ok 'texts with two numbers' shows '2 texts with several targets:' 'train, line 2: 2.75' 'train, line 4: 1.25' 'train, line 3: 1' \
	'test, line 2: 4'
ok 'an equal number is none' test "$(sed -n '/with several targets:/,$p' out | grep -c 'validation, line')" = 0
ok 'the number of an example' test "$(grep -A 1 '^train, line 5: 0.5$' out | tail -n 1)" = '  | so bad'
ok 'in 80 columns' narrow
ok 'with a model' run 1 data rate --model models/tiny
ok 'the same' shows "${numbers[@]}"
ok 'with the tokens' test "$(grep -A 1 '^train, line 5, 5 tokens: 0.5$' out | tail -n 1)" = '    [CLS] s ##o bad [SEP]'
ok 'a decoder' run 1 data rate --model models/decoder
ok 'is shown no template' test "$(grep -c '^  [|>]' out)" = 0
ok 'in JSON' run 1 data rate --json
for pair in kind:regression examples:5 conflicts:3 targets.min:0.5 targets.p5:0.5 targets.median:1.25 targets.p95:2.75 targets.max:2.75 \
	targets.mean:1.5 classes: answers:; do
	ok "JSON ${pair%%:*}" json 1 "\$.${pair%%:*}" "${pair#*:}"
done
ok 'JSON of the deviation' test "$(sed -n 1p out | grep -oE '"deviation":[0-9.]{10}')" = '"deviation":0.79056941' # sqrt(0.625)
ok 'JSON of test' json 3 '$.targets' '{"min":4,"p5":4,"median":4,"p95":4,"max":4,"mean":4,"deviation":0}'
ok 'JSON of an example' json 4 '$.target' 0.5
ok 'has no label' json 4 '$.label' ''
sed 's/mine/rates/; s/classify/regression\nlabel = score\ntext = s1, s2/' tasks/mine.ini >tasks/rates.ini
mkdir data/rates
printf 'score\ts1\ts2\n3.8\ta film\tso bad\n0\tso bad\ta film\n3.80\ta film\tso bad\n1e30\tgood\tgood\n' >data/rates/train.tsv
printf 'score\ts1\ts2\n1\ta\tfilm bad\n2\ta film\tbad\n' >data/rates/validation.tsv
printf 'score\ts1\ts2\n3.9\tso bad\ta film\n-2\tgood\tfilm\n' >data/rates/test.tsv
ok 'pairs' run 1 data rates
ok 'count as a whole' shows 'text a second time in its split 1 25.0 % 0 0.0 % 0 0.0 %' 'text with several targets 1 25.0 % 0 0.0 % 1 50.0 %' \
	'median 3.8 1 -2' 'most 1e+30 2 3.9' 'standard deviation 4.33013e+29 0.5 2.95' # sqrt(3) / 4
ok 'both texts are shown' test "$(grep -A 3 '^  so bad$' out | tail -n 4 | tr -s ' \n' ' ')" = ' so bad a film train, line 3: 0 test, line 2: 3.9 '
ok 'long numbers keep the columns' test "$(grep -E '^(targets|  (least|most|standard))' out | grep -o '.*[^ ]' | awk '{ print length }' | tail -n 1)" = 72
ok 'in JSON' run 1 data rates --json
ok 'of an example' json 5 '$.second' 'so bad'
ok 'with its number' json 5 '$.target' 3.8

# ---- text of users ----------------------------------------------------------------------------------------------------
mkdir data/evil
for split in train validation test; do
	sed "s/^good/go${escape}[31mod/; s/film/fi${escape}]0;x lm/" data/mine/$split.tsv >data/evil/$split.tsv
done
sed 's/mine/evil/' tasks/mine.ini >tasks/evil.ini
ok 'controls in texts and labels' run 1 data evil
ok 'are not printed' test "$(grep -c "$escape" out)" = 0
ok 'but shown' prints '\\u001b\[31m'
ok 'in 80 columns' narrow
ok 'and of the tokens' run 1 data evil --model models/tiny
ok 'without a control' test "$(grep -c "$escape" out)" = 0
ok 'and escaped in JSON' run 1 data evil --json
ok 'without the byte' test "$(grep -c "$escape" out)" = 0

# ---- what is refused --------------------------------------------------------------------------------------------------
refuses() { # MESSAGE ARGUMENTS...
	run 2 data "${@:2}" && says "$1" && ! [ -s out ]
}
ok 'no task of this name' refuses "nix: task: no named task 'nix': there is no file tasks/nix.ini" nix
ok 'no file' refuses 'nix.ini: cannot read' nix.ini
ok 'a model that is none' refuses 'nix/config.json: cannot read' mine --model nix
ok 'a setting that is none' refuses "no setting 'max_token'; did you mean 'max_tokens'?" mine --set train.max_token=4
ok 'a limit out of range' refuses '--set max_tokens=0: max_tokens: want a whole number in 4..1e+06' mine --set max_tokens=0
ln -s "$root/models/pico-encoder" models/encoder
ok 'texts of an encoder' refuses 'models/encoder: the answers of task pairs are texts; want a causal language model, got a bert' \
	pairs --model models/encoder
printf 'label\ttext\ngood\n' >data/mine/short.tsv
ok 'a line that lacks a field' refuses 'data/mine/short.tsv:2: want 2 fields as in the header, got 1' mine --set task.train=mine/short.tsv
ok 'no file of data' refuses 'mine/nix.tsv: no such file; looked for mine/nix.tsv, tasks/mine/nix.tsv, data/mine/nix.tsv' mine --set task.train=mine/nix.tsv
ok 'all of train in test' refuses "train has no example of the class 'good'" mine --set task.overlap=drop --set task.train=mine/test.tsv \
	--set 'task.classes=good, bad'
cp tasks/mine.ini bad.ini && sed -i s/classify/clasify/ bad.ini
ok 'no kind of task' refuses "bad.ini:2: kind: no kind of task 'clasify'" bad.ini
ok 'no task' refuses "usage: peftbench data TASK"
ok 'help' run 0 data --help

# ---- what a run has cut -----------------------------------------------------------------------------------------------
cat >cut.ini <<'END'
[experiment]
task = mine
model = models/tiny
methods = majority, full, lora, prompt:length=50
seeds = 0, 1
timing_rounds = 0

[task mine]
overlap = drop

[train]
epochs = 1
max_tokens = 8
END
cuts() { # ROW: the shares of train, validation and test in its runs
	sqlite3 cut.db "SELECT round(a.value, 3), round(b.value, 3), round(c.value, 3), count(*) FROM value a
		JOIN value b USING (run) JOIN value c USING (run) JOIN run ON run.id = run WHERE a.key = 'data.cut.train'
		AND b.key = 'data.cut.validation' AND c.key = 'data.cut.test' AND row = '$1' GROUP BY 1, 2, 3"
}
ok 'a run' run 0 run cut.ini --db cut.db --threads 1 --quiet
for name in majority full lora prompt:length=50; do # 64 positions less 50 are more than 8
	ok "the shares of $name" test "$(cuts $name)" = '0.25|0.0|0.0|2'
done
note='majority: texts were longer than max_tokens or the context and were cut: 25.0 % of train, 0.0 % of validation, 0.0 % of test (in 3 other rows, too)'
ok 'a warning' says "warning: $note"
ok 'only one' test "$(grep -c 'were cut' err)" = 1
ok 'a note under the table' row "$note"
ok 'as a column' run 0 table cut.ini --db cut.db --columns data.cut.train
ok 'with the share' prints '^full +0\.25 '
ok 'a method that takes positions' run 0 run cut.ini --db cut.db --threads 1 --quiet --set train.max_tokens=32 \
	--set 'experiment.methods=full, prompt:length=50'
ok 'cuts more' test "$(cuts prompt:length=50 | sort | tr '\n' ' ')" = '0.25|0.0|0.0|4 '
ok 'than others' test "$(cuts full | sort | tr '\n' ' ')" = '0.0|0.0|0.0|2 0.25|0.0|0.0|2 '
ok 'is said of it alone' says 'prompt:length=50: texts were longer'
ok 'without others' test "$(grep -c 'other row' err)" = 0
sqlite3 cut.db "DROP TRIGGER value_delete; VACUUM INTO 'old.db'"
sqlite3 old.db "DELETE FROM value WHERE key GLOB 'data.cut.*'"
ok 'a table of runs that have no such value' run 0 table cut.ini --db old.db
ok 'has no note' test "$(grep -c 'were cut' out)" = 0
ok 'check' run 0 check old.db --db cut.db
ok 'knows a value more' prints '^ok +cut/full: identity: the same to the bit; .* exact: same;'
ok 'and no change' prints ': 0 checks or axes are worse or changed, 0 are undecided, 0 rows are not comparable'

# ---- a run of a task that is given by a path ----------------------------------------------------------------------------
cat >path.ini <<'END'
[experiment]
task = elsewhere/other.ini
model = models/tiny
methods = head
timing_rounds = 0

[task other]
overlap = drop

[train]
epochs = 1
END
ok 'a run' run 0 run path.ini --db path.db --threads 1 --quiet
rm elsewhere/other.ini
ok 'is reproduced without the file' run 0 reproduce 1 --db path.db --quiet
ok 'with the same predictions' prints 'test: 2 of 2 predictions identical'

finish
