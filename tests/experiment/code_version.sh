#!/bin/bash
# The version of the code, which is part of the hash of a run: what changes it in a copy of the sources, and what does not.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

cp -r src methods tasks tools "$work"
cd "$work" || exit 2
engine() { tools/version.sh "${CC:-gcc}" "${1:-}" >version.h && sed -n 's/#define PB_CODE_VERSION //p' version.h; }
digests() { # NAME DIGEST of each plugin, from the tables of the registry, which stand in the same order
	tools/registry.sh methods/*.c tasks/*.c >registry.c &&
		paste <(sed -nE 's/^    &pb_(method|task)_(.*),/\2/p' registry.c) <(sed -n 's/^    "\([0-9a-f]*\)",/\1/p' registry.c)
}
was=$(engine)
plugins=$(digests)
same_engine() { [ "$(engine)" = "$was" ] || { echo "    was $was, is $(engine)" && return 1; }; }
same_plugins() { digests | diff <(echo "$plugins") -; }
not() { ! "$@"; }
# Puts a copy of the file aside, and back again.
edit() { cp "$2" kept && sed -i "$1" "$2" && ! cmp -s kept "$2"; }
back() { cp kept "$1"; }

files=$(grep -L '^const pb_preset pb_preset_' methods/*.c tasks/*.c | wc -l) # a file of a preset has no digest
ok 'a digest of each' [ "$(echo "$plugins" | grep -cE '^[a-z0-9_]+	[0-9a-f]{64}$')" = "$files" ]
ok 'of its own' [ "$(echo "$plugins" | cut -f 2 | sort -u | wc -l)" = "$files" ]
ok 'a version of the engine' [ "$(echo "$was" | grep -cE '^"[0-9a-f]{12}"$')" = 1 ]

# ---- comments and layout ------------------------------------------------------------------------------------------
for file in methods/ia3.c tasks/classify.c src/graph/op_linear.c src/base/rng.h; do
	ok "a comment in $file" edit '1s,^,/* A "comment'"'"' */ // and another \\ one\n,; s,;$,; /* "a" */ // '"'b'"',' $file
	ok 'changes no digest' same_plugins
	ok 'and not the engine' same_engine
	back $file
	ok "another layout of $file" edit 's/^ */\t&/; s/;$/  ;\n/; s/{$/\n  {/; s/^\t#/ # /' $file
	ok 'changes no digest' same_plugins
	ok 'and not the engine' same_engine
	back $file
done

# ---- code ---------------------------------------------------------------------------------------------------------
ok 'a constant of a method' edit 's/pb_init_constant(1)/pb_init_constant(2)/' methods/ia3.c
ok 'changes its digest alone' [ "$(diff <(echo "$plugins") <(digests) | grep '^<' | cut -f 1)" = '< ia3' ]
ok 'and not the engine' same_engine
back methods/ia3.c
sed 's/pb_method_null/pb_method_new/; s/"null"/"new"/' methods/null.c >methods/new.c
ok 'a new method is added' [ "$(diff <(echo "$plugins") <(digests) | grep '^[<>]' | cut -f 1)" = '> new' ]
ok 'and not the engine' same_engine
rm methods/new.c
ok 'a constant of the engine' edit 's/0x1p-53/0x1p-54/' src/base/rng.c
ok 'is another version' not same_engine
ok 'of no method' same_plugins
back src/base/rng.c
ok 'the double engine is another one' [ "$(engine '-O3 -DPB_REAL_DOUBLE')" = "${was%\"}-double\"" ]
for file in src/cli/main.c src/report/report.c src/driver/run.c src/results/store.h docs.c; do
	echo 'int more;' >>$file
	ok "$file is none of the engine" same_engine
done
mv tools/tokens.pl tools/away.pl
ok 'without tokens there is no version' not engine 2>/dev/null
ok 'and no digest' not digests 2>/dev/null
mv tools/away.pl tools/tokens.pl

# ---- tokens -------------------------------------------------------------------------------------------------------
tokens() { printf '%s\n' "$1" >one.c && tools/tokens.pl one.c; }
alike() { [ "$(tokens "$1")" = "$(tokens "$2")" ]; }
ok 'comments' alike 'a/* " */=b;// "' 'a = b ;'
ok 'a comment is a blank' not alike 'int/**/x' 'intx'
ok 'no comment in a text' not alike 'f("/* a */")' 'f("/* b */")'
ok 'nor a line of one' not alike 'f("//a")' 'f("//b")'
ok 'blanks in a text count' not alike 'f("a  b")' 'f("a b")'
ok 'a quote in a character' not alike "f('\"'); /* x */ g" "f('\"'); /* x */ h"
ok 'an escaped quote' not alike 'f("\"/*"); g("*/")' 'f("\"/*"); h("*/")'
ok 'a quote in a comment' not alike "/* it's */ f(1)" "/* it's */ f(2)"
ok 'operators' not alike 'a + +b' 'a ++b'
ok 'a wide text' not alike 'L "a"' 'L"a"'
ok 'where a directive ends' not alike '#define A 1
int x;' '#define A 1 int x;'
ok 'a continued directive' alike '#define A 1 \
	+ 2' '#define A 1 + 2'
ok 'a macro with arguments' not alike '#define f(x) x' '#define f (x) x'
ok 'a comment over lines of a directive' alike '#define A /* a
b */ 1' '#define A 1'

finish
