#!/bin/bash
# Answers that a pattern finds in generated texts: the setting `answer`, its metrics, and what is refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
mkdir -p tasks data models
ln -s "$root/models/pico-decoder" models/decoder
cat >tasks/sums.ini <<'END'
[task]
kind = generate
train = sums.jsonl
source = question
references = answer
validation_share = 0.2
test_share = 0.2
answer = #### {number}
metric = answer-match
END
for i in $(seq 20); do
	printf '{"question": "What is %d and 1?", "answer": "It is %d.\\n#### 1,%03d.0"}\n' "$i" "$i" "$i"
done >data/sums.jsonl
cat >sums.ini <<'END'
[experiment]
task = sums
model = models/decoder
methods = full
seeds = 0
timing_rounds = 0

[train]
epochs = 1
batch = 8

[decode]
max_new = 4
END
ok 'a run' run 0 run sums.ini --db s.db --threads 1 --quiet
ok 'the primary metric' prints 'test answer-match'
value() { sqlite3 s.db "SELECT value FROM value WHERE key = 'accuracy.test.$1' AND split = 'test'"; }
ok 'both are stored' test "$(value answer-match) $(value no-answer)" = '0.0 1.0'
ok 'the text is, too' test "$(sqlite3 s.db "SELECT count(*) FROM answer WHERE split = 'test'")" = 4
ok 'by example' test "$(sqlite3 s.db "SELECT count(*) FROM statistic WHERE metric = 'answer-match' AND split = 'test'")" -ge 4
ok 'without a pattern' run 0 run sums.ini --db n.db --threads 1 --quiet --set task.answer= --set task.metric=chrf
ok 'another metric is primary' prints 'test chrf'
ok 'and these are none' test "$(sqlite3 n.db "SELECT count(*) FROM value WHERE key LIKE '%answer%'")" = 0

bad() { # NAME MESSAGE ARGUMENTS..
	ok "$1" run 2 data sums "${@:3}"
	ok "$1: its message" says "$2"
}
bad 'a metric without a pattern' 'tasks/sums.ini:9: metric: answer-match needs the setting `answer`' --set task.answer=
bad 'a pattern without a hole' "--set task.answer=####: answer: want a text with one of {number}, {text} and {letter}" --set 'task.answer=####'
bad 'no such metric' "metric: no metric 'acc'; want one of bleu" --set task.metric=acc
sed -i '7s/#### //' data/sums.jsonl
bad 'a reference without an answer' "the reference has no answer '#### {number}'"
ok 'has its line' says 'line 7:'

finish
