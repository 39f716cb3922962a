#!/bin/bash
# `plan --model` and `plan --device`: what training on a GPU would need.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

# Value KEY of the first row that the last command printed with --json.
value() { sed -n 1p "$work/out" | sed -E "s/.*\"$1\":([^,}]*).*/\1/"; }
plan() { "$program" plan --json "$@" >"$work/out" 2>"$work/err"; }
is() { # KEY EXPRESSION: within a millionth
	awk -v a="$(value "$1")" "BEGIN { b = $2; exit !(a != \"\" && (a - b) ^ 2 <= (1e-6 * b) ^ 2) }"
}

n=0
# The numbers of parameters that the models' authors publish, with a head of two classes for the encoders.
while read -r model parameters; do
	plan --model "$model" --methods full --length 8
	ok "parameters of $model" is parameters "$parameters"
	n=$((n + 1))
done <<'END'
bert-base 109482240+2*769
bert-large 335141888+2*1025
roberta-base 124645632+2*769
roberta-large 355359744+2*1025
gpt2 124439808
gpt2-xl 1557611200
gpt3-175b 174604259328
llama-65b 65285660672
llama-2-7b 6738415616
llama-2-13b 13015864320
llama-2-70b 68976648192
llama-3-8b 8030261248
llama-3-70b 70553706496
mistral-7b 7241732096
qwen3-0.6b 596049920
qwen3-8b 8190735360
qwen3-32b 32762123264
END
ok 'each shape has one' test "$n" = "$(find models/shapes -name config.json | wc -l)"

# Bytes a parameter: ZeRO's 16 (Rajbhandari et al. 2020, arXiv:1910.02054), QLoRA's 12, and 32 bits throughout.
gpt() { plan --model gpt2-xl --methods "$@"; }
gpt full
ok 'weights in 16 bits' is weights 1557611200*2
ok 'the copy in 32 bits' is master 1557611200*4
ok 'gradients in 16 bits' is gradients 1557611200*2
ok 'moments in 32 bits' is optimizer 1557611200*8
ok 'the stored model' is file 1557611200*2
gpt full --master no
ok 'without a copy' is master+0 0
ok 'the moments stay' is optimizer 1557611200*8
gpt full --master no --moments same
ok 'moments in 16 bits' is optimizer 1557611200*4
gpt full --precision fp32
ok '32 bits: weights' is weights 1557611200*4
ok '32 bits: no copy' is master+0 0
ok '32 bits: gradients' is gradients 1557611200*4
gpt full --optimizer sgd
ok 'no moment' is optimizer+0 0
gpt full --optimizer lion
ok 'one moment' is optimizer 1557611200*4
gpt full --optimizer adamw8bit
ok '8 bits: less than 3 bytes' awk "BEGIN { x = $(value optimizer) / 1557611200; exit !(x > 2 && x < 2.1) }"
gpt full --optimizer adafactor
ok 'a row and a column' awk "BEGIN { x = $(value optimizer) / 1557611200; exit !(x > 0 && x < 0.01) }"

# LoRA of GPT-3 at rank 4 in q and v: 2 * 2 * 4 * 12288 * 96 parameters (Hu et al. 2021, section 4.2).
plan --model gpt3-175b --methods lora:rank=4 --precision fp16 --adapters same --length 16
ok 'parameters of LoRA' is trainable 2*2*4*12288*96
ok 'its checkpoint' is file 2*2*4*12288*96*2
ok 'the frozen model' is weights '(174604259328+2*2*4*12288*96)*2'
plan --model gpt3-175b --methods lora:rank=4 --precision fp16 --length 16
ok 'which PEFT keeps in 32 bits' is file 2*2*4*12288*96*4
ok 'with gradients in 32 bits' is gradients 2*2*4*12288*96*4
ok 'and moments' is optimizer 2*2*4*12288*96*8

# QLoRA: 4 bits, a scale of 8 bits for 64 elements and one of 32 bits for 256 scales; tables in 16 bits.
plan --model llama-2-7b --methods qlora --adapters same
ok 'all projections' is trainable '32*8*(4*(4096+4096)+3*(4096+11008))'
layers='32*(4*4096*4096+3*4096*11008)'
ok '4 bits' is weights "$layers*(0.5+1/64+4/64/256)+2*(6738415616-$layers)+2*$(value trainable)"
ok 'a matrix in 16 bits at a time' is workspace 4096*11008*2

# Activations: fused attention keeps about 34 bytes a token and column in a layer of GPT-3; with checkpoints 2, and a
# layer besides (Korthikanti et al. 2022, arXiv:2205.05198).
plan --model gpt3-175b --methods full --precision fp16 --length 2048
ok 'near 34 s b h' awk "BEGIN { x = $(value activations) / (34 * 2048 * 12288 * 96); exit !(x > 0.9 && x < 1.05) }"
plan --model gpt3-175b --methods full --precision fp16 --length 2048 --checkpoint yes
ok 'near 2 s b h' awk "BEGIN { x = $(value activations) / ((34 + 2 * 96) * 2048 * 12288); exit !(x > 0.9 && x < 1.25) }"

# What fits: the next larger one does not.
total() { plan --model gpt2 --methods lora --batch "$1" --length "$2" && value total; }
plan --model gpt2 --methods lora --length 100 --device 2G
batch=$(value max_batch) length=$(value max_length)
ok 'the largest batch fits' awk "BEGIN { exit !($(total "$batch" 100) <= 2e9) }"
ok 'one more does not' awk "BEGIN { exit !($(total $((batch + 1)) 100) > 2e9) }"
ok 'the longest text is the context' test "$length" = 1024
plan --model gpt2 --methods lora --device 0.4G
length=$(value max_length)
ok 'the longest text fits' awk "BEGIN { exit !($(total 1 "$length") <= 4e8) }"
ok 'a longer one does not' awk "BEGIN { exit !($(total 1 $((length + 1))) > 4e8) }"
plan --model gpt2 --methods full --device 1MB
ok 'nothing fits' test "$(value max_batch) $(value max_length)" = '0 0'

plan --model gpt2 --methods full --train-tokens 1e9 --peak 100 --utilization 0.5
ok 'hours' is hours "$(value flops_per_token)*1e9/(100e12*0.5)/3600"
ok 'an experiment' run 0 plan experiments/sentiment.ini --length 64 --device 80G
ok 'its rows' prints '^lora:all +'
ok 'the rules are named' prints 'docs/big-models.md'

refused() { run 2 plan "${@:2}" && says "$1" && ! prints .; }
ok 'methods alone' refused 'want EXPERIMENT.ini, or --model and --methods' --methods full
ok 'a device alone' refused 'want EXPERIMENT.ini, or --model and --methods' --device 24G
ok 'both' refused 'want EXPERIMENT.ini, or --model' experiments/sentiment.ini --model gpt2 --methods full
ok 'no such model' refused 'nowhere/config.json: cannot read' --model nowhere --methods full
ok 'no such method' refused "no method 'lorra'; did you mean 'lora'" --model gpt2 --methods lorra
ok 'no such setting of qlora' refused "no setting 'foo'" --model gpt2 --methods qlora:foo=1
ok 'no such precision' refused '--precision: precision: want fp32|bf16|fp16' --model gpt2 --methods full --precision int3
ok 'no memory' refused '--device: want the memory of a device, such as 24G or 80G, got' --model gpt2 --methods full --device much
ok 'a text that is too long' refused 'full: position: 1024, want 0..1023' --model gpt2 --methods full --length 2000
ok 'too many tokens' refused 'at most 2^26 tokens' --model gpt2 --methods full --batch 65536 --length 1025
finish
