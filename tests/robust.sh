#!/bin/bash
# What surrounds a run: machines of any number of cores, plugins that misbehave, damaged files, signals, a full disk.
set -u
cd "$(dirname "$0")/.." || exit 2
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

finish
