#!/bin/bash
# Text of users and of strangers is data: for a terminal, for gnuplot, in databases.
set -u
cd "$(dirname "$0")/.." || exit 2
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
ok 'with its reason' says 'gnuplot: it fails; want gnuplot'
rm bin/gnuplot
ok 'and so is a missing one' before_work "$PWD/bin"
ok 'with its reason' says 'gnuplot: cannot run it: No such file or directory; want gnuplot'
rm -r plots
echo >plots
ok 'and a folder that cannot be made' before_work "$PATH"
rm plots

finish
