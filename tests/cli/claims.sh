#!/bin/bash
# claims: verdicts on tables of claims, of stored runs and of plans.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/known.bash

# Of the 40 examples of test full is right everywhere, head is wrong once, null twice, majority on half.
wrong a full 0
wrong a head 'example = 3'
wrong a null 'example IN (3, 7)'
wrong a majority 'example < 20'
for row in full:1 head:0.975 null:0.95 majority:0.5; do
	sqlite3 a.db "UPDATE value SET value = ${row#*:} WHERE key = 'accuracy.test.accuracy' AND run IN (SELECT id FROM
		run WHERE row = '${row%:*}')"
done
cost full storage.trainable 1000
cost head storage.trainable 100
cost head storage.stored 100

# Three processes, of which the INI file knows nothing: the times that are stored count.
sqlite3 a.db "INSERT INTO value (run, split, key, step, value) SELECT id, '', 'overhead.prefill_ratio.b32', step, x FROM
	(SELECT id FROM run WHERE row = 'head' AND seed = 0), (SELECT -1 AS step, 2 AS x UNION VALUES (0, 1), (1, 2), (2, 4))"

columns='id source claim experiment a key b key_b relation plan why'
table() { # FILE, then a claim a line on stdin with | between the fields
	{
		echo "$columns" | tr ' ' '\t'
		tr '|' '\t'
	} >"$1"
}
table some.tsv <<'END_OF_TABLE'
more|Paper|Full <b>beats</b> a constant *answer*.|a.ini|full|accuracy.test.accuracy|majority||A > B||
less|Paper|A constant answer beats it.|a.ini|majority|accuracy.test.accuracy|full||A > B||There _is_ a reason.
open|Paper|Full beats the head.|a.ini|full|accuracy.test.accuracy|head||A > B||
near|Paper|The head is as good within twenty points.|a.ini|head|accuracy.test.accuracy|full||A > B - 0.2||
ratio|Paper|A constant answer has half its accuracy.|a.ini|majority|accuracy.test.accuracy|full||A / B < 0.9||
count|Paper|The head trains a tenth.|a.ini|head|storage.trainable|full||A / B in 0.1..0.1||
keys|Paper|Ten times what another row stores.|a.ini|full|storage.trainable|head|storage.stored|A / B = 10||
zero|Paper|Nothing is added to nothing.|a.ini|full|storage.added|head||A / B = 1||
value|Paper|And not more than 50.|a.ini|head|storage.trainable|||A < 50||
plan|Paper|Gradients are as large as the weights.|a.ini|full|plan.gradients|full|plan.weights|A / B in 0.9..1.1|tokens=8|
device|Paper|Longer texts need more memory.|a.ini|full|device.total|||A > 1e5|length=16 precision=fp32|
timed|Paper|Twice the time.|a.ini|head|overhead.prefill_ratio.b32|||A < 1e4||
some|Paper|Something divided by nothing.|a.ini|full|storage.trainable|head|storage.added|A / B > 2||
mixed|Paper|Parameters and accuracy.|a.ini|full|storage.trainable|head|accuracy.test.macro_f1|A > B||
none|Paper|A constant answer trains nothing but the head.|a.ini|majority|plan.trained|||A = 0|tokens=8|
untimed|Paper|It is fast.|a.ini|full|overhead.prefill_ratio.b1|||A < 1.1||
END_OF_TABLE

is() { grep -qF "\"id\":\"$1\"" <<<"$(grep -F "\"verdict\":\"$2\"" out)" || { grep -F "\"id\":\"$1\"" out && return 1; }; }
ok 'the claims' run 0 claims some.tsv --db a.db --json
ok 'one object each' test "$(wc -l <out)" = 16
ok 'what the interval shows' is more confirmed
ok 'what it excludes' is less refuted
ok 'what it does not tell' is open undecided
ok 'a margin' is near confirmed
ok 'a ratio of scores' is ratio confirmed
ok 'an exact ratio' is count confirmed
ok 'two keys' is keys confirmed
ok 'an exact value' is value refuted
ok 'a plan' is plan confirmed
ok 'a plan for a device' is device confirmed
ok 'a time that nobody took' is untimed 'not run'
ok 'no ratio of nothing' prints '"id":"zero".*"verdict":"not run","note":"B is 0, so there is no ratio"'
ok 'nor of something by nothing' prints '"id":"some".*"verdict":"not run","note":"B is 0, so there is no ratio"'
ok 'one exact value of two' prints '"id":"mixed".*"exact":false'
ok 'a head that does not train' is none confirmed
ok 'times of three processes' prints '"id":"timed".*"verdict":"confirmed".*"value_a":2,.*"low":0.3574621.*,"p":0.00220'
ok 'says what is missing' prints '"id":"untimed".*"note":"0 of 2 seeds of full have overhead.prefill_ratio.b1"'
ok 'an exact number has no p' prints '"id":"count".*"exact":true.*"effect":0.1,"low":null,"high":null,"p":null,"adjusted":null'
ok 'a sample has seeds and examples' prints '"id":"more".*"exact":false,"value_a":1,"value_b":0.5,"effect":0.5,.*"seeds":2,"examples":40'
half=$(sed -n 's/.*"id":"more".*"p":\([^,]*\),"adjusted":\([^,]*\),.*/\1 \2/p' out)
ok 'p is adjusted' awk -v p="$half" 'BEGIN { split(p, x, " "); exit !(x[2] >= x[1] && x[1] > 0) }'

ok 'the page' run 0 claims some.tsv --db a.db
ok 'what a verdict is' prints 'confirmed if the 95 % interval of its effect lies'
ok 'counts' prints '^16 claims: 9 confirmed, 2 refuted, 2 undecided, 3 not run\.$'
ok 'and says how many are tested' prints '^6 claims are tested on samples'
ok 'texts are escaped' prints 'Full \\<b\\>beats\\</b\\> a constant \\\*answer\\\*\.'
ok 'a reason is shown' prints '^\* less, refuted: There \\_is\\_ a reason\.$'
ok 'a missing run is shown' prints '^\* untimed, not run: 0 of 2 seeds'
ok 'into a file' run 0 claims some.tsv --db a.db -o page.md
ok 'the same' test "$(grep -c 'confirmed\*\*' page.md)" = 9
ok 'several tables' run 2 claims some.tsv some.tsv --db a.db
ok 'each claim has its name' says "some.tsv:2: the id 'more' is also that of some.tsv:2"
ok 'without a database' run 0 claims some.tsv --db none.db --json
ok 'plans are judged' is plan confirmed
ok 'and runs are not' is more 'not run'
ok 'and it is not created' test ! -e none.db

ok 'JSON into a file' run 0 claims some.tsv --db a.db --json -o page.json
ok 'as it is printed' test "$(grep -c '"verdict":"confirmed"' page.json)" = 9
ok 'nothing that only this repository has' test "$(grep -c 'make claims\|statistics.md' page.md)" = 0
ok 'the packed database' env -u MAKEFLAGS make -s -C "$root" build/results/claims.db
ok 'has the runs behind the page' run 0 table "$root/build/results/claims.db:rank" --no-timing

# A model that is not installed takes its claims away, and no others.
sed 's,models/tiny,models/none,' a.ini >away.ini
table away.tsv <<'END_OF_TABLE'
away|Paper|Its model is not there.|away.ini|full|storage.trainable|||A > 1||
here|Paper|Its model is there.|a.ini|full|storage.trainable|||A > 1||
END_OF_TABLE
ok 'a model that is missing' run 0 claims away.tsv --db a.db --json
ok 'is a note' prints '"id":"away".*"verdict":"not run","note":"models/none is not installed"'
ok 'of that claim' is here confirmed

# An experiment of two tasks.
cp tasks/a.ini tasks/b.ini
sed 's/^task = .*/task = a, b/' a.ini >two.ini
table two.tsv <<'END_OF_TABLE'
two|Paper|One of two tasks.|two.ini@b|full|plan.total|||A > 1|tokens=8|
END_OF_TABLE
ok 'one of two tasks' run 0 claims two.tsv --db a.db --json
ok 'is judged' is two confirmed

# Runs of another version: six cells of a.ini, of which claims use those of two rows.
cp a.db old.db
sqlite3 old.db 'DROP TRIGGER IF EXISTS run_update; DROP TRIGGER IF EXISTS run_hash;
	DROP TRIGGER IF EXISTS provenance_update'
sqlite3 old.db "UPDATE run SET hash = 'ffff' || substr(hash, 5);
	UPDATE provenance SET value = 'ffff' || substr(value, 5) WHERE key = 'code.engine'"
table old.tsv <<'END_OF_TABLE'
old|Paper|Trained by another program.|a.ini|full|storage.trainable|head||A > B||
plan|Paper|Planned by this one.|a.ini|full|plan.total|||A > 1|tokens=8|
END_OF_TABLE
ok 'runs of another version' run 0 claims old.tsv --db old.db --json
ok 'are not used' prints '"id":"old".*"note":"0 of 2 seeds of full have storage.trainable; --any-version takes those'
ok 'unless they are wanted' run 0 claims old.tsv --db old.db --json --any-version
ok 'and marked' prints '"id":"old".*"verdict":"confirmed","note":"4 runs are of another version of the code"'
ok 'a plan has none' prints '"id":"plan".*"note":""'
ok 'on the page' run 0 claims old.tsv --db old.db --any-version
ok 'they are counted' prints '^4 of the runs that these verdicts use are of another version'

# A seed that is missing in a row.
sqlite3 a.db "DELETE FROM value WHERE key = 'accuracy.test.accuracy' AND run = (SELECT max(id) FROM run WHERE row = 'head')"
ok 'a missing seed' run 0 claims some.tsv --db a.db --json
ok 'takes the claim away' is near 'not run'
ok 'and says so' prints '"id":"near".*"note":"1 of 2 seeds of head have accuracy.test.accuracy"'

refused() { # MESSAGE, CLAIM
	table bad.tsv <<<"$2"
	ok "refused: $1" run 2 claims bad.tsv --db a.db
	ok 'with the line' says "bad.tsv:2: $1"
}
refused "relation: want a relation such as 'A > B'" 'x|p|c|a.ini|full|plan.total|head||A ~ B||'
refused "the relation 'A > B' has a B, but b is empty" 'x|p|c|a.ini|full|plan.total|||A > B||'
refused "the relation 'A > 1' has no B, but b is not empty" 'x|p|c|a.ini|full|plan.total|head||A > 1||'
refused 'key_b is the key of row B' 'x|p|c|a.ini|full|plan.total||plan.total|A > 1||'
refused 'key is empty' 'x|p|c|a.ini|full||||A > 1||'
refused "a: 'fall' is not in methods" 'x|p|c|a.ini|fall|plan.total|||A > 1||'
refused "b: 'haed' is not in methods" 'x|p|c|a.ini|full|plan.total|haed||A > B||'
refused "key: a plan has no number 'plan.totl'; did you mean 'plan.total'?" 'x|p|c|a.ini|full|plan.totl|||A > 1||'
refused "key: a run of kind 'classify' has no value 'accuracy.test.acuracy'; did you mean 'accuracy.test.accuracy'?" \
	'x|p|c|a.ini|full|accuracy.test.acuracy|head||A > B||'
refused "key_b: a run of kind 'classify' has no value 'storage.trained'; did you mean 'storage.trainable'?" \
	'x|p|c|a.ini|full|storage.stored|head|storage.trained|A > B||'
refused "key: a run of kind 'classify' has no value 'train.loss'" 'x|p|c|a.ini|full|train.loss|||A > 1||'
refused "key: a run of kind 'classify' has no value 'accuracy.test.rouge-l'" 'x|p|c|a.ini|full|accuracy.test.rouge-l|||A > 1||'
refused "plan: tokens: want" 'x|p|c|a.ini|full|plan.total|||A > 1|tokens=0|'
refused "plan: want SETTING=VALUE, got 'tokens'" 'x|p|c|a.ini|full|plan.total|||A > 1|tokens|'
refused "plan: no setting 'lenght'; did you mean 'length'?" 'x|p|c|a.ini|full|device.total|||A > 1|lenght=5|'
refused "plan: 'storage.stored' is a value of stored runs" 'x|p|c|a.ini|full|storage.stored|||A > 1|tokens=5|'
refused "key_b: want a key of a plan" 'x|p|c|a.ini|full|plan.total|full|storage.stored|A > B||'
refused "key_b: want a key of stored runs" 'x|p|c|a.ini|full|storage.stored|full|plan.total|A > B||'
refused "plan: 'device.max_batch' needs the memory" 'x|p|c|a.ini|full|device.max_batch|||A > 1|length=16|'
refused "relation: 'plan.prepare' of head is 0, so there is no ratio" 'x|p|c|a.ini|full|plan.total|head|plan.prepare|A / B > 2|tokens=8|'
refused "experiment: 'two.ini' names no task of the file; want such as two.ini@a" 'x|p|c|two.ini|full|plan.total|||A > 1||'
refused "experiment: 'two.ini@c' names no task" 'x|p|c|two.ini@c|full|plan.total|||A > 1||'
refused 'none.ini' 'x|p|c|none.ini|full|plan.total|||A > 1||'
table bad.tsv <<'END_OF_TABLE'
good|p|c|a.ini|full|device.max_batch|||A > 1|memory=24G length=-1|
bad|p|c|a.ini|full|nothing|||A > 1||
END_OF_TABLE
ok 'all keys are checked before any work' run 2 claims bad.tsv --db a.db
ok 'which would have refused another line' says "bad.tsv:3: key: a run of kind 'classify' has no value 'nothing'; want a key"
# Every key that runs have stored is known.
sqlite3 a.db "SELECT DISTINCT key FROM value WHERE step = -1" >keys
sed 's,.*,&|p|c|a.ini|full|&|||A > 1||,' keys | table all.tsv
ok 'all keys of stored runs' run 0 claims all.tsv --db a.db
printf 'id\tclaim\nx\ty\n' >bad.tsv
ok 'a column that is missing' run 2 claims bad.tsv --db a.db
ok 'is named' says "bad.tsv: no column 'source'"
ok 'a table that is missing' run 2 claims none.tsv --db a.db
ok 'is an error' says 'none.tsv: cannot read'
finish
