#!/bin/sh
# Refuses a climb: a file of src/ includes its own floor or lower ones, a plugin peftbench.h and
# the C library only, and each outside library has one includer.
set -u
cd "$(dirname "$0")/.."
floors='base stats numeric graph files model train study'
bad=0

complain() {
	echo "$1"
	bad=1
}

number_of() { # FLOOR -> 0..
	n=0
	for f in $floors; do
		[ "$f" = "$1" ] && echo $n && return
		n=$((n + 1))
	done
}

for file in src/*/*.[ch]; do
	own=$(number_of "$(echo "$file" | cut -d / -f 2)")
	for included in $(sed -n 's/^#include "\([a-z]*\)\/.*"/\1/p' "$file" | sort -u); do
		other=$(number_of "$included")
		[ -n "$other" ] && [ "$other" -gt "$own" ] && complain "$file: includes the higher floor $included"
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
sqlite3.h src/study/store*.c
ini.h src/study/ini_file.c
jansson.h src/files/json.c
END
exit $bad
