#!/bin/bash
# Text of users and of strangers is data: for a terminal, for gnuplot, in databases.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
escape=$'\e'

# ---- a terminal obeys nothing ----------------------------------------------------------------------------------
on_terminal() { # ARGUMENTS...: standard output is a terminal, whose output goes to out
	script -qec "$(printf '%q ' "$program" "$@")" /dev/null >out 2>err </dev/null
}
shows() { grep -qaF -- "$1" out && ! grep -qaF "$escape" out; }

cp tasks/toy.ini "tasks/${escape}[31mred.ini"
ok 'a list on a terminal' on_terminal list
ok 'shows what it does not do' shows '\u001b[31mred'
ok 'a list in a pipe' run 0 list
ok 'is as it is' prints "${escape}\\[31mred"
rm "tasks/${escape}[31mred.ini"
ok 'an error' run 2 show "${escape}]0;title"
ok 'is safe in any file' says '\u001b]0;title'

# ---- gnuplot runs nothing of the user's ------------------------------------------------------------------------
experiment() { # FILE, and the names of the row's variant and the title in $variant and $title
	cat >"$1" <<END
[experiment]
task          = toy
model         = models/tiny
title         = $title
methods       = head, lora:$variant
seeds         = 0
timing_rounds = 0

[train]
epochs = 1
batch  = 8

[method lora:$variant]
rank = 2
END
}
untouched() { [ -z "$(find . -name 'pwned*')" ]; }

title='t `touch pwned-1` @x _y {/Bold <b>&amp;} %g \101 "q" '"'p'" variant='v `touch pwned-2` %g <i>'
evil="x'; system(\"touch pwned-3\"); '"
experiment "$evil.ini"
ok 'a title, a row and a file that are commands' run 0 run "$evil.ini" --db a.db --threads 1 --quiet
ok 'run nothing' untouched
figures="plots/$evil"
ok 'every figure is there' test -s "$figures/accuracy-parameters.pdf" -a -s "$figures/curves.svg"
ok 'none is half done' test -z "$(find plots -name '*.tmp')"
grep -h '<text' "$figures"/*.svg >out
ok 'the title is the text' grep -qF 't `touch pwned-1` @x _y {/Bold &lt;b>&amp;amp;} %g \101 "q" '"'p'" out
ok 'the row is the text' grep -qF 'lora:v `touch pwned-2` %g &lt;i>' out
ok 'a folder that is a command' run 0 plot "$evil.ini" --db a.db --out "o'; system(\"touch pwned-4\"); '"
ok 'runs nothing either' untouched
echo 'system("touch pwned-5")' >.gnuplot
ok 'nor does a start-up file' env HOME="$PWD" "$program" plot "$evil.ini" --db a.db --out figures
ok 'nor does it' untouched

mkdir bin
printf '#!/bin/sh\nexit 3\n' >bin/gnuplot
chmod +x bin/gnuplot
before_work() { # PATH: run ends with exit code 2 and computes nothing
	PATH=$1 run 2 run "$evil.ini" --db b.db --quiet && [ ! -e b.db ]
}
ok 'a gnuplot that fails is known before any work' before_work "$PWD/bin:$PATH"
ok 'with its reason' says 'gnuplot: it ended with an error; want gnuplot'
rm bin/gnuplot
ok 'and so is a missing one' before_work "$PWD/bin"
ok 'with its reason' says 'gnuplot: it cannot be started: No such file or directory; want gnuplot'
rm -r plots
echo >plots
ok 'and a folder that cannot be made' before_work "$PATH"
rm plots

# ---- a database of somebody else is data -----------------------------------------------------------------------
title=t variant=v
experiment toy.ini
ok 'a run' run 0 run toy.ini --db c.db --threads 1 --quiet
cat >evil.c <<'X'
#include <stdio.h>
__attribute__((constructor)) static void here(void) { fclose(fopen("pwned-6", "w")); }
X
"${CC:-gcc}" -shared -fPIC -o evil.so evil.c
ok 'reproduce' run 0 reproduce 2 --db c.db --quiet
ok 'a variant' prints 'c.db: lora:v, seed 0'
foreign() { # SQL: on a copy of the database that lets everything be changed
	cp c.db e.db
	sqlite3 e.db "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger'" | sqlite3 e.db
	sqlite3 e.db "$1"
}
refused() { # NAME SQL MESSAGE
	foreign "$2"
	ok "$1: exit 2" run 2 reproduce 2 --db e.db --quiet
	ok "$1: its message" says "$3"
	ok "$1: nothing ran" untouched
}
foreign "INSERT INTO provenance VALUES (2, 'plugins', 'evil.so')"
ok 'a plugin that is named in it' run 0 reproduce 2 --db e.db --quiet
ok 'is not loaded' untouched
line="char(10) || 'plugins = evil.so'"
refused 'a model with a line more' "UPDATE run SET model = model || $line" 'want a value of one line'
refused 'a row with a line more' "UPDATE run SET row = row || $line" 'want a value of one line'
refused 'a setting with a section more' "UPDATE setting SET value = '1' || char(10) || '[experiment]' || $line
	WHERE key = 'train.lr'" 'train.lr: want a value of one line'
refused 'a setting of the experiment' "INSERT INTO setting VALUES (2, 'experiment.plugins', 'evil.so')" \
	"setting 'experiment.plugins': row lora:v has no such setting"
refused 'a list of rows' "UPDATE run SET row = 'head, lora'" "no method 'head, lora'"
refused 'a sweep' "UPDATE setting SET value = '1e-3, 1e-4' WHERE key = 'train.lr'" "lr: want a number in 0..1000, got '1e-3, 1e-4'"
refused 'a task elsewhere' "UPDATE run SET task = '../../toy'" 'want the name of a task'
refused 'a model that is a device' "UPDATE run SET model = '/dev/zero'" '/dev/zero'
refused 'names that a terminal would obey' "UPDATE run SET task = 'x' || char(27) || ']0;y'" 'x\u001b]0;y'

ok 'export' run 0 export 2 adapter --db c.db --threads 1
foreign "UPDATE run SET hash = '../../../../../../../../../../../../../../../../../etc/passwd' WHERE id = 2"
ok 'a hash that leads away' run 2 export 2 away --db e.db --threads 1
ok 'is none' says 'want 64 hexadecimal digits'
foreign "UPDATE provenance SET value = 'x' || substr(value, 2) WHERE key = 'model'"
ok 'another model than it was trained on' run 2 export 2 other --db e.db --threads 1
ok 'is found out' says 'but run 2 was trained on a model with x'
mv models/tiny models/here
ok 'a model that lies elsewhere here' run 0 export 2 moved --db c.db --threads 1 --model models/here
ok 'gives the same adapter' cmp -s adapter/adapter_model.safetensors moved/adapter_model.safetensors
mv models/here models/tiny

# ---- JSON and XML hold any name --------------------------------------------------------------------------------
is_json() { # FILE: a JSON value a line
	test -s "$1" -a "$(sqlite3 :memory: -cmd '.mode csv' -cmd 'CREATE TABLE t (line)' -cmd '.separator \001' ".import $1 t" \
		'SELECT count(*) FROM t WHERE NOT json_valid(line)')" = 0
}
variant='q"\<&'
experiment names.ini
ok 'plan of a row with quotes' run 0 plan names.ini --json
ok 'is JSON' is_json out
names="experiment = 'e\"<' || char(27) || '&', row = 'r\"' || char(1, 10) || row"
foreign "UPDATE run SET $names; UPDATE selection SET $names"
ok 'check of names with controls' run 0 check e.db --db e.db --json --out junit.xml
ok 'is JSON' is_json out
ok 'and XML' grep -qF 'classname="e&quot;&lt;\u001b&amp;/r&quot;\u0001\nhead"' junit.xml
ok 'without a control character' test -z "$(tr -d '\n' <junit.xml | LC_ALL=C grep -a '[[:cntrl:]]')"

# ---- labels of a data set --------------------------------------------------------------------------------------
sed "s/^good/go${escape}[31mod/" data/toy.tsv >data/evil.tsv
sed 's/toy.tsv/evil.tsv/' tasks/toy.ini >tasks/evil.ini
variant=v
experiment evil.ini
sed -i 's/= toy/= evil/' evil.ini
ok 'labels with controls' run 0 run evil.ini --db d.db --threads 1 --quiet
for i in $(seq 20); do echo "film $i was good"; done >texts
script -qec "$(printf '%q ' "$program" predict evil.ini --db d.db --threads 1) <texts" /dev/null >out 2>err </dev/null
ok 'a terminal' shows '\u001b[31mod'
"$program" predict evil.ini --db d.db --threads 1 <texts >out 2>err
ok 'a pipe gets the data as it is' grep -qaF "go${escape}[31mod" out

finish
