/* Tables from files as they lie around: compressed ones, other encodings than UTF-8, and JSON Lines with anything in the
 * columns that nobody asks for. */
#include "test.h"

#include <lzma.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/rng.h"
#include "table/compressed.h"
#include "table/table.h"

static char folder[] = "/tmp/peftbench-table-XXXXXX";

static void remove_folder(void)
{
    pb_remove_tree(folder);
}

/* Writes a file into the folder and returns its path, which is valid until the next call. */
static const char *write_file(const char *name, const void *bytes, size_t n)
{
    static char path[128];
    if (strstr(folder, "XXXXXX")) {
        if (!mkdtemp(folder))
            PB_BUG("cannot make %s", folder);
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (pb_write_file(path, bytes, n))
        PB_BUG("%s", pb_error_text());
    return path;
}

static void refused(const char *why)
{
    if (!strstr(pb_error_text(), why))
        CHECK_TEXT(pb_error_text(), why);
    pb_error_clear();
}

/* ---- compressed files ----------------------------------------------------------------------------------------- */

/* The formats that this test can write with the libraries; zstd is tested by tests/cli/data_files.sh. */
typedef enum packing { GZIP, XZ } packing;
static const char *const file_name[] = {"a.tsv.gz", "a.tsv.xz"};

/* Appends n bytes as one stream. */
static void pack(packing p, const char *bytes, size_t n, pb_text *out)
{
    size_t room = n + n / 2 + 1000, used = 0;
    unsigned char *packed = pb_alloc(room);
    if (p == GZIP) {
        z_stream z = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)n, .next_out = packed};
        z.avail_out = (unsigned)room;
        CHECK(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
        CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
        used = z.total_out;
        deflateEnd(&z);
    } else {
        CHECK(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, (const unsigned char *)bytes, n, packed, &used,
                                      room) == LZMA_OK);
    }
    pb_text_bytes(out, packed, used);
    free(packed);
}

/* n bytes of rows, some of which repeat. */
static char *random_rows(pb_rng *r, size_t n)
{
    char *bytes = pb_alloc(n + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = pb_rng_below(r, 4) || i < 40 ? (char)('a' + pb_rng_below(r, 26)) : bytes[i - 40];
    return bytes;
}

/* What a file has when it is read; NULL with an error. */
static char *read_packed(const char *name, const pb_text *packed, size_t most, size_t *size)
{
    return pb_compressed_read(write_file(name, packed->data, packed->length), most, size);
}

TEST(compressed_files_are_what_was_compressed)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 1000000};
    pb_rng r = pb_rng_named(1, "rows");
    for (int p = GZIP; p <= XZ; p++)
        for (size_t i = 0; i < PB_COUNT(sizes); i++)
            for (int streams = 1; streams <= 3; streams += 2) {
                pb_text packed = {0}, want = {0};
                for (int k = 0; k < streams; k++) {
                    char *bytes = random_rows(&r, sizes[i]);
                    pack((packing)p, bytes, sizes[i], &packed);
                    pb_text_bytes(&want, bytes, sizes[i]);
                    free(bytes);
                }
                for (int room = 0; room < 2; room++) { /* just room enough, and more */
                    size_t size = 1;
                    char *got = read_packed(file_name[p], &packed, want.length + (size_t)room * 100000, &size);
                    CHECK_INT(size, want.length);
                    CHECK(got && !memcmp(got, want.data ? want.data : "", want.length) && !got[size]);
                    free(got);
                }
                size_t size;
                if (want.length && CHECK(!read_packed(file_name[p], &packed, want.length - 1, &size)))
                    refused("bytes decompressed; want at most that");
                pb_text_free(&packed);
                pb_text_free(&want);
            }
}

/* Every prefix of a file is refused, and so is every file with a changed bit, unless it reads the same. */
TEST(damaged_archives_are_refused)
{
    pb_rng r = pb_rng_named(2, "rows");
    enum { N = 3000 };
    char *bytes = random_rows(&r, N);
    for (int p = GZIP; p <= XZ; p++) {
        pb_text packed = {0};
        pack((packing)p, bytes, N, &packed);
        size_t size, whole = packed.length;
        for (packed.length = 0; packed.length < whole; packed.length += 1 + packed.length / 100) {
            CHECK(!read_packed(file_name[p], &packed, 1 << 20, &size));
            refused("ends early");
        }
        packed.length = whole;
        int found = 0;
        for (int trial = 0; trial < 400; trial++) {
            size_t at = pb_rng_below(&r, (uint32_t)whole);
            char kept = packed.data[at];
            packed.data[at] = (char)(kept ^ (1 << pb_rng_below(&r, 8)));
            char *got = read_packed(file_name[p], &packed, 1 << 20, &size);
            CHECK(!got || (size == N && !memcmp(got, bytes, N))); /* such as the time in a gzip header */
            found += !got;
            pb_error_clear();
            free(got);
            packed.data[at] = kept;
        }
        CHECK(found > 350);
        pb_text_bytes(&packed, "rest of the file", 16);
        CHECK(!read_packed(file_name[p], &packed, 1 << 20, &size));
        refused(p == GZIP ? "16 bytes behind the stream of gzip" : "damaged");
        packed.length -= 16;
        pb_text_bytes(&packed, "\0\0\0", 4); /* with the NUL behind it: four zeros, which both formats allow */
        char *got = read_packed(file_name[p], &packed, 1 << 20, &size);
        CHECK(got && size == N);
        free(got);
        pb_text_free(&packed);
    }
    free(bytes);
}

/* A gigabyte of zeros is a megabyte of gzip. */
TEST(a_bomb_is_refused_before_it_takes_memory)
{
    enum { N = 100 << 20 };
    char *zeros = pb_alloc(N);
    pb_text packed = {0};
    pack(GZIP, zeros, N, &packed);
    free(zeros);
    CHECK(packed.length < 200000);
    size_t size, before = pb_peak_rss();
    CHECK(!read_packed("bomb.gz", &packed, 1 << 20, &size));
    refused("bomb.gz: it has more than 1048576 bytes decompressed");
    CHECK(pb_peak_rss() - before < 8 << 20);
    pb_text_free(&packed);
}

TEST(a_compressed_table)
{
    static const char rows[] = "label\ttext\ngood\ta film\n";
    for (int p = GZIP; p <= XZ; p++) {
        pb_text packed = {0};
        pack((packing)p, rows, strlen(rows), &packed);
        pb_table *t = pb_table_open(write_file(file_name[p], packed.data, packed.length), NULL);
        if (CHECK(t && pb_table_rows(t) == 1))
            CHECK_TEXT(pb_table_get(t, 0, pb_table_column(t, "text")), "a film");
        pb_table_close(t);
        CHECK(!pb_table_open(write_file("a.txt.gz", packed.data, packed.length), NULL));
        refused("a.txt.gz: format 'txt': want tsv");
        pb_text_free(&packed);
    }
    CHECK(!pb_table_open(write_file("plain.tsv.gz", rows, strlen(rows)), NULL));
    refused("plain.tsv.gz: damaged: its bytes are not what gzip writes; want the file as it was written");
    CHECK(!pb_table_open(write_file("empty.tsv.xz", "", 0), NULL));
    refused("empty.tsv.xz: ends early, in the middle of a stream of xz");
}

/* ---- encodings ------------------------------------------------------------------------------------------------ */

static const char *texts_of(pb_charset encoding, const char *bytes, size_t n)
{
    static char out[256];
    pb_table *t = pb_table_open(write_file("a.tsv", bytes, n), &(pb_table_format){.encoding = encoding});
    *out = 0;
    for (size_t i = 0; t && i < pb_table_rows(t); i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s|", pb_table_get(t, i, 0));
    pb_table_close(t);
    return t ? out : NULL;
}
#define TEXTS(encoding, bytes) texts_of(encoding, bytes, sizeof(bytes) - 1)

TEST(encodings_become_utf8)
{
    CHECK_TEXT(TEXTS(PB_UTF8, "text\na\xC3\xAF\n"), "a\xC3\xAF|");
    CHECK_TEXT(TEXTS(PB_UTF8, "\xEF\xBB\xBFtext\na\n"), "a|");
    CHECK_TEXT(TEXTS(PB_LATIN1, "text\nna\xEFve\n\xFF\n"), "na\xC3\xAFve|\xC3\xBF|");
    CHECK_TEXT(TEXTS(PB_WINDOWS1252, "text\n\x93na\xEFve\x94 \x80\n"),
               "\xE2\x80\x9Cna\xC3\xAFve\xE2\x80\x9D \xE2\x82\xAC|");
    CHECK_TEXT(TEXTS(PB_UTF16, "\xFF\xFEt\0\n\0\x3D\xD8\x00\xDE\n\0"), "\xF0\x9F\x98\x80|");
    CHECK_TEXT(TEXTS(PB_UTF16, "\xFE\xFF\0t\0\n\xD8\x3D\xDE\x00\0\n"), "\xF0\x9F\x98\x80|");
    pb_text whole = {0}; /* longer than what is converted at once */
    pb_text_add(&whole, "text\n");
    for (int i = 0; i < 5000; i++)
        pb_text_add(&whole, "\xE9");
    pb_table *t =
        pb_table_open(write_file("a.tsv", whole.data, whole.length), &(pb_table_format){.encoding = PB_LATIN1});
    CHECK(t && strlen(pb_table_get(t, 0, 0)) == 10000);
    pb_table_close(t);
    pb_text_free(&whole);
}

TEST(bytes_of_another_encoding_are_refused)
{
    CHECK(!TEXTS(PB_UTF8, "text\na\nna\xEFve\n"));
    refused("a.tsv:3: bytes that are not UTF-8: want a text file in UTF-8, or the task's `encoding`");
    CHECK(!TEXTS(PB_LATIN1, "text\na\n\x93quoted\x94\n"));
    refused("a.tsv:3: the byte 0x93 is a control character in latin-1; want a text in that encoding, or encoding = "
            "windows-1252");
    CHECK(!TEXTS(PB_WINDOWS1252, "text\na\nb\n\x81\n"));
    refused("a.tsv:4: bytes that are not windows-1252, from 0x81 on");
    CHECK(!TEXTS(PB_WINDOWS1252, "\xEF\xBB\xBFtext\na\n"));
    refused("a.tsv:1: the file begins with the mark of utf-8; want that as its encoding, not windows-1252");
    CHECK(!TEXTS(PB_LATIN1, "\xFF\xFEt\0\n\0"));
    refused("a.tsv:1: the file begins with the mark of utf-16");
    CHECK(!TEXTS(PB_UTF16, "text\na\n"));
    refused("a.tsv: no byte order mark");
    CHECK(!TEXTS(PB_UTF16, "\xFF\xFEt\0\n\0a"));
    refused("a.tsv:2: bytes that are not utf-16, from 0x61 on"); /* half a character */
    CHECK(!TEXTS(PB_UTF16, "\xFF\xFEt\0\n\0\x00\xDE\n\0"));
    refused("a.tsv:2: bytes that are not utf-16, from 0x00 on"); /* half a pair */
    CHECK(!TEXTS(PB_UTF16, "\xFF\xFEt\0\n\0a\0\0\0"));
    refused("a.tsv:2: a NUL byte");
}

/* ---- JSON Lines ----------------------------------------------------------------------------------------------- */

TEST(a_field_of_json_lines_may_be_a_list)
{
    static const char lines[] = "{\"b\": [\"x\", 2, true], \"a\": \"p\"}\n"
                                "{\"a\": [], \"b\": \"q\", \"deep\": [[1]], \"no\": [\"x\", null]}\n"
                                "{\"b\": [\"z\"], \"a\": [\"s\", \"t\"]}\n";
    pb_table *t = pb_table_open(write_file("a.jsonl", lines, strlen(lines)), NULL);
    if (!CHECK(t != NULL))
        return;
    int a = pb_table_list_column(t, "a"), b = pb_table_list_column(t, "b"), n;
    const char *const *item = pb_table_list(t, 0, b, &n);
    CHECK_INT(n, 3);
    CHECK(item && !strcmp(item[0], "x") && !strcmp(item[1], "2") && !strcmp(item[2], "true"));
    CHECK(!pb_table_list(t, 0, a, &n) && !n);
    CHECK_TEXT(pb_table_get(t, 0, a), "p");
    CHECK(pb_table_list(t, 1, a, &n) && !n); /* an empty list is a list */
    CHECK(!pb_table_list(t, 1, b, &n));
    item = pb_table_list(t, 2, a, &n);
    CHECK(n == 2 && item && !strcmp(item[1], "t"));
    item = pb_table_list(t, 2, b, &n);
    CHECK(n == 1 && item && !strcmp(item[0], "z"));
    CHECK(pb_table_column(t, "a") < 0);
    refused("a.jsonl:2: 'a': want a text without NUL, a number, true, false or null");
    CHECK(pb_table_list_column(t, "deep") < 0);
    refused("a.jsonl:2: 'deep': want a text without NUL, a number, true, false or null, or a list of texts");
    CHECK(pb_table_list_column(t, "no") < 0);
    refused("a.jsonl:2: 'no'");
    pb_table_close(t);
}

TEST(columns_that_nobody_asks_for_may_be_anything)
{
    static const char lines[] = "{\"text\": \"a\", \"meta\": null, \"n\": 1}\n"
                                "{\"text\": \"b\", \"meta\": {\"k\": [1, {\"m\": 2}]}, \"tags\": [\"x\"]}\n"
                                "{\"text\": \"c\", \"meta\": \"plain\", \"nul\": \"a\\u0000b\"}\n";
    pb_table *t = pb_table_open(write_file("a.jsonl", lines, strlen(lines)), NULL);
    if (!CHECK(t != NULL))
        return;
    for (size_t i = 0; i < 3; i++)
        CHECK_TEXT(pb_table_get(t, i, pb_table_column(t, "text")), i == 0 ? "a" : i == 1 ? "b" : "c");
    CHECK_TEXT(pb_table_get(t, 0, pb_table_column(t, "n")), "1");
    CHECK(pb_table_column(t, "meta") < 0);
    refused("a.jsonl:2: 'meta': want a text without NUL, a number, true, false or null");
    CHECK(pb_table_column(t, "tags") < 0);
    refused("a.jsonl:2: 'tags'");
    CHECK(pb_table_column(t, "nul") < 0);
    refused("a.jsonl:3: 'nul'");
    CHECK(pb_table_column(t, "nix") < 0);
    refused("no column 'nix'; has: text, meta, n, tags, nul");
    pb_table_close(t);
}

/* ---- CoNLL ------------------------------------------------------------------------------------------- */

TEST(a_row_of_conll_is_a_sentence)
{
    static const char lines[] = "-DOCSTART- -X- O\n\nThe DT  O\nGreen JJ B-x \r\n\n \t\n\na word\tJJ\tO";
    pb_table *t = pb_table_open(write_file("a.conll", lines, strlen(lines)), NULL);
    int words = t ? pb_table_list_column(t, "tokens") : -1, tags = t ? pb_table_list_column(t, "ner_tags") : -1, n;
    if (!CHECK(words >= 0 && tags >= 0 && pb_table_list_column(t, "2") >= 0))
        return;
    CHECK_INT(pb_table_rows(t), 2);
    const char *const *item = pb_table_list(t, 0, words, &n);
    CHECK_INT(n, 2);
    CHECK_TEXT(item[1], "Green");
    CHECK_TEXT(pb_table_list(t, 0, tags, &n)[1], "B-x");
    CHECK_TEXT(pb_table_list(t, 1, words, &n)[0], "a word");
    CHECK_INT(pb_table_line(t, 0, words), 3);
    CHECK_INT(pb_table_item_line(t, 0, words, 1), 4);
    CHECK_INT(pb_table_item_line(t, 1, words, 0), 8);
    CHECK_INT(pb_table_column(t, "tokens"), -1);
    refused("a.conll:3: 'tokens': want a text");
    pb_table_close(t);
}

TEST(columns_of_conll_may_have_names)
{
    static const char lines[] = "The DT O more\n\nGreen JJ\n";
    const pb_table_format three = {.columns = "w, pos, tag, .."}, two = {.columns = "w, pos"};
    CHECK(!pb_table_open(write_file("a.conll", lines, strlen(lines)), &three));
    refused("a.conll:3: want 3 columns (a word, .., a tag), separated by tabs or blanks, got 2");
    CHECK(!pb_table_open(write_file("a.conll", lines, strlen(lines)), &two));
    refused("a.conll:1: want 2 columns");
    CHECK(!pb_table_open(write_file("a.conll", "\n\n", 2), NULL));
    refused("a.conll:3: want at least one row, got none");
}
