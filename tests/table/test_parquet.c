/* Parquet files against pyarrow's reading of them (tests/golden/parquet, made by tests/parity/make_parquet.py). */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "table/parquet.h"
#include "table/snappy.h"

#define GOLDEN "tests/golden/parquet"

static char lines[] = "/tmp/peftbench-parquet-XXXXXX";

static const char *a_file(void)
{
    int fd = strstr(lines, "XXXXXX") ? mkstemp(lines) : -2;
    if (fd == -1)
        PB_BUG("cannot make %s", lines);
    if (fd >= 0)
        close(fd);
    return lines;
}

/* ---- what is right ---------------------------------------------------------------------------------------- */

static void compare(const char *line, const char *key, const pb_json *got, const pb_json *want)
{
    char *a = pb_json_plain(got), *b = pb_json_plain(want);
    double x = pb_json_number(got, NAN), y = pb_json_number(want, NAN);
    bool same = a && b && (!strcmp(a, b) || x == y) && pb_json_is_null(got) == pb_json_is_null(want);
    if (!CHECK(same))
        printf("  '%s' of %s", key, line);
    free(a);
    free(b);
}

static int compare_member(void *ctx, const char *key, const pb_json *want)
{
    const pb_json_doc *got = ctx;
    compare("a row", key, pb_json_get(pb_json_root(got), key), want);
    return 0;
}

static void compare_lines(const char *got, const char *want)
{
    int rows = 0;
    for (; *got && *want; rows++) {
        size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
        pb_json_doc *a = pb_json_parse("got", got, n), *b = pb_json_parse("want", want, m);
        if (CHECK(a && b)) {
            CHECK_INT(pb_json_size(pb_json_root(a)), pb_json_size(pb_json_root(b)));
            pb_json_each(pb_json_root(b), compare_member, a);
        }
        pb_json_free(a);
        pb_json_free(b);
        got += n + 1;
        want += m + 1;
    }
    CHECK_INT(rows, 20);
    CHECK(!*got && !*want);
}

TEST(rows_are_those_that_pyarrow_reads)
{
    static const char *const names[] = {"snappy", "plain", "version2", "pages"};
    for (size_t i = 0; i < PB_COUNT(names); i++) {
        char *path = pb_format(GOLDEN "/%s.parquet", names[i]), *right = pb_format(GOLDEN "/%s.jsonl", names[i]);
        pb_text left_out = {0};
        if (!CHECK(!pb_parquet_to_lines(path, a_file(), &left_out)))
            printf("  %s\n", pb_error_text());
        CHECK_TEXT(left_out.data, "'list', 'pair'");
        pb_text_free(&left_out);
        char *got = pb_read_file(lines, NULL), *want = pb_read_file(right, NULL);
        if (CHECK(got && want))
            compare_lines(got, want);
        free(got);
        free(want);
        free(path);
        free(right);
    }
}

TEST(copies_reach_into_what_they_write)
{
    /* "ab", then 10 bytes from 2 back, then 4 bytes from 12 back by the longer form */
    static const unsigned char packed[] = {16, 1 << 2, 'a', 'b', (10 - 4) << 2 | 1, 2, (4 - 1) << 2 | 2, 12, 0};
    unsigned char out[17] = "";
    CHECK(pb_snappy_unpack(packed, sizeof packed, out, 16));
    CHECK_TEXT((const char *)out, "abababababababab");
    CHECK(!pb_snappy_unpack(packed, sizeof packed, out, 15));                       /* another length */
    CHECK(!pb_snappy_unpack(packed, sizeof packed - 1, out, 16));                   /* cut off */
    CHECK(!pb_snappy_unpack((const unsigned char[]){4, 0 << 2 | 1, 1}, 3, out, 4)); /* before the beginning */
}

/* ---- what is not --------------------------------------------------------------------------------------------- */

TEST(a_damaged_file_says_so_or_is_read)
{
    static const char *const names[] = {"snappy", "plain", "version2", "pages"};
    int refused = 0;
    char *hurt = pb_format("%s.parquet", a_file());
    for (int round = 0; round < 2000; round++) {
        size_t n;
        char *path = pb_format(GOLDEN "/%s.parquet", names[round % 4]), *bytes = pb_read_file(path, &n);
        uint64_t where = ((uint64_t)round * 2654435761u) % n;
        if (round % 5 == 4)
            n = where; /* cut off */
        else
            bytes[where] = (char)(bytes[where] ^ (round % 5 == 3 ? 255 : 1 << round % 8));
        CHECK_INT(pb_write_file(hurt, bytes, n), 0);
        pb_error_clear();
        pb_text left_out = {0};
        if (pb_parquet_to_lines(hurt, lines, &left_out)) {
            refused++;
            CHECK(strstr(pb_error_text(), hurt) == pb_error_text());
        }
        pb_text_free(&left_out);
        free(path);
        free(bytes);
    }
    CHECK(refused > 600); /* damage to a value is no damage to the file */
    remove(hurt);
    remove(lines);
    free(hurt);
}

TEST(what_is_no_parquet_file_is_refused)
{
    pb_text left_out = {0};
    CHECK_INT(pb_parquet_to_lines("tests/golden/tokenizer.jsonl", a_file(), &left_out), -1);
    CHECK(strstr(pb_error_text(), "want a Parquet file") != NULL);
    remove(lines);
}
