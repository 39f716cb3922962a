/* Claims on cells: of two processes with one number in different containers each is its own. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "results/store.h"
#include "test.h"

static char folder[] = "/tmp/peftbench-claim-XXXXXX", *path;

static void begin(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    path = pb_format("%s/results.db", folder);
}

static void end(void)
{
    unlink(path);
    rmdir(folder);
    free(path);
}

static void change(const char *sql)
{
    sqlite3 *db;
    CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
    CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

TEST(a_claim_is_of_one_process_in_one_place)
{
    long long process = 1;
    begin();
    pb_store *s = pb_store_open(path);
    CHECK(s != NULL);
    CHECK(!pb_store_claim(s, "a", "train", &process) && !process);
    CHECK(!pb_store_claim(s, "a", "train", &process) && !process); /* prolonged */
    CHECK(!pb_store_claimed(s, "a", "train", &process) && process == getpid());
    CHECK(!pb_store_release(s, "a", "train"));
    CHECK(!pb_store_claimed(s, "a", "train", &process) && !process);

    CHECK(!pb_store_claim(s, "a", "train", &process) && !process);
    change("UPDATE claim SET place = 'another container'");
    CHECK(!pb_store_claim(s, "a", "train", &process) && process == getpid()); /* the other's, of our number */
    CHECK(!pb_store_release(s, "a", "train"));
    CHECK(!pb_store_claimed(s, "a", "train", &process) && process == getpid());
    change("UPDATE claim SET until = 1"); /* its lease has ended */
    CHECK(!pb_store_claim(s, "a", "train", &process) && !process);
    CHECK_INT(pb_store_close(s), 0);
    end();
}

TEST(a_run_is_named_by_a_number_or_by_one_beginning)
{
    long long run = 0;
    begin();
    pb_store *s = pb_store_open(path);
    CHECK(s != NULL);
    change(
        "WITH new(id, hash) AS (VALUES (7, 'abcdef00'), (8, 'abcdef01'), (9, '00000a'), (1000000, '77'), (3, "
        "'1000000f'))"
        " INSERT INTO run (id, hash, experiment, task, model, row, choice, seed, status, ended, seconds, machine,"
        " kernels, threads, compiler, flags, version, code) SELECT id, hash, '', '', '', '', '', 0, 'done', '', 0, '',"
        " '', 1, '', '', '', '' FROM new");
    CHECK(!pb_store_find_named(s, "abcdef01", &run) && run == 8);
    CHECK(!pb_store_find_named(s, "1000000", &run) && run == 1000000);
    CHECK(!pb_store_find_named(s, "7", &run) && run == 7);
    CHECK(pb_store_find_named(s, "abcdef", &run) && !run);
    CHECK(strstr(pb_error_text(), "'abcdef' matches 2 runs; want more digits of the hash") != NULL);
    pb_error_clear();
    CHECK(pb_store_find_named(s, "abcde", &run) && strstr(pb_error_text(), "no finished run 'abcde'"));
    pb_error_clear();
    CHECK_INT(pb_store_close(s), 0);
    end();
}
