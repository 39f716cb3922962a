#!/bin/bash
# Settings as their user writes them: in sections, in a row's label, in --set, in `verify`; and the way back from a database.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/tiny
methods       = head, lora:rank=4, alpha=8, lora:all,rank=3+prefix:length=2, lora
seeds         = 0
timing_rounds = 0

[train]
epochs = 1
batch  = 8
lr     = 1e-3, 1e-2

[method lora]
rank = 2

[method lora:all]
targets = *
END
setting() { # ROW KEY
	sqlite3 a.db "SELECT DISTINCT value FROM setting s JOIN run r ON r.id = s.run WHERE r.row = '$1' AND s.key = '$2'"
}
one='lora:rank=4,alpha=8' two='lora:all,rank=3+prefix:length=2'

# ---- in a row's label -------------------------------------------------------------------------------------------
ok 'run' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'a rank of its own' is "$(setting $one method.lora.rank)" 4
ok 'and an alpha' is "$(setting $one method.lora.alpha)" 8
ok 'before that of the section' is "$(setting $two method.lora.rank)" 3
ok 'beside a variant' is "$(setting $two method.lora.targets)" '*'
ok 'in a composition' is "$(setting $two method.prefix.length)" 2
ok 'not in other rows' is "$(setting lora method.lora.rank)" 2
ok 'the label is what was written' is "$(setting $one row)" "$one"

for number in 1e+06 2.5E+0 1e-06; do
	ok "the number $number" run 0 plan toy.ini --set experiment.methods="lora: alpha = $number + prefix:length=2"
	ok 'is in one part' prints "^lora:alpha=${number/+/\\+}\\+prefix:length=2 "
done
ok 'what only looks like a number' run 2 plan toy.ini --set experiment.methods='lora:targets=attn.1e+06'
ok 'ends a part' says "no method '06'"

id=$(sqlite3 a.db "SELECT run FROM value v JOIN run r ON r.id = v.run WHERE r.row = '$two' AND v.split = 'test' LIMIT 1")
ok 'reproduce' run 0 reproduce "$id" --db a.db --quiet
ok 'the same predictions' prints '^test: ([0-9]+) of \1 predictions identical'
ok 'names the row' prints "^run $id of a.db: lora:all,rank=3\+prefix:length=2, seed 0"
ok 'with a setting less' run 1 reproduce "$id" --db a.db --quiet --set lora.rank=1 --set train.lr=0.5 --set epochs=40
ok 'a setting that it has not' run 2 reproduce "$id" --db a.db --quiet --set lora.rnk=1
ok 'is named' says "a.db: run $id: no setting 'lora.rnk'; did you mean 'lora.rank'?"
ok 'another model' run 2 reproduce "$id" --db a.db --quiet --set experiment.model=models/nowhere
ok 'is looked for' says 'models/nowhere'

id=$(sqlite3 a.db "SELECT run FROM value v JOIN run r ON r.id = v.run WHERE r.row = '$one' AND v.split = 'test' LIMIT 1")
ok 'export' run 0 export "$id" adapter --db a.db --threads 1
ok 'with its rank' grep -q '"r": *4' adapter/adapter_config.json
ok 'and its alpha' grep -q '"lora_alpha": *8' adapter/adapter_config.json
printf 'film 3 was good\n' >texts
ok 'predict' eval 'run 0 predict toy.ini --db a.db --row $one <texts'
ok 'with blanks in the label' eval 'run 0 predict toy.ini --db a.db --row "lora: rank=4, alpha = 8" <texts'
ok 'a row that is not there' eval 'run 2 predict toy.ini --db a.db --row lora:rank=5 <texts'
ok 'is named' says "--row: 'lora:rank=5' is not in methods: head, lora:rank=4, alpha=8, lora:all,rank=3+prefix:length=2, lora"
ok 'a choice that is written otherwise is the same' eval 'run 0 predict toy.ini --db a.db --row $one --set train.lr=0.001,0.01 <texts'
ok 'compare' run 3 compare "$one" "$two" --db a.db
ok 'names both' prints "^toy/$one: "
ok 'names both, in both lines' prints 'toy/lora:all,rank=3\+prefix:length=2: '
ok 'with blanks in the labels' run 3 compare 'toy/lora : rank=4, alpha=8' ' lora:all, rank = 3 + prefix:length=2' --db a.db
ok 'finds the same rows' prints "^toy/$one: "
ok 'finds the same rows, in both lines' prints 'toy/lora:all,rank=3\+prefix:length=2: '
ok 'a slash in a row' run 2 compare 'zero-shot:template=a/b.txt' "$two" --db a.db
ok 'belongs to the row' says "a.db: no row or run 'zero-shot:template=a/b.txt' was scored on test; \`peftbench run\` does it"
cp a.db b.db
sqlite3 b.db "DROP TRIGGER trace_update; UPDATE trace SET numbers = json_replace(numbers, '\$[0]', 9) WHERE name = 'loss' AND
	run IN (SELECT id FROM run WHERE row = '$one')"
ok 'another training' run 1 check a.db --db b.db
ok 'that is declared' run 0 check a.db --db b.db --declare "toy/$one"
ok 'between others, with blanks' run 0 check a.db --db b.db --declare "toy/head, toy/lora : rank=4, alpha = 8, storage.trainable"
ok 'another row' run 1 check a.db --db b.db --declare "toy/$two"
ok 'half a label' run 2 check a.db --db b.db --declare toy/lora:rank=4
ok 'is named' says "--declare: want rows as EXPERIMENT/ROW or keys of exact numbers that are compared; got 'toy/lora:rank=4'"
ok 'table' run 0 table toy.ini --db a.db
ok 'has the row' prints "^$one +546 "
ok 'as JSON' run 0 table toy.ini --db a.db --json
ok 'too' prints "\"method\":\"$one\".*\"method\.lora\.rank\":\"4\""
aligned() { # the lines of these rows end at one place, whatever the length of their labels
	[ "$(grep -E "^($1)" out | grep -v sweep | awk '{ print length($0) }' | sort -u | wc -l)" = 1 ]
}
ok 'pareto' run 0 pareto toy.ini --db a.db
ok 'has a column that is wide enough' aligned 'row|head|lora'
ok 'rank' run 0 rank toy.ini --db a.db
ok 'has one, too' aligned 'toy|lora'
ok 'figures' run 0 plot toy.ini --db a.db --out figures
ok 'have the label' grep -q "lora:rank=4,alpha=8" figures/curves.svg
ok 'plan' run 0 plan toy.ini
ok 'counts it' prints "^$one +546 "
ok 'a row alone, by its label' run 0 plan toy.ini --set "experiment.methods=$two"

sed -e 's/^seeds .*/&\nbaseline = lora: all,rank=3 + prefix:length=2/' \
	-e 's/^\[method lora:all\]/[train lora:rank=4, alpha=8]\nlr = 5e-4\n[method  lora : all]/' toy.ini >blanks.ini
ok 'blanks in a section and in the baseline' run 0 table blanks.ini --db a.db --columns lr
ok 'the section is of the row' prints "^$one +0.0005 "
ok 'the baseline is the row' prints '"to lora:all,rank=3\+prefix:length=2" is the paired difference'
ok 'in --set too' run 0 table toy.ini --db a.db --columns lora.alpha --set 'method.lora: all.alpha=3'
ok 'it is the section of the variant' prints '^lora:all,rank=3\+prefix:length=2 +3 '

# ---- what is refused ----------------------------------------------------------------------------------------------
refused() { # NAME METHODS MESSAGE
	sed "s/^methods .*/methods = $2/" toy.ini >bad.ini
	ok "$1: exit 2" run 2 plan bad.ini
	ok "$1: its message" says "$3"
}
refused 'an unknown key' 'lora:rnk=4' "bad.ini:4: methods: lora:rnk=4: no setting 'rnk'; did you mean 'rank'?"
refused 'a bad value' 'lora:rank=many' "bad.ini:4: methods: lora:rank=many: rank: want a whole number"
refused 'an unknown method' 'lroa:rank=4' "bad.ini:4: methods: no method 'lroa'; did you mean 'lora'?"
refused 'a missing variant' 'lora:none,rank=4' 'bad.ini:4: methods: lora:none,rank=4: there is no section [method lora:none]'
refused 'a variant behind a setting' 'head, lora:rank=4,prefix:all' 'there is no section [method prefix:all]'
refused 'a setting of nothing' 'rank=4, lora' "bad.ini:4: methods: no method 'rank=4'"
refused 'a key twice' 'lora:rank=4,rank=5' 'bad.ini:4: methods: lora: rank is given twice'
refused 'a rank of one projection' 'lora:all,rank_pattern=0.attn.q=-1' "lora: rank_pattern: rank: want a whole number in 1..4096, got '-1'"
refused 'its alpha' 'lora:all,alpha_pattern=0.attn.q=much' "lora: alpha_pattern: alpha: want a number in 1e-09..1e+06, got 'much'"
refused 'no rank at all' 'lora:all,rank_pattern=attn.q' "lora: rank_pattern: want PATTERN=VALUE, such as 0.attn.q=4, got 'attn.q'"
refused 'a method twice' 'lora:rank=4+lora' 'bad.ini:4: methods: lora is given twice in one composition'
refused 'a row twice' 'lora:rank=4, lora : rank = 4' 'bad.ini:4: methods: lora:rank=4 is given twice'
twice() { # LIST MESSAGE
	sed "s/^lr .*/lr = $1/" toy.ini >bad.ini
	ok "$1: exit 2" run 2 plan bad.ini
	ok "$1: its message" says "$2"
}
twice '1e-3, 0.001' 'bad.ini:11: lr: 0.001 is given twice, first as 1e-3'
twice '1e-3, 1e-2, 1e-3' 'bad.ini:11: lr: 1e-3 is given twice'
ok 'of a choice' run 2 plan toy.ini --set model.precision=bf16,bf16
ok 'by name' says 'precision: bf16 is given twice'

# ---- lists of several lines -----------------------------------------------------------------------------------------
long=$(seq -s ', ' 1 90 | sed 's/[0-9][0-9]*/lora:rank=&/g')
folded() { # the list, eight rows a line, and comments between
	sed '/^methods/,/^seeds/d; /^lr /d' toy.ini | sed '/^model /q'
	echo "methods = head, ; the rest follows"
	echo "$long" | tr -d ' ' | tr ',' '\n' | paste -d ' ' - - - - - - - - | sed 's/ *$//; s/ /, /g; s/.*/          &,/; $s/,$//; 4s/$/\n; a comment\n\n/'
	printf 'seeds = 0,\n 1\n\n'
	sed '1,/^timing_rounds/d; /^lr /d' toy.ini | sed 's/^\[method lora:all\]/[model]/; s/^targets.*/precision = fp32/'
}
folded >folded.ini
ok 'ninety rows in twelve lines' run 0 plan folded.ini
ok 'are all there' is "$(grep -cE '^(head|lora:rank=[0-9]+) ' out)" 91
cp out wanted
{ sed '/^methods/,$d' toy.ini; echo 'methods = head'; sed '1,/^methods/d; /^lr /d' toy.ini | sed '/^\[method/,$d'; } >flat.ini
ok 'as in one line' run 0 plan flat.ini --set "experiment.methods=head, $long"
ok 'from the command line' eval 'cmp -s wanted out'
wrong() { # NAME SED-SCRIPT MESSAGE
	sed "$2" folded.ini >bad.ini
	ok "$1: exit 2" run 2 plan bad.ini
	ok "$1: its message" says "$3"
}
wrong 'a method of another line' 's/lora:rank=9,/lroa:rank=9,/' "bad.ini:6: methods: no method 'lroa'; did you mean 'lora'?"
wrong 'behind a comment' 's/lora:rank=40,/lora:rnk=40,/' "bad.ini:12: methods: lora:rnk=40: no setting 'rnk'; did you mean 'rank'?"
wrong 'at the end of a line' 's/lora:rank=16,/lora:rank=15,/' 'bad.ini:6: methods: lora:rank=15 is given twice'
wrong 'a line that is too long' "s/lora:rank=9,/lora:rank=9$(printf ' %.0s' $(seq 200)),/" 'bad.ini:6: the line has more than 190 bytes; want a shorter one'
wrong 'an indented line behind a list that has ended' 's/lora:rank=16,/lora:rank=16/' 'bad.ini:7: the line is indented; want it to begin in the first column, or to continue a list'
wrong 'below a section' 's/^\[train\]/&\n  batch = 4/' 'the line is indented; want it to begin in the first column'
wrong 'another entry below it' 's/^batch/  &/' 'the line is indented; want it to begin in the first column'

# ---- one grammar for keys -------------------------------------------------------------------------------------------
plan() { "$program" plan toy.ini --json "$@" | grep '"method":"lora",' | sed 's/"choice":"[^"]*",//' | sort -u; }
full=$(plan --set method.lora.rank=5)
ok 'the rank counts' test "$full" != "$(plan)"
for key in lora.rank 'method lora.rank'; do ok "$key" is "$(plan --set "$key=5")" "$full"; done
bf16=$(plan --set model.precision=bf16)
ok 'the precision counts' test "$bf16" != "$(plan)"
ok 'of the model' is "$(plan --set precision=bf16)" "$bf16"
ok 'of training' run 0 plan toy.ini --set lr=0.1
ok 'of the task' run 0 plan toy.ini --set task.validation_share=0.3
ok 'of a row' run 0 plan toy.ini --set train.lora.lr=0.1
ok 'of no row' run 2 plan toy.ini --set bitfit.x=1
ok 'is an error' says 'section [method bitfit] belongs to no row'
ok 'of no method' run 2 plan toy.ini --set lroa.rank=1
ok 'is an error' says 'unknown section [lroa]'

# A row's label may contain '=', ':' and '.'.
sed 's/lora:rank=4, alpha=8/lora:dropout=0.1,rank=4/; s/^methods .*/&, bitfit/' toy.ini >odd.ini
printf '[method lora:v1.5]\nrank = 2\n' >>odd.ini
sed -i 's/, lora, bitfit/, lora:v1.5/' odd.ini
trained() { "$program" plan odd.ini --json --set "$1" | grep "\"method\":\"$2\"" | grep -oE '"trainable":[0-9]+' | sort -u; }
ok 'of a row with settings' run 0 plan odd.ini --set 'train.lora:dropout=0.1,rank=4.lr=0.25'
ok 'prints the other rows, too' prints '^lora:v1.5 '
ok 'as in a section' run 0 plan odd.ini --set 'train lora:dropout=0.1,rank=4.lr=0.25'
ok 'it is the setting of that row' run 2 plan odd.ini --set 'train.lora:dropout=0.1,rank=4.lr=much'
ok 'by name' says "lr: want a number"
ok 'of a variant with a dot' is "$(trained lora:v1.5.rank=4 lora:v1.5)" "$(trained lr=0.1 'lora:dropout=0.1,rank=4')"
ok 'a label alone' run 2 plan odd.ini --set 'lora:dropout=0.1'
ok 'is no key' says "no setting 'lora:dropout'"

# A --set that a more specific section or the list replaces in all rows would have no effect.
sed "s/^methods .*/methods = head, lora:rank=4, lora:all/; s/^targets.*/rank = 3/" toy.ini >few.ini
ok 'of no row' run 2 plan few.ini --set lora.rank=16
ok 'as each row has its own' says '--set lora.rank=16: no row takes this value; each sets rank in a more specific section or in the list'
ok 'of one row' run 0 plan few.ini --set lora:all.rank=16
ok 'of others' run 0 plan few.ini --set lora.alpha=16
printf '[train head]\nlr = 1\n[train lora:rank=4]\nlr = 2\n[train lora:all]\nlr = 3\n' >>few.ini
ok 'in training' run 2 plan few.ini --set lr=16
ok 'as well' says '--set lr=16: no row takes this value'

id=$(sqlite3 a.db "SELECT min(id) FROM run WHERE row = '$one'")
ok 'the row of a stored run' run 2 reproduce "$id" --db a.db --quiet --set row=lora:rank=8
ok 'is no setting' says '--set row=lora:rank=8: the row names the run; want one of its settings'
ok 'a setting of the task' run 2 reproduce "$id" --db a.db --quiet --set validation_share=0.5
ok 'has its full name' says "no setting 'validation_share'; did you mean 'task.validation_share'?"

# ---- optimizers ---------------------------------------------------------------------------------------------------
sed 's/^methods .*/methods = head, lora/; /^alpha/d; /lora:all/,$d; s/^rank = 2/rank = 8/' toy.ini >optimizer.ini
kept() { "$program" plan optimizer.ini --json --threads 1 --set "$1" | sed -n 's/.*"method":"lora".*"optimizer":\([0-9]*\).*/\1/p' | sort -u; }
ok "SGD keeps half of AdamW's moments" is "$((2 * $(kept optimizer=sgd)))" "$(kept optimizer=adamw)"
ok 'and nothing without momentum' is "$("$program" plan optimizer.ini --json --set optimizer=sgd --set momentum=0 |
	grep -o '"optimizer":[0-9]*' | sort -u)" '"optimizer":0'
ok 'Adafactor keeps less' test "$(kept optimizer=adafactor)" -lt "$(kept optimizer=lion)"
ok 'an unknown optimizer' run 2 plan optimizer.ini --set optimizer=adam
ok 'is refused' says "optimizer: want adamw|sgd|adafactor|lion, got 'adam'"
ok 'a setting that the optimizer does not read' run 2 plan optimizer.ini --set momentum=0.5
ok 'is refused, too' says '--set momentum=0.5: momentum: no run trains with the optimizer that reads it'
printf '[train lora]\noptimizer = sgd, lion\nmomentum = 0.5\n' >>optimizer.ini
ok 'one that a row reads' run 0 plan optimizer.ini
sed -i 's/^momentum/eps/' optimizer.ini
ok 'and one that it does not' run 2 plan optimizer.ini
ok 'with its line' says "optimizer.ini:$(grep -n '^eps' optimizer.ini | cut -d: -f1): eps: no run trains"

# ---- verify -----------------------------------------------------------------------------------------------------------
ok 'verify' run 0 verify 'lora:rank=4,alpha=8'
ok 'with another method' run 0 verify 'lora:rank=2+prefix:length=2'
ok 'which is not tried once more' test "$(grep -c 'with prefix' out)" = 0
ok 'an unknown setting' run 2 verify lora:rnk=4
ok 'is named' says "no setting 'rnk'; did you mean 'rank'?"
ok 'an unknown method' run 2 verify lroa
ok 'is named too' says "no method 'lroa'; did you mean 'lora'?"
ok 'a variant' run 2 verify lora:all
ok 'belongs to a file' says "lora: want SETTING=VALUE, got 'all'; variants are sections of an experiment's file"
finish
