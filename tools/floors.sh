#!/bin/sh
# Refuses a climb, a circle and an internal header of another room.  A room is a folder of src/, and a file includes its
# own room or lower ones; a plugin includes peftbench.h and the C library only; each outside library has one includer;
# SQL stands in the store alone.
# A public name stands for one thing (names.sh).  The circles are read from the object files of `make`.
set -u
cd "$(dirname "$0")/.."
floors='base stats numeric graph tokenizer jinja weights table model train experiment results driver report verify cli'
bad=0

complain() {
	echo "$1"
	bad=1
}

number_of() { # ROOM -> 0..
	n=0
	for f in $floors; do
		[ "$f" = "$1" ] && echo $n && return
		n=$((n + 1))
	done
}

for file in src/*/*.[ch]; do
	room=$(echo "$file" | cut -d / -f 2)
	own=$(number_of "$room")
	[ -n "$own" ] || complain "$file: the room $room has no floor in tools/floors.sh"
	for included in $(sed -n 's/^#include "\([a-z]*\/[a-z0-9_]*\)\.h"/\1/p' "$file" | sort -u); do
		other=$(number_of "${included%/*}")
		[ -n "$other" ] && [ "$other" -gt "$own" ] && complain "$file: includes $included.h of a higher floor"
		case $included in
		"$room"/*) ;;
		*internal) complain "$file: includes $included.h, which is internal to another room" ;;
		*) sed -n 1,4p "src/$included.h" | tr -s "\n *" " " | grep -q "Not for other rooms" &&
			complain "$file: includes $included.h, which is not for other rooms" ;;
		esac
	done
done
for file in methods/*.c tasks/*.c; do
	grep -n '^#include "' "$file" | grep -v '"peftbench.h"' && complain "$file: a plugin includes peftbench.h only"
done
while read -r header only; do
	for file in $(grep -lE "^#include <$header>" src/*/*.c methods/*.c tasks/*.c); do
		case $file in $only) continue ;; esac
		complain "$file: includes <$header>, which is for $only alone"
	done
done <<'END'
cblas.h src/numeric/blas.c
sqlite3.h src/results/store*.c
ini.h src/experiment/ini_file.c
jansson.h src/base/json.c
zlib.h src/table/compressed.c
lzma.h src/table/compressed.c
zstd.h src/table/compressed.c
iconv.h src/table/charset.c
curl/curl.h src/cli/transfer.c
END
tools/names.sh || bad=1
for file in $(grep -lE '"(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|PRAGMA|ATTACH|WITH) ' src/*/*.[ch] methods/*.c tasks/*.c); do
	case $file in src/results/store*) continue ;; esac
	complain "$file: contains SQL, which belongs into src/results/store*.c"
done
tools/circles.pl || bad=1
exit $bad
