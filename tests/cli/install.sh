#!/bin/bash
# make install: a plugin is compiled, verified and run with what is installed, without the source tree.
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

cd "$root" || exit 2
touch "$place/opt/bin/other"
ok 'uninstall' install uninstall
ok 'removes what was installed' test "$(cd "$place" && find . -type f)" = ./opt/bin/other
finish
