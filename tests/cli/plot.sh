#!/bin/bash
# plot: what the figures of stored results show.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
mkdir -p tasks data models
cp -r "$root/tests/golden/tiny-bert" models/tiny

# One row learns, and the curves of the others stay together at the top of the panel of the training loss.
{
	printf 'label\ttext\n'
	for i in $(seq 50); do printf 'good\ta good film %d\nbad\ta bad film %d\n' "$i" "$i"; done
} >data/toy.tsv
printf '[task]\nkind = classify\ntrain = toy.tsv\nvalidation_share = 0.2\ntest_share = 0.2\n' >tasks/toy.ini
rows=$(printf ', head:%d' $(seq 14))
printf '[experiment]\ntask = toy\nmodel = models/tiny\nmethods = full%s\n[train]\nepochs = 4\nbatch = 8\nlr = 1e-9\n' "$rows" >toy.ini
printf '[train full]\nlr = 1e-2\n' >>toy.ini
printf '[method head:%d]\n' $(seq 14) >>toy.ini
ok 'run' run 0 run toy.ini --no-timing --quiet
ok 'plot' run 0 plot toy.ini --out figures
ok 'every row has its label' test "$(grep -c '^set label' figures/curves.gp)" -ge 15
above=$(awk '/^set yrange/ { sub(/.*:/, ""); sub(/].*/, ""); high = $0 }
	/^set label/ { y = $0; sub(/.*,first /, "", y); if (y + 0 > high + 0) print }' figures/curves.gp)
ok 'no label is above its panel' test -z "$above"

# The axes at a glance: a panel of each axis that was measured, a line for each row, the best score on top.
ok 'a name for each row' [ "$(grep -cE '^set ytics \(t\(' figures/axes.gp)" = 1 ]
ok 'and one point' [ "$(awk '/^\$p0_/ { on = 1; next } /^EOD/ { on = 0 } on' figures/axes.gp | wc -l)" = 15 ]
ok 'the best on top' awk '/^\$p0_/ { on = 1; next } /^EOD/ { on = 0 } on { score[$4] = $1 }
	END { for (i = 2; i <= 15; i++) if (score[i] < score[i - 1]) exit 1 }' figures/axes.gp
ok 'a row without training alone' run 0 run toy.ini --no-timing --quiet --db one.db --set experiment.methods=majority \
	--set experiment.baseline=majority
ok 'and another metric' run 0 plot toy.ini --out other --set task.metric=mcc --set experiment.methods=full --set experiment.baseline=full
ok 'without times no panel of times' eval '! grep -q "prefill time" figures/axes.gp'

finish
