#!/bin/bash
# tokenize: ids and tokens both ways, and tokenizers that are refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
. tests/cli/input.bash

ok 'ids and tokens' run 0 'hello world\n' tokenize --model "$golden/bpe/llama3"
ok 'the special token is in front' prints '^\{"ids": \[0, .*"tokens": \["<\|end\|>", "he", "ll"'
ok 'without it' run 0 'hello world\n' tokenize --plain --model "$golden/bpe/llama3"
ok 'it is away' prints '"tokens": \["he", "ll"'
ok 'a JSON string a line' run 0 '"a\\nb"\n"c"\n' tokenize --json --model "$golden/bpe/gpt2"
ok 'two answers' test "$(grep -c '^{"ids": \[.*\], "tokens": \[.*\]}$' out)" = 2
ok 'bytes that are not UTF-8' run 0 'a\0377b\n' tokenize --model "$golden/bpe/gpt2"
ok 'a NUL' refuses 'stdin:1: a NUL byte; want text without NUL' 'a\0000b\n' tokenize --model "$golden/bpe/gpt2"
run 0 '"a\\rb\\r"\n' tokenize --json --model "$golden/bpe/gpt2" && cp out wanted
ok 'a CR in a line' run 0 'a\rb\r\r\n' tokenize --model "$golden/bpe/gpt2"
ok 'is text, but for the end of the line' cmp -s out wanted
ok 'back to text' run 0 '[0, 259, 290, 80]\n' tokenize --decode --model "$golden/bpe/llama3"
ok 'with the special token' prints '^"<\|end\|>hello"$'
ok 'back to text without special tokens' run 0 '[0, 259, 290, 80]\n' tokenize --decode --plain --model "$golden/bpe/llama3"
ok 'the text alone' prints '^"hello"$'
ok 'no JSON string' refuses 'stdin:1: want a JSON string' '{}\n' tokenize --json --model "$golden/bpe/gpt2"
ok 'no id' refuses "stdin:1: element 1: want a token id 0.." '[1, 99999]\n' tokenize --decode --model "$golden/bpe/gpt2"
ok 'help' run 0 '' tokenize --help

# ---- tokenizers that are refused --------------------------------------------------------------------------------------------------
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
