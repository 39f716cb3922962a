#!/bin/bash
# generate: texts that go on, as generation_config.json and the command line say.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/input.bash

ok 'generate' run 0 '[3, 4]\n' generate --ids --max-new 7 --model "$families/llama-3"
ok 'seven tokens' prints '^\{"ids": \[([0-9]+, ){6}[0-9]+\], "log_probability": -[0-9.]+, "ending": "length"\}$'
ok 'no language model' refuses 'not a causal language model' '[3]\n' generate --ids --model "$families/roberta"
ok 'help' run 0 '' generate --help

# ---- generation_config.json ------------------------------------------------------------------------------------------
cp -r "$families/llama-3" goes
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
ok 'an end that is no token' saying 'eos_token_id: want a token id' '{"eos_token_id": ["</s>"]}'

finish
