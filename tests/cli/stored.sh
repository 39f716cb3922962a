#!/bin/bash
# A database in place of an experiment's file: its experiments are those of the files, without file, data and model.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
scored_study
cat >toy.ini <<'END'
[experiment]
title = a study of toys
task = toy
model = models/tiny
methods = majority, head, lora:8, lora:2, bitfit, dora
seeds = 3, 0, 1
baseline = bitfit
axis = lora.rank
timing_rounds = 2
[tune]
seeds = 1
[train]
epochs = 2
batch = 8
lr = 1e-2
[train bitfit]
lr = 1e-3, 1e-2
[train lora:8]
lr = 1e-3, 3e-3, 1e-2
[method lora:8]
rank = 8
[method lora:2]
rank = 2
END
db=results/peftbench.db
refused() { # MESSAGE ARGUMENTS...
	ok "refused: $1" run 2 "${@:2}"
	ok "says: $1" says "$1"
}
same_figures() { diff -r <(cd "$1" && cat -- *.svg *.txt *.tsv) <(cd "$2" && cat -- *.svg *.txt *.tsv) >out; }

# ---- one experiment ---------------------------------------------------------------------------------------------
ok 'run' run 0 run toy.ini --quiet
for command in 'table --format csv' 'table --json' pareto 'recommend --memory 10G' rank; do
	ok "$command FILE" run 0 ${command%% *} toy.ini ${command#"${command%% *}"}
	cp out "file-${command%% *}"
	ok "$command DB" run 0 ${command%% *} $db ${command#"${command%% *}"}
	ok "$command: the same" cmp out "file-${command%% *}"
done
ok 'table of the file' run 0 table toy.ini
grep -v '^ \|^All rows' out >file
ok 'table of the database' run 0 table $db
ok 'the same, but for the settings that the file gives' diff file <(grep -v '^ \|^All rows' out)
ok 'those that are not the default' prints '^All rows: batch=8 epochs=2'
ok 'figures of the file' run 0 plot toy.ini --format svg --out file.d
ok 'figures of the database' run 0 plot $db --format svg --out db.d
ok 'the same' same_figures file.d db.d
ok 'tuning, sweep and times among them' test -s db.d/tuning.svg -a -s db.d/sweep.svg -a -s db.d/overhead.svg
# Another experiment with the same cells, which the first one has stored: only the chosen ones are linked to it.
cp toy.ini two.ini && cp $db results/two.db
ok 'a second experiment' run 0 run two.ini --db results/two.db --quiet
ok 'its table of the file' run 0 table two.ini --db results/two.db
grep -v '^two\|^ \|^All rows' out >of_file
ok 'its table of the database' run 0 table results/two.db:two
ok 'leaves nothing out' eval '! says "left out"'
ok 'and is the same' cmp of_file <(grep -v '^two\|^ \|^All rows' out)
ok 'the first one' run 0 table results/two.db:toy
ok 'has all' eval '! says "left out"'
# A third one with more settings: now nothing says which of them the second one has tried.
sed 's/^lr = .*/&, 7e-3/' two.ini >three.ini
ok 'a third one' run 0 run three.ini --db results/two.db --quiet
ok 'the table of the second one' run 0 table results/two.db:two
ok 'says that runs of a sweep are left out' says 'results/two.db:two: lora:8: its setting was chosen from '
rm three.ini
rm two.ini
mkdir elsewhere && cp $db elsewhere/a.db && mv data data.away && mv models models.away && mv toy.ini toy.away
ok 'without file, data and model' run 0 plot elsewhere/a.db:toy --figure axes --format svg
ok 'in the folder of the experiment' cmp plots/toy/axes.svg db.d/axes.svg
ok 'a page too' run 0 report elsewhere/a.db
ok 'its title' grep -q '<title>a study of toys' plots/toy/report.html
ok 'another baseline' run 0 table elsewhere/a.db --set experiment.baseline=head
ok 'is compared with' prints 'to head'
refused "'fulll' is not in methods" table $db --set experiment.baseline=fulll
refused 'of a database, want experiment.title, experiment.baseline or experiment.axis' table $db --set train.lr=1
refused 'there are no runs of experiment' table $db:other
refused 'want one of them' table $db --db elsewhere/a.db
refused "there are no runs of experiment 'toy' with task x" table $db --task x
mv data.away data && mv models.away models && mv toy.away toy.ini

# ---- without times ------------------------------------------------------------------------------------------------
ok 'without times' run 0 table $db --no-timing
ok 'no note is on them' eval '! grep -qE "waited|busy machine|Times have|GEMM" out'
ok 'the other notes are' prints '^Scores are means over 3 seeds'

# ---- rows of two versions of the code ------------------------------------------------------------------------------
cp $db mixed.db
sqlite3 mixed.db "DROP TRIGGER provenance_update; UPDATE provenance SET value = 'another' WHERE key = 'code.engine' AND
	run IN (SELECT id FROM run WHERE row = 'head')"
ok 'rows of two versions' run 0 table mixed.db
ok 'the older one is marked' prints '^head † '
ok 'it alone' test "$(grep -c ' † ' out)" = 1
ok 'a note says why' prints '^†: made by another version of the code than the newest row$'
ok 'as Markdown' run 0 table mixed.db --format markdown
ok 'marked too' prints '^†: made by another version of the code$'
ok 'as JSON' run 0 table mixed.db --json
ok 'with its runs' test "$(grep -c '"other_version":\[{"run":[0-9]*,"why":"made by another version of the code than' out)" = 1
ok 'a page' run 0 report mixed.db --out mixed.html
ok 'marks it' grep -q 'head <span title="made by another version of the code">&dagger;</span>' mixed.html
ok 'and says why' grep -q '&dagger;: made by another version of the code\.' mixed.html

# ---- a row that does not fit the others ----------------------------------------------------------------------------
printf 'good\tone more film that is good\n' >>data/toy.tsv
ok 'more data, fewer rows' run 0 run toy.ini --quiet --no-timing --set experiment.methods='bitfit, head'
ok 'the rows of other data' run 0 table $db
ok 'are left out' says 'left out, as their data, model or task are not those of'
ok 'aloud' says 'majority, lora:8, lora:2, dora'
ok 'and not shown' eval '! prints ^lora'

# ---- several experiments and tasks -----------------------------------------------------------------------------------
sed 's/^task = toy/task = toy, other/; s/methods = .*/methods = head, bitfit/; /^\[tune\]/,/^seeds = 1/d; /lora/,$d' toy.ini |
	sed '/^axis/d; s/^lr = .*/lr = 1e-2/' >two.ini
cp tasks/toy.ini tasks/other.ini && echo 'label_smoothing = 0.1' >>tasks/other.ini
ok 'run two tasks' run 0 run two.ini --quiet --no-timing
refused "want $db:NAME with one of toy, two" pareto $db
refused 'two has several tasks; want --task with one of toy, other' pareto $db:two
ok 'one task' run 0 pareto $db:two --task other
ok 'table of both tasks' run 0 table two.ini
sed "s|two.ini|$db:two|" out >file
ok 'of the database' run 0 table $db:two
ok 'is the same' cmp out file
ok 'all experiments' run 0 table $db
ok 'have headings' prints '^experiment two'
refused 'has several experiments; want one of them' table $db --format csv
refused 'has several experiments; want one of them' report $db --out page.html
ok 'figures of all experiments' run 0 plot $db --format svg --figure axes --out all
ok 'a folder each' test -s all/toy/axes.svg -a -s all/two/other/axes.svg

# ---- nothing to draw, and a database of somebody else ---------------------------------------------------------------
ok 'no results: exit status 1' run 1 plot two.ini --set experiment.seeds=9
ok 'and why' says 'the results have nothing to show'
ok 'nothing in this figure' run 1 plot $db:two --figure strength
ok 'says which' says "nothing to show in 'strength'"
cp $db foreign.db
sqlite3 foreign.db "DROP TRIGGER run_update; DROP TRIGGER selection_update; UPDATE run SET experiment = '../x'; UPDATE selection SET experiment = '../x'"
refused 'want the name of an experiment' plot foreign.db
finish
