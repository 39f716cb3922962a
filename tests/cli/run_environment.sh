#!/bin/bash
# What surrounds a run: machines of any number of cores, plugins that misbehave, damaged files, signals, a full disk.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/shell.bash
cd "$work" || exit 2
toy_task
cat >toy.ini <<'END'
[experiment]
task          = toy
model         = models/tiny
methods       = head, lora
timing_rounds = 0

[train]
epochs = 1
batch  = 8
END
sql() { sqlite3 "$@"; }
is() { # WANT GOT
	[ "$1" = "$2" ] || { echo "    want: $1, got: $2" && return 1; }
}

# ---- a machine with another number of cores ----------------------------------------------------------------
cat >cores.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int cores(void) { return atoi(getenv("CORES")); }
long sysconf(int name)
{
    static long (*real)(int);
    if (!real)
        real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    return name == _SC_NPROCESSORS_ONLN || name == _SC_NPROCESSORS_CONF ? cores() : real(name);
}
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    (void)pid;
    if (8 * size < 2048) /* such a kernel refuses a mask of 1024 */
        return errno = EINVAL, -1;
    memset(set, 0, size);
    for (int i = 0; i < cores(); i++)
        CPU_SET_S((size_t)i, size, set);
    return 0;
}
END
"${CC:-gcc}" -shared -fPIC -w -o cores.so cores.c -ldl
on() { # CORES COMMAND...
	CORES=$1 LD_PRELOAD=$work/cores.so "${@:2}"
}
for n in 1 65 96 256; do
	ok "$n cores: run" on $n run 0 run toy.ini --db cores$n.db --quiet
	ok "$n cores: that many threads" is "$n|2" "$(sql cores$n.db "SELECT threads, count(*) FROM run WHERE machine LIKE '%, $n of $n cores,%' GROUP BY 1")"
	ok "$n cores: show machine" on $n run 0 show machine
	ok "$n cores: its description" prints ", $n of $n cores,"
done
ok 'more threads than are supported' run 0 run toy.ini --db many.db --threads 5000 --quiet
ok 'are fewer, and it says so' says 'warning: 512 threads instead of 5000: more are not supported'
ok 'the number is stored' is 512 "$(sql many.db 'SELECT max(threads) FROM run')"

# ---- a plugin that misbehaves ---------------------------------------------------------------------------------
# Compiles a method whose hook does CODE when it is called for the 5th time, and trains it beside others.
misbehaves() { # NAME CODE WANTED-STATUS WANTED-ROWS [ARGUMENTS...]
	cat >gate.c <<-END
		#include "peftbench.h"
		#include <fcntl.h>
		#include <locale.h>
		#include <signal.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/wait.h>
		#include <unistd.h>
		static int calls;
		static pb_node *block(pb_build *b, const pb_site *site, pb_node *x, pb_node *y)
		{
			(void)x;
		    pb_node *g = pb_added(b, site, "g", 1, site->out, pb_init_constant(1));
		    if (++calls == 5) {
		        $2;
		    }
		    return pb_op_scale(b->graph, y, g);
		}
		const pb_method pb_method_gate = {.name = "gate", .title = "Gate", .paper = "x", .help = "x.",
		                                  .traits.category = PB_ADDITIVE, .traits.identity = true, .hooks.block = block};
		PB_PLUGIN(pb_method_gate)
	END
	"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O1 -w -shared -fPIC -I "$root/src" -o gate.so gate.c || return 1
	rm -rf gate.db* artifacts
	sed 's/^methods.*/plugins = gate.so\nmethods = head, gate, lora/' toy.ini >gate.ini
	ok "$1: exit status" run "$3" run gate.ini --db gate.db --quiet --no-timing "${@:5}"
	ok "$1: its own cell only" is "$4" "$(sql gate.db "SELECT group_concat(row || ' ' || status || coalesce(': ' || error, ''), ', ') FROM (SELECT * FROM run ORDER BY row)")"
}
good='gate done, head done, lora done'
bad() { echo "gate failed: $1, head done, lora done"; }
misbehaves 'crash' '*(volatile int *)0 = 1' 1 "$(bad 'killed by signal 11 (Segmentation fault)')"
misbehaves 'abort' 'abort()' 1 "$(bad 'killed by signal 6 (Aborted)')"
misbehaves 'exit 0' 'exit(0)' 1 "$(bad 'it ended, with exit status 0, before its result was stored')"
misbehaves '_exit 0' '_exit(0)' 1 "$(bad 'it ended, with exit status 0, before its result was stored')"
misbehaves 'exit 7' 'exit(7)' 1 "$(bad 'exit status 7')"
misbehaves 'no node' 'return NULL' 1 "$(bad 'step 0: gate: the hook `block` at 0.attn returns NULL without an error')"
misbehaves 'kills its parent' 'kill(getppid(), SIGKILL), sleep(9)' 1 "$(bad 'killed by signal 9 (Killed)')"
misbehaves 'ends its parent' 'kill(getppid(), SIGTERM), sleep(9)' 1 "$(bad 'killed by signal 15 (Terminated)')"
misbehaves 'stops its parent' 'kill(getppid(), SIGSTOP)' 0 "$good"
misbehaves 'ends its group' 'kill(0, SIGTERM), sleep(9)' 1 "$(bad 'killed by signal 15 (Terminated)')"
misbehaves 'loops' 'for (;;) pause()' 1 "$(bad 'took over 2 s')" --set experiment.cell_seconds=2
misbehaves 'closes its files' 'for (int i = 0; i < 100; i++) close(i)' 0 "$good"
misbehaves 'closes its pipe and loops' 'for (int i = 3; i < 100; i++) close(i); for (;;) pause()' 1 "$(bad 'took over 2 s')" --set experiment.cell_seconds=2
misbehaves 'leaves the folder' 'chdir("/")' 0 "$good"
mkdir elsewhere
misbehaves 'leaves the folder and fails' 'chdir("elsewhere"); return NULL' 1 "$(bad 'step 0: gate: the hook `block` at 0.attn returns NULL without an error')"
ok 'nothing is written there' rmdir elsewhere
misbehaves 'ignores children' 'signal(SIGCHLD, SIG_IGN)' 0 "$good"
misbehaves 'prints' 'puts("A LINE OF ITS OWN")' 0 "$good" --json
ok 'not among the results' test -z "$(grep -v '^{.*}$' out)"
misbehaves 'leaves a process' 'if (!fork()) { for (;;) pause(); }' 0 "$good"
ok 'which does not outlive it' gone 'run gate.ini --db gate.db'

# ---- a locale with a decimal comma -----------------------------------------------------------------------------
numbers() { # DATABASE: all that is stored as text and read as a number, and what came out
	sql "$1" "SELECT row, key, value FROM setting JOIN run ON run = id ORDER BY 1, 2; SELECT row, key, numbers FROM
		(SELECT row, metric AS key, numbers FROM statistic JOIN run ON run = id ORDER BY 1, 2, example);
		SELECT row, key, split, value.step, value FROM value JOIN run ON run = id WHERE key LIKE 'accuracy%' ORDER BY 1, 2, 3, 4"
}
export LOCPATH=$work
if localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8" >out 2>&1; then
	lr='--set train.lr=2.5e-3'
	misbehaves 'keeps the locale' 'calls += 0' 0 "$good" $lr && cp gate.db C.db
	for how in 'setlocale(LC_ALL, "de_DE.UTF-8")' 'uselocale(newlocale(LC_ALL_MASK, "de_DE.UTF-8", 0))'; do
		misbehaves "${how%%(*} in a plugin" "if (!$how) abort()" 0 "$good" $lr
		ok "${how%%(*}: the same numbers" is "$(numbers C.db)" "$(numbers gate.db)"
		sed -i 's/++calls == 5/1/' gate.c
		"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O1 -w -shared -fPIC -I "$root/src" -o gate.so gate.c
		ok "${how%%(*}: plan" run 0 plan gate.ini $lr
		ok "${how%%(*}: no decimal comma" test -z "$(grep '[0-9],[0-9]' out)"
	done
	ok 'the table in C' run 0 table toy.ini --db cores1.db && cp out table.C
	export LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8
	ok 'a run in another locale' run 0 run toy.ini --db de.db --quiet --threads 1
	ok 'the same numbers' is "$(numbers cores1.db)" "$(numbers de.db)"
	ok 'a table' run 0 table toy.ini --db cores1.db
	ok 'the same table' cmp -s out table.C
	unset LC_ALL LANG
else
	echo 'skipped a locale with a decimal comma: localedef has no de_DE'
fi
unset LOCPATH

# ---- what starts the program --------------------------------------------------------------------------------
rm -rf artifacts
ok 'a parent that ignores SIGCHLD' bash -c 'trap "" CHLD; exec "$0" run toy.ini --db chld.db --quiet >out 2>err' "$program"
ok 'good cells are good' is 'done|2' "$(sql chld.db 'SELECT status, count(*) FROM run GROUP BY 1')"
ok 'no row has a result' run 1 run toy.ini --db none.db --quiet --set train.lr=1000 --set train.clip=0 --set train.epochs=60
ok 'and it says so' says 'no row has a result: every run diverged or failed'
ok 'again' run 1 run toy.ini --db none.db --quiet --set train.lr=1000 --set train.clip=0 --set train.epochs=60
full() { # COMMAND...: its result does not fit on the disk
	"$program" "$@" >/dev/full 2>err
	is 2 $? && says 'stdout: cannot write'
}
ok 'a full disk: table' full table toy.ini --db chld.db
ok 'a full disk: table --json' full table toy.ini --db chld.db --json
ok 'a full disk: list' full list
ok 'a full disk: --help' full --help
ok 'a full disk: --version' full --version
ok 'a full disk: run' full run toy.ini --db chld.db --quiet
closed() { # as `full`, with a standard output that is not there
	"$program" "$@" 2>err >&-
	is 2 $? && says 'stdout: cannot write'
}
ok 'no standard output: table' closed table toy.ini --db chld.db
ok 'no standard output: run' closed run toy.ini --db closed.db --quiet
ok 'its database is whole' is ok "$(sql closed.db 'PRAGMA integrity_check')"
reads() { "$program" "${@:2}" <"$1" >out 2>err; is 2 $? && says 'stdin: cannot read'; }
ok 'standard input is a folder: predict' reads . predict toy.ini --db chld.db --row lora
ok 'standard input is a folder: tokenize' reads . tokenize --model models/tiny
unread() { "$program" "$@" <&- >out 2>err; is 2 $? && says 'stdin: cannot read'; }
ok 'no standard input: predict' unread predict toy.ini --db chld.db --row lora
ok 'no standard input: run' bash -c '"$0" run toy.ini --db nothing.db --quiet <&- >out 2>err' "$program"

# ---- names -------------------------------------------------------------------------------------------------
long=a-name-beyond-thirty-bytes
sed "s/^methods.*/methods = lora:$long-1, lora:$long-2, lora:ÄÖÜäöüßÄÖÜäöüß/" toy.ini >names.ini
for v in "$long-1" "$long-2" ÄÖÜäöüßÄÖÜäöüß; do printf '\n[method lora:%s]\nrank = 2\n' "$v" >>names.ini; done
ok 'long names' run 0 run names.ini --db names.db --quiet
ok 'stay apart in the table' prints "^lora:$long-1 .*"
ok 'stay apart in the table, in both lines' prints "^lora:$long-2 .*"
ok 'the table is UTF-8' iconv -f UTF-8 -t UTF-16 -o nowhere out
ok 'with such a baseline too' run 0 table names.ini --db names.db --set experiment.baseline=lora:ÄÖÜäöüßÄÖÜäöüß
ok 'and is UTF-8' iconv -f UTF-8 -t UTF-16 -o nowhere out
ok 'rank is UTF-8' bash -c '"$0" rank names.ini --db names.db --set experiment.baseline=lora:ÄÖÜäöüßÄÖÜäöüß >out 2>err; iconv -f UTF-8 -t UTF-16 -o nowhere out' "$program"
script -qec "stty cols 30; '$program' run names.ini --db meter.db --set train.epochs=40" meter </dev/null >/dev/null 2>&1
tr '\r' '\n' <meter | sed 's/^\x1b\[K//' | grep -a '^train' | grep -av ' seed 0: ' >redrawn
ok 'a narrow terminal: the line that is redrawn' test -s redrawn
ok 'is UTF-8' iconv -f UTF-8 -t UTF-16 -o nowhere redrawn
ok 'is not longer than the terminal is wide' test -z "$(LC_ALL=C.UTF-8 grep -aE '.{30}' redrawn)"

# ---- signals --------------------------------------------------------------------------------------------------
misbehaves 'a slow plugin' 'usleep(1)' 0 "$good"
sed -i 's/usleep(1)/sleep(60)/' gate.c && "${CC:-gcc}" -std=c11 -D_GNU_SOURCE -w -shared -fPIC -I "$root/src" -o gate.so gate.c
stopped() { # SIGNAL
	rm -f gate.db*
	"$program" run gate.ini --db gate.db --quiet >out 2>err &
	local pid=$!
	for _ in $(seq 200); do
		[ "$(sql gate.db "SELECT count(*) FROM run" 2>/dev/null)" = 1 ] && break
		sleep 0.05
	done
	kill -s "$1" $pid
	wait $pid 2>/dev/null
	local status=$?
	is $((128 + $(kill -l "$1"))) $status && says "stopped by signal $(kill -l "$1")" && is '1 0' \
		"$(sql gate.db "SELECT count(*) || ' ' || sum(status = 'failed') FROM run")" &&
		gone 'run gate.ini --db gate.db'
}
ok 'SIGTERM ends driver and cells, and no cell has failed' stopped TERM
ok 'SIGHUP too' stopped HUP

# ---- trained parameters that are not what was written ------------------------------------------------------------
rm -rf artifacts
sed 's/^methods.*/methods = full, lora/; s/^timing_rounds.*/timing_rounds = 4\ntiming_processes = 1/' toy.ini >kept.ini
ok 'an experiment' run 0 run kept.ini --db ref.db --quiet --threads 1
ok 'the digests of its files are stored' is 2 "$(for f in artifacts/*.safetensors; do
	sql ref.db "SELECT count(*) FROM provenance WHERE key = 'artifact' AND value = '$(sha256sum <"$f" | cut -d ' ' -f 1)'"
done | grep -c 1)"
tests_of() { sql "$1" "SELECT row, value FROM value JOIN run ON run = id WHERE key = 'accuracy.test.accuracy'
	UNION ALL SELECT row, sum(probability) FROM prediction JOIN run ON run = id WHERE split = 'test' GROUP BY 1 ORDER BY 1, 2"; }
stop_before_test() { # DATABASE: as if the test pass had been killed
	for t in value prediction sample; do sql "$1" "DROP TRIGGER ${t}_delete"; done
	sql "$1" "DELETE FROM value WHERE split = 'test' OR key LIKE 'overhead.%'; DELETE FROM prediction WHERE split = 'test'; DELETE FROM sample"
}
damage() { # NAME COMMAND...: done to each of the artifacts before the test pass
	rm -rf artifacts damaged.db*
	ok "$1: trained" run 0 run kept.ini --db damaged.db --quiet --threads 1 --no-timing
	stop_before_test damaged.db
	for f in artifacts/*.safetensors; do "${@:2}" "$f"; done
	ok "$1: goes on" run 0 run kept.ini --db damaged.db --quiet --threads 2
	ok "$1: said so" says 'is trained again: '
	ok "$1: the same results" is "$(tests_of ref.db)" "$(tests_of damaged.db)"
	ok "$1: the file is good again" run 0 export 1 exported --db damaged.db --merged
}
invert() { python3 -c 'import sys; p = sys.argv[1]; b = bytearray(open(p, "rb").read()); b[-1] ^= 128; open(p, "wb").write(b)' "$1"; }
damage 'missing' rm
damage 'cut off' truncate -s -100
damage 'empty' truncate -s 0
damage 'a sign changed' invert
invert "artifacts/$(sql damaged.db "SELECT hash FROM run WHERE row = 'lora'").safetensors"
lora=$(sql damaged.db "SELECT id FROM run WHERE row = 'lora'")
ok 'export does not take it' run 2 export "$lora" exported --db damaged.db
ok 'names file and run' says ".safetensors: the file does not hold the parameters of run $lora: it was truncated or changed (SHA-256 "
ok 'predict does not take it' bash -c '"$0" predict kept.ini --db damaged.db --row lora <toy.ini >out 2>err; [ $? = 2 ]' "$program"
ok 'names file and run' says ".safetensors: the file does not hold the parameters of run $lora: it was truncated or changed (SHA-256 "
ok 'the other row is as before' bash -c '"$0" predict kept.ini --db damaged.db --row full <toy.ini >out 2>err' "$program"
sleep 60 &
alive=$!
: >artifacts/x.safetensors.$alive.tmp
: >artifacts/x.safetensors.$(bash -c 'echo $$').tmp
: >artifacts/other.tmp
ok 'a run' run 0 run kept.ini --db damaged.db --quiet
ok 'removes what dead writers left, and nothing else' is "other.tmp x.safetensors.$alive.tmp" "$(cd artifacts && echo *.tmp)"
kill $alive

# ---- what cannot be timed --------------------------------------------------------------------------------------
sed 's/^methods.*/methods = head, lora, lora:dora/; s/^timing_rounds.*/timing_rounds = 2\ntiming_processes = 2\nserving = 1, 2/' toy.ini >serving.ini
printf '\n[method lora:dora]\ndora = yes\n' >>serving.ini
ok 'serving a row that cannot be served' run 0 run serving.ini --db serving.db --quiet
ok 'leaves it out, with a note' says 'serving: lora:dora is left out'
ok 'once' is 1 "$(grep -c 'lora:dora is left out' err)"
ok 'its other times are there' is 'head|0 lora|1 lora:dora|0' "$(sql serving.db "SELECT row, (SELECT count(*) FROM value
	WHERE run = id AND key = 'serving.mixed_ratio.n2' AND step = -1) FROM run WHERE EXISTS (SELECT 1 FROM value WHERE run = id
	AND key = 'overhead.prefill_ratio.b1' AND step = -1) ORDER BY row" | tr '\n' ' ' | sed 's/ $//')"
ln -s "$root/models/pico-encoder" models/pooled
ok 'a base whose pooler trains' run 0 run serving.ini --db pooled.db --quiet --set experiment.model=models/pooled --set experiment.methods=lora
ok 'is left out as well' says 'serving: lora is left out'
late() { # STATUS
	run "$1" run kept.ini --db late.db --quiet --set experiment.timing_rounds=10000 --set experiment.cell_seconds=1 --set experiment.methods=lora
}
ok 'trained, not timed' run 0 run kept.ini --db late.db --quiet --no-timing --set experiment.methods=lora
cp late.db waits.db && sqlite3 waits.db "INSERT INTO claim VALUES ('', 'time', 'another machine', 1, 1, unixepoch() + 8)"
ok 'waiting for the times of another machine is not its time' run 0 run kept.ini --db waits.db --quiet \
	--set experiment.methods=lora --set experiment.cell_seconds=5
ok 'a timing that takes too long' late 1
ok 'is stored with its reason' is 'took over 1 s' "$(sql late.db "SELECT value FROM provenance WHERE key = 'timing.failed'")"
ok 'which the table shows' prints '^lora: it could not be timed: took over 1 s'
ok 'it is not tried again' late 0
ok 'unless asked' run 0 run kept.ini --db late.db --quiet --set experiment.methods=lora --retry
ok 'and then has times' test -z "$(grep 'not be timed' out)"

finish
