#!/bin/bash
# What must not harm a database: kill -9 at any moment, no memory, a full disk, a file that may not be written, two
# drivers, a broken page, a clock that goes back.  Nothing committed is lost, and every message says what to do.
#
#   tests/torture/database.sh       the short form, a part of `make test`
#   tests/torture/database.sh long     `make torture`: 200 kills, every 7th allocation at first, every write; 150 of each for other commands
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
if [ "${1:-short}" = long ]; then kills=200 allocations=400 writes=100000 each=150; else kills=6 allocations=12 writes=8 each=2; fi

cd "$work" || exit 2
toy_task
${CC:-gcc} -O1 -shared -fPIC -D_GNU_SOURCE -o faults.so "$root/tests/torture/faults.c" -ldl || exit 2
cat >toy.ini <<'END'
[experiment]
task = toy
model = models/tiny
methods = head, lora
seeds = 0, 1, 2, 3
timing_rounds = 0

[train]
epochs = 2
batch = 4
END
sed 's/^seeds.*/seeds = 0/; s/^methods.*/methods = lora/' toy.ini >one.ini

# The rows of a database, as text: what is there must stay there.
rows() { sqlite3 -cmd '.timeout 20000' "$1" "SELECT id, hash, status FROM run ORDER BY id; SELECT run, key, split, step, value FROM value
	ORDER BY 1, 2, 3, 4; SELECT * FROM prediction ORDER BY 1, 2, 3" 2>&1 | grep -v 'no such table'; } # killed before it had any
# What a killed driver's child still writes is waited for.
sound() { [ "$(sqlite3 -cmd '.timeout 20000' "$1" 'PRAGMA integrity_check' 2>&1)" = ok ]; }
keeps() { # BEFORE AFTER: every line of one is in the other
	[ -z "$(comm -23 <(sort "$1") <(sort "$2"))" ]
}
study() { # one experiment into a database, threads kept few
	"$program" run "$1" --db "$2" --threads 1 --quiet >out 2>err
}

# ---- kill -9 at any moment ---------------------------------------------------------------------------------------
start=$(date +%s%N)
ok 'an undisturbed run' study toy.ini whole.db
length=$((($(date +%s%N) - start) / 1000000)) # ms
wanted=$(sqlite3 whole.db 'SELECT count(*) FROM run')
RANDOM=7 lost=0 broken=0
: >before
for _ in $(seq $kills); do
	"$program" run toy.ini --db killed.db --threads 1 --quiet >out 2>err &
	pid=$!
	sleep "$(awk -v r=$RANDOM -v m=$length 'BEGIN { printf "%.3f", r / 32768 * m / 1000 }')"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ -f killed.db ] || continue
	sound killed.db || broken=$((broken + 1))
	rows killed.db >after
	keeps before after || { lost=$((lost + 1)) && comm -23 <(sort before) <(sort after) | head -n 3; }
	mv after before
	if [ "$(sqlite3 -cmd '.timeout 20000' killed.db 'SELECT count(*) FROM run')" = "$wanted" ]; then
		rm -f killed.db* && : >before # from the start again
	fi
done 2>/dev/null
ok "$kills kills: no database is broken" [ $broken = 0 ]
ok "$kills kills: nothing committed is lost" [ $lost = 0 ]
rm -f artifacts/* # and what they left over is no harm
ok 'then the rest is done' study toy.ini killed.db
ok 'all of it' [ "$(sqlite3 killed.db 'SELECT count(*) FROM finished')" = "$wanted" ]

# ---- no memory, no room ------------------------------------------------------------------------------------------
# A run of one.ini on a copy of a database under a fault: it may say no, but not crash, break or lose anything.
disturbed() { # VARIABLE NUMBER
	cp base.db copy.db
	rm -f copy.db-wal copy.db-shm artifacts/*
	env "$1=$2" LD_PRELOAD="$work/faults.so" "$program" run one.ini --db copy.db --threads 1 --quiet >out 2>err
	local status=$?
	[ $status -le 2 ] || { echo "    $1=$2: exit status $status" && return 1; }
	[ $status = 0 ] || [ -s err ] || grep -q failed out || { echo "    $1=$2: status $status without a word" && return 1; }
	sound copy.db || { echo "    $1=$2: the database is broken" && return 1; }
	rows copy.db >after
	keeps base after || { echo "    $1=$2: something is lost" && return 1; }
}
sed 's/^seeds.*/seeds = 5/' one.ini >base.ini
ok 'a database to harm' study base.ini base.db
rows base.db >base
cp base.db copy.db
FAULT_COUNT=$work/counts LD_PRELOAD=$work/faults.so "$program" run one.ini --db copy.db --threads 1 --quiet >out 2>err
read -r most_allocations most_writes < <(awk '{ a = $1 > a ? $1 : a; w = $2 > w ? $2 : w } END { print a, w }' counts)
bad=0 tried=0
for n in $(seq $allocations); do # dense at the beginning
	at=$(awk -v n=$n -v k=$allocations -v m=$most_allocations 'BEGIN { printf "%d", 1 + m ^ (n / k) + n * 7 }')
	disturbed FAULT_MALLOC "$at" || bad=$((bad + 1))
	tried=$((tried + 1))
done
ok "$tried allocations that fail, of $most_allocations" [ $bad = 0 ]
bad=0 tried=0
step=$((most_writes / writes + 1))
for ((at = 1; at <= most_writes; at += step)); do
	disturbed FAULT_WRITE $at || bad=$((bad + 1))
	tried=$((tried + 1))
done
ok "the disk full at $tried of $most_writes writes" [ $bad = 0 ]
for at in $(seq 1 20); do # the first ones are of a figure, which is tried before the work
	disturbed FAULT_WRITE $at
	grep -q 'copy.db: ' err && break
done
ok 'its message' grep -qE 'copy.db: .*disk.*; (check the disk|free space)' err

# ---- the same of the other commands --------------------------------------------------------------------------------
# On a copy of a database, with each allocation and each write failing in turn (in the short form, a few).
rm -rf artifacts
ok 'a database for all commands' study toy.ini every.db
rows every.db >every
echo '{"run_info": {"a": 1}, "train_info": {"b": [1, 2]}, "meta_info": {"c": "d"}}' >theirs.json
shaken() { # VARIABLE NUMBER COMMAND ARGUMENTS...
	cp every.db copy.db
	rm -rf copy.db-wal copy.db-shm adapter
	env "$1=$2" LD_PRELOAD="$work/faults.so" "$program" "${@:3}" >out 2>err
	local status=$?
	[ $status -le 3 ] || { echo "    $1=$2: ${*:3}: exit status $status" && return 1; }
	[ $status != 2 ] || [ -s err ] || grep -q '^refused' out || { echo "    $1=$2: ${*:3}: status 2 without a word" && return 1; }
	sound copy.db || { echo "    $1=$2: ${*:3}: the database is broken" && return 1; }
	rows copy.db >after
	keeps every after || { echo "    $1=$2: ${*:3}: something is lost" && return 1; }
	[ $status != 0 ] || [ $same = no ] || cmp -s out good || { echo "    $1=$2: ${*:3}: done, but not right" && return 1; }
}
while read -r -a command; do
	bad=0 tried=0
	rm -f counts copy.db*
	cp every.db copy.db
	"$program" "${command[@]}" >good 2>err
	rm -rf adapter copy.db*
	cp every.db copy.db
	FAULT_COUNT=$work/counts LD_PRELOAD=$work/faults.so "$program" "${command[@]}" >out 2>err
	cmp -s out good && same=yes || same=no # what tells times does not say the same twice
	read -r most_allocations most_writes < <(awk '{ a = $1 > a ? $1 : a; w = $2 > w ? $2 : w } END { print a, w }' counts)
	for fault in "FAULT_MALLOC $most_allocations" "FAULT_WRITE $most_writes"; do
		read -r variable most <<<"$fault"
		for ((at = 1; at <= most; at += most / each + 1)); do
			shaken "$variable" $at "${command[@]}" || bad=$((bad + 1))
			tried=$((tried + 1))
		done
	done
	ok "${command[0]}: $tried of $most_allocations allocations and $most_writes writes" [ $bad = 0 -a $tried -gt 1 ]
done <<'END'
table toy.ini --db copy.db
plot toy.ini --db copy.db
pareto toy.ini --db copy.db
rank toy.ini --db copy.db
compare head lora --db copy.db
check every.db --db copy.db --out gate.xml
merge copy.db base.db
import theirs.json --db copy.db
export 2 adapter --db copy.db
reproduce 2 --db copy.db
END

# ---- a database that may not be written, that is broken, that two want --------------------------------------------
cp base.db locked.db
chmod 444 locked.db
if [ "$(id -u)" = 0 ]; then # root may write anything but this
	mkdir fixed && cp base.db fixed/locked.db
	chattr +i fixed/locked.db 2>/dev/null || locked=no
	"$program" run one.ini --db fixed/locked.db --quiet >out 2>err
	status=$?
	chattr -i fixed/locked.db 2>/dev/null
else
	study one.ini locked.db
	status=$?
fi
if [ -z "${locked:-}" ]; then
	ok 'read-only: exit 2' [ $status = 2 ]
	ok 'its message' grep -qE 'want a writable file|readonly|read-only' err
fi
study toy.ini two.db & first=$!
"$program" run toy.ini --db two.db --threads 1 --quiet >out2 2>err2 & second=$!
wait $first; one=$?
wait $second; two=$?
cat err2 >>err
ok 'two drivers on one database' [ $one = 0 -a $two = 0 ]
ok 'all is there' [ "$(sqlite3 two.db 'SELECT count(*) FROM finished')" = "$wanted" ]
cp whole.db page.db
size=$(stat -c %s page.db)
for at in $(seq 4096 4096 $((size - 1))); do
	printf 'XXXXXXXXXXXXXXXX' | dd of=page.db bs=1 seek="$at" conv=notrunc 2>/dev/null
done
"$program" table toy.ini --db page.db >out 2>err
ok 'broken pages: exit 2' [ $? = 2 ]
ok 'its message' grep -q 'page.db: .*malformed; restore a backup' err

# ---- a clock that goes back -----------------------------------------------------------------------------------------
cp base.db clock.db
FAULT_CLOCK=-864000 LD_PRELOAD=$work/faults.so "$program" run one.ini --db clock.db --threads 1 --quiet >out 2>err
ok 'a clock that goes back' [ $? = 0 ]
ok 'the run is there, and dated so' [ "$(sqlite3 clock.db 'SELECT count(*) FROM finished WHERE ended <
	(SELECT ended FROM run WHERE id = 1)')" = 1 ]

finish
