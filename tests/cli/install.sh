#!/bin/bash
# make install: experiments run in any folder, and a plugin is compiled, verified and run, with what is installed and
# without the source tree.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

place=$work/place include=$work/place/opt/include/peftbench
# `-o all`: what is tested is installed, and nothing is compiled.
install() {
	make -o all "$1" BUILD="$(dirname "$program")" DESTDIR="$place" PREFIX=/opt >"$work/out" 2>"$work/err"
}
ok 'install' install install
cd "$work" || exit 2
program=$place/opt/bin/peftbench
ok 'the program' run 0 list
ok 'the header of plugins' test -f "$include/peftbench.h"
ok 'none of the engine' test -z "$(find "$include" -name '*internal*' -o -name 'store*' -o -name '*.c')"
find "$include" -name '*.h' | sort >headers
ok 'those that it includes' test "$(wc -l <headers)" -gt 12
while IFS= read -r header; do
	ok "${header#"$include/"} compiles alone" "${CC:-gcc}" -std=c11 -Wall -Wextra -Wmissing-prototypes -Werror -fsyntax-only \
		-I "$include" -x c "$header"
done <headers

sed -n '/^```c$/,/^```$/{p;/^```$/q}' "$root/docs/write-a-method.md" | sed '/^```/d' >gate.c # the first example
grep -q PB_PLUGIN gate.c || echo 'PB_PLUGIN(pb_method_gate)' >>gate.c
command=$(sed -n 's/^\(gcc -std=c11 .*\) -o gate.so gate.c$/\1/p' "$root/docs/write-a-method.md" | head -n 1)
ok 'the documentation says how to compile' grep -q -- ' -I/usr/local/include/peftbench' <<<"$command"
command=${command/#gcc/"${CC:-gcc}"}
# shellcheck disable=SC2086 # a command
ok 'a plugin' ${command/\/usr\/local\/include\/peftbench/$include} -Wall -Wextra -Werror -o gate.so gate.c
ok 'of these headers alone' test -z "$("${CC:-gcc}" -std=c11 -MM -I "$include" gate.c | grep -F "$root/src")"
ok 'keeps its promises' run 0 verify gate.so
ok 'all of them' prints '^0 checks failed'
toy_task
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
plugins = gate.so
methods = head, gate
timing_rounds = 0

[train]
epochs = 1
END
ok 'runs' run 0 run toy.ini --db a.db --quiet
ok 'and is stored' test "$(sqlite3 a.db "SELECT count(*) FROM run WHERE row = 'gate'")" = 1

# ---- what comes with the program ------------------------------------------------------------------------------
mkdir empty && cd empty || exit 2
ok 'a task' run 0 data sentiment --model models/pico-encoder
ok 'has its data' prints '^examples +1600 '
ok 'its file' run 0 show sentiment
ok 'is where it was installed' prints "$place/opt/share/peftbench/tasks/sentiment.ini"
ok 'a shape' run 0 plan --model llama-3-8b --methods lora --device 24G
ok 'a tokenizer' test "$(echo hello | "$program" tokenize --model models/pico-decoder | wc -l)" = 1
small=(--set experiment.methods=full,head --set experiment.seeds=1 --no-timing --quiet)
ok 'a table of claims' run 0 claims experiments/claims/article.tsv --json
ok 'with a verdict' prints '"id":"adam-moments".*"verdict":"confirmed"'
ok 'an experiment' run 0 run experiments/check.ini "${small[@]}"
ok 'is stored here' test -s results/peftbench.db
ok 'with the size of the base' test "$(sqlite3 results/peftbench.db "SELECT count(*) FROM value WHERE key = 'storage.rebuild_bytes' AND value > 1e7")" = 2
ok 'and drawn here' test -s plots/check/axes.svg
ok 'demo is the one of the README' run 0 demo --help
mkdir tasks && printf '[task]\nkind = sentiment\n' >tasks/sentiment.ini
ok 'what is here comes before what is installed' run 2 data sentiment
ok 'also if it is wrong' says 'peftbench: tasks/sentiment.ini:2: '
ok 'a file that is nowhere' run 2 run experiments/none.ini
ok 'is named as it was given' says 'peftbench: experiments/none.ini: cannot read'
cd ..
ok 'the manual page' test -s "$place/opt/share/man/man1/peftbench.1"
ok 'the completion for bash' bash -n "$place/opt/share/bash-completion/completions/peftbench"
ok 'the completion for zsh' test -s "$place/opt/share/zsh/site-functions/_peftbench"

cd "$root" || exit 2
touch "$place/opt/bin/other"
ok 'uninstall' install uninstall
ok 'removes what was installed' test "$(cd "$place" && find . -type f)" = ./opt/bin/other
finish
