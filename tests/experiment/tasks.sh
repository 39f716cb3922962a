#!/bin/bash
# Several tasks in one experiment: an experiment for each, with the runs that an experiment of that task alone would have;
# the table over them, and what the other commands say.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
for one in one two three; do texts_task $one 25 0.4 "a good $one film %d" "a bad $one film %d"; done
ln -s "$root/tests/golden/tiny-bert" models/tiny
printf '[task]\nkind = regression\ntrain = rate.tsv\nlabel = score\nvalidation_share = 0.2\ntest_share = 0.4\n' >tasks/rate.ini
{ printf 'score\ttext\n' && for i in $(seq 25); do printf '%d\ta good film %d\n-%d\ta bad film %d\n' "$i" "$i" "$i" "$i"; done; } >data/rate.tsv
cat >suite.ini <<'END'
[experiment]
task = one, two,
  three
model = models/tiny
methods = null, head, lora
baseline = lora
timing_rounds = 0

[task two]
metric = macro_f1

[train]
epochs = 1
batch = 16
lr = 1e-2

[train head]
batch = 8

[train@two]
epochs = 2
batch = 4

[method@three lora]
rank = 2
END
value() { # KEY TASK ROW: of a stored run
	sqlite3 s.db "SELECT group_concat(DISTINCT value) FROM setting JOIN run ON run.id = setting.run
		WHERE key = '$1' AND task = '$2' AND row = '$3'"
}

# ---- the file ----------------------------------------------------------------------------------------------------------
ok 'a run of all tasks' run 0 run suite.ini --db s.db --threads 1 --quiet
cp out table
ok 'a run for each row and task' test "$(sqlite3 s.db 'SELECT count(*) FROM run')" = 9
ok 'named after the file and the task' test "$(sqlite3 s.db 'SELECT DISTINCT experiment FROM run ORDER BY experiment' | tr '\n' ' ')" = \
	'suite@one suite@three suite@two ' 
ok 'the section of a task' test "$(value train.epochs one lora) $(value train.epochs two lora)" = '1 2'
ok 'below that of a row' test "$(value train.batch two null) $(value train.batch two head) $(value train.batch one head)" = '4 8 8'
ok 'of a method, too' test "$(value method.lora.rank three lora) $(value method.lora.rank one lora)" = '2 8'
ok 'a metric of its own' test "$(value task.metric two lora)" = macro_f1

# The runs are those of an experiment of one task.
{
	sed -n '/^model/,/^timing/p' suite.ini | sed '1i [experiment]\ntask = two'
	printf '\n[train]\nepochs = 2\nbatch = 4\nlr = 0.01\n\n[train head]\nbatch = 8\n\n[task]\nmetric = macro_f1\n'
} >two.ini
ok 'one of its tasks alone' run 0 status two.ini --db s.db
ok 'has the same runs' prints '^3 of 3 runs finished'
ok '--task' run 0 status suite.ini --db s.db --task two
ok 'is that task' prints '^3 of 3 runs finished'
ok 'status of all' run 0 status suite.ini --db s.db
ok 'has each' test "$(grep -E '^task|of 3 runs' out | tr '\n' ' ')" = \
	'task one 3 of 3 runs finished task two 3 of 3 runs finished task three 3 of 3 runs finished '
ok 'one of them chosen by --set' run 0 status suite.ini --db s.db --set experiment.task=two
ok 'is done, too' prints '^3 of 3 runs finished'
ok '--set for a task' run 1 status suite.ini --db s.db --set train@three.lr=3e-3
ok 'concerns no other' test "$(grep -c '^3 of 3' out)" = 2
ok 'a second run' run 0 run suite.ini --db s.db --threads 1 --quiet
ok 'trains nothing' test "$(sqlite3 s.db 'SELECT count(*) FROM run')" = 9

bad() { # NAME SED-SCRIPT MESSAGE
	sed "$2" suite.ini >bad.ini
	ok "$1" run 2 status bad.ini --db s.db
	ok "$1: its message" says "$3"
}
bad 'a task twice' 's/one, two/one, one/' 'bad.ini:2: task: one is given twice'
bad 'no name' 's/one, two/one, , two/' 'bad.ini:2: task: want names of tasks, separated by commas'
bad 'no such task' 's/one, two/one, tow/' 'bad.ini:2: task: no named task '"'tow'"
bad 'a section of another task' 's/train@two/train@four/' "[train@four]: 'four' is no task of the experiment; want one, two, three"
bad 'of a task' 's/task two/task four/' 'section [task four]: want [task], or [task NAME] with one of one, two, three'
bad 'a misspelt one' 's/train@two/trian@two/' 'unknown section [trian@two]; did you mean [train@two]?'
bad 'of a row that is none' 's/@three lora/@three ia3/' 'section [method@three ia3] belongs to no row'
bad 'of a group that has none' 's/train@two/tune@two/' 'unknown section [tune@two]; want'
bad 'a setting that is none' 's/^epochs = 2/epoch = 2/' "no setting 'epoch'; did you mean 'epochs'?"
bad 'decoding classes' 's/train@two/decode@two/' 'section [decode@two]: want a task whose answers are texts'
ok '--set for another task' run 2 status suite.ini --db s.db --set train@four.lr=1
ok 'is refused' says "--set train@four.lr=1: section [train@four]: 'four' is no task"

# ---- the table ---------------------------------------------------------------------------------------------------------
# 20 test examples each: lora is right everywhere; head errs on 4, 2 and 0, null on 10.
sqlite3 s.db 'DROP TRIGGER prediction_update; DROP TRIGGER value_update; DROP TRIGGER value_delete'
wrong() { # TASK ROW CONDITION: the label is right but where SQL says
	sqlite3 s.db "UPDATE prediction SET predicted = CASE WHEN $3 THEN 1 - label ELSE label END
		WHERE split = 'test' AND run IN (SELECT id FROM run WHERE task = '$1' AND row = '$2');
		UPDATE value SET value = (SELECT avg(predicted = label) FROM prediction WHERE prediction.run = value.run AND split = 'test')
		WHERE split = 'test' AND key = 'accuracy.test.accuracy' AND run IN (SELECT id FROM run WHERE task = '$1' AND row = '$2')"
}
for one in one two three; do wrong $one lora 0 && wrong $one null 'example < 10'; done
wrong one head 'example < 4'
wrong two head 'example IN (0, 1)'
wrong three head 0
sed -i 's/metric = macro_f1/metric = accuracy/; s/^\[task two\]/[task]/' suite.ini
ok 'another metric is another run' run 1 status suite.ini --db s.db --task two
sed -i 's/metric = accuracy/metric = macro_f1/; s/^\[task\]/[task two]/' suite.ini
ok 'the table' run 0 table suite.ini --db s.db
ok 'a column for each task' prints '^method +trainable +one accuracy +two macro_f1 +three accuracy +mean +to lora$'
two=$(sqlite3 s.db "WITH p AS (SELECT label, predicted FROM prediction JOIN run ON run.id = prediction.run WHERE split = 'test' AND
	task = 'two' AND row = 'head'), f AS (SELECT 2.0 * sum(label = c AND predicted = c) / (sum(label = c) + sum(predicted = c)) AS f
	FROM p, (SELECT 0 AS c UNION SELECT 1)  GROUP BY c) SELECT printf('%.2f %.2f %.2f', 100 * avg(f), (80 + 100 * avg(f) + 100) / 3,
	(80 + 100 * avg(f) + 100) / 3 - 100) FROM f")
read -r f1 mean to <<<"$two"
ok 'scores times 100' prints "^head +34 +80\.00 [0-9.]+ +$f1 ?[0-9.±]* +100\.00 [0-9.]+ "
ok 'their mean' test "$(awk '/^head/ { for (i = 1; i < NF; i++) if ($i == "100.00") { print $(i + 2); exit } }' out)" = "$mean"
ok 'the difference of the means' prints " $to( |$)"
ok 'the baseline has none' prints '^lora .* 100\.00 [0-9.]+ *$'
ok 'sorted' run 0 table suite.ini --db s.db --sort mean
ok 'the best first' test "$(awk 'NR > 1 && NR < 5 { print $1 }' out | tr '\n' ' ')" = 'lora head null '
ok 'by a task' run 0 table suite.ini --db s.db --sort three
ok 'equal ones in their order' test "$(awk 'NR > 1 && NR < 5 { print $1 }' out | tr '\n' ' ')" = 'head lora null '
ok 'as Markdown' run 0 table suite.ini --db s.db --format markdown
ok 'the same' prints '^\| head \| 34 \| 80\.00'
ok 'as JSON' run 0 table suite.ini --db s.db --json
ok 'a line for each row of each task, and of all' test "$(wc -l <out)" = 12
ok 'with the mean' prints "^\{\"experiment\":\"suite\",\"method\":\"head\",\"tasks\":\{\"one\":\{\"mean\":80,.*\"over_tasks\":\{\"mean\":${mean%.*}\."
ok 'a task alone' run 0 table suite.ini --db s.db --task one
cp out alone
ok 'has the table of that task' prints '^method +trainable +file +memory .* test accuracy'
ok 'each task' run 0 table suite.ini --db s.db --per-task
ok 'has the table of each' test "$(grep -cE '^(task (one|two|three)|method .* prefill x1 .*)$' out)" = 6
ok 'the first is that of the task' cmp -s <(sed -n '/^task one/,/^task two/p' out | sed '1d; $d' | sed '$d') alone
ok 'columns' run 2 table suite.ini --db s.db --columns lora.rank
ok 'are of a task' says '--columns: the experiment has several tasks; want --task NAME or --per-task'
ok 'another order' run 2 table suite.ini --db s.db --sort storage.trainable
ok 'is of a task, too' says "--sort: want the name of a task or mean, got 'storage.trainable'"

# A mean over fewer tasks is none.
cp s.db whole.db
sqlite3 s.db "DELETE FROM value WHERE split = 'test' AND run = (SELECT id FROM run WHERE task = 'two' AND row = 'head')"
ok 'a score that is missing' run 0 table suite.ini --db s.db
ok 'leaves the mean empty' prints '^head +34 +80\.00 [0-9.]+ +- +100\.00 [0-9.]+ +- +-$'
ok 'and no other' prints '^null .* 50\.00 '
ok 'in JSON' run 0 table suite.ini --db s.db --json
ok 'as well' prints '"method":"head","tasks":\{.*"two":\{"mean":null,.*"over_tasks":\{"mean":null,"low":null,"high":null\}'
cp whole.db s.db

# A metric without a scale that ends at 100 has no mean.
sed 's/^  three/  rate/; s/@three/@rate/' suite.ini >mixed.ini
printf '\n[task rate]\nmetric = rmse\n' >>mixed.ini
ok 'an error' run 0 run mixed.ini --db s.db --threads 1 --quiet
ok 'in its own unit' prints '^method +trainable +one accuracy +two macro_f1 +rate rmse$'
ok 'has no mean' prints '^There is no mean, because rmse of rate has no scale that ends at 100'
ok 'sorted by it' run 0 table mixed.ini --db s.db --sort rate
ok 'the least first' awk 'NR > 1 && NR < 5 { x = $NF; sub(/.*±/, "", x); for (i = 2; i <= NF; i++) if ($i ~ /^[0-9.]+$/) v = $i; if (v < last) exit 1; last = v }' out
ok 'two of them share the runs' test "$(sqlite3 s.db 'SELECT count(*) FROM run')" = 12

# ---- other commands ----------------------------------------------------------------------------------------------------
ok 'rank' run 0 rank suite.ini --db s.db
ok 'over the tasks' prints '^lora +1\.167 '
ok 'with the metric of each' prints '^ +accuracy +macro_f1 +accuracy$'
ok 'as data sets' prints '\(3 rows, 3 data sets\)'
ok 'rank of one' run 0 rank suite.ini --db s.db --task one
ok 'is against the baseline' prints '^head +0\.8000 +-0\.2000 '
ok 'rank by an error' run 0 rank mixed.ini --db s.db
ok 'plan' run 0 plan suite.ini
ok 'of each task' test "$(grep -c '^task ' out)" = 3
ok 'plot' run 0 plot suite.ini --db s.db --task one
ok 'a folder for each' test -s plots/suite@one/axes.svg
ok 'from the run as well' test -s plots/suite@three/axes.svg
needs() { # NAME ARGUMENTS..: asks for a task
	ok "$1" run 2 "${@:2}"
	ok "$1 needs a task" says 'suite.ini has several tasks; want --task with one of one, two, three'
}
needs pareto pareto suite.ini --db s.db
needs recommend recommend suite.ini --db s.db --memory 1G
needs predict predict suite.ini --db s.db
needs data data suite.ini
ok 'pareto of one' run 0 pareto suite.ini --db s.db --task one
ok 'data of one' run 0 data suite.ini --task three
ok 'a task that is none' run 2 data suite.ini --task four
ok 'is refused by name' says "--task: suite.ini has no task 'four'; want one, two, three"
ok 'predict of one' run 0 predict suite.ini --db s.db --task two --row head <<<'a good film'
ok 'compare' run 2 compare suite/head suite/lora --db s.db
ok 'asks for a task' says 'want that of a task: suite@'
ok 'and has all' test "$(grep -o 'suite@[a-z]*/head' err | wc -l)" = 3
ok 'compare of one' run 0 compare suite@three/head suite@three/head --db s.db
ok 'compare across tasks' run 2 compare suite@one/head suite@three/head --db s.db
ok 'is refused' says 'are not comparable: different data'
ok 'check' run 0 check s.db --db s.db
ok 'has every row of every task' test "$(grep -cE '^ok +suite@(one|two|three)/(null|head|lora):' out)" = 9

finish
