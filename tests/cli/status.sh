#!/bin/bash
# status, and table --any-version: runs that another version of the code made.  Other programs are linked of the objects of
# this one and another registry, as a change of a method makes it.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

build=$(dirname "$program")
[ -f "$build/registry.o" ] || { echo "skipped: $program has no objects beside it" && exit 77; }
libraries=$(make -s --no-print-directory --eval 'libraries: ; @echo $(LIBS)' libraries)
# Links a program with the registry.c of a folder, and with the further sources there.
program_of() { # FOLDER
	local object objects=()
	for object in $(find "$build/src" "$build/methods" "$build/tasks" -name '*.o'); do
		[ -f "$root/${object#"$build/"}" ] || [ -f "$root/$(echo "${object#"$build/"}" | sed 's/o$/c/')" ] && objects+=("$object")
	done
	# shellcheck disable=SC2046,SC2086 # lists of words
	(cd "$root" && $(cat "$build/flags") -I src -I . -I "$build" -rdynamic -o "$work/$1/peftbench" "$work/$1"/*.c "${objects[@]}" $libraries)
}
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = head, ia3, lora, lora+ia3
baseline = head
seeds = 0, 1
timing_rounds = 0

[train]
epochs = 1
batch = 8
lr = 1e-2, 1e-3
END
number() { sqlite3 "$1" "$2"; } # of a database
# The rows whose runs are all missing, and those whose are all done, for a program.
rows() { # STATE
	sed -n "s/^$1 *\([^ ]*\) lr=.*/\1/p" out | sort | uniq -c | awk '$1 == 4 { print $2 }' | paste -sd ' '
}
lose() { # DATABASE TABLE CHANGE: of a table that is append only
	sqlite3 "$1" "DROP TRIGGER IF EXISTS $2_update; DROP TRIGGER IF EXISTS $2_delete; $3"
}

ok 'run' run 0 run toy.ini --db a.db --quiet
ok 'status' run 0 status toy.ini --db a.db
ok 'all is done' [ "$(rows done)" = 'head ia3 lora lora+ia3' ]
ok 'the parts of the code are recorded' [ "$(number a.db "SELECT count(*) FROM provenance WHERE key GLOB 'code.*'")" = $((4 * (3 + 3 + 3 + 4))) ]
for command in run plan status; do
	ok "$command of a database" run 2 $command a.db
	ok 'is told what it takes' says 'a.db:1: a database of results; want the file of an experiment, NAME.ini'
done
ok 'the table' run 0 table toy.ini --db a.db
cp out wanted
ok 'of any version' run 0 table toy.ini --db a.db --any-version
ok 'is the same where all runs are of this one' cmp -s out wanted

# ---- a method changes ---------------------------------------------------------------------------------------------
# The digest of ia3.c and a method more: `new` is null under another name.
mkdir other
index=$(sed -n 's/^    &pb_method_\(.*\),/\1/p' "$build/registry.c" | grep -n '^ia3$' | cut -d : -f 1)
awk -v at="$index" '/pb_method_digests/ { n = 0; inside = 1 } inside && /^    "/ && ++n == at { sub(/"...../, "\"00000") } /NULL/ { inside = 0 } { print }
	/^extern const pb_method pb_method_null/ { print "extern const pb_method pb_method_new;" }
	/^const pb_method \*const pb_methods/ { print "    &pb_method_new," }
	/^const char \*const pb_method_digests/ { print "    \"0123456789\"," }' "$build/registry.c" >other/registry.c
sed 's/pb_method_null/pb_method_new/; s/\.name = "null"/.name = "new"/' "$root/methods/null.c" >other/new.c
ok 'another program' program_of other
[ -x other/peftbench ] || { finish; exit 1; }
this=$program program=$work/other/peftbench
ok 'has a method more' eval 'run 0 list && prints "^ +new "'
ok 'status of it' run 1 status toy.ini --db a.db
ok 'the rows of ia3 are missing, and no others' [ "$(rows missing)" = 'ia3 lora+ia3' ]
ok 'these are done' [ "$(rows done)" = 'head lora' ]
run=$(number a.db "SELECT id FROM run WHERE row = 'ia3' AND choice = 'lr=1e-2' AND seed = 1")
ok 'it says why' prints "^missing    ia3 lr=1e-2 seed 1: run $run has the same settings; methods/ia3.c changed\$"
ok 'of a composition too' prints '^missing    lora\+ia3 lr=1e-3 seed 0: run [0-9]+ has the same settings; methods/ia3.c changed$'
ok 'the table shows this version alone' run 0 table toy.ini --db a.db
ok 'and dashes' prints '^ia3( +-)+ *$'
ok 'and says where the runs are' prints '^8 missing runs are stored with the same settings, made by another version of the code: `peftbench status`'
ok 'the table of any version' run 0 table toy.ini --db a.db --any-version
# Numbers, without the mark, alignment, and the lines on sweeps, whose hashes are of other cells.
numbers() { sed -e 's/ †//; s/  */ /g; s/ $//' "$1" | sed -n '/^method /,/^lora+ia3 /p'; }
ok 'has the same numbers' diff <(numbers wanted) <(numbers out)
ok 'a row of another version is marked' prints '^ia3 † .* [01]\.[0-9]{4}'
ok 'and the other' prints '^lora\+ia3 † '
ok 'rows of this one are not' eval '! prints "^(head|lora) †"'
ok 'a note says why' prints "^† ia3: 4 of 4 runs were made by another version of the code: run [0-9]+ and others: methods/ia3.c changed\$"
ok 'and offers nothing more' eval '! prints "missing runs are stored"'
cp toy.ini shared.ini # experiments share runs
ok 'another experiment' run 0 table shared.ini --db a.db --any-version
ok 'has the row too' prints '^ia3 † .* [01]\.[0-9]{4}'
ok 'as JSON' run 0 table toy.ini --db a.db --any-version --json
ok 'they are marked too' [ "$(grep -c '"other_version":\[{"run":[0-9]*,"why":"methods/ia3.c changed"},' out)" = 2 ]
ok 'JSON of this version' run 0 table toy.ini --db a.db --json
ok 'has none' eval '! prints other_version'
ok 'reproduce' run 0 reproduce "$(number a.db "SELECT run FROM selected JOIN run ON id = run WHERE row = 'ia3' LIMIT 1")" --db a.db --quiet
ok 'says what changed' prints '^different methods/ia3.c: [0-9a-f]{12}, and now 00000[0-9a-f]{7}$'
ok 'and nothing else' [ "$(grep -c '^different' out)" = 1 ]
cp a.db b.db
ok 'it runs' run 0 run toy.ini --db b.db --quiet
ok 'what is missing alone' [ "$(number b.db "SELECT group_concat(n) FROM (SELECT row || count(*) AS n FROM run GROUP BY row ORDER BY row)")" = head4,ia38,lora4,lora+ia38 ]
ok 'then nothing is of another version' run 0 table toy.ini --db b.db --any-version
ok 'nothing is marked' eval '! prints †'
program=$this
ok 'the first program still has its runs' run 0 status toy.ini --db b.db

# ---- presets ----------------------------------------------------------------------------------------------------
mkdir taken
cp other/registry.c taken/
sed 's/^const pb_method pb_method_new/static const pb_preset presets[] = {{"lora", "T", "P", ""}, {0}};\n&/; s/\.name = "new"/&, .presets = presets/' \
	other/new.c >taken/new.c
ok 'a program with a preset that is a method' program_of taken
program=$work/taken/peftbench
ok 'does not start' run 2 list
ok 'and says why' says "new: preset 'lora': there is a method of this name; want another name"
program=$this

# ---- a half-made row --------------------------------------------------------------------------------------------
cp a.db half.db
program=$work/other/peftbench
ok 'one seed' run 0 run toy.ini --db half.db --quiet --set experiment.seeds=1
ok 'the other is of another version' run 0 table toy.ini --db half.db --any-version
ok 'which is said' prints '^† ia3: 2 of 4 runs were made'
program=$this

# ---- what else may change ---------------------------------------------------------------------------------------
cp a.db engine.db # made by another engine, as far as the database says
lose engine.db provenance "UPDATE provenance SET value = '0123456789ab' WHERE key = 'code.engine'"
lose engine.db run "UPDATE run SET code = '0123456789ab', hash = 'aa' || substr(hash, 3)"
ok 'another engine' run 1 status toy.ini --db engine.db
ok 'is named' prints "run $run has the same settings; the engine's code changed\$"
ok 'with any version' run 0 table toy.ini --db engine.db --any-version
ok 'it has the same numbers' diff <(numbers wanted) <(numbers out)
ok 'check needs no version' run 0 check a.db --db engine.db
cp engine.db old.db # of a program that did not record it
lose old.db provenance "DELETE FROM provenance WHERE key GLOB 'code.*'"
ok 'an older program' run 1 status toy.ini --db old.db
ok 'is all that is known' prints "run $run has the same settings; it was made by another version of the code\$"
ok 'with any version' run 0 table toy.ini --db old.db --any-version
ok 'it has the same numbers' diff <(numbers wanted) <(numbers out)
ok 'and is marked' prints '^† head: 4 of 4 runs .*: it was made by another version of the code$'
ok 'reproduce of it' run 0 reproduce "$(number old.db "SELECT run FROM selected JOIN run ON id = run WHERE row = 'ia3' LIMIT 1")" --db old.db --quiet
ok 'names the code' prints '^different code: 0123456789ab, and now '
cp old.db model.db
lose model.db provenance "UPDATE provenance SET value = 'f00' WHERE key = 'model'"
ok 'another model' run 1 status toy.ini --db model.db
ok 'is named' prints "run $run has the same settings; the model changed, it was made by another version of the code\$"
ok 'with any version' run 0 table toy.ini --db model.db --any-version
ok 'another model is not shown' prints '^ia3( +-)+ *$'

# The tokenizer and the config of the model's folder: the weights are the same.
cp a.db files.db
lora=$(number files.db "SELECT run FROM selected JOIN run ON id = run WHERE row = 'lora' AND seed = 0")
other_file() { # FILE FROM TO: another models/tiny, and then the first one again
	rm models/tiny
	cp -rL "$root/tests/golden/tiny-bert" models/tiny
	sed -i "s/$2/$3/" "models/tiny/$1"
}
changed_file() { # FILE WHAT KEY
	ok "$1 changed: status" run 1 status toy.ini --db files.db
	ok 'no run is done' eval '! prints "^done"'
	ok 'it says so' prints "run $run has the same settings; $2 changed\$"
	ok 'the table has no numbers' run 0 table toy.ini --db files.db --any-version
	ok 'also of any version' prints '^ia3( +-)+ *$'
	ok 'predict refuses it' bash -c '"$0" predict toy.ini --db files.db --row lora <toy.ini >out 2>err; [ $? = 2 ]' "$program"
	ok 'and names it' says "toy.ini: $2 of run $lora had SHA-256 "
	ok 'export refuses it' run 2 export "$lora" exported --db files.db
	ok 'and names it' grep -q "models/tiny: the SHA-256 of .*$1" err
	"$program" reproduce "$lora" --db files.db --quiet >out 2>err
	ok 'reproduce names it' prints "^different $3: [0-9a-f]{64}, and now [0-9a-f]{64}$"
	ok 'other runs' run 0 run toy.ini --db "$3.db" --quiet --set experiment.methods=head
	ok 'are not comparable' run 2 compare files.db:head "$3.db:head"
	ok 'and it says why' says "not comparable: different $3"
	rm -rf models/tiny
	ln -s "$root/tests/golden/tiny-bert" models/tiny
	ok 'the first one' run 0 status toy.ini --db files.db
}
# What says nothing about the network leaves the runs stored.
other_file config.json '^{' '{"transformers_version": "9.9", "_name_or_path": "a\/b", "dtype": "float32",'
echo >>models/tiny/config.json
printf '{"temperature": 0.5}\n' >models/tiny/generation_config.json
sed -i 's/": /" :  /' models/tiny/tokenizer.json
ok 'the files were changed' eval '! cmp -s models/tiny/tokenizer.json "$root/tests/golden/tiny-bert/tokenizer.json"'
ok 'remarks and layout change nothing' run 0 status toy.ini --db files.db
rm -rf models/tiny
ln -s "$root/tests/golden/tiny-bert" models/tiny

other_file tokenizer.json '"lowercase": true' '"lowercase": false'
changed_file tokenizer.json 'the tokenizer' tokenizer
other_file config.json '"hidden_act": "gelu"' '"hidden_act": "relu"'
changed_file config.json "the model's config" config
lose files.db provenance "DELETE FROM provenance WHERE key IN ('config', 'tokenizer')" # of an earlier program
lose files.db run "UPDATE run SET hash = 'aa' || substr(hash, 3)"
ok 'a program that stored neither' run 0 table toy.ini --db files.db --any-version
ok 'its runs are shown' diff <(numbers wanted) <(numbers out)

printf 'good\tone more good film\nbad\tone more bad film\n' >>data/toy.tsv
ok 'other data' run 1 status toy.ini --db a.db
ok 'are named' prints "run $run has the same settings; the data changed\$"
ok 'with any version' run 0 table toy.ini --db a.db --any-version
ok 'other data are not shown' prints '^ia3( +-)+ *$'
ok 'other settings' run 1 status toy.ini --db a.db --set train.batch=4
ok 'are another matter' eval '! prints "same settings"'

finish
