#!/bin/bash
# table: intervals by seeds and examples, of predictions that are set here.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/known.bash

wrong a full 0
wrong a head 'example < 8'
wrong a null 'example < 8'
wrong a majority 'example >= 40'
# Two seeds that answer alike: Student's t over them would have no width.  By examples: 8 of 40 wrong are few, so four
# are imagined; seeds and rest vary by nothing: 34/44 +- 2.0167 sqrt(34/44 * 10/44 / 43), and for the pair
# -8/44 +- 2.0167 sqrt((10 - 64/44) / 43 / 44).
ok 'the table' run 0 table a.ini --db a.db
ok 'its intervals are by examples' prints '^head .* 0.8000 0.6438..0.9016 '
ok 'its pairs too' prints '^head .* -0.2000 -0.3174..-0.0463'
ok 'says so' prints '95 % interval for other seeds and examples'
ok 'one seed' run 0 table a.ini --db a.db --set experiment.seeds=1
ok 'says nothing of others' prints '^Scores are means over 1 seed; ± is the 95 % interval for other examples'
ok 'but of examples' prints '^head .* 0.8000 0.6438..0.9016 '
ok 'as JSON' run 0 table a.ini --db a.db --json
ok 'the same' prints '"accuracy.test.accuracy":\{"mean":0.8,"low":0.6438[0-9]*,"high":0.9016'
ok 'all right is not for sure' prints '"accuracy.test.accuracy":\{"mean":1,"low":0.8[0-9]*,"high":1,'
cp a.db without.db
sqlite3 without.db "DELETE FROM prediction WHERE run IN (SELECT id FROM run WHERE experiment = 'a')"
ok 'without predictions' run 0 table a.ini --db without.db
ok 'it is by seeds' prints "^head: ± covers other seeds only \\(Student's t\\), because no predictions are stored"

# ---- settings as columns ---------------------------------------------------------------------------------------
cat >rows.ini <<'END'
[experiment]
task = a
model = models/tiny
methods = head, lora, lora:rank=4,alpha=8
seeds = 0
timing_rounds = 0

[train]
epochs = 1
batch = 32
lr = 1e-3

[train lora]
lr = 1e-3, 1e-2

[method lora]
rank = 2
END
ok 'rows with settings' run 0 run rows.ini --db rows.db --threads 1 --quiet
chosen=$(sqlite3 rows.db "SELECT DISTINCT s.value FROM run r JOIN setting s ON s.run = r.id JOIN value v ON v.run = r.id
	WHERE r.row = 'lora' AND v.split = 'test' AND s.key = 'train.lr'")
# A column of the table above its notes, with its heading.
column() { awk -v c="$1" '/^[^ ]/ { print $c } /^lora:rank=4,alpha=8 / { exit }' out | paste -sd ' '; }
same() { [ "$(column "$1")" = "$2" ] || { echo "    got '$(column "$1")', want '$2'" && return 1; }; }
under() { grep -A1 -E "$1" out | sed -n 2p | grep -qE "$2"; } # the line under the first row that matches
ok 'columns' run 0 table rows.ini --db rows.db --columns lora.rank,train.lr
ok 'what is in force' same 2 'lora.rank - 2 4'
ok 'tuned or not' same 3 "train.lr 0.001 $chosen 0.001"
cp out with
ok 'a row that is not swept, with its settings under it' under '^head ' '^  lr=0.001$'
ok 'a swept row' under '^lora ' "^  lr=$chosen lora.rank=2$"
ok 'a row with settings in its label' under '^lora:rank=4,alpha=8 ' '^  lr=0.001 lora.rank=4 lora.alpha=8$'
ok 'what is common to all rows' prints '^All rows: epochs=1 batch=32$'
ok 'by other spellings' run 0 table rows.ini --db rows.db --columns 'method.lora.rank, lr'
ok 'the same' same 3 "lr 0.001 $chosen 0.001"
ok 'without columns' run 0 table rows.ini --db rows.db
ok 'the notes are the same' cmp -s <(sed '1,/^All rows: /d' out) <(sed '1,/^All rows: /d' with)
ok 'nothing chosen yet' run 0 table rows.ini --db a.db --columns lr,lora.alpha
ok 'what may still change is not in force' same 2 'lr 0.001 - 0.001'
ok 'what is fixed is' same 3 'lora.alpha - 16 8'
ok 'under the row too' under '^lora ' '^  lora.rank=2$'
ok 'without a sweep' run 0 table rows.ini --db rows.db --set train.lora.lr=1e-3
ok 'there are no such lines' eval '! grep -E "^(  |All rows)" out'
ok 'values of runs' run 0 table rows.ini --db rows.db --columns lora.rank,storage.changed,storage.rank
ok 'have their keys' prints '^method +lora\.rank +storage\.changed +storage\.rank +trainable'
ok 'and the rank of what LoRA changes' prints '^lora:[^ ]* +([0-9]+) +[0-9]+ +\1 '
ok 'a row without a value' prints '^head +- +0 +- '
ok 'a score' run 0 table rows.ini --db rows.db --columns accuracy.test.macro_f1
ok 'has four digits' prints '^lora:[^ ]* +[01](\.[0-9]{1,4})? '
ok 'a value that is mistyped' run 2 table rows.ini --db rows.db --columns storage.chnged
ok 'has a nearest one' says "--columns: no setting 'storage.chnged'; did you mean 'storage.changed'?"
ok 'a setting of no row' run 2 table rows.ini --db rows.db --columns lora.rnk
ok 'is named' says "--columns: no setting 'lora.rnk'; did you mean 'lora.rank'?"
ok 'JSON has them all' run 0 table rows.ini --db rows.db --json
ok 'the default of a setting too' prints '"method":"lora:rank=4,alpha=8".*"method.lora.dropout":"0".*"method.lora.rank":"4"'
ok 'and takes no columns' run 2 table rows.ini --db rows.db --json --columns lr

# ---- order and Markdown ------------------------------------------------------------------------------------------
order() { awk '/^All rows/ { exit } /^(head|lora)/ { print $1 }' out | paste -sd ' '; }
by() { # KEY DIRECTION: the rows by the mean of a value of the chosen runs
	sqlite3 rows.db "SELECT r.row FROM run r JOIN value v ON v.run = r.id WHERE v.key = '$1' AND r.id IN
		(SELECT run FROM value WHERE key LIKE 'accuracy.test.%') GROUP BY r.row ORDER BY avg(v.value) $2" | paste -sd ' '
}
ok 'by memory' run 0 table rows.ini --db rows.db --sort memory.train.total
ok 'the least first' [ "$(order)" = "$(by memory.train.total ASC)" ]
ok 'by speed' run 0 table rows.ini --db rows.db --sort compute.tokens_per_s
ok 'the most first' [ "$(order)" = "$(by compute.tokens_per_s DESC)" ]
ok 'a value of no row' run 2 table rows.ini --db rows.db --sort memory.trane
ok 'is named' says "--sort: no run of rows has a value 'memory.trane'; did you mean 'memory.train"
ok 'and nothing is printed' test ! -s out
ok 'Markdown' run 0 table rows.ini --db rows.db --format markdown --columns lora.rank
ok 'its heading' prints '^\| method \| lora\.rank \| trainable \| .* \| test accuracy \|'
ok 'a rule of as many columns' [ "$(sed -n 1p out | tr -cd '|' | wc -c)" = "$(sed -n 2p out | tr -cd '|' | wc -c)" ]
ok 'no column without a value' eval '! grep -q "prefill x1" out'
ok 'a row' prints '^\| lora:rank=4,alpha=8 \| 4 \| '
ok 'without times' run 0 table rows.ini --db rows.db --no-timing
ok 'no time in its heading' eval 'head -n 1 out | grep -q accuracy && ! head -n 1 out | grep -qE "step|GFLOP|prefill|merged"'
ok 'as many columns in a row' [ "$(awk 'NR == 1 || $1 == "head" { print NF }' out | sort -u | wc -l)" -le 2 ]
ok 'Markdown again' run 0 table rows.ini --db rows.db --format markdown --columns lora.rank
ok 'and no notes' [ "$(grep -c 'Scores are means' out)" = 0 ]
sed 's/^methods.*/methods = head, lora:a_b<i>/; s/^\[method lora\]/[method lora:a_b<i>]/; /train lora/,+1d' rows.ini >odd.ini
ok 'a column that was asked for' run 0 table rows.ini --db rows.db --format markdown --columns task.columns
ok 'is there without a value' grep -qF '| method | task.columns | ' out
ok 'what is missing' run 0 table rows.ini --db rows.db --format markdown --set experiment.seeds=0,1
ok 'is said under the table' prints '^head: 1 of 2 runs finished, 0 failed; PARTIAL'
ok 'a label with characters of HTML' run 0 table odd.ini --db rows.db --format markdown
ok 'is escaped' grep -qF '| lora:a\_b\<i\> |' out

ok 'LaTeX' run 0 table odd.ini --db rows.db --format latex
ok 'in the style of booktabs' eval 'grep -qxF "\\toprule" out && grep -qxF "\\bottomrule" out && tail -n 1 out | grep -q booktabs'
ok 'a label with characters of LaTeX' grep -qF 'lora:a\_b\textless{}i\textgreater{} & ' out
ok 'as many fields in each line' test "$(grep '&' out | tr -cd '&\n' | sort -u | wc -l)" = 1
ok 'with the columns' test "$(sed -n 1p out | tr -cd r | wc -c)" = "$(($(sed -n 3p out | tr -cd '&' | wc -c) + 1))"
ok 'the best is bold' test "$(grep -c 'textbf' out)" -ge 1
ok 'CSV' run 0 table odd.ini --db rows.db --format csv --columns lora.rank
ok 'its keys' prints '^task,method,choice,lora.rank,storage.trainable,storage.trainable.low,'
ok 'as many fields in each line' test "$(tr -cd ',\n' <out | sort -u | wc -l)" = 1
ok 'a value in full' prints "^a,head,,,$(sqlite3 rows.db "SELECT value FROM v_result WHERE key = 'storage.trainable' AND row = 'head'" |
	head -n 1 | sed 's/\.0$//'),"
ok 'JSON' run 0 table odd.ini --db rows.db --format json
ok 'an object a row' test "$(wc -l <out)" = 2
ok 'no such format' run 2 table odd.ini --db rows.db --format html
ok 'which there are' says 'want text, markdown, latex, csv or json'
ok 'a column of no row in CSV' run 2 table odd.ini --db rows.db --format csv --columns lora.rnk
ok 'prints nothing' test ! -s out

finish
