#!/bin/bash
# Data as it lies around: compressed files, other encodings, JSON Lines with nested columns; a task inside the experiment,
# and where its files are looked for.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
mkdir -p tasks data models
ln -s "$root/tests/golden/tiny-bert" models/tiny

cat >tasks/mine.ini <<'END'
[task]
kind = classify
train = train.tsv
validation_share = 0.25
test_share = 0.25
END
{
	printf 'label\ttext\n'
	for i in 1 2 3 4; do printf 'good\tfilm %d was good\nbad\tfilm %d was bad\n' "$i" "$i"; done
} >data/train.tsv

# The JSON of the splits, which is the same for equal data.
data_of() { "$program" data mine --json "$@" 2>"$work/err" >"$work/out"; }
same() { # ARGUMENTS...: the same data as the plain file has
	data_of "$@" && cmp -s "$work/out" "$work/plain"
}
refuses() { # MESSAGE ARGUMENTS...
	run 2 data mine "${@:2}" && says "$1" && ! [ -s "$work/out" ]
}
ok 'a plain file' data_of
cp "$work/out" "$work/plain"
ok 'has four examples for training' grep -q '"examples":4' "$work/plain"

# ---- compressed files -------------------------------------------------------------------------------------------------
gzip -kc data/train.tsv >data/packed.tsv.gz
ok 'gzip' same --set task.train=packed.tsv.gz
xz -kc data/train.tsv >data/packed.tsv.xz
ok 'xz' same --set task.train=packed.tsv.xz
head -c 40 data/train.tsv | gzip -c >data/two.tsv.gz
tail -c +41 data/train.tsv | gzip -9c >>data/two.tsv.gz
ok 'two streams of gzip' same --set task.train=two.tsv.gz
head -c 60 data/packed.tsv.gz >data/short.tsv.gz
ok 'gzip that ends early' refuses 'data/short.tsv.gz: ends early, in the middle of a stream of gzip; want the whole file' \
	--set task.train=short.tsv.gz
head -c 80 data/packed.tsv.xz >data/short.tsv.xz
ok 'xz that ends early' refuses 'data/short.tsv.xz: ends early, in the middle of a stream of xz' --set task.train=short.tsv.xz
cp data/train.tsv data/plain.tsv.gz
ok 'no gzip' refuses 'data/plain.tsv.gz: damaged: its bytes are not what gzip writes' --set task.train=plain.tsv.gz
{ head -c 30 data/packed.tsv.gz && printf 'XXXX' && tail -c +35 data/packed.tsv.gz; } >data/bad.tsv.gz
ok 'gzip that is damaged' refuses 'data/bad.tsv.gz: damaged' --set task.train=bad.tsv.gz
printf 'label\ttext\ngood\n' | gzip -c >data/field.tsv.gz
ok 'a wrong line in it' refuses 'data/field.tsv.gz:2: want 2 fields' --set task.train=field.tsv.gz
if command -v zstd >/dev/null && [[ $(ldd "$program") == *libzstd* ]]; then
	zstd -qkc data/train.tsv >data/packed.tsv.zst
	ok 'zstd' same --set task.train=packed.tsv.zst
	{ head -c 40 data/train.tsv | zstd -qc && tail -c +41 data/train.tsv | zstd -qc; } >data/two.tsv.zst
	ok 'two frames of zstd' same --set task.train=two.tsv.zst
	head -c 70 data/packed.tsv.zst >data/short.tsv.zst
	ok 'zstd that ends early' refuses 'data/short.tsv.zst: ends early, in the middle of a stream of zstd' --set task.train=short.tsv.zst
	{ cat data/packed.tsv.zst && echo rest; } >data/rest.tsv.zst
	ok 'something behind it' refuses 'data/rest.tsv.zst: damaged: its bytes are not what zstd writes' --set task.train=rest.tsv.zst
	{ head -c 30 data/packed.tsv.zst && printf 'XXXX' && tail -c +35 data/packed.tsv.zst; } >data/bad.tsv.zst
	ok 'zstd that is damaged' refuses 'data/bad.tsv.zst: damaged' --set task.train=bad.tsv.zst
fi

# ---- encodings --------------------------------------------------------------------------------------------------------
sed 's/good$/na\xc3\xafve/' data/train.tsv >data/utf8.tsv
data_of --set task.train=utf8.tsv && cp "$work/out" "$work/plain"
ok 'UTF-8' grep -q 'naïve' "$work/plain"
iconv -f UTF-8 -t LATIN1 data/utf8.tsv >data/latin1.tsv
ok 'latin-1' same --set task.train=latin1.tsv --set task.encoding=latin-1
ok 'windows-1252' same --set task.train=latin1.tsv --set task.encoding=windows-1252
iconv -f UTF-8 -t UTF-16 data/utf8.tsv >data/utf16.tsv
ok 'utf-16' same --set task.train=utf16.tsv --set task.encoding=utf-16
iconv -f UTF-8 -t UTF-16 data/utf8.tsv | gzip -c >data/utf16.tsv.gz
ok 'utf-16 in gzip' same --set task.train=utf16.tsv.gz --set task.encoding=utf-16
ok 'latin-1 that is not declared' refuses 'data/latin1.tsv:2: bytes that are not UTF-8: want a text file in UTF-8, or the task'\''s `encoding`' \
	--set task.train=latin1.tsv
ok 'UTF-16 that is none' refuses 'data/latin1.tsv: no byte order mark' --set task.train=latin1.tsv --set task.encoding=utf-16
printf 'label\ttext\ngood\t\223a film\224\n' >data/quotes.tsv
ok 'quotes of Windows' refuses 'data/quotes.tsv:2: the byte 0x93 is a control character in latin-1' --set task.train=quotes.tsv \
	--set task.encoding=latin-1
ok 'an unknown encoding' refuses "task.encoding=koi8-r: encoding: want utf-8|latin-1|utf-16|windows-1252, got 'koi8-r'" \
	--set task.encoding=koi8-r

# ---- JSON Lines -------------------------------------------------------------------------------------------------------
sed -nE '2,$s/(.*)\t(.*)/{"text": "\2", "label": "\1", "meta": {"tags": ["a", {"b": null}]}, "id": [1, 2]}/p' data/train.tsv >data/nested.jsonl
data_of && sed 's/"line":[0-9]*//' "$work/out" >"$work/plain"
ok 'columns that nobody asks for' data_of --set task.train=nested.jsonl
sed -i 's/"line":[0-9]*//' "$work/out"
ok 'do no harm' cmp -s "$work/out" "$work/plain"
ok 'a list as a text' refuses "data/nested.jsonl:1: 'id': want a text without NUL, a number, true, false or null" \
	--set task.train=nested.jsonl --set task.text=id

# ---- texts and labels in two files ------------------------------------------------------------------------------------
tail -n +2 data/train.tsv | cut -f 2 >data/two.txt
tail -n +2 data/train.tsv | cut -f 1 >data/two.labels
two() { data_of --set task.train=two.txt --set task.train_labels="$1" "${@:2}" && sed -i 's/"line":[0-9]*//' "$work/out"; }
ok 'two files' two two.labels
ok 'are the same data' cmp -s "$work/out" "$work/plain"
gzip -kc data/two.labels >data/two.labels.gz
ok 'one of them compressed' two two.labels.gz
ok 'are the same data, too' cmp -s "$work/out" "$work/plain"
head -n 7 data/two.labels >data/short.labels
ok 'a label too few' refuses 'data/short.labels: 7 lines, but data/two.txt has 8; want one for each' --set task.train=two.txt \
	--set task.train_labels=short.labels
ok 'labels that are there already' refuses "two columns are called 'label'" --set task.train_labels=two.labels --set task.format=tsv
sed '3s/.*//' data/two.labels >data/empty.labels
ok 'a line without a label' refuses "data/empty.labels:3: label: want one of the classes' names, got ''" --set task.train=two.txt \
	--set task.train_labels=empty.labels
{ echo text && cat data/two.txt; } >data/head.tsv # a line more than the labels have
sed 's/^bad$/Good/' data/two.labels >data/spelled.labels
ok 'a label in two spellings' refuses "data/spelled.labels:2: label: got 'Good', which is written 'good' in data/spelled.labels:1; want" \
	--set task.train=head.tsv --set task.format=tsv --set task.train_labels=spelled.labels
seq 0.5 8 >data/real.labels
ok 'real numbers' refuses "data/real.labels:1: the labels are real numbers, such as '0.5'" --set task.train=head.tsv \
	--set task.format=tsv --set task.train_labels=real.labels
sed 's/classify/regression\nlabel = label/' tasks/mine.ini >tasks/rate.ini
sed -i '4s/.*/many/' data/real.labels
ok 'a label that is no number' run 2 data rate --set task.train=head.tsv --set task.format=tsv --set task.train_labels=real.labels
ok 'has the line of its file' says "data/real.labels:4: label: want a finite number, got 'many'"
ok 'labels without texts' refuses 'mine: test_labels: want a file of texts, test, too' --set task.test_labels=two.labels
ok 'texts without labels' refuses "data/two.txt: no column 'label'; has: text" --set task.train=two.txt --set task.format=lines
ok 'no file of labels' refuses 'nix.labels: no such file; looked for' --set task.train=two.txt --set task.train_labels=nix.labels

# ---- a task inside the experiment -------------------------------------------------------------------------------------
mkdir lab elsewhere
cat >lab/own.ini <<'END'
[experiment]
task = own
model = models/tiny
methods = head
timing_rounds = 0

[task own]
kind = classify
train = rows.tsv
validation_share = 0.25
test_share = 0.25

[train]
epochs = 1
END
cp data/train.tsv lab/rows.tsv
ok 'a run of a task inside the experiment' run 0 run lab/own.ini --db own.db --threads 1 --quiet
setting() { sqlite3 "$1" "SELECT value FROM setting WHERE run = 1 AND key = '$2'"; }
ok 'its kind is stored' test "$(setting own.db task.kind)" = classify
ok 'and the name of its file' test "$(setting own.db task.train)" = rows.tsv
fact() { sqlite3 own.db "SELECT value FROM provenance WHERE run = 1 AND key = '$1'"; }
ok 'and where it was found' test "$(fact file.train)" = lab/rows.tsv
ok 'reproduce' run 0 reproduce 1 --db own.db --quiet
ok 'makes the same' prints 'test: 2 of 2 predictions identical'
mv lab/own.ini lab/moved.ini
ok 'without the file, too' run 0 reproduce 1 --db own.db --quiet
mv lab/moved.ini lab/own.ini
ok 'with another file' run 1 reproduce 1 --db own.db --quiet --set task.train=train.tsv --set task.split_seed=3
ok 'which is not that of the run' prints '^different data:'
ok 'another folder' cp -r lab moved
ok 'has the same run' run 0 status moved/own.ini --db own.db
mv lab/rows.tsv lab/away.tsv
mv moved/rows.tsv rows.tsv
ok 'where the file is no longer there' run 0 reproduce 1 --db own.db --quiet
ok 'one of its name is' prints 'test: 2 of 2 predictions identical'
ok 'and the run is the same' run 0 status moved/own.ini --db own.db
mv lab/away.tsv lab/rows.tsv
rm -r rows.tsv moved
# As earlier versions stored it.
cp own.db old.db
sqlite3 old.db "DROP TRIGGER setting_update; DROP TRIGGER run_update; DROP TRIGGER provenance_delete; UPDATE setting SET value = 'lab/rows.tsv' WHERE key = 'task.train';
	DELETE FROM provenance WHERE key = 'file.train'; UPDATE run SET hash = replace(hash, substr(hash, 1, 8), 'deadbeef')"
ok 'a run of an earlier version' test "$(setting old.db task.train)" = lab/rows.tsv
ok 'is reproduced' run 0 reproduce 1 --db old.db --quiet
ok 'to the same' prints 'test: 2 of 2 predictions identical'
ok 'is found' run 1 status lab/own.ini --db old.db
ok 'with its settings' prints 'run 1 has the same settings'
ok 'data' run 0 data lab/own.ini
ok 'plan' run 0 plan lab/own.ini
ok 'status' run 0 status lab/own.ini --db own.db
ok 'has the run' prints '^1 of 1 runs finished'
sed 's/\[task own\]/[task]/' lab/own.ini >lab/short.ini
ok 'a section without the name' run 0 data lab/short.ini --json
own() { # NAME SED-SCRIPT MESSAGE
	sed "$2" lab/own.ini >lab/bad.ini
	ok "$1" run 2 data lab/bad.ini
	ok "$1: its message" says "$3"
}
own 'no such kind' 's/classify/clasify/' "lab/bad.ini:8: kind: no kind of task 'clasify'"
own 'no kind' '/^kind/d' "lab/bad.ini:2: task: no named task 'own': there is no file tasks/own.ini, and no section [task own] with a \`kind\`"
own 'a setting that is none' 's/^train /trian /' "lab/bad.ini:9: no setting 'trian'; did you mean 'train'?"
own 'the name of a named task' 's/own/mine/' 'lab/bad.ini:8: kind: tasks/mine.ini has the kind of task mine; want another name'
own 'the section of another task' 's/^task = own/task = mine/' 'lab/bad.ini:7: section [task own]: want [task] or [task mine]'
own 'a kind for a named task' 's/^task = own/task = mine/; s/task own/task/' 'lab/bad.ini:8: kind: tasks/mine.ini has the kind of task mine'
sed -i 's/^\[task own/[task mine/; s/= own/= tasks\/mine.ini/' lab/own.ini
ok 'and for the path of a task' run 2 data lab/own.ini
ok 'which has one' says "lab/own.ini:8: no setting 'kind'"

# ---- where files are looked for ---------------------------------------------------------------------------------------
texts() { # FOLDER WORD: a file rows.tsv with this word
	mkdir -p "$1" && sed "s/film/$2/" data/train.tsv >"$1/rows.tsv"
}
sed '/^train /d' lab/short.ini >lab/files.ini
texts lab experiment
texts elsewhere task
texts . here
texts data data
texts home home
export PEFTBENCH_DATA=$PWD/home
sed 's/train.tsv/rows.tsv/' tasks/mine.ini >elsewhere/task.ini
finds() { # NAME WORD ARGUMENTS..: the texts have this word
	ok "$1" run 0 data "${@:3}" --json
	ok "$1: the texts" grep -qF "$2 4 was" out
}
sed -i '/^test_share/a train = rows.tsv' lab/files.ini
finds 'a file that the experiment names' experiment lab/files.ini
rm lab/rows.tsv
finds 'which is not beside it' here lab/files.ini
finds 'a file that a task names' task elsewhere/task.ini
printf '[experiment]\ntask = elsewhere/task.ini\nmodel = models/tiny\nmethods = head\n' >lab/path.ini
texts lab experiment
finds 'also in an experiment elsewhere' task lab/path.ini
printf '\n[task task]\ntrain = rows.tsv\n' >>lab/path.ini
finds 'a file that the experiment names for it' experiment lab/path.ini
rm lab/rows.tsv
finds 'which is not beside the experiment' task lab/path.ini
finds 'a file that --set names' here lab/path.ini --set task.train=rows.tsv
finds 'also in the section of the name' here lab/path.ini --set task.task.train=rows.tsv
ok '--set is in force' run 0 data lab/path.ini --set task.train_limit=3 --json
printf 'train_limit = 2\n' >>lab/path.ini
ok 'and so it is' run 0 data lab/path.ini --set task.train_limit=3 --json
ok 'where the experiment has another value' prints '"split":"train","examples":3,'
rm rows.tsv
finds 'which is not here' task lab/path.ini --set task.train=rows.tsv
rm elsewhere/rows.tsv
finds 'and not beside the task' data lab/path.ini
rm data/rows.tsv
finds 'nor in data' home lab/path.ini
rm home/rows.tsv
ok 'nowhere' run 2 data lab/path.ini
ok 'with every path' says \
	"rows.tsv: no such file; looked for lab/rows.tsv, elsewhere/rows.tsv, rows.tsv, data/rows.tsv, $PWD/home/rows.tsv"
unset PEFTBENCH_DATA
ok 'without PEFTBENCH_DATA' run 2 data elsewhere/task.ini
ok 'is told of it' says 'rows.tsv: no such file; looked for elsewhere/rows.tsv, rows.tsv, data/rows.tsv (PEFTBENCH_DATA, a folder to look in too, is not set)'
ok 'an absolute path' run 2 data mine --set "task.train=$PWD/nix.tsv"
ok 'is looked for once' says "$PWD/nix.tsv: no such file; looked for $PWD/nix.tsv"
printf 'Say it.\nText: {text}\nIs: {label}\n' >elsewhere/say.txt
ln -s "$root/models/pico-decoder" models/decoder
cp data/train.tsv elsewhere/rows.tsv
echo 'template = say.txt' >>elsewhere/task.ini
ok 'a template beside the task' run 0 data elsewhere/task.ini --model models/decoder
ok 'is used' prints '^  \| Say it\.$'

finish
