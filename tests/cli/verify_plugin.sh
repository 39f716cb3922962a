#!/bin/bash
# Methods that are not of this folder: those that docs/write-a-method.md writes, compiled as it says.
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

documented() { # LANGUAGE NUMBER: the block of that number on the page
	awk -v start="^\`\`\`$1\$" -v want="$2" '$0 ~ start { n++; on = 1; next } /^```$/ { on = 0 } on && n == want' \
		"$root/docs/write-a-method.md"
}
documented c 1 >gate.c
documented c 2 >saliency.c
documented ini 1 | sed "s|gate\.so|$work/gate.so|" >documented.ini
sed '/PB_PLUGIN/d' gate.c >bare.c
ok 'it compiles' compile gate.c -Wall -Wextra -Wmissing-prototypes -Wno-missing-field-initializers -Werror
[ -f gate.so ] || { finish; exit 1; }
ok 'verify' run 0 verify gate.so
ok 'it keeps its promises' prints '^0 checks failed'
ok 'under its own name' prints '^ok +gate +encoder'
ok 'with settings and others' run 0 verify gate.so+lora:rank=2
ok 'unknown without its file' run 2 verify gate

ok 'the second example has at most 40 lines' test "$(wc -l <saliency.c)" -le 40
ok 'compiles' compile saliency.c -Wall -Wextra -Wmissing-prototypes -Wno-missing-field-initializers -Werror
ok 'verify' run 0 verify saliency.so
ok 'it keeps its promises' prints '^0 checks failed'
ok 'it keeps its promises, in both lines' prints '^ok +saliency +decoder +merged'
sed 's/^plugins .*/plugins = saliency.so/; s/^methods .*/methods = saliency/' toy.ini >saliency.ini
ok 'on a base in fewer bits' run 0 run saliency.ini --db c.db --threads 1 --quiet --set model.precision=int8

cd "$root" || exit 2
ok 'the experiment of the page, called as it says' run 0 plan "$work/documented.ini"
ok 'plans all rows' test "$(grep -cE '^(full|lora|gate|gate\+lora) ' "$work/out")" = 4
cd "$work" || exit 2

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
ok 'reproduce, with the plugins of an experiment' run 0 reproduce 2 --db a.db --quiet --plugin toy.ini
ok 'export does not load it by itself' run 2 export 2 whole --db a.db --merged
ok 'but says what would be right' says "want --plugin FILE.so with the file of SHA-256 $digest"
ok 'nor another file' run 2 export 2 whole --db a.db --merged --plugin evil.so
ok 'as its digest is another one' says 'run 2 was not made with it'
sed 's/gate\.so/evil.so/' toy.ini >evil.ini
ok 'nor that of an experiment' run 2 export 2 whole --db a.db --merged --plugin evil.ini
ok 'which is not executed' test ! -e pwned
ok 'with the plugin it exports a composition no more than others' run 2 export 3 adapter --db a.db --plugin gate.so
ok 'and says so' says 'a composition of 2 methods'
ok 'a method without a PEFT format' run 2 export 2 adapter --db a.db --plugin toy.ini
ok 'is named, and what would be right' says 'gate: no PEFT adapter can be written of this method; want --rank K, --merged'
ok 'show with the plugin' run 0 show gate --plugin gate.so
ok 'describes it' prints '^gate: Gate: a trained scale'
ok 'and its file' prints "^plugin: gate\.so, SHA-256 $digest\$"
ok 'show with an experiment' run 0 show gate --plugin toy.ini
ok 'describes it as well' prints '^class: additive$'
ok 'show without it' run 2 show gate
sed 's/"Gate: [^"]*"/"Gate: \\"g\\" \\\\ \\n"/' gate.c >quoted.c
ok 'a title with quotes' "${CC:-gcc}" -std=c11 -O2 -shared -fPIC -I "$root/src" -o quoted.so quoted.c
ok 'list as JSON' run 0 list --json --plugin quoted.so
ok 'is JSON' prints '^\{"method":"gate",.*"title":"Gate: \\"g\\" \\\\ \\n","paper":'
ok 'list with the plugin' run 0 list --plugin gate.so
ok 'has it' prints '^  gate +(yes|no) '
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

# ---- presets of a plugin --------------------------------------------------------------------------------------------
with_preset() { # FILE PRESET: scaled.c, a method with a setting, and a preset
	cat >"$1.c" <<-END
		#include "peftbench.h"
		typedef struct conf {
		    double start;
		} conf;
		static const pb_option options[] = {PB_OPTION(conf, start, REAL, "1", -9, 9, "the first value"), {0}};
		static const pb_preset presets[] = {$2, {0}};
		static pb_node *logits(pb_build *b, pb_node *y)
		{
		    const conf *c = pb_conf(b);
		    return pb_op_scale(b->graph, y, pb_vector(b, NULL, "g", 2, pb_init_constant(c->start)));
		}
		static const pb_method scaled = {.name = "scaled", .title = "T", .paper = "P", .help = "H", .traits.category = PB_ADDITIVE,
		    .settings = {options, sizeof(conf)}, .presets = presets, .hooks.logits = logits};
		PB_PLUGIN(scaled)
	END
	compile "$1.c" -Wall -Wextra -Wno-missing-field-initializers -Werror
}
ok 'a preset of a plugin' with_preset scaled '{"halved", "Halved", "P", "start=0.5"}'
sed 's/^plugins .*/plugins = scaled.so/; s/^methods .*/methods = scaled, halved, halved:start=2/' toy.ini >scaled.ini
ok 'runs' run 0 run scaled.ini --db b.db --threads 1 --quiet
ok 'with its setting' test "$(sqlite3 b.db "SELECT value FROM setting JOIN run ON run.id = run WHERE row = 'halved' AND key = 'method.scaled.start'")" = 0.5
ok 'is the same by the name of its method' run 0 status scaled.ini --db b.db --set experiment.methods=scaled:start=0.5
ok 'show' run 0 show halved --plugin scaled.so
ok 'has it' prints '^preset of a method: = scaled: start=0.5$'
ok 'has it, in both lines' prints '^  start +\= 0.5 '
bad_preset() { # NAME PRESET MESSAGE
	ok "$1" with_preset bad "$2"
	refused "$1" bad.so "$3"
}
bad_preset 'a preset that is a method' '{"lora", "T", "P", "start=2"}' "bad.so: scaled: preset 'lora': there is a method of this name"
bad_preset 'a preset that is its method' '{"scaled", "T", "P", "start=2"}' "preset 'scaled': there is a method of this name"
bad_preset 'a preset that is taken' '{"dora", "T", "P", "start=2"}' "preset 'dora': lora has a preset of this name"
bad_preset 'a preset twice' '{"two", "T", "P", "start=2"}, {"two", "T", "P", "start=3"}' "preset 'two': the name is given twice"
bad_preset 'a preset of no setting' '{"two", "T", "P", "stat=2"}' "preset 'two': no setting 'stat'; did you mean 'start'?"
bad_preset 'a preset of a bad value' '{"two", "T", "P", "start=20"}' "preset 'two': start: want a number in -9..9, got '20'"
bad_preset 'a preset that is a composition' '{"two", "T", "P", "scaled:start=2+lora"}' "preset 'two': a composition, 'scaled:start=2+lora'"
bad_preset 'a preset that is a whole spec' '{"two", "T", "P", "lora:rank=2"}' "preset 'two': want settings KEY=VALUE,KEY=VALUE, got 'lora:rank=2'"
bad_preset 'a preset with an odd name' '{"Two", "T", "P", "start=2"}' "preset 'Two': want a name of a-z, 0-9 and '-'"
sed 's/"scaled"/"dora"/; s/{"halved.*}, {0}/{0}/' scaled.c >named.c
ok 'a method' compile named.c
refused 'with the name of a preset' named.so "there is a preset 'dora' already"

row() { # TYPE KIND..: compiles an option row of a field of that C type
	echo "#include \"peftbench.h\"
typedef struct conf { $1 x; } conf;
const pb_option rows[] = {PB_OPTION(conf, x, $2), {0}};" >row.c
	compile row.c -Wall -Wextra -Wno-missing-field-initializers -Werror
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
