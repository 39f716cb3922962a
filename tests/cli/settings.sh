#!/bin/bash
# settings: the appendix table has every setting of every run that is stored, the values that are tried and the chosen one.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = head, lora, lora:rank=2
seeds = 0
timing_rounds = 0

[train]
epochs = 2
batch = 8

[train lora]
lr = 1e-3, 1e-2
END
ok 'before any run' run 0 settings toy.ini --db a.db
ok 'what differs is told by row' prints '^method\.lora\.rank +8 +lora$'
ok 'in a line for each value' prints '^method\.lora\.rank +2 +lora:rank=2$'
ok 'what is common is told once' prints '^train\.batch +8 +all$'
ok 'all values that are tried' prints '^train\.lr +0\.001, 0\.01 +lora$'
ok 'nothing is chosen' test -z "$(grep chosen out)"
ok 'no database is made' test ! -e a.db

ok 'an experiment' run 0 run toy.ini --db a.db --quiet
ok 'after it' run 0 settings toy.ini --db a.db
told() { sed -nE "s/^train\.lr +0\.001, 0\.01 +([0-9.]+) +.*\b$1(,.*)?\$/\1/p" out; }
ok 'the chosen rate' is "$(told lora)" "$(sqlite3 a.db "SELECT value FROM selected JOIN run ON run.id = selected.run
	JOIN setting ON setting.run = run.id WHERE row = 'lora' AND key = 'train.lr' LIMIT 1")"
ok 'as a table for a paper' run 0 settings toy.ini --db a.db --format latex
ok 'of texts' prints '^\\begin\{tabular\}\{llll\}$'
ok 'with escaped names' prints '^task\.train\\_limit & '
ok 'for a document' run 0 settings toy.ini --db a.db --format markdown
ok 'in Markdown' prints '^\| train\.batch \| 8 \| - \| all \|$'
ok 'for a program' run 0 settings toy.ini --db a.db --format csv
ok 'in quotes where needed' prints '^train\.lr,"0\.001, 0\.01",0\.0'
ok 'every setting that is stored' is "$(sed 1d out | cut -d, -f1 | sort -u | grep -vE '^(task|model)$')" \
	"$(sqlite3 a.db 'SELECT DISTINCT key FROM setting' | grep -vE '^(task|model|row|task.class_names)$' | sort -u)" # the names are those of the data
ok 'another format' run 2 settings toy.ini --format json
ok 'is refused' says "--format: want text, markdown, latex or csv, got 'json'"
finish
