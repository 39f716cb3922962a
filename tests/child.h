/* child: code that ends its process, for tests of broken invariants. */
#ifndef PB_TESTS_CHILD_H
#define PB_TESTS_CHILD_H

#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs `die` in a child with stderr in a file; how it ended, as wait() tells. */
static inline int status_of(void (*die)(void), char **said)
{
    char path[] = "/tmp/peftbench-child-XXXXXX";
    int file = mkstemp(path), status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(file, 2);
        die();
        _exit(0);
    }
    waitpid(child, &status, 0);
    close(file);
    *said = pb_read_file(path, NULL);
    remove(path);
    return status;
}

#endif
