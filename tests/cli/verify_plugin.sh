#!/bin/bash
# A method that is not of this folder: the one that docs/write-a-method.md writes, compiled as it says.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/tiny
plugins       = gate.so
methods       = head, gate, gate+lora
timing_rounds = 0

[train]
epochs = 1
batch  = 8
END
compile() { # SOURCE.c: as the documentation says; beside sanitizers a plugin needs nothing of them
	"${CC:-gcc}" -std=c11 -O2 -shared -fPIC "${@:2}" -I "$root/src" -o "${1%.c}.so" "$1" 2>err
}

sed -n '/^```c$/,/^```$/p' "$root/docs/write-a-method.md" | sed '/^```/d' >gate.c
ok 'the documented method has no plugin line of its own yet' test "$(grep -c PB_PLUGIN gate.c)" = 0
cp gate.c bare.c
echo 'PB_PLUGIN(pb_method_gate)' >>gate.c
ok 'it compiles' compile gate.c -Wall -Wextra -Wmissing-prototypes -Werror
[ -f gate.so ] || { finish; exit 1; }
ok 'verify' run 0 verify gate.so
ok 'it keeps its promises' prints '^0 checks failed'
ok 'under its own name' prints '^ok +gate +encoder'
ok 'with settings and others' run 0 verify gate.so+lora:rank=2
ok 'unknown without its file' run 2 verify gate

ok 'plan' run 0 plan toy.ini
ok 'run' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'its digest is kept' test "$(sqlite3 a.db "SELECT count(*) FROM provenance WHERE key = 'plugin.gate' AND value = '$(sha256sum <gate.so | cut -d ' ' -f 1)'")" = 2
digest=$(sha256sum <gate.so | cut -d ' ' -f 1)
ok 'what a database names is not loaded' run 2 reproduce 2 --db a.db --quiet
ok 'what would be right' says "want --plugin FILE.so with the file of SHA-256 $digest"
{
	echo '#include <stdio.h>'
	echo '__attribute__((constructor)) static void here(void) { fclose(fopen("pwned", "w")); }'
	cat gate.c
} >evil.c
ok 'another file' compile evil.c
ok 'is not loaded in its place' run 2 reproduce 2 --db a.db --quiet --plugin evil.so
ok 'as its digest is another one' says "evil.so: the plugin was not loaded: its SHA-256 is $(sha256sum <evil.so | cut -d ' ' -f 1)"
ok 'and its code did not run' test ! -e pwned
ok 'reproduce' run 0 reproduce 2 --db a.db --quiet --plugin gate.so
ok 'the same again' prints 'test: ([0-9]+) of \1 predictions identical'
ok 'nothing to do twice' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'as before' test "$(sqlite3 a.db 'SELECT count(*) FROM run')" = 3
sed 's/pb_init_constant(1)/pb_init_constant(2)/' gate.c >other.c
ok 'changed' compile other.c
cp other.so gate.so
ok 'another file' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'is another run' test "$(sqlite3 a.db 'SELECT count(*) FROM run')" = 5
ok 'and a broken promise is found' run 1 verify gate.so
ok 'by its name' prints '^FAILED +gate .*base'

refused() { # NAME FILE MESSAGE
	ok "$1: exit 2" run 2 run toy.ini --db a.db --set "experiment.plugins=$2" --quiet
	ok "$1: its message" says "$3"
}
echo 'no object' >text.so
refused 'no object' text.so 'text.so: cannot be loaded'
refused 'no file' none.so 'none.so: cannot read'
ok 'without the line' compile bare.c
refused 'no plugin' bare.so 'want PB_PLUGIN(method)'
sed 's/PB_PLUGIN(pb_method_gate)/const pb_plugin pb_plugin_here = {{PB_ABI + 1}, \&pb_method_gate};/' gate.c >old.c
ok 'another contract' compile old.c
refused 'another contract' old.so 'compiled against another version of the contract'
sed 's/"gate"/"lora"/' gate.c >taken.c
ok 'a name' compile taken.c
refused 'a name that is taken' taken.so "there is a method 'lora' already"

row() { # TYPE KIND..: compiles an option row of a field of that C type
	echo "#include \"peftbench.h\"
typedef struct conf { $1 x; } conf;
const pb_option rows[] = {PB_OPTION(conf, x, $2), {0}};" >row.c
	compile row.c -Wall -Wextra -Werror
}
no_row() {
	! row "$@"
}
for kind in 'int INT, "1", 0, 9' 'double REAL, "1", 0, 9' 'bool BOOL, "no"' 'const_char_* TEXT, ""' 'int CHOICE, "a", "a|b"'; do
	field=${kind%% *} declared=${kind#* }
	ok "a row of $kind" row "${field//_/ }" "$declared, \"help\""
	for other in int double bool 'const char *' unsigned float 'char *' long; do
		[ "$other" = "${field//_/ }" ] || ok "$kind: not of $other" no_row "$other" "$declared, \"help\""
	done
done
finish
