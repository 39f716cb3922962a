#!/bin/bash
# logits: of models and adapters, and every kind of damaged file or setting that no model may have, with its one message.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/input.bash

ok 'a classifier has one row' run 0 '[0, 4, 2]\n' logits --ids --model "$families/roberta"
ok 'of its classes' prints '^\{"ids": \[0, 4, 2\], "logits": \[\[[^],]*, [^],]*, [^],]*\]\]\}$'
ok 'a language model has a row a token' run 0 '[3, 4, 5]\n[6]\n' logits --ids --model "$families/llama-3"
ok 'three and one' test "$(head -n 1 out | grep -o '\], \[' | wc -l)" = 2
ok 'with an adapter' run 0 '[3, 4]\n' logits --ids --model "$families/llama-3" --adapter "$families/llama-3/adapter"
cp out adapted
ok 'folded in' run 0 '[3, 4]\n' logits --ids --merged --model "$families/llama-3" --adapter "$families/llama-3/adapter"
ok 'without it' run 0 '[3, 4]\n' logits --ids --model "$families/llama-3"
ok 'is another answer' test "$(cut -c 1-80 out)" != "$(cut -c 1-80 adapted)"
ok 'in fewer bits' run 0 '[3, 4]\n' logits --ids --precision nf4 --model "$families/llama-3"

# ---- token types and pairs --------------------------------------------------------------------------------
cp -r "$families/roberta" classifier
cp "$golden/pairs/bert-processing/tokenizer.json" classifier
typed() { echo "{\"input_ids\": [1, 3, 2, 5, 2], \"token_type_ids\": $1}\n"; }
ok 'token types 0' run 0 "$(typed '[0, 0, 0, 0, 0]')" logits --ids --model classifier
sed 's/.*"logits"/"logits"/' out >zeros
ok 'are those of a list' run 0 '[1, 3, 2, 5, 2]\n' logits --ids --model classifier
ok 'as they are' cmp -s zeros <(sed 's/.*"logits"/"logits"/' out)
ok 'token types' run 0 "$(typed '[0, 0, 0, 1, 1]')" logits --ids --model classifier
ok 'are printed' prints '^\{"ids": \[1, 3, 2, 5, 2\], "types": \[0, 0, 0, 1, 1\], "logits": \[\['
cp out typed
ok 'and make a difference' test "$(sed 's/.*"logits"/"logits"/' out)" != "$(cat zeros)"
ok 'a pair' run 0 'the\tfilm\n' logits --pairs --model classifier
ok 'has these types' cmp -s typed out
ok 'types that the model lacks' refuses 'stdin:1: token_type_ids: the model has 2 token types: element 4: want a token type 0..1' \
	"$(typed '[0, 0, 0, 1, 2]')" logits --ids --model classifier
ok 'types of a model without types' refuses 'stdin:1: token_type_ids: the model has 0 token types: element 1: want a token type 0..0' \
	'{"input_ids": [3, 4], "token_type_ids": [0, 1]}\n' logits --ids --model "$families/gpt2"
ok 'fewer types than ids' refuses 'stdin:1: 5 input_ids and 2 token_type_ids; want as many' "$(typed '[0, 0]')" logits --ids \
	--model classifier
ok 'another member' refuses "stdin:1: 'attention_mask': want input_ids and token_type_ids only" \
	'{"input_ids": [3], "attention_mask": [1]}\n' logits --ids --model classifier
ok 'a NUL in a pair' refuses 'stdin:1: a NUL byte; want text without NUL' 'the film\tis good\0000 or bad\n' logits --pairs \
	--model classifier
ok 'a line that is no pair' refuses 'stdin:1: want a pair of texts with a tab between them, got no tab' 'the film\n' logits --pairs \
	--model classifier
ok 'ids of pairs' refuses '--pairs: token ids are no texts; want --pairs or --ids' '[3]\n' logits --pairs --ids --model classifier
ok 'a pair without a tokenizer' refuses 'no tokenizer.json; want --ids' 'a\tb\n' logits --pairs --model "$families/gpt2"
cp -r classifier no-form
sed -i 's/"BertProcessing"/"ByteLevel"/' no-form/tokenizer.json
ok 'an encoder without a form for pairs' refuses 'stdin:1: no-form/tokenizer.json: post_processor: it does not say how a pair of texts' \
	'a\tb\n' logits --pairs --model no-form
ok 'a pair of a decoder' run 0 'the film\tgood\n' logits --pairs --model "$root/models/pico-decoder"
grep -o '^{"ids": \[[^]]*\]' out >two
ok 'one text of two lines' run 0 '"the film\\ngood"\n' tokenize --json --model "$root/models/pico-decoder"
ok 'is the same' cmp -s two <(grep -o '^{"ids": \[[^]]*\]' out)

# ---- multiple choice --------------------------------------------------------------------------------------
choose=$golden/choose/bert-choices
choice() { printf '{"input_ids": [%s], "token_type_ids": [%s]}' "$1" "$2"; }
two="[$(choice '3, 4, 5' '0, 0, 1'), $(choice '3, 6' '0, 1')]\n"
ok 'a row a choice' run 0 "$two" logits --ids --model "$choose"
ok 'of one number' prints '^\{"ids": \[\[3, 4, 5\], \[3, 6\]\], "types": \[\[0, 0, 1\], \[0, 1\]\], "logits": \[\[[^],]*\], \[[^],]*\]\]\}$'
cut -d '"' -f 7 out >logits.two
ok 'each by itself' run 0 "[$(choice '3, 6' '0, 1')]\n" logits --ids --model "$choose"
ok 'has the same' test "$(cut -d '"' -f 7 out | tr -d ']}[: ')" = "$(tr -d ']}[: ' <logits.two | cut -d , -f 2)"
ok 'ids without types' run 0 '[[3, 4], [3, 6]]\n' logits --ids --model "$choose"
ok 'are printed so' prints '^\{"ids": \[\[3, 4\], \[3, 6\]\], "logits"'
ok 'types of one choice' run 0 "[[3, 4], $(choice '3, 6' '0, 1')]\n" logits --ids --model "$choose"
ok 'are 0 for the other' prints '"types": \[\[0, 0\], \[0, 1\]\]'
ok 'with an adapter' run 0 "$two" logits --ids --model "$choose" --adapter "$choose/lora"
ok 'one sequence' refuses 'stdin:1: choice 0: want a JSON array of token ids, or an object' '[3, 4]\n' logits --ids --model "$choose"
ok 'an object' refuses 'stdin:1: want a JSON array with an array of ids, or an object, for each choice' "$(choice '3' '0')\n" logits --ids \
	--model "$choose"
ok 'a choice without ids' refuses 'stdin:1: choice 1: no token; want at least one' '[[3], []]\n' logits --ids --model "$choose"
ok 'choices for a classifier' refuses 'stdin:1: element 0: want a token id' "$two" logits --ids --model classifier
ok 'an adapter for classes' refuses 'auto_mapping: the adapter is for something else, and the head of' "$two" logits --ids \
	--model "$choose" --adapter "$families/roberta/adapter"
cp "$golden/pairs/bert-processing/tokenizer.json" .
cp -r "$choose" chooser && cp tokenizer.json chooser
ok 'a question' run 0 'the film\tgood\tvery bad\n' logits --model chooser
ok 'has a pair for each choice' prints '"types": \[\[0, 0, 0, 0, 1, 1\], \[0, 0, 0, 0, 1, 1, 1\]\], "logits": \[\[[^],]*\], \[[^],]*\]\]\}$'
ok 'no choices' refuses 'stdin:1: want a question and at least 2 choices with tabs between them, got no tab' 'the film\n' logits --model chooser
ok 'pairs' refuses '--pairs: chooser chooses; want lines with a question and its choices' 'the film\tgood\n' logits --pairs --model chooser
ok 'a choice is predicted' run 0 'the film\tgood\tvery bad\n' predict --model chooser
ok 'with its probability' prints '^(good|very bad)	0\.[0-9]{4}$'

ok 'no list of ids' refuses 'stdin:1: want a JSON array of token ids, or an object' '3\n' logits --ids --model "$families/gpt2"
ok 'no ids in an object' refuses 'stdin:1: input_ids: want a JSON array of token ids' '{}\n' logits --ids --model "$families/gpt2"
ok 'no ids' refuses 'stdin:1: the line has no token' '[]\n' logits --ids --model "$families/gpt2"
ok 'a text too long' refuses 'too long' "[$(printf '3, %.0s' $(seq 99))3]\n" logits --ids --model "$families/llama-3"
ok 'no tokenizer' refuses 'no tokenizer.json; want --ids' 'a\n' logits --model "$families/gpt2"
ok 'no precision' refuses "precision: want fp32|bf16|int8|nf4, got 'fp8'" '[3]\n' logits --ids --precision fp8 \
	--model "$families/gpt2"
ok 'nothing to fold in' refuses 'want an --adapter' '[3]\n' logits --ids --merged --model "$families/gpt2"
ok 'no model' refuses '--model: want' '' logits
ok 'no folder' refuses 'nix/config.json: cannot read' '' logits --model nix
ok 'help' run 0 '' logits --help

# ---- damaged weights --------------------------------------------------------------------------------------
cp -r "$golden/variants/keys-by-default" windowed
sed -i 's/"sliding_window": [0-9]*/"sliding_window": 8/' windowed/config.json
fresh() { rm -rf bad && cp -r "$families/llama-3" bad; }
weights() { refuses "$1" '[3]\n' logits --ids --model "${2:-bad}"; }
safetensors() { # HEADER BYTES: a file with this header and so many zeros behind it
	fresh
	local n=${#1}
	printf "$(printf '\\x%02x\\x%02x\\0\\0\\0\\0\\0\\0' $((n % 256)) $((n / 256)))%s" "${1//%/%%}" >bad/model.safetensors
	head -c "$2" /dev/zero >>bad/model.safetensors
}
tensor() { printf '"%s": {"dtype": "%s", "shape": %s, "data_offsets": %s}' "$@"; }

safetensors "{$(tensor a F32 '[2, 2]' '[0, 16]'), $(tensor b F32 '[2]' '[12, 20]')}" 20
ok 'arrays that overlap' weights "'b': data begin at 12, want 16: the arrays overlap"
safetensors "{$(tensor a F32 '[2, 2]' '[0, 12]')}" 12
ok 'a shape that is not its bytes' weights "'a': shape times element size is 16 bytes, data_offsets hold 12"
safetensors "{$(tensor a Q9 '[2, 2]' '[0, 16]')}" 16
ok 'an unknown dtype' weights "'a': unknown dtype 'Q9'"
safetensors "{$(tensor a F32 '[2, 2]' '[0, 16]')}" 10
ok 'data cut off' weights "'a': data_offsets: end 16 lies beyond the data of 10 bytes"
safetensors "{$(tensor a F32 '[4294967296, 4294967296]' '[0, 16]')}" 16
ok 'more elements than there can be' weights "'a': shape: more elements than can be counted"
safetensors "{$(tensor a F32 '[-1]' '[0, 4]')}" 4
ok 'a negative shape' weights "'a': shape: want whole numbers from 0"
safetensors "{$(tensor model.norm.weight F32 '[24]' '[0, 96]')}" 96
ok 'missing tensors are named at once' weights "no tensor 'model.embed_tokens.weight', no tensor 'model.layers.0.self_attn.q_proj"
fresh && LC_ALL=C sed -i 's/"model.norm.weight":{"dtype":"F32"/"model.norm.weight":{"dtype":"I32"/' bad/model.safetensors
ok 'numbers of another kind' weights "not of F64, F32, F16 or BF16: 'model.norm.weight'"
fresh && printf '\377\377\377\377\0\0\0\0{}' >bad/model.safetensors
ok 'a huge header' weights 'header of 4294967295 bytes: want at most'
fresh && head -c 1500 "$families/llama-3/model.safetensors" >bad/model.safetensors
ok 'a header cut off' weights 'bad/model.safetensors: header of'
fresh && sed -i 's/"vocab_size": [0-9]*/"vocab_size": 32/' bad/config.json
ok 'another shape than config.json says' weights "not of shape [32,24]: 'model.embed_tokens.weight'"
fresh && rm bad/model.safetensors && echo '{"weight_map": {"a": "model-1.safetensors"}}' >bad/model.safetensors.index.json
ok 'a missing shard' weights 'bad/model-1.safetensors: cannot read'
echo '{"weight_map": {"a": "../a.safetensors"}}' >bad/model.safetensors.index.json
ok 'a shard elsewhere' weights "want the name of a file in this folder, got '../a.safetensors'"
cp "$families/llama-3/model.safetensors" bad/model-1.safetensors
echo '{"weight_map": {"a": "model-1.safetensors"}}' >bad/model.safetensors.index.json
ok 'a shard without the tensor' weights "weight_map: no tensor 'a' in model-1.safetensors"

gguf=$root/tests/fuzz/corpus/gguf
head -c -100 "$gguf/llama" >bad.gguf
ok 'a GGUF cut off' weights 'lie outside of the file: is it cut off?' bad.gguf
printf 'GGUF\3\0\0\0\377\377\377\377\377\377\377\177\0\0\0\0\0\0\0\0' >bad.gguf
ok 'more tensors than a GGUF can hold' weights '9223372036854775807 tensors: more than the file can hold' bad.gguf
printf 'GGUF\11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >bad.gguf
ok 'another version of GGUF' weights 'bad.gguf: ' bad.gguf
ok 'a GGUF lacks tensors' weights "no tensor 'model.layers.0.self_attn.k_proj.weight'" "$gguf/llama"
printf 'hello, this is a text and no model\n' >bad.gguf
ok 'a text' weights 'bad.gguf: ' bad.gguf
head -c 300 /dev/zero >bad.bin
ok 'zeros' weights 'want a llama2.c checkpoint' bad.bin

# ---- settings out of range -----------------------------------------------------------------------------------
config() { # SED-SCRIPT MESSAGE
	fresh
	sed -i "$1" bad/config.json
	ok "config.json: $2" weights "bad/config.json: $2"
}
config 's/"num_attention_heads": 4/"num_attention_heads": 0/' 'num_attention_heads: want a whole number 1..4096'
config 's/"num_attention_heads": 4/"num_attention_heads": 5/' 'num_key_value_heads: want a divisor of 5, got 2'
config 's/"hidden_size": 24/"hidden_size": 1e30/' 'hidden_size: want int, got 1e30'
config 's/"hidden_size": 24/"hidden_size": "x"/' 'hidden_size: want int, got "x"'
config 's/"model_type"/"attention_bias": 1, &/;s/"attention_bias": false,//' 'attention_bias: want bool, got 1'
config 's/"rms_norm_eps": [-0-9.e]*/"rms_norm_eps": "1e-5"/' 'rms_norm_eps: want number, got "1e-5"'
config 's/"model_type"/"tie_word_embeddings": "yes", &/;s/"tie_word_embeddings": false,//' 'tie_word_embeddings: want bool|null'
config 's/"factor": 8.0/"factor": "8"/' 'factor: want number|null, got "8"'
config 's/"model_type"/"logit_scale": 2.5, &/' 'logit_scale: transformers 5.23 has no such field in llama'
config 's/"model_type"/"is_encoder_decoder": true, &/' "is_encoder_decoder: want false, transformers' default, got true"
config 's/"model_type"/"auto_map": {"AutoModel": "own.Model"}, &/' 'auto_map: want null'
config 's/"model_type"/"pruned_heads": {"1": [0]}, &/' 'pruned_heads: want {}'
config 's/"model_type"/"quantization_config": {"quant_method": "gptq", "bits": 4}, &/' \
	'quantization_config: a checkpoint quantized by gptq is not supported; want the original one'
config 's/"model_type"/"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}, &/' \
	'quantization_config: a checkpoint quantized by bitsandbytes, 4 bits is not supported'
config 's/"eos_token_id": 2/"eos_token_id": ["2"]/' 'eos_token_id: want a token id or a list of token ids'
fresh && sed -i 's/"model_type"/"pruned_heads": {}, "_name": 7, "remark": "ours", "gradient_checkpointing": false, &/' bad/config.json
ok 'remarks in a config.json change nothing' run 0 '[3]\n' logits --ids --model bad
safetensors "{$(tensor model.norm.weight.absmax U8 '[4]' '[0, 4]')}" 4
ok 'a quantized checkpoint by its tensors' weights "'model.norm.weight.absmax': a checkpoint quantized by bitsandbytes (4 bits)"
safetensors "{$(tensor model.norm.weight F8_E4M3 '[24]' '[0, 24]')}" 24
ok 'fp8 without scales' weights "'model.norm.weight': a checkpoint quantized by a conversion to fp8 is not supported"
nan() { # FOLDER: the last number of its weights becomes NaN
	cp -r "$1" damaged && printf '\0\0\300\177' | dd of=damaged/model.safetensors bs=1 conv=notrunc status=none \
		seek=$(($(wc -c <damaged/model.safetensors) - 4))
}
rm -rf damaged && nan "$families/llama-3"
ok 'NaN is no logit' refuses 'stdin:1: the model' '[3, 4]\n' logits --ids --model damaged
ok 'NaN is no token' refuses 'of row 0 is NaN; want weights' '[3, 4]\n' generate --ids --model damaged
ok 'nor one of a search' refuses 'of row 0 is NaN; want weights' '[3, 4]\n' generate --ids --beams 2 --model damaged
rm -rf damaged bad && mkdir bad && mkfifo bad/config.json
ok 'a FIFO is no config.json' weights 'bad/config.json: cannot read: want a regular file, got a FIFO'
fresh && rm bad/model.safetensors && mkfifo bad/model.safetensors
ok 'nor weights' weights 'bad/model.safetensors: cannot read: want a regular file, got a FIFO'
ok 'a device is no model' refuses '/dev/zero: cannot read: want a regular file' '[3]\n' logits --ids --model /dev/zero
ok 'a FIFO is no database' refuses 'bad/model.safetensors: cannot read: want a regular file, got a FIFO' '' merge \
	bad/model.safetensors other.db
ok 'nor a device' refuses '/dev/zero: cannot read: want a regular file' '' merge /dev/zero other.db
ok 'a device is no experiment' refuses '/dev/zero: cannot read: want a regular file' '' status /dev/zero
cp -r "$families/llama-3" goes
printf '{"bad_words_ids": [[3]]}' >goes/generation_config.json
ok 'logits do not ask it' run 0 '[3]\n' logits --ids --model goes
ok 'a window is named' refuses 'want at most the attention window of 8 (sliding_window in config.json)' \
	"[$(printf '3, %.0s' $(seq 9))3]\n" logits --ids --model windowed
config 's/"rms_norm_eps": [-0-9.e]*/"rms_norm_eps": -1/' 'rms_norm_eps: want a number 0..1'
config 's/"hidden_act": "silu"/"hidden_act": "swish9"/' 'hidden_act: want'
config 's/"factor": 8.0/"factor": -8.0/' 'rope: want'
config 's/"llama3"/"dynamic"/' "rope type: want default, linear, llama3, yarn or longrope, got 'dynamic'"
config 's/"rope_type"/"partial": 1, "rope_type"/' "rope: 'partial' is not supported"
config 's/"model_type": "llama"/"model_type": "mamba"/' 'model_type: want'
rm -rf bad && cp -r "$families/roberta" bad && sed -i 's/RobertaForSequence/RobertaForNoSequence/' bad/config.json
ok 'a head that is not known' weights 'the checkpoint has no head'
rm -rf bad && cp -r "$golden/tiny-bert" bad && sed -i 's/"BertModel"/"BertForSequenceClassification"/' bad/config.json
ok 'a head that is not there' weights "no tensor 'classifier.weight'"
sed -i 's/"model_type"/"num_labels": 0, &/' bad/config.json
ok 'no class' weights 'num_labels: want a whole number 1..'

finish
