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

finish
