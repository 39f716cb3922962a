#!/bin/sh
# Refuses a public name that stands for two things: a type pb_* (struct, enum, union or typedef) that two files of src/
# define, and a type that has the name of a function.  Declaring a type ahead (typedef struct pb_x pb_x;) is no definition.
set -u
cd "$(dirname "$0")/.."

# FILE LINE NAME of each definition of a type, and "FILE LINE NAME()" of each declaration of a function.
definitions() {
	awk '
	function note(name) { print FILENAME, FNR, name }
	FNR == 1 { tag = "" }
	/^(typedef )?(struct|enum|union) pb_[a-z0-9_]+ *\{/ {
		tag = $0
		sub(/^(typedef )?(struct|enum|union) /, "", tag)
		sub(/ *\{.*/, "", tag)
		note(tag)
		next
	}
	/^typedef (struct|enum|union) *\{/ { tag = ""; next }
	/^\} pb_[a-z0-9_]+;/ {
		name = $2
		sub(/;.*/, "", name)
		if (name != tag)
			note(name)
		next
	}
	/^typedef .*[ *(]pb_[a-z0-9_]+(\)?\(|(\[[^]]*\])*;)/ {
		line = $0
		sub(/ *\/\*.*/, "", line)
		if (match(line, /[ *(]pb_[a-z0-9_]+\)?\(/) == 0)
			match(line, /[ *]pb_[a-z0-9_]+(\[[^]]*\])*;/)
		name = substr(line, RSTART + 1, RLENGTH - 1)
		gsub(/[^a-z0-9_].*/, "", name)
		if (line !~ "^typedef (struct|enum|union) " name " \\**" name ";")
			note(name)
		next
	}
	/^[a-z].*[ *]pb_[a-z0-9_]+\(/ && FILENAME ~ /\.h$/ {
		match($0, /[ *]pb_[a-z0-9_]+\(/)
		print FILENAME, FNR, substr($0, RSTART + 1, RLENGTH - 1) ")"
	}' "$@"
}

definitions src/*.h src/*/*.[ch] | awk '
{
	name = $3
	sub(/\(\)/, "", name)
	at = $1 ":" $2
	if ($3 ~ /\(\)/) {
		function_at[name] = at
		next
	}
	if (name in file && file[name] != $1) {
		print at ": " name " is also the type of " type_at[name] "; want one type of a name"
		bad = 1
	}
	file[name] = $1
	type_at[name] = at
}
END {
	for (name in type_at)
		if (name in function_at) {
			print type_at[name] ": " name " is also the function of " function_at[name] "; want one thing of a name"
			bad = 1
		}
	exit bad
}'
