#!/bin/bash
# Settings of training from the file to the database: micro-batches, a budget by the clock, and what a database says that
# is older than a setting.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/tiny
methods       = lora
timing_rounds = 0

[train]
epochs     = 2
batch      = 8
lr         = 1e-2
dropout    = 0
accumulate = 4
END
value() { sqlite3 "$1" "SELECT value FROM value WHERE key = '$2' AND step = -1 ORDER BY run LIMIT 1" | sed 's/[.]0$//'; }
is() { [ "$1" = "$2" ] || { echo "    got '$1', want '$2'" && return 1; }; }
near() { awk "BEGIN { exit !(($1 - $2) ^ 2 < 1e-8) }" || { echo "    got $1, want $2" && return 1; }; }

# ---- micro-batches ------------------------------------------------------------------------------------------------
ok 'a run in micro-batches' run 0 run toy.ini --db parts.db --threads 1 --quiet
ok 'and in batches' run 0 run toy.ini --db whole.db --threads 1 --quiet --set accumulate=1
ok 'the losses are the same' near "$(value parts.db train.last_loss)" "$(value whole.db train.last_loss)"
ok 'the activations are not' test "$(value parts.db memory.train.activations)" -lt "$(value whole.db memory.train.activations)"
ok 'both have one budget, and there is too little data' run 3 compare parts.db:lora whole.db:lora
ok 'a part is repeated to the bit' run 0 reproduce 1 --db parts.db --quiet
ok 'more micro-batches than examples' run 2 plan toy.ini --set train.batch=3
ok 'are refused with the line' says 'toy.ini:12: accumulate: 4 micro-batches of the 3 examples of a step, want at most one for each'
printf '[train lora]\nbatch = 2\n' >>toy.ini
ok 'in one row, too' run 2 run toy.ini --db parts.db
ok 'before anything runs' says 'toy.ini:12: accumulate: 4 micro-batches of the 2 examples'
ok 'none' run 2 plan toy.ini --set accumulate=0
ok 'are out of range' says 'accumulate: want a whole number in 1..65536, got'
sed -i '/^\[train lora\]/,$d; /^accumulate/d' toy.ini

# ---- a budget by the clock ----------------------------------------------------------------------------------------
ok 'a millionth of a second' run 0 run toy.ini --db clock.db --threads 1 --quiet --set max_seconds=1e-6
ok 'is enough for a step' is "$(value clock.db train.clock_steps)" 1
ok 'the table says it' eval 'run 0 table toy.ini --db clock.db --set max_seconds=1e-6 && prints "max_seconds ended the training after 1 steps, by the clock"'
ok 'another budget' run 2 compare clock.db:lora whole.db:lora
ok 'is not comparable' says 'different budget, 1 settings, 2 epochs of batches of 8, 1e-06 seconds'
ok 'such a run again' run 2 reproduce 1 --db clock.db
ok 'is refused' says 'clock.db: run 1: max_seconds ended its training after 1 steps, and a clock does not end it at the same'
ok 'in the gate' run 2 check clock.db --db clock.db
ok 'it is not comparable' prints 'refused +toy/lora: .*max_seconds ended its training after 1 steps'
ok 'an hour' run 0 run toy.ini --db hour.db --threads 1 --quiet --set max_seconds=3600
ok 'is not used up' is "$(value hour.db train.clock_steps)" ''
ok 'and changes nothing' is "$(value hour.db train.last_loss)" "$(value whole.db train.last_loss)"
ok 'so it is repeated' run 0 reproduce 1 --db hour.db --quiet
ok 'and passes the gate' run 0 check hour.db --db hour.db

# ---- seeds --------------------------------------------------------------------------------------------------------
ok 'seeds and a range' run 0 run toy.ini --db seeds.db --threads 1 --quiet --set experiment.seeds='7, 0..2,5 '
ok 'are one run each' is "$(sqlite3 seeds.db 'SELECT group_concat(seed) FROM (SELECT seed FROM run ORDER BY seed)')" 0,1,2,5,7
for bad in 5..3 1.. ..3 1...3 -1..2 1..2..3 1..x 3,1..4 0..10000; do
	sed "s/^timing_rounds.*/&\nseeds = $bad/" toy.ini >bad.ini
	ok "$bad" run 2 plan bad.ini
	ok 'is refused with its line' says 'bad.ini:6: seeds: '
done
ok 'numbers of adapters' run 2 plan toy.ini --set experiment.serving=0..2
ok 'are read before anything runs' says 'serving: want whole numbers of 1..4096, or ranges such as 1..5'

# ---- an older database --------------------------------------------------------------------------------------------
ok 'a run' run 0 run toy.ini --db old.db --threads 1 --quiet
sqlite3 old.db "DROP TRIGGER setting_delete; DROP TRIGGER run_update; DELETE FROM setting WHERE key IN ('train.accumulate', 'train.max_flops', 'train.max_seconds',
	'train.optimizer', 'train.momentum', 'train.lion_beta1', 'train.lion_beta2', 'task.label_smoothing');
	UPDATE run SET hash = replace(hash, '0', '1')"
ok 'of a version without newer settings' run 1 status toy.ini --db old.db
ok 'has the settings of today' prints 'run 1 has the same settings'
ok 'of the defaults only' eval 'run 1 status toy.ini --db old.db --set accumulate=2 && ! prints "has the same settings"'

finish
