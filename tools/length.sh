#!/bin/sh
# Prints files of 600 lines or more, lines of more than 120 characters, and functions of more than 60 lines.
set -u
cd "$(dirname "$0")/.."
bad=0
for file in src/*.h src/*/*.[ch] methods/*.c tasks/*.c; do
	lines=$(wc -l <"$file")
	[ "$lines" -lt 600 ] || { echo "$file: $lines lines, want less than 600" && bad=1; }
	awk -v f="$file" '
		length($0) > 120 { print f ":" NR ": " length($0) " characters, want at most 120"; bad = 1 }
		/^\{/ { begun = NR }
		/^\}/ && begun { if (NR - begun > 60) { print f ":" begun ": a function of " NR - begun " lines"; bad = 1 } begun = 0 }
		END { exit bad }' "$file" || bad=1
done
exit $bad
