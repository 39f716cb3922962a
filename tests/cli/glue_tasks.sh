#!/bin/bash
# The tasks of GLUE and SuperGLUE read files of the form in which `fetch` writes them: JSON Lines with the columns of the
# hub's data sets, classes by name.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
ln -s "$root/tasks" tasks
setting() { sed -n "s/^$1 *= //p" "tasks/$2.ini"; }

# Writes 200 rows of a task to the files TRAIN and TEST, with different texts, every class, and columns that no task asks for.
write() { # TASK
	IFS=, read -r first second <<<"$(setting text "$1" | tr -d ' ')"
	IFS=, read -ra class <<<"$(setting classes "$1" | tr -d ' ')"
	for split in train test; do
		file=data/$(setting $split "$1")
		mkdir -p "$(dirname "$file")"
		for i in $(seq 200); do
			answer=$i.5
			[ ${#class[@]} = 0 ] || answer=\"${class[i % ${#class[@]}]}\"
			printf '{"idx": %d, "%s": "%s %d says this", ' "$i" "$first" $split "$i"
			[ -z "$second" ] || printf '"%s": "and %d that", ' "$second" "$i"
			printf '"label": %s}\n' "$answer"
		done >"$file"
	done
}

for ini in tasks/glue-*.ini tasks/superglue-*.ini; do
	task=$(basename "$ini" .ini)
	write "$task"
	ok "$task reads its files" run 0 data "$task"
	ok "$task has all its test examples" prints 'examples  *[0-9]*  *[0-9]*  *200$'
	sed -i '3s/"label": .*/"label": -1}/' "data/$(setting test "$task")"
	[ "$(setting kind "$task")" = regression ] || ok "$task refuses hidden labels" run 2 data "$task"
done
rm -r data
ok 'without the files' run 2 data glue-cola
ok 'they are named' says 'glue/cola/train-00000-of-00001.jsonl: no such file'
finish
