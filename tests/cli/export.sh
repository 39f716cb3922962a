#!/bin/bash
# export: a run as an adapter of PEFT or a whole model, which predict then takes; adapters that are refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/input.bash

mkdir -p tasks data/toy models
cp -r "$golden/tiny-bert" models/tiny
printf '[task]\nkind = classify\ntrain = toy/train.tsv\nvalidation_share = 0.2\ntest_share = 0.2\n' >tasks/toy.ini
{
	printf 'label\ttext\n'
	for i in $(seq 20); do
		printf 'good\tthe film number %d is good and fun\nbad\tthe film number %d is bad and dull\n' "$i" "$i"
	done
} >data/toy/train.tsv
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = lora, lora+prefix, prefix
seeds = 0
timing_rounds = 0
baseline = lora

[train]
epochs = 2
batch = 8
lr = 1e-2

[method lora]
dora = yes
END
texts='the film is good\nthe film is bad\nthe film\n'
ok 'three runs' run 0 '' run toy.ini --quiet
ok 'predict with the experiment' run 0 "$texts" predict toy.ini
cp out predicted
ok 'export' run 0 '' export 1 adapter
ok 'predict with the adapter' run 0 "$texts" predict --model models/tiny --adapter adapter
ok 'says the same' cmp -s out predicted
ok 'export --merged' run 0 '' export 1 whole --merged
ok 'predict with the whole' run 0 "$texts" predict --model whole
ok 'says the same' cmp -s out predicted
ok 'classes have their names' grep -q '"id2label": {"0": "good", "1": "bad"}' whole/config.json
ok 'a prefix is an adapter' run 0 '' export 3 prefix
ok 'a prefix cannot be folded' refuses 'cannot be folded into the weights' '' export 3 nowhere --merged
ok 'a composition is no adapter' refuses 'a composition of 2 methods' '' export 2 nowhere
ok 'no such run' refuses "no finished run '77'" '' export 77 nowhere
ok 'nothing was written' test ! -e nowhere
ok 'of rank 16' run 0 '' export 1 exact --rank 16
ok 'each module has its error' test "$(grep -cE '^bert\.encoder\.layer\.[01]\.attention\.self\.(query|value): relative error 0\.00e\+00$' out)" = 4
ok 'predict with it' run 0 "$texts" predict --model models/tiny --adapter exact
ok 'says the same' cmp -s out predicted
ok 'PEFT reads a plain LoRA' grep -q '"use_dora": *false' exact/adapter_config.json
ok 'of this rank and scale' grep -q '"r": *16' exact/adapter_config.json
ok 'of this rank and scale, in both lines' grep -q '"lora_alpha": *16' exact/adapter_config.json
ok 'of rank 2' run 0 '' export 1 coarse --rank 2
ok 'says what is lost' grep -qE 'query: relative error [0-9.]+e-0[1-9]$' out
ok 'a prefix has no rank' refuses 'cannot be folded into the weights; want an adapter, without --rank' '' export 3 nowhere --rank 2
ok 'nor has a composition with it' refuses 'cannot be folded into the weights' '' export 2 nowhere --rank 2
ok 'no rank' refuses '--rank: want' '' export 1 nowhere --rank 0
ok 'too large a rank' refuses 'rank: want ' '' export 1 nowhere --rank 99999
ok 'two forms' refuses 'export: --merged and --rank are two forms; want one of them' '' export 1 nowhere --rank 2 --merged
ok 'either of the two' refuses 'want either an EXPERIMENT.ini or --model' '' predict
ok 'a model without a head' refuses 'has no head' 'a\n' predict --model models/tiny
ok 'a language model predicts no class' refuses 'no classifier' 'a\n' predict --model "$families/gpt2"
ok 'the adapter of another base' refuses 'made for weights of SHA-256' 'the film\n' logits --model whole --adapter adapter
ok '--force takes it' run 0 'the film\n' logits --model whole --adapter adapter --force
ok 'an adapter of another family' refuses 'target_modules: names no module of a llama' '[3]\n' logits --ids \
	--model "$families/llama-3" --adapter "$families/roberta/adapter"
cp -r adapter prompt
cat >prompt/adapter_config.json <<'END'
{"peft_type": "PROMPT_TUNING", "task_type": "SEQ_CLS", "num_virtual_tokens": 2, "modules_to_save": ["word_embeddings"]}
END
ok 'a table that PEFT does not use' refuses "modules_to_save: 'bert.embeddings.word_embeddings', which PEFT does not use" \
	'the film\n' logits --model models/tiny --adapter prompt
sed -i 's/"LORA"/"XLORA"/' adapter/adapter_config.json
ok 'another kind of adapter' refuses 'peft_type: XLORA is not read: a mixture of trained LoRAs; want one of ADALORA, ' \
	'the film\n' logits --model models/tiny --adapter adapter
rm -f prefix/adapter_model.safetensors
ok 'an adapter without its file' refuses 'prefix/adapter_model.safetensors: cannot read' 'the film\n' logits \
	--model models/tiny --adapter prefix
ok 'help' run 0 '' export --help

finish
