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

finish
