#!/bin/sh
# Prints files of 600 lines or more, lines of more than 120 characters, and functions of more than 60 lines.  Half of the
# methods have at most 50 lines.
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
long=$(wc -l methods/*.c | awk '$2 != "total" { all++; long += $1 > 50 } END { if (2 * long > all) print long " of " all }')
[ -z "$long" ] || { echo "methods/: $long files have more than 50 lines, want half of them at most" && bad=1; }
exit $bad
