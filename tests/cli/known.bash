# Four small experiments, a to d, whose predictions and costs are set by the test, so that the answers are known; sourced by
# the tests of pareto, rank and table.  Only those that $experiments names (a, if it is not set) are run.
cd "$work" || exit 2
mkdir -p models
cp -r "$root/tests/golden/tiny-bert" models/tiny

# Four data sets of 40 examples of test.  Predictions are set by the test: what training does here is of no matter.
experiment() { # NAME METHODS
	texts_task "$1" 50 0.4 "a good $1 film %d" "a bad $1 film %d"
	cat >"$1.ini" <<-END
		[experiment]
		task = $1
		model = models/tiny
		methods = $2
		seeds = 0, 1
		baseline = full

		[train]
		epochs = 1
		batch = 32
	END
}
experiment a 'majority, null, head, full'
experiment b 'full, majority, null, head, bitfit'
experiment c 'head, null, majority, full'
experiment d 'majority, null, head, full'
for one in ${experiments:-a}; do ok "$one runs" run 0 run $one.ini --db a.db --no-timing; done
sqlite3 a.db 'DROP TRIGGER prediction_update; DROP TRIGGER value_update; DROP TRIGGER value_delete;
	DROP TRIGGER prediction_delete'

# All right but the examples that SQL says, in all seeds.
wrong() { # EXPERIMENT ROW CONDITION
	sqlite3 a.db "UPDATE prediction SET predicted = CASE WHEN $3 THEN 1 - label ELSE label END
		WHERE split = 'test' AND run IN (SELECT id FROM run WHERE experiment = '$1' AND row = '$2')"
}
cost() { # ROW KEY VALUE
	sqlite3 a.db "UPDATE value SET value = $3 WHERE key = '$2' AND run IN (SELECT id FROM run WHERE experiment = 'a' AND
		row = '$1')"
}
axes=accuracy.test.accuracy,storage.stored
