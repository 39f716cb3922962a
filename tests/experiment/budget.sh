#!/bin/bash
# [experiment] budget: the engine chooses the sizes of the methods, so that each row trains at most so many elements.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task    = toy
model   = models/tiny
methods = head, lora, dora, gralora, prefix, sparse:within=matrix, fishmask, lst, said, lora+prefix, lora+bitfit
budget  = 2.5k

[train]
epochs = 1
batch  = 8
lr     = 1e-3

[method lora]
targets = *
END
# The elements of a row that train, without those of the head.
trained() {
	awk -v row="$1" -v RS='\n' '$1 == row { print $2 }' rows | head -n 1
}
plan_rows() {
	"$program" plan toy.ini --json "$@" 2>err |
		sed 's/{"method":"\([^"]*\)".*"trainable":\([0-9]*\),.*/\1 \2/' >rows
	head=$(trained head)
}
added() { echo $(($(trained "$1") - head)); }
within() { [ "$(added "$1")" -le "$2" ] && [ "$(added "$1")" -ge "$3" ]; }

plan_rows
ok 'LoRA has the largest rank that fits' [ "$(added lora)" = "$((2500 / 448 * 448))" ]
for row in dora gralora prefix sparse:within=matrix fishmask lst said lora+prefix lora+bitfit; do
	ok "$row fits and uses the budget" within "$row" 2500 1000
done
plan_rows --set experiment.budget=5000
ok 'twice as much' within lora 5000 2501
ok 'an exact one' within said 5000 5000
ok 'a budget below the smallest size' run 2 plan toy.ini --set experiment.budget=10
ok 'names the row, the setting and the number' \
	says 'toy.ini: row lora: lora: no value of rank fits a budget of 10 elements; rank = 1 has 448'
ok 'no number' run 2 plan toy.ini --set experiment.budget=ten
ok 'names it' says "--set experiment.budget=ten: budget: want a number of elements such as 50000, 100k or 1.5M, got 'ten'"
ok 'a size that the file sets as well' run 2 plan toy.ini --set method.lora.rank=4
ok 'names both' says 'rank: [experiment] budget decides it in lora; want one of the two'
ok 'a run' run 0 run toy.ini --db a.db --quiet --set experiment.timing_rounds=0
ok 'stores the sizes' [ "$(sqlite3 a.db "SELECT value FROM setting JOIN run ON run.id = setting.run WHERE key = 'method.said.dimension' AND row = 'said'")" = 2498 ]
finish
