#!/bin/bash
# [retention]: measured once for each chosen run, bound to its text, and refused where it cannot be.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

refuses() { run 2 "${@:2}" && says "$1"; }
number() { sqlite3 r.db "$2" >"$work/out" && [ "$(cat "$work/out")" = "$1" ]; }

cd "$work" || exit 2
texts_task toy 30 0.2 'film %d was good and fun' 'film %d was bad and dull'
ln -s "$root/models/pico-decoder" models/decoder
head -n 3 "$root/data/retention/general.txt" >text.txt
cat >r.ini <<'END'
[experiment]
task          = toy
model         = models/decoder
methods       = head, lora, prefix
seeds         = 0, 1
timing_rounds = 0

[train]
epochs = 1
batch  = 8
lr     = 1e-2

[train lora]
lr = 1e-2, 1e-3

[train head]
lr = 1e-2, 1e-3

[retention]
text  = text.txt
limit = 2
END
grep -v -e retention -e '^text ' -e limit r.ini >none.ini
ok 'without the section' run 0 run none.ini --db none.db --quiet --set experiment.methods=head --set experiment.seeds=0
ok 'nothing is measured' test "$(sqlite3 none.db "SELECT count(*) FROM value WHERE key GLOB 'retention.*'")" = 0
ok 'run' run 0 run r.ini --db r.db --quiet
ok 'the table below the table' prints '^retention +loss delta +drift +CKA +norm +effective rank +overlap$'
ok 'nothing of the base trains in head' prints '^head +\+0.0000 ±0.0000 +0.0000 ±0.0000 +1.0000 ±0.0000 +0.0000 ±0.0000 +- +-$'
ok 'a prefix cannot be folded' prints '^prefix .* - +- +-$'
ok 'each chosen run is measured, and no other' number 6,6 "SELECT count(*) || ',' || count(DISTINCT run) FROM value
	WHERE key = 'retention.cka'"
ok 'LoRA changes something' number 2 "SELECT count(*) FROM value v JOIN run r ON r.id = v.run WHERE row = 'lora'
	AND key = 'retention.drift' AND value > 1e-6"
ok 'its rank is at most 8' number 1 "SELECT min(value > 1 AND value <= 8) FROM value v JOIN run r ON r.id = v.run
	WHERE row = 'lora' AND key = 'geometry.effective_rank'"
ok 'the base is one' number 1 "SELECT count(DISTINCT value) FROM value WHERE key = 'retention.base_loss'"
ok 'the text is known' number "$(sha256sum text.txt | cut -c 1-64) texts=2 tokens=128" \
	"SELECT DISTINCT value FROM provenance WHERE key = 'retention.text'"
ok 'as columns' run 0 table r.ini --db r.db --columns retention.loss_delta,geometry.norm
ok 'with a dash' prints '^prefix +[-+0-9.e]+ +- '
ok 'sorted' run 0 table r.ini --db r.db --sort retention.cka
ok 'the best first' prints '^head '
ok 'an axis of the front' run 0 pareto r.ini --db r.db --axes accuracy.test.accuracy,retention.loss_delta
ok 'once only' run 0 run r.ini --db r.db
ok 'nothing is measured again' test "$(grep -c retention err)" = 0
cp r.db before.db
ok 'another limit' refuses 'r.ini: [retention]: the retention of run' run r.ini --db r.db --quiet --set retention.limit=1
ok 'a table of another text' run 0 table r.ini --db r.db --set retention.limit=1
ok 'leaves it out' prints '^lora: its retention was measured on other text than that of \[retention\], and is left out$'
ok 'with its numbers' test "$(grep -c '^retention ' out)" = 1
ok 'but has the geometry' prints '^lora +- +- +- +[0-9]'

# ---- the strength of the change -------------------------------------------------------------------------------
strengths='--set experiment.strength=0,0.5,1 --set experiment.seeds=0'
# shellcheck disable=SC2086 # a list of options
ok 'strengths of runs that have been measured' run 0 run r.ini --db r.db --quiet $strengths
ok 'a prefix has none, and why' says 'strength: prefix is left out: its methods cannot be folded into the weights'
ok 'the table' prints '^test accuracy at strength +0 +0.5 +1$'
ok 'of the loss too' prints '^loss delta at strength +0 +0.5 +1$'
ok 'none at strength 0' prints '^lora +\+0.0000 +[-+]0.[0-9]+ +[-+]0.[0-9]+$'
ok 'none of a prefix' number 0 "SELECT count(*) FROM value v JOIN run r ON r.id = v.run WHERE row = 'prefix'
	AND key GLOB '*.s[01]*'"
ok 'strength 1 scores as the run' number 2,2 "SELECT count(*) || ',' || sum(v.value = s.value) FROM value v
	JOIN value s ON s.run = v.run WHERE v.key = 'accuracy.test.accuracy' AND v.split = 'test' AND v.step = -1
	AND s.key = 'retention.score.s1'"
ok 'and forgets as much, to rounding' number 1 "SELECT max(abs(v.value - s.value)) < 1e-5 FROM value v
	JOIN value s ON s.run = v.run WHERE v.key = 'retention.loss_delta' AND s.key = 'retention.loss_delta.s1'"
ok 'strength 0 is the base' number 0.0,0.0 "SELECT max(abs(value)) || ',' || (SELECT max(abs(value)) FROM value
	WHERE key = 'retention.drift.s0') FROM value WHERE key = 'retention.loss_delta.s0'"
ok 'every strength has a score' number 2 "SELECT count(*) FROM value WHERE key = 'retention.score.s0'"
# shellcheck disable=SC2086
ok 'nothing is measured again' run 0 run r.ini --db r.db $strengths
ok 'nothing is measured again' test "$(grep -c retention err)" = 0
ok 'the figure' test -s plots/r/strength.svg
ok 'with three panels' test "$(grep -c '^plot \$d' plots/r/strength.gp)" = 3
ok 'a row compared' run 1 compare r/lora r/head --db r.db
ok 'by its retention' prints '^retention.drift +[0-9.e-]+ +0 '

# ---- what is refused ------------------------------------------------------------------------------------------
sed 's/text.txt/none.txt/' r.ini >file.ini
ok 'no file' refuses 'file.ini:20: none.txt: no such file' run file.ini
printf 'good\nb\377d\n' >bad.txt
ok 'not a text' refuses 'bad.txt:2: a byte that is not UTF-8: 0xff; want a text in UTF-8' run r.ini --set retention.text=bad.txt
ok 'an unknown key' refuses "no setting 'lines'" run r.ini --set retention.lines=3
ok 'a strength above 1' refuses "strength: want numbers from 0 to 1, separated by commas, got '2'" run r.ini --set experiment.strength=0,2
ok 'strengths that fall' refuses "strength: want numbers that rise, got '1, 0'" run r.ini --set 'experiment.strength=1, 0'
ok 'strengths without a text' refuses 'strength: want a section [retention]' run none.ini --set experiment.strength=0,1
ok 'windows of nothing' refuses 'tokens: want' run r.ini --set retention.tokens=0
finish
