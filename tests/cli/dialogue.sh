#!/bin/bash
# Conversations as their user meets them: data, training, predictions by the same template, and what is refused.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash

refuses() { run 2 "${@:2}" && says "$1"; }

cd "$work" || exit 2
mkdir -p models tasks data
ln -s "$root/models/pico-decoder" models/decoder
ln -s "$root/data/dialogue" data/dialogue
cp "$root"/tasks/dialogue.* tasks/
cat >talk.ini <<'END'
[experiment]
task          = dialogue
model         = models/decoder
methods       = lora
seeds         = 0
timing_rounds = 0

[train]
epochs = 3
batch  = 4
lr     = 1e-2

[decode]
max_new = 16

[method lora]
targets = attn.q, attn.v
END

# ---- as the model sees it, trained, and asked ----------------------------------------------------------------------
ok 'data' run 0 data talk.ini
ok 'the data is shown as the template writes it' prints 'Question: What do we cut bread with'
ok 'with its end token' prints '<\|endoftext\|>'
ok 'plan' run 0 plan talk.ini
ok 'run' run 0 run talk.ini
ok 'the table names the metric' prints 'test bleu'
asks() { # TEXT
	printf '%s\n' "$1" | "$program" predict talk.ini >"$work/out" 2>"$work/err"
}
ok 'a message is answered' asks 'What is the opposite of wet?'
ok 'in one line' test "$(wc -l <out)" = 1
cp out one
ok 'so is a list of messages' asks '[{"role": "user", "content": "What is the opposite of wet?"}]'
ok 'alike' cmp -s out one
ok 'a list that ends with the assistant is refused' test "$(
	printf '[{"role": "assistant", "content": "x"}]\n' | "$program" predict talk.ini 2>&1 >/dev/null | tail -n 1
)" = "peftbench: stdin:1: want the user's message last, which is to be answered"

# ---- generate --chat ---------------------------------------------------------------------------------------------
goes() { # OPTION..
	printf 'What is wet?\n' | "$program" generate --model models/decoder --max-new 4 "$@" >"$work/out" 2>"$work/err"
}
ok 'a template of a file' goes --chat tasks/dialogue.jinja
ok 'answers' prints '"text": '
ok 'no template of its own' test "$(goes --chat auto; grep -c 'the model has no chat template' err)" = 1

# ---- what is refused -----------------------------------------------------------------------------------------------
bad() { # MESSAGE LINE
	printf '%s\n' "$2" >data/bad.jsonl
	refuses "data/bad.jsonl:1: messages: $1" data talk.ini --set task.train=bad.jsonl
}
user='{"role": "user", "content": "a"}' assistant='{"role": "assistant", "content": "b"}'
ok 'an unknown role' bad "message 1: role: want system, user or assistant, got 'judge'" \
	"{\"messages\": [{\"role\": \"judge\", \"content\": \"a\"}, $assistant]}"
ok 'no role' bad 'message 1: role: want system, user or assistant, got nothing' "{\"messages\": [{\"content\": \"a\"}]}"
ok 'no content' bad 'message 2: content: want a text, got nothing' "{\"messages\": [$user, {\"role\": \"assistant\"}]}"
ok 'parts in place of a text' bad 'message 1: content: want a text, got a list' \
	"{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}]}, $assistant]}"
ok 'nothing said' bad 'message 2: content: want what the assistant says, got an empty text' \
	"{\"messages\": [$user, {\"role\": \"assistant\", \"content\": \"\"}]}"
ok 'no assistant' bad 'want a message of the assistant, got none in 1' "{\"messages\": [$user]}"
ok 'the assistant not last' bad "want the assistant's message last, which is the answer, got one of the user" \
	"{\"messages\": [$user, $assistant, $user]}"
ok 'a late system message' bad 'message 2: role: want system in the first message only' \
	"{\"messages\": [$user, {\"role\": \"system\", \"content\": \"s\"}, $assistant]}"
ok 'calls of tools' bad "message 2: want role and content, got 'tool_calls' too; that is not supported" \
	"{\"messages\": [$user, {\"role\": \"assistant\", \"content\": \"b\", \"tool_calls\": [1]}]}"
ok 'no list' bad 'want a list of messages, got an object' '{"messages": {"role": "user"}}'
ok 'no messages' bad 'want a list of messages, got nothing' '{"messages": ""}'
ok 'no column' refuses "no column 'turns'" data talk.ini --set task.messages=turns

ok 'a template of texts' refuses 'template: want no template with messages: a chat template presents them' \
	data talk.ini --set task.template=dialogue.jinja
ok 'a chat template without messages' refuses 'chat_template: want messages, the column of the conversations, with it' \
	data talk.ini --set task.messages=
ok 'no such template' refuses 'nowhere.jinja' data talk.ini --set task.chat_template=nowhere.jinja
ok "the model's own template, which it has not" refuses 'the model has no chat template' run talk.ini --set task.chat_template=
printf '\n{%% if x %%}' >tasks/broken.jinja
ok 'a broken template' refuses 'tasks/broken.jinja:2: want {% endif %}' run talk.ini --set task.chat_template=tasks/broken.jinja
printf '{%% for m in messages %%}{{ m.content }};{{ strftime_now("%%Y") }}{%% endfor %%}' >tasks/dated.jinja
ok 'a template that asks for the day' refuses 'tasks/dated.jinja:1: strftime_now: the text would depend on the day of the run' \
	data talk.ini --set task.chat_template=tasks/dated.jinja
ok 'a fixed day' run 0 data talk.ini --set task.chat_template=tasks/dated.jinja --set task.date=2025-01-31
ok 'a message that does not fit' refuses 'the last message has' run talk.ini --set train.max_tokens=5

# ---- the template that a model ships --------------------------------------------------------------------------------
mkdir models/chatty
ln -s "$root"/models/pico-decoder/* models/chatty/
cp tasks/dialogue.jinja models/chatty/chat_template.jinja
own=(talk.ini --db own.db --set experiment.model=models/chatty --set task.chat_template= --set train.epochs=1)
ok "a run by the model's template" run 0 run "${own[@]}" --quiet
ok 'and one by a format' run 0 run "${own[@]}" --set task.chat_template=chatml --quiet
ok 'is done' eval 'run 0 status "${own[@]}" && prints "^done .*, run 1$"'
sed -i 's/Question:/Ask:/' models/chatty/chat_template.jinja
ok 'another template' run 1 status "${own[@]}"
ok 'is another run' prints 'missing .*run 1 has the same settings; .*the template changed'
ok 'but for the format' run 0 status "${own[@]}" --set task.chat_template=chatml
cp tasks/dialogue.jinja models/chatty/chat_template.jinja
ok 'the first template again' run 0 status "${own[@]}"
printf '{"pad_token": "<pad>"}' >models/chatty/special_tokens_map.json
ok 'other special tokens' eval 'run 1 status "${own[@]}" && prints "the template changed"'

ok 'turns that do not fit are dropped' run 0 data talk.ini --set train.max_tokens=30

finish
