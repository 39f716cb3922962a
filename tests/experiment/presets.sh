#!/bin/bash
# Presets: names of their own for settings of a method.  `dora` and `lora:dora=yes` are one cell, under two labels.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/tiny
methods       = head, dora, lora, dora:rank=3, rslora:wide, dora+prefix:length=2
seeds         = 0
timing_rounds = 0

[train]
epochs = 1
batch  = 8

[method lora]
rank = 2

[method dora]
rank = 5

[method rslora:wide]
targets = *
END
setting() { # ROW KEY
	sqlite3 a.db "SELECT DISTINCT value FROM setting s JOIN run r ON r.id = s.run WHERE r.row = '$1' AND s.key = 'method.lora.$2'"
}
runs() { sqlite3 a.db 'SELECT count(*) FROM run'; }
with() { # METHODS [FILE]: toy.ini with other rows
	sed "s/^methods .*/methods = $1/" toy.ini >"${2:-other.ini}"
}

# ---- what a preset is -----------------------------------------------------------------------------------------------
ok 'run' run 0 run toy.ini --db a.db --threads 1 --quiet
ok 'a preset sets what it stands for' is "$(setting dora dora)" yes
ok 'and nothing else' is "$(setting dora rslora)" no
ok 'in a composition too' is "$(setting dora+prefix:length=2 dora)" yes
ok 'of another one' is "$(setting rslora:wide rslora)" yes
ok 'a variant is a section of its name' is "$(setting rslora:wide targets)" '*'
ok 'a section of its name concerns it' is "$(setting dora rank)" 5
ok 'as in a composition' is "$(setting dora+prefix:length=2 rank)" 5
ok 'and not its method' is "$(setting lora rank)" 2
ok 'that of its method concerns no preset' is "$(setting rslora:wide rank)" 8
ok 'the list is before the section' is "$(setting dora:rank=3 rank)" 3
ok 'and keeps the preset' is "$(setting dora:rank=3 dora)" yes
ok 'table' run 0 table toy.ini --db a.db --columns lora.rank,lora.dora
ok 'has the label as written' prints '^dora +5 +yes '
ok 'and the method' prints '^lora +2 +no '
ok 'a column has the name of the method' run 2 table toy.ini --db a.db --columns dora.rank
ok 'which is said' says "no setting 'dora.rank'; did you mean 'lora.rank'?"
ok 'predict' eval 'echo "film 3 was good" | run 0 predict toy.ini --db a.db --row dora:rank=3'

# ---- one cell -------------------------------------------------------------------------------------------------------
before=$(runs)
sed -i 's/^\[method dora\]/[method lora:x]/' toy.ini
with 'head, lora:x,dora=yes, dora:x, rslora' && sed -i 's/^\[method rslora:wide\]/[method dora:x]/; s/^targets .*/rank = 5/' other.ini
ok 'two rows of one name' run 2 plan other.ini
ok 'are refused by both names' says 'other.ini:4: methods: lora:x,dora=yes and dora:x are one row, lora:x,dora=yes; want it once'
with 'head, lora:dora=yes,rank=3, lora:dora=yes+prefix:length=2' && sed -i '/^\[method/,$d' other.ini
printf '[method lora]\nrank = 5\n' >>other.ini
ok 'the same by the name of the method' run 0 run other.ini --db a.db --threads 1 --quiet
ok 'is not trained again' is "$(runs)" "$before"
ok 'whatever the order' run 0 status other.ini --db a.db --set 'experiment.methods=head, lora:rank=3,dora=yes'
ok 'of the settings' prints '^done +lora:rank=3,dora=yes '
ok 'compare' run 0 compare lora:dora=yes,rank=3 dora:rank=3 --db a.db
ok 'finds one run under both names' prints '^accuracy\.test.* the runs and their predictions are the same$'
ok 'written over' run 1 status other.ini --db a.db --set 'experiment.methods=head, dora:dora=no,rank=3'
ok 'a preset is another cell' prints '^missing +dora:dora=no,rank=3 '
id=$(sqlite3 a.db "SELECT id FROM run WHERE row = 'dora:rank=3'")
ok 'reproduce' run 0 reproduce "$id" --db a.db --quiet
ok 'the same predictions' prints '^test: ([0-9]+) of \1 predictions identical'
ok 'export' run 0 export "$id" adapter --db a.db --threads 1
ok 'is an adapter of PEFT' grep -q '"use_dora": *true' adapter/adapter_config.json
ok 'with its rank' grep -q '"r": *3' adapter/adapter_config.json

# What another version made under the name of the method is found for the preset.
cp a.db old.db
sqlite3 old.db "DROP TRIGGER run_update; DROP TRIGGER provenance_update; UPDATE run SET hash = 'aa' || substr(hash, 3);
	UPDATE provenance SET value = '0123456789ab' WHERE key = 'code.engine'"
sed 's/^methods .*/methods = head, lora:dora=yes,rank=3/' toy.ini | sed '/^\[method/,$d' >named.ini
mv toy.ini kept.ini && mv named.ini toy.ini
ok 'runs of another version' run 1 status toy.ini --db old.db
ok 'under the name of the preset' prints "^missing +lora:dora=yes,rank=3 seed 0: run $id has the same settings; the engine's code changed\$"
mv kept.ini toy.ini

# A setting that one experiment has chosen under one name keeps its artifact when another has not under the other name.
with dora one.ini && with lora:dora=yes two.ini && sed -i '/^\[method/,$d' one.ini two.ini
ok 'not chosen as lora:dora=yes' run 0 run two.ini --db b.db --threads 1 --quiet --set lr=1e-2,1e-9
ok 'chosen as dora' run 0 run one.ini --db b.db --threads 1 --quiet --set lr=1e-9
ok 'once more' run 0 run two.ini --db b.db --threads 1 --quiet --set lr=1e-2,1e-9
ok 'as another rate is' is "$(sqlite3 b.db "SELECT choice FROM selection WHERE row = 'lora:dora=yes'")" lr=1e-2
hash=$(sqlite3 b.db "SELECT hash FROM run JOIN setting ON id = run WHERE key = 'train.lr' AND value + 0 = 1e-9")
ok 'keeps its artifact' eval '[ "$hash" ] && ls */*.safetensors | grep -q "$hash"'

# ---- keys -----------------------------------------------------------------------------------------------------------
trainable() { "$program" plan keys.ini --json "$@" | grep -oE '"method":"[^"]*"|"trainable":[0-9]+' | paste -sd ' ' | tr -d '"'; }
with 'dora, lora' keys.ini && sed -i '/^\[method/,$d' keys.ini
all=$(trainable)
ok '--set dora.rank' test "$(trainable --set dora.rank=1)" != "$all"
ok 'concerns dora alone' is "$(trainable --set dora.rank=1 | grep -o 'method:lora.*')" "$(grep -o 'method:lora.*' <<<"$all")"
ok '--set lora.rank concerns lora alone' is "$(trainable --set lora.rank=1 | grep -o '.*method:lora')" "$(grep -o '.*method:lora' <<<"$all")"
ok 'in full' is "$(trainable --set method.dora.rank=1)" "$(trainable --set dora.rank=1)"
ok 'a sweep of a preset' run 0 plan keys.ini --set dora.rank=1,2 --json
ok 'names the setting of the method' prints '"method":"dora","task":"toy","choice":"lora.rank=2"'
ok 'a setting that it has not' run 2 plan keys.ini --set dora.rnk=1
ok 'is named' says "no setting 'rnk'; did you mean 'rank'?"
ok 'a section without a row' run 2 plan keys.ini --set rslora.rank=1
ok 'is refused' says 'section [method rslora] belongs to no row'
refused() { # NAME METHODS MESSAGE
	with "$2" bad.ini
	sed -i '/^\[method/,$d' bad.ini
	ok "$1: exit 2" run 2 plan bad.ini
	ok "$1: its message" says "$3"
}
refused 'nearly a preset' 'drora' "bad.ini:4: methods: no method 'drora'; did you mean 'dora'?"
refused 'with its method' 'lora+dora' 'bad.ini:4: methods: lora and dora are one method, which is given twice in one composition'
refused 'with another preset' 'rslora+dora' 'rslora and dora are one method, which is given twice'
refused 'itself' 'dora, dora' 'bad.ini:4: methods: dora is given twice'
refused 'a variant without a section' 'dora:x' 'bad.ini:4: methods: dora:x: there is no section [method dora:x]'
refused 'an unknown key' 'dora:rnk=4' "no setting 'rnk'; did you mean 'rank'?"
refused 'a key twice' 'dora:rank=4,rank=4' 'dora: rank is given twice'

# ---- compositions ---------------------------------------------------------------------------------------------------
with 'head, supra:lora.rank=2, supra:wide,supertuning.share=0.05, supra+prefix:length=2' other.ini && sed -i '/^\[method/,$d' other.ini
cat >>other.ini <<'END'
[method supra]
lora.alpha = 3
supertuning.targets = attn.q
[method supra:wide]
lora.targets = mlp.*
lora.alpha = 5
END
of() { # ROW KEY
	sqlite3 c.db "SELECT DISTINCT value FROM setting s JOIN run r ON r.id = s.run WHERE r.row = '$1' AND s.key = 'method.$2'"
}
ok 'a composition' run 0 run other.ini --db c.db --threads 1 --quiet
ok 'sets what its part is a preset of' is "$(of supra:lora.rank=2 sparse.choose)" magnitude
ok 'and what it says of a part' is "$(of supra:lora.rank=2 lora.targets)" '*'
ok 'the list is PART.SETTING' is "$(of supra:lora.rank=2 lora.rank)" 2
ok 'a section too' is "$(of supra:lora.rank=2 lora.alpha)" 3
ok 'of a part that is a preset' is "$(of supra+prefix:length=2 sparse.targets)" attn.q
ok 'a variant is a section' is "$(of supra:wide,supertuning.share=0.05 lora.targets)" 'mlp.*'
ok 'which overrides that of the name' is "$(of supra:wide,supertuning.share=0.05 lora.alpha)" 5
ok 'and the list both' is "$(of supra:wide,supertuning.share=0.05 sparse.share)" 0.05
ok 'nothing else changes' is "$(of supra:lora.rank=2 sparse.share)" 0.01
ok 'it composes' is "$(of supra+prefix:length=2 prefix.length)" 2
written='sparse:choose=magnitude,within=matrix,share=0.01+lora:targets=*,rank=2'
with "$written" written.ini && sed -i '/^\[method/,$d' written.ini
printf '[method sparse]\ntargets = attn.q\n[method lora]\nalpha = 3\n' >>written.ini
ok 'the same in full' run 0 status written.ini --db c.db
ok 'is one cell' prints '^done +sparse:choose=magnitude,within=matrix,share=0\.01\+lora:targets=\*,rank=2 '
with 'supra' written.ini && sed -i '/^\[method/,$d' written.ini
ok '--set supra.lora.rank' test "$("$program" plan written.ini --json | grep -oE '"trainable":[0-9]+')" != "$("$program" plan written.ini --json --set supra.lora.rank=1 | grep -oE '"trainable":[0-9]+')"
ok 'in full' run 0 plan written.ini --set method.supra.lora.rank=1
ok 'is swept' run 0 plan written.ini --set supra.supertuning.share=0.01,0.02 --json
ok 'under the names of the methods' prints '"method":"supra","task":"toy","choice":"sparse.share=0.02"'
sed -i 's/^methods .*/methods = head, supra:lora.rank=4, supra:x/' written.ini && printf '[method supra:x]\nlora.rank = 3\n' >>written.ini
ok 'a row with a dot in its name' run 0 plan written.ini --set train.supra:lora.rank=4.lr=1e-9,1e-8 --json
ok 'has settings of its own' prints '"method":"supra:lora.rank=4","task":"toy","choice":"lr=1e-8"'
ok '--set of a variant' run 0 plan written.ini --set supra:x.lora.rank=1,2 --json
ok 'concerns it alone' prints '"method":"supra:x","task":"toy","choice":"lora.rank=2"'
refused 'a setting of no part' 'supra:rank=4' "bad.ini:4: methods: supra: no setting 'rank'; it is a composition: want supertuning.SETTING or lora.SETTING"
refused 'the method of a part' 'supra:sparse.share=0.1' "no setting 'sparse.share'; it is a composition"
refused 'a setting that the part has not' 'supra:lora.rnk=4' "no setting 'rnk'; did you mean 'rank'?"
refused 'given twice' 'supra:lora.rank=4,lora.rank=5' 'supra: lora.rank is given twice'
refused 'with a method that it has' 'supra+lora' 'supra and lora have the method lora, which is given twice in one composition'
refused 'with a preset of it' 'dora+supra' 'dora and supra have the method lora, which is given twice in one composition'
with 'head, supra' bad.ini && sed -i '/^\[method/,$d' bad.ini && printf '[method supra]\nrank = 4\n' >>bad.ini
ok 'a section with a setting of no part: exit 2' run 2 plan bad.ini
ok 'a section with a setting of no part' says "bad.ini:13: supra: no setting 'rank'; it is a composition"
ok 'show supra' run 0 show supra
ok 'says of what it is made' prints '^preset of a composition: = supertuning\+lora:targets=\*$'
ok 'its settings' prints '^  supertuning.share +\= 0.01 '
ok 'those of the other part' prints '^  lora.targets +\= \* '
ok 'list has it' eval 'run 0 list && prints "^  supra +yes .*; = supertuning\\+lora:targets=\\*$"'
ok 'list as JSON has it' eval 'run 0 list --json && prints "\"method\":\"supra\".*\"preset_of\":\"sparse\+lora\",\"settings\":\"supertuning\+lora"'
id=$(sqlite3 c.db "SELECT id FROM run WHERE row = 'supra:lora.rank=2'")
ok 'reproduce a composition' run 0 reproduce "$id" --db c.db --quiet
ok 'has the same predictions' prints '^test: ([0-9]+) of \1 predictions identical'

# ---- list, show, verify ---------------------------------------------------------------------------------------------
ok 'list' run 0 list
ok 'has presets' prints '^  dora +yes +LORA +DoRA.*; = lora: dora=yes$'
ok 'with their papers' prints '^ +Liu et al.*arXiv:2402\.09353$'
ok 'and their number' prints '^[0-9]+ files, [0-9]+ presets$'
methods=$(grep -cE '^  [a-z0-9-]+ +(yes|no|in place) ' out)
ok 'which is right' is "$(sed -n 's/^\([0-9]*\) files, \([0-9]*\) presets$/\1 + \2/p' out | xargs expr)" "$methods"
ok 'list as JSON' run 0 list --json
ok 'too' prints '"method":"rslora".*"preset_of":"lora","settings":"rslora=yes"\}$'
ok 'show' run 0 show dora
ok 'says of what' prints '^preset of a method: = lora: dora=yes$'
ok 'its paper' prints '^paper: .*2402\.09353'
ok 'its section and settings' prints '^settings, in \[method dora\]:$'
ok 'its section and settings, in both lines' prints '^  dora +\= yes '
ok 'verify' run 0 verify dora:rank=2
ok 'under its name' prints '^ok +dora:rank=2 +encoder'
finish
