#!/bin/bash
# recommend: the best row within limits, and how certain it is.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/known.bash

# Of the 20 examples of validation full is right everywhere, head is wrong once, null twice, majority on half.
validation() { # ROW CONDITION VALUE
	sqlite3 a.db "UPDATE prediction SET predicted = CASE WHEN $2 THEN 1 - label ELSE label END
		WHERE split = 'validation' AND run IN (SELECT id FROM run WHERE row = '$1');
		UPDATE value SET value = $3 WHERE key = 'accuracy.validation.accuracy' AND step = -1
		AND run IN (SELECT id FROM run WHERE row = '$1')"
}
validation full 0 1
validation head 'example = 3' 0.95
validation null 'example IN (3, 7)' 0.9
validation majority 'example < 10' 0.5
wrong a full 0
wrong a head 'example = 3'
wrong a null 'example = 7'
wrong a majority 'example < 20'
for row in full:400e6:9e6 head:100e6:2e6 null:90e6:1e6 majority:10e6:0; do
	IFS=: read -r name memory bytes <<<"$row"
	cost "$name" memory.train.total "$memory"
	cost "$name" storage.artifact_bytes "$bytes"
done

is() { prints "^$1 +$2 "; }
ok 'without limits' run 0 recommend a.ini --db a.db
ok 'the best of validation' prints '^without limits: full\.$'
ok 'its score on test is told' prints '^Its accuracy is 1.0000 on validation, by which it is chosen from 4 rows that fit, and [0-9.]+ on test'
ok 'and how often it is the best' prints '^It is the best of them in [0-9]+ % of 2000 bootstrap samples of 2 seeds and [0-9]+ validation'
ok 'and what is not told apart' prints '^Not told apart from it on test: .*head'
ok 'unlike what is' test "$(grep -c '^Not told.*majority' out)" = 0
ok 'a limit on memory' run 0 recommend a.ini --db a.db --memory 200M
ok 'leaves it out' is full no
ok 'and chooses the next' prints '^memory.train.total at most 200 MB: head\.$'
ok 'two limits' run 0 recommend a.ini --db a.db --memory 200M --storage '1.5 MB'
ok 'both hold' prints ': null\.$'
ok 'a limit is allowed itself' run 0 recommend a.ini --db a.db --memory 100M
ok 'as the most' prints ': head\.$'
ok 'the cheapest alone' run 0 recommend a.ini --db a.db --memory 20M
ok 'fits' prints 'chosen from 1 row that fits'
ok 'nothing' run 1 recommend a.ini --db a.db --memory 1M
ok 'fits at all' prints 'no row of a is known to fit\.$'

validation head 'example = 5' 0.95
validation null 'example = 9' 0.95
ok 'a tie' run 0 recommend a.ini --db a.db --memory 200M
ok 'is told' prints '^As good on validation, and later in the file: head\.$'
validation null 'example IN (3, 7)' 0.9

# A time decides only where its interval is on one side of the limit.
ratio() { # ROW MIDDLE LOW HIGH
	for end in ":$2" ".low:$3" ".high:$4"; do
		sqlite3 a.db "INSERT INTO value (run, split, step, key, value) SELECT min(id), '', -1,
			'overhead.prefill_ratio.b1${end%%:*}', ${end##*:} FROM run WHERE experiment = 'a' AND row = '$1'"
	done
}
ok 'a time that nobody took' run 2 recommend a.ini --db a.db --overhead 1.05
ok 'is an error' says "no run has a value 'overhead.prefill_ratio.b1'"
ratio full 1.3 1.2 1.4
ratio head 1.04 1.01 1.07
ratio null 1.01 1 1.02
ok 'times' run 0 recommend a.ini --db a.db --overhead 1.05
ok 'that exceed the limit' is full no
ok 'that may' is head undecided
ok 'that do not' is null yes
ok 'that were not taken' is majority unknown
ok 'decide' prints '^overhead.prefill_ratio.b1 at most 1.050: null\.$'
ok 'in doubt' run 3 recommend a.ini --db a.db --overhead 1.015
ok 'nothing is said' prints 'no row of a is known to fit, and of 3 it is not known\.$'
ok 'a limit that decides without it' run 0 recommend a.ini --db a.db --overhead 1.05 --memory 95M
ok 'is enough' is head no

ok 'objects' run 0 recommend a.ini --db a.db --memory 200M --json
ok 'one a row' test "$(wc -l <out)" = 4
ok 'with the choice' prints '"row":"head","recommended":true,"fits":"yes","validation":0.95,'
ok 'and the costs' prints '"row":"full","recommended":false,"fits":"no".*"costs":\{"memory.train.total":400000000\}'
ok 'the same draws, the same answer' run 0 recommend a.ini --db a.db --json
cp out first && run 0 recommend a.ini --db a.db --json && ok 'again' cmp -s out first

for wrong in --memory=much --storage=-1 --overhead=0 --flops=1X; do
	ok "refused: $wrong" run 2 recommend a.ini --db a.db "$wrong"
	ok 'by name' says "${wrong%%=*}: want a positive number"
done
finish
