#!/bin/bash
# The tables of the documentation are those of the committed databases, and its figures can be drawn from them.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
export PEFTBENCH=$program
check() { "$1/tools/figures.pl" --check >"$work/out" 2>"$work/err"; }
ok 'the documentation as it is' check .
ok 'has a table and a figure at least' prints '^[2-9][0-9]* figures and tables$'
mkdir "$work/copy" && cp -r Makefile README.md docs results tasks tools "$work/copy"
cd "$work/copy" || exit 2
sed -i 's/^bitfit  .*0.5587/bitfit 0.9999/' docs/retention.md
ok 'another number is found' eval '! check .'
ok 'and named' prints '^docs/retention.md: the table of results/retention.db is another one'
ok 'written as it is' tools/figures.pl
ok 'it is right again' check .
ok 'as it was' cmp docs/retention.md "$root/docs/retention.md"
ok 'the figure too, but for the fonts of this machine' test -s docs/strength.svg
finish
