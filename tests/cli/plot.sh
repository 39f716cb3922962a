#!/bin/bash
# plot: what the figures of stored results show, in every size and format.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
scored_study
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = full, majority, head, prompt:1, prompt:4, a-name-that-is-too-long-for-names, lora:a_b%, lora:8, lora:2, prefix, bitfit
seeds = 0, 1
baseline = full
axis = lora.rank
[train]
epochs = 3
batch = 8
lr = 1e-2
[method prompt:1]
length = 1
[method prompt:4]
length = 4
[method lora:a_b%]
rank = 4
[method lora:8]
rank = 8
[method lora:2]
rank = 2
END
sed -i 's/a-name-that/lora:a-name-that/; $a [method lora:a-name-that-is-too-long-for-names]\nrank = 16' toy.ini
ok 'run' run 0 run toy.ini --no-timing --quiet
in_frame() { perl "$root/tests/plot_boxes.pl" "$@" >out 2>err; }
for width in column page 12; do
	ok "width $width" run 0 plot toy.ini --out $width --width $width --format svg
	ok "width $width: no text leaves the frame or lies on another" in_frame $width/*.svg
done
ok 'a large font' run 0 plot toy.ini --out large --width column --format svg --font 'DejaVu Sans,11'
ok 'fits as well' in_frame large/*.svg
ok 'the font is in the figure' grep -q 'font-family="DejaVu Sans"' large/axes.svg
ok 'a column has 8.5 cm, of 96 pixels an inch' grep -q 'width="321"' column/axes.svg
sed 's/translate(\([0-9.]*\),\([0-9.]*\))" stroke="none"/translate(700,\2)" stroke="none"/' page/axes.svg >out.svg
ok 'the test of frames finds a text outside' eval '! in_frame out.svg'

# ---- what they show -------------------------------------------------------------------------------------------
for figure in axes accuracy-parameters accuracy-memory differences memory sweep curves validation; do
	for ending in svg gp txt tsv sql; do ok "$figure.$ending" test -s page/$figure.$ending; done
done
ok 'no times, no figure of times' test ! -e page/overhead.svg
ok 'no sweep, no tuning' test ! -e page/tuning.svg
names() { perl -0ne 'while (m{translate\(4.00,([\d.]+)\)[^>]*>\s*<text>([^<]+)}g) { print "$1\t$2\n" }' "$1" | sort -n | cut -f 2; }
names page/axes.svg | tail -n +2 >order
ok 'a name for each row' test "$(wc -l <order)" = 11
ok 'the best on top' awk -F '\t' 'NR == FNR { if ($3 ~ /^accuracy.test/) score[$2] = $5; next }
	$1 in score { if (n++ && score[$1] > last) exit 1; last = score[$1] } END { exit n < 10 }' page/axes.tsv order
ok 'a name that is too long is cut' grep -q '^lora:a-name.*…$' order
few=(--set experiment.methods='head, prompt:1, prompt:4, bitfit' --set experiment.baseline=head --set experiment.axis=)
ok 'rows that add little' run 0 plot toy.ini --out few --format svg "${few[@]}"
ok 'the head hides what the prompts add: storage.added' grep -q 'storage.added: without the head' few/accuracy-parameters.svg
ok 'the caption says so' grep -q 'therefore the axis is storage.added' few/accuracy-parameters.txt
ok 'not where it hides nothing' grep -q '>trainable parameters<' page/accuracy-parameters.svg
ok 'against the trainable ones' run 0 plot toy.ini --out few --figure accuracy:storage.trainable --format svg "${few[@]}"
ok 'if they are asked for' grep -q '>trainable parameters<' few/accuracy-storage-trainable.svg
ok 'share of the bootstrap on the front' grep -qE '>[a-z:0-9]+ [0-9]+ %<' page/accuracy-parameters.svg
ok 'seeds, examples and interval in the caption' grep -q 'n = 2 seeds (0, 1) on 48 examples; their 95 % interval is for other seeds and other examples' \
	page/axes.txt
ok 'with seeds that have no run' run 0 plot toy.ini --out more --figure axes --format svg --set experiment.seeds=0..3
ok 'the caption counts those that have' grep -q 'the mean over n = 2 seeds on 48 examples' more/axes.txt
for class in baseline additive selective reparametrization; do ok "$class in the legend" grep -q ">$class<" page/axes.svg; done
ok 'a band over the seeds' grep -q 'filledcurves' page/curves.gp
ok 'and how it was smoothed' grep -q 'the mean of n = 2 seeds.*; the band is the range of the seeds' page/curves.txt
rows=$(sqlite3 results/peftbench.db <page/axes.sql | wc -l)
ok 'the SQL selects stored values' test "$rows" -ge 88
ok 'those of the data' test "$(awk -F '\t' '$2 == "head" && $3 == "storage.trainable" { print $5 }' page/axes.tsv)" = \
	"$(sqlite3 results/peftbench.db <page/axes.sql | awk -F '|' '$2 == "head" && $5 == "storage.trainable" { print $8; exit }' | sed 's/\.0$//')"

# ---- bytes and formats ----------------------------------------------------------------------------------------
ok 'all formats' run 0 plot toy.ini --out a --figure axes --format svg,pdf,png,tex
sleep 1.1 # a time in the file would differ
ok 'again' run 0 plot toy.ini --out b --figure axes --format svg,pdf,png,tex
for file in axes.svg axes.pdf axes.png axes-tex.tex axes-tex.pdf; do
	ok "$file: the same bytes" cmp a/$file b/$file
done
ok 'nothing else' test "$(cd a && echo *)" = 'axes-tex.pdf axes-tex.tex axes.gp axes.pdf axes.png axes.sql axes.svg axes.tsv axes.txt'
mkdir alone && cp a/axes.gp alone
ok 'gnuplot alone' eval '(cd alone && gnuplot -d axes.gp) 2>err'
ok 'draws the same' cmp a/axes.svg alone/axes.svg
ok 'a label is not a command of LaTeX' grep -qF 'lora:a\_b\%' a/axes-tex.tex
ok 'nor changed elsewhere' grep -qF '>lora:a_b%<' a/axes.svg

# ---- what is refused ------------------------------------------------------------------------------------------
refused() { # MESSAGE ARGUMENTS...
	ok "exit 2: ${*:2}" run 2 plot toy.ini --out none "${@:2}"
	ok "its message: ${*:2}" says "$1"
}
refused "--figure: unknown figure 'axis'; did you mean 'axes'?; want axes, accuracy-parameters" --figure axis
ok 'nothing to show: exit status 1' run 1 plot toy.ini --out none --figure overhead
ok 'says so' says "the results have nothing to show in 'overhead'"
refused "no run of toy has a value 'storage.nothing'" --figure accuracy:storage.nothing
refused "--format: unknown format 'gif'; want svg, pdf, png or tex" --format svg,gif
refused "--width: want column, page or a width in centimetres such as 8.5, got 'wide'" --width wide
refused "--width: want 6..60 centimetres, got '2'" --width 2
refused '--font: want a name of letters' --font "x'; system('touch pwned'); ',8"
refused "--font: want a size of 5..24 points, got '80'" --font Helvetica,80
ok 'nothing was run' test ! -e pwned

# ---- several tasks --------------------------------------------------------------------------------------------
for k in 1 2 3; do
	sed "s/film/film number $k/" data/toy.tsv >data/t$k.tsv
	sed "s/toy.tsv/t$k.tsv/" tasks/toy.ini >tasks/t$k.ini
done
printf '[experiment]\ntitle = three\ntask = t1, t2, t3\nmodel = models/tiny\nmethods = majority, head, full\n[train]\nepochs = 2\nbatch = 8\nlr = 1e-2\n' >suite.ini
ok 'a suite' run 0 run suite.ini --no-timing --quiet
ok 'its figures' run 0 plot suite.ini --out suite --width column --format svg
for figure in ranks wins tasks t1/axes t3/axes; do ok "$figure" test -s suite/$figure.svg; done
ok 'are in their frames' in_frame suite/*.svg
ok 'the critical difference' grep -q '>critical difference 1.91<' suite/ranks.svg
ok 'the tasks in the caption' grep -q 'n = 3 tasks (t1, t2, t3), each the mean of 1 seed on its test split' suite/ranks.txt

ok 'a row without training alone' run 0 run toy.ini --no-timing --quiet --db one.db --set experiment.methods=majority \
	--set experiment.baseline=majority --set experiment.axis=
ok 'and another metric: no result, no figure' run 1 plot toy.ini --out other --set task.metric=mcc --set experiment.methods=full \
	--set experiment.baseline=full --set experiment.axis=
finish
