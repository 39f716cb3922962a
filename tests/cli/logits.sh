#!/bin/bash
# Models, adapters and tokenizers as the program's user meets them: logits, generate, tokenize, predict and
# export on the checkpoints of tests/golden, then every kind of damaged file with its one message.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
golden=$root/tests/golden families=$root/tests/golden/families

run() { # EXPECTED-STATUS INPUT ARGUMENTS...
	printf '%b' "$2" | "$program" "${@:3}" >"$work/out" 2>"$work/err"
	local status=$?
	[ $status = "$1" ] || { echo "    exit status $status, want $1: peftbench ${*:3}" && return 1; }
}

# Exit 2, one line on stderr with these words, nothing on stdout.
refuses() { # MESSAGE INPUT ARGUMENTS...
	run 2 "$2" "${@:3}" && grep -qF -- "$1" "$work/err" && [ "$(wc -l <"$work/err")" = 1 ] && ! [ -s "$work/out" ]
}

cd "$work" || exit 2

# ---- tokenize, logits, generate ------------------------------------------------------------------
ok 'ids and tokens' run 0 'hello world\n' tokenize --model "$golden/bpe/llama3"
ok 'the special token is in front' prints '^\{"ids": \[0, .*"tokens": \["<\|end\|>", "he", "ll"'
ok 'without it' run 0 'hello world\n' tokenize --plain --model "$golden/bpe/llama3"
ok 'it is away' prints '"tokens": \["he", "ll"'
ok 'a JSON string a line' run 0 '"a\\nb"\n"c"\n' tokenize --json --model "$golden/bpe/gpt2"
ok 'two answers' test "$(grep -c '^{"ids": \[.*\], "tokens": \[.*\]}$' out)" = 2
ok 'bytes that are not UTF-8' run 0 'a\0377b\n' tokenize --model "$golden/bpe/gpt2"
ok 'back to text' run 0 '[0, 259, 290, 80]\n' tokenize --decode --model "$golden/bpe/llama3"
ok 'with the special token' prints '^"<\|end\|>hello"$'
ok 'back to text without special tokens' run 0 '[0, 259, 290, 80]\n' tokenize --decode --plain --model "$golden/bpe/llama3"
ok 'the text alone' prints '^"hello"$'
ok 'a classifier has one row' run 0 '[0, 4, 2]\n' logits --ids --model "$families/roberta"
ok 'of its classes' prints '^\{"ids": \[0, 4, 2\], "logits": \[\[[^],]*, [^],]*, [^],]*\]\]\}$'
ok 'a language model has a row a token' run 0 '[3, 4, 5]\n[6]\n' logits --ids --model "$families/llama-3"
ok 'three and one' test "$(head -n 1 out | grep -o '\], \[' | wc -l)" = 2
ok 'generate' run 0 '[3, 4]\n' generate --ids --max-new 7 --model "$families/llama-3"
ok 'seven tokens' prints '^\{"ids": \[([0-9]+, ){6}[0-9]+\], "log_probability": -[0-9.]+, "ending": "length"\}$'
ok 'with an adapter' run 0 '[3, 4]\n' logits --ids --model "$families/llama-3" --adapter "$families/llama-3/adapter"
cp out adapted
ok 'folded in' run 0 '[3, 4]\n' logits --ids --merged --model "$families/llama-3" --adapter "$families/llama-3/adapter"
ok 'without it' run 0 '[3, 4]\n' logits --ids --model "$families/llama-3"
ok 'is another answer' test "$(cut -c 1-80 out)" != "$(cut -c 1-80 adapted)"
ok 'in fewer bits' run 0 '[3, 4]\n' logits --ids --precision nf4 --model "$families/llama-3"

ok 'no JSON string' refuses 'stdin:1: want a JSON string' '{}\n' tokenize --json --model "$golden/bpe/gpt2"
ok 'no id' refuses "stdin:1: element 1: want a token id 0.." '[1, 99999]\n' tokenize --decode --model "$golden/bpe/gpt2"
ok 'no list of ids' refuses 'stdin:1: want a JSON array of token ids' '{}\n' logits --ids --model "$families/gpt2"
ok 'no ids' refuses 'stdin:1: no token in it' '[]\n' logits --ids --model "$families/gpt2"
ok 'a text too long' refuses 'too long' "[$(printf '3, %.0s' $(seq 99))3]\n" logits --ids --model "$families/llama-3"
ok 'no tokenizer' refuses 'no tokenizer.json; want --ids' 'a\n' logits --model "$families/gpt2"
ok 'no language model' refuses 'no causal language model' '[3]\n' generate --ids --model "$families/roberta"
ok 'no precision' refuses "precision: want fp32|bf16|int8|nf4, got 'fp8'" '[3]\n' logits --ids --precision fp8 \
	--model "$families/gpt2"
ok 'nothing to fold in' refuses 'want an --adapter' '[3]\n' logits --ids --merged --model "$families/gpt2"
ok 'no model' refuses '--model: want' '' logits
ok 'no folder' refuses 'nix/config.json: cannot read' '' logits --model nix
for command in logits generate tokenize predict export fetch; do
	ok "$command --help" run 0 '' $command --help
done

# ---- a run, exported --------------------------------------------------------------------------------
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
ok 'another kind of adapter' refuses "peft_type: want one of IA3, LN_TUNING, LORA, PREFIX_TUNING, PROMPT_TUNING; got 'XLORA'" \
	'the film\n' logits --model models/tiny --adapter adapter
rm -f prefix/adapter_model.safetensors
ok 'an adapter without its file' refuses 'prefix/adapter_model.safetensors: cannot read' 'the film\n' logits \
	--model models/tiny --adapter prefix

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
ok 'a GGUF cut off' weights 'lie outside of the file: cut off?' bad.gguf
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
config 's/"model_type"/"logit_scale": 2.5, &/' 'logit_scale: transformers 5.23 has no such field of llama'
config 's/"model_type"/"is_encoder_decoder": true, &/' "is_encoder_decoder: want false, transformers' default, got true"
config 's/"model_type"/"auto_map": {"AutoModel": "own.Model"}, &/' 'auto_map: want null'
config 's/"model_type"/"pruned_heads": {"1": [0]}, &/' 'pruned_heads: want {}'
config 's/"model_type"/"quantization_config": {"quant_method": "gptq", "bits": 4}, &/' \
	'quantization_config: a checkpoint quantised by gptq is not read; want the original one'
config 's/"model_type"/"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": true}, &/' \
	'quantization_config: a checkpoint quantised by bitsandbytes, 4 bits is not read'
config 's/"eos_token_id": 2/"eos_token_id": ["2"]/' 'eos_token_id: want the number of a token, or a list of such'
fresh && sed -i 's/"model_type"/"pruned_heads": {}, "_name": 7, "remark": "ours", "gradient_checkpointing": false, &/' bad/config.json
ok 'remarks in a config.json change nothing' run 0 '[3]\n' logits --ids --model bad
safetensors "{$(tensor model.norm.weight.absmax U8 '[4]' '[0, 4]')}" 4
ok 'a quantised checkpoint by its tensors' weights "'model.norm.weight.absmax': a checkpoint quantised by bitsandbytes (4 bits)"
safetensors "{$(tensor model.norm.weight F8_E4M3 '[24]' '[0, 24]')}" 24
ok 'fp8 without scales' weights "'model.norm.weight': a checkpoint quantised by a conversion to fp8 is not read"
nan() { # FOLDER: the last number of its weights becomes NaN
	cp -r "$1" damaged && printf '\0\0\300\177' | dd of=damaged/model.safetensors bs=1 conv=notrunc status=none \
		seek=$(($(wc -c <damaged/model.safetensors) - 4))
}
rm -rf damaged && nan "$families/llama-3"
ok 'NaN is no logit' refuses 'stdin:1: the model' '[3, 4]\n' logits --ids --model damaged
ok 'NaN is no token' refuses 'of row 0 is NaN: want weights' '[3, 4]\n' generate --ids --model damaged
ok 'nor one of a search' refuses 'of row 0 is NaN: want weights' '[3, 4]\n' generate --ids --beams 2 --model damaged
rm -rf damaged bad && mkdir bad && mkfifo bad/config.json
ok 'a FIFO is no config.json' weights 'bad/config.json: cannot read: want a regular file, got a FIFO'
fresh && rm bad/model.safetensors && mkfifo bad/model.safetensors
ok 'nor weights' weights 'bad/model.safetensors: cannot read: want a regular file, got a FIFO'
ok 'a device is no model' refuses '/dev/zero: cannot read: want a regular file' '[3]\n' logits --ids --model /dev/zero
ok 'a FIFO is no database' refuses 'bad/model.safetensors: cannot read: want a regular file, got a FIFO' '' merge \
	bad/model.safetensors other.db
ok 'nor a device' refuses '/dev/zero: cannot read: want a regular file' '' merge /dev/zero other.db
ok 'a device is no experiment' refuses '/dev/zero: cannot read: want a regular file' '' status /dev/zero
rm -rf goes && cp -r "$families/llama-3" goes
said() { # JSON OPTION..: goes on as generation_config.json says
	printf '%s' "$1" >goes/generation_config.json && shift
	run 0 '[3, 4]\n' generate --ids --max-new 9 --model goes "$@"
}
ids_of() { grep -o '"ids": \[[^]]*' "$1" | sed 's/.*\[//' | tr -d ' ' | tr ',' '\n'; }
ok 'a text without an end' said '{}'
ids_of out >plain
ok 'nine tokens' test "$(wc -l <plain)" = 9
ok 'a list of ends' said "{\"eos_token_id\": [30000, $(sed -n 3p plain)]}"
ok 'ends at the first of them' prints '"ending": "end"'
ok 'a penalty' said '{"repetition_penalty": 100}'
ok 'no token twice' test -z "$(ids_of out | sort | uniq -d)"
ok 'the command line goes over the file' said '{"repetition_penalty": 100}' --repetition-penalty 1
ok 'and gives the plain text' test "$(ids_of out)" = "$(cat plain)"
ok 'draws' said '{"do_sample": true, "temperature": 5.0}'
ok 'another text' test "$(ids_of out)" != "$(cat plain)"
ok 'one beam is greedy' said '{"do_sample": true, "temperature": 5.0}' --beams 1
ok 'as without the file' test "$(ids_of out)" = "$(cat plain)"
saying() { # MESSAGE JSON
	printf '%s' "$2" >goes/generation_config.json
	refuses "goes/generation_config.json: $1" '[3]\n' generate --ids --model goes
}
ok 'no words' saying "bad_words_ids: want null, transformers' default, got [[3]]: that is not supported" '{"bad_words_ids": [[3]]}'
ok 'no least length' saying 'min_new_tokens: want null' '{"min_new_tokens": 4}'
ok 'a wrong type' saying 'repetition_penalty: want number|null, got "1.3"' '{"repetition_penalty": "1.3"}'
ok 'out of range' saying 'repetition_penalty: ' '{"repetition_penalty": -1}'
ok 'an unknown field' saying 'smoothing: transformers 5.23 has no such field' '{"smoothing": 0.3}'
ok 'no drawing beams' saying 'num_beams: want 1 with do_sample' '{"do_sample": true, "num_beams": 2}'
ok 'an end that is no token' saying 'eos_token_id: want the number of a token' '{"eos_token_id": ["</s>"]}'
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
rm -rf bad && cp -r models/tiny bad && sed -i 's/"BertModel"/"BertForSequenceClassification"/' bad/config.json
ok 'a head that is not there' weights "no tensor 'classifier.weight'"
sed -i 's/"model_type"/"num_labels": 0, &/' bad/config.json
ok 'no class' weights 'num_labels: want a whole number 1..'

# ---- tokenizers --------------------------------------------------------------------------------------------------
tokenizer() { # MESSAGE TEXT-OF-TOKENIZER.JSON
	rm -rf bad && mkdir bad && printf '%b' "$2" >bad/tokenizer.json
	ok "tokenizer: $1" refuses "bad/tokenizer.json:$1" 'ab\n' tokenize --model bad
}
bpe() { printf '{"model": {"type": "BPE", "vocab": %s, "merges": %s}%s}' "$1" "$2" "${3:-}"; }
all='{"a": 0, "b": 1, "ab": 2}'
tokenizer ' model: merges: want a list' "{\"model\": {\"type\": \"BPE\", \"vocab\": $all}}"
tokenizer " model: merges: entry 1: 'a' + 'c': want both and 'ac'" "$(bpe "$all" '["a b", "a c"]')"
tokenizer " model: merges: entry 0: 'a' + 'b': want both and 'ab'" "$(bpe '{"a": 0, "b": 1}' '["a b"]')"
tokenizer ' model: merges: entry 0: want "left right"' "$(bpe "$all" '[["", "ab"]]')"
tokenizer " id 0: two tokens, 'a' and 'b'" "$(bpe '{"a": 0, "b": 0}' '[]')"
tokenizer " token 'a': want an id of 0.." "$(bpe '{"a": -1}' '[]')"
tokenizer '1:' "$(bpe '{"a\0377": 0}' '[]')"
tokenizer " pre_tokenizer: '((': at character 3: missing closing parenthesis" "$(bpe "$all" '[]' \
	', "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated"}')"
tokenizer " normalizer: type 'Other' is not supported" "$(bpe "$all" '[]' ', "normalizer": {"type": "Other"}')"

finish
