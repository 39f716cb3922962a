#!/bin/bash
# check: scores, sizes and times that became worse, and its exit codes.  Predictions and times are set here.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cd "$work" || exit 2
scored_study
ok 'a database' run 0 run toy.ini --db a.db

ok 'the same again' run 0 run toy.ini --db b.db
ok 'nothing is worse' run 0 check a.db --db b.db --method lora --times --margin 0.01,1e9 --out junit.xml
ok 'says so' prints '^ok +toy/lora: identity: the same to the bit; trajectory: within 0 .*[0-9]+ axes, 3 seeds'
ok 'JUnit' grep -q '<testcase classname="toy/lora" name="accuracy.test.accuracy"/>' junit.xml
ok 'the same predictions' run 0 compare a.db:toy/full b.db:toy/full --margin 0.01,1e9
cp b.db worse.db
sqlite3 worse.db "DROP TRIGGER prediction_update; DROP TRIGGER value_update; UPDATE prediction SET predicted = 1 - label
	WHERE split = 'test' AND example < 20 AND run IN (SELECT id FROM run WHERE row = 'lora')"
ok 'accuracy lost' run 1 check a.db --db worse.db --margin 0.01,1e9 --out junit.xml
ok 'is named' prints '^worse +toy/lora: accuracy.test.accuracy: was '
ok 'and the others are well' prints '^ok +toy/head'
ok 'a failure for JUnit' grep -q 'name="accuracy.test.accuracy"><failure message="toy/lora' junit.xml
sqlite3 worse.db "UPDATE value SET value = value + 1 WHERE key = 'storage.trainable'
	AND run IN (SELECT id FROM run WHERE row = 'head')"
ok 'a parameter more' run 1 check a.db --db worse.db --method head --margin 0.01,1e9
ok 'is a change' prints '^changed +toy/head: storage.trainable'
ok 'unless it is declared' run 0 check a.db --db worse.db --method head --margin 0.01,1e9 --declare storage.trainable
# One database has times of a clear machine, the other those of a method 10 % slower; each process is off by a percent.
for one in a b; do
	[ $one = a ] && slow=1 || slow=1.1
	sqlite3 $one.db "DROP TRIGGER IF EXISTS value_update; UPDATE value SET value = $slow * (1 + 0.01 * (step % 3 - 1))
		WHERE key GLOB 'overhead.prefill_ratio.*' AND step >= 0"
done
ok '10 % slower' run 1 check a.db --db b.db --method lora --times
ok 'which nobody asks for' run 0 check a.db --db b.db --method lora
ok 'once more' run 1 check a.db --db b.db --method lora --times
ok 'is named' prints '^worse +toy/lora: overhead.prefill_ratio.b1: was 0.99.*, is 1.09.*p '
ok 'faster is well' run 0 check b.db --db a.db --method lora --times
cp a.db luck.db # a single time that is off by chance, among all of them
sqlite3 luck.db "UPDATE value SET value = value * 1.035 WHERE key = 'overhead.prefill_ratio.b1' AND step >= 0 AND run IN
	(SELECT id FROM run WHERE row = 'lora'); UPDATE value SET value = value * 1.06 WHERE step = 1 AND
	key = 'overhead.prefill_ratio.b1' AND run IN (SELECT id FROM run WHERE row = 'lora')"
ok 'worse by itself' run 1 compare luck.db:toy/lora a.db:toy/lora
ok 'but one of many times fails nothing' run 0 check a.db --db luck.db --times
ok 'is undecided' prints '^undecided toy/lora: overhead.prefill_ratio.b1: .*p 0.0[0-9]*, adjusted over [0-9]+ times'
ok 'no such method' run 2 check a.db --db b.db --method none-such
ok 'its message' says 'a.db: no row of method none-such'
sed 's/^methods.*/methods = head, full/' toy.ini >less.ini && cp less.ini toy.ini
rm -f c.db* && ok 'rows that are gone' run 0 run toy.ini --db c.db --no-timing
ok 'are not comparable' run 2 check a.db --db c.db --method lora
ok 'refused' prints "^refused +toy/lora: c.db: no row or run 'toy/lora'"

finish
