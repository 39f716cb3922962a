#!/bin/bash
# `peftbench pretrain` as its user meets it: a small encoder and a small decoder from a text, a run that is
# killed, and every kind of bad input with its message.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

pretrain() { # EXPECTED-STATUS ARGUMENTS...
	"$program" pretrain "${@:2}" >"$work/out" 2>"$work/err"
	local status=$?
	[ $status = "$1" ] || { echo "    exit status $status, want $1: peftbench pretrain ${*:2}" && return 1; }
}

says() { grep -qE -- "$1" "$work/err"; }

refuses() { # MESSAGE ARGUMENTS...
	pretrain 2 "${@:2}" && grep -qF -- "$1" "$work/err" && ! [ -s "$work/out" ] && ! [ -e pico/model.safetensors ]
}

cd "$work" || exit 2
mkdir texts
for i in $(seq 400); do
	echo "The cat number $i sat on the mat. A dog that was $((i % 7)) years old saw the cat, and the cat saw the dog."
done >texts/train.txt
echo 'the secret text that a model is going to be tested on later' >texts/tests.txt
echo 'We know the secret text that a model is going to be tested on later!' >>texts/train.txt
head -n 20 texts/train.txt | sed 's/mat/rug/' >texts/heldout.txt
cat >small.ini <<'END'
[pretrain]
output     = pico
vocabulary = 300
tokens     = 20000
batch      = 512
length     = 48
exclude    = texts/te*.txt
save       = 0.0001

[network]
layers            = 1
width             = 16
heads             = 2
kv_heads          = 2
intermediate_size = 32
positions         = 64

[text cats]
file    = texts/train.txt
heldout = texts/heldout.txt
licence = CC0
END

# ---- bad input --------------------------------------------------------------------------------------
ok 'no such file' refuses 'none.ini: cannot read' none.ini
sed 's/^output /ouput /' small.ini >wrong.ini
ok 'a wrong key' refuses "wrong.ini:2: no setting 'ouput'; did you mean 'output'?" wrong.ini
sed 's/^intermediate_size/inner/' small.ini >wrong.ini
ok 'the old key of the intermediate size' refuses "wrong.ini:15: no setting 'inner'; it is called intermediate_size" wrong.ini
ok 'a value out of range' refuses "network.layers=0: layers: want" small.ini --set network.layers=0
ok 'heads that do not divide' refuses 'heads: want a divisor of the width 16, got 3' small.ini --set network.heads=3
ok 'a section that nobody reads' refuses 'unknown section [txt more]' small.ini --set 'txt.more.file=x'
ok 'no output' refuses '[pretrain] output: want the folder to write' small.ini --set pretrain.output=
ok 'a missing text' refuses 'texts/none.txt: no such file' small.ini --set text.cats.file=texts/none.txt
ok 'a missing excluded file' refuses "exclude: no file matches 'none*'" small.ini --set 'pretrain.exclude=none*'
ok 'a missing teacher' refuses 'none/config.json: cannot read' small.ini --set pretrain.teacher=none
rm -rf pico
ok 'a length over the positions' refuses 'length: 63 tokens and two more do not fit' small.ini --set pretrain.length=63
rm -rf pico

# ---- an encoder --------------------------------------------------------------------------------------
ok 'an encoder' pretrain 0 small.ini
ok 'its line' prints '^pico: 0\.01 million parameters, held-out perplexity [0-9.]+$'
ok 'what is tested on is left out' says '^text: cats: 401 documents, 1 left out'
ok 'progress with time left' says '^pretrain +[0-9.]+ %, .* tokens/s, 0:00:0[0-9] left$'
ok 'its card' grep -q '^| cats | CC0 | 401 | 1 |' pico/README.md
ok 'is a model' test -s pico/model.safetensors
sh -c 'echo "the cat sat" | "$0" logits --model pico' "$program" >out.json 2>err
ok 'with logits for all tokens' test "$(tr -cd '[' <out.json | wc -c)" -gt 5
ok 'again: there is nothing left to do' pretrain 0 small.ini

# ---- a decoder, killed --------------------------------------------------------------------------------
sed 's/^output .*/output = cats\nobjective = causal/; s/^tokens .*/tokens = 60000/; s/^length .*/length = 40/' small.ini >causal.ini
for _ in 1 2 3; do
	"$program" pretrain causal.ini >out 2>err &
	sleep 0.5
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
done
ok 'killed three times, it goes on' pretrain 0 causal.ini
ok 'bits per byte' prints ', [0-9.]+ bits per byte$'
ok 'it goes on with a text' sh -c 'echo "The cat" | "$0" generate --model cats --max-new 5 | grep -q "\"ids\": \["' "$program"
echo garbage >build/pretrain/causal.safetensors
ok 'a damaged checkpoint' pretrain 2 causal.ini
ok 'is named' says 'build/pretrain/causal.safetensors: '

finish
