/* Files of torch.save against what torch reads from them (tests/parity/make_torch.py), and files that are refused. */
#include "test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/json.h"
#include "weights/weights.h"

#define GOLDEN "tests/golden/torch/"

static void check_tensor(const pb_weights *w, const pb_json *line)
{
    const pb_json *shape = pb_json_get(line, "shape"), *values = pb_json_get(line, "values");
    const pb_array *a = pb_weights_find(w, pb_json_text(pb_json_get(line, "name"), ""));
    pb_real x[32];
    if (!CHECK(a != NULL) || !CHECK_INT(a->count, pb_json_size(values)) || !CHECK_INT(a->dims, pb_json_size(shape)))
        return;
    for (int i = 0; i < a->dims; i++)
        CHECK_INT(a->shape[i], pb_json_integer(pb_json_at(shape, (size_t)i), -1));
    CHECK_INT(pb_array_reals(a, 0, a->count, x), 0);
    for (size_t i = 0; i < a->count; i++) {
        double want = pb_json_number(pb_json_at(values, i), NAN);
        CHECK_NEAR((double)x[i], want, 1e-7 * (1 + fabs(want)));
    }
}

TEST(tensors_are_those_that_torch_reads)
{
    pb_weights *w = pb_weights_open(GOLDEN "values.bin");
    char *text = pb_read_file(GOLDEN "values.jsonl", NULL), *rest = text;
    size_t lines = 0;
    if (!CHECK(w && text))
        return;
    for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        pb_json_doc *doc = pb_json_parse("golden", line, strlen(line));
        check_tensor(w, pb_json_root(doc));
        pb_json_free(doc);
    }
    CHECK_INT(pb_weights_count(w), lines);
    for (size_t i = 0; i < lines; i++)
        CHECK(pb_weights_find(w, pb_weights_at(w, i)->name) == pb_weights_at(w, i));
    free(text);
    pb_weights_close(w);
}

static void check_refused(const char *name, const char *why)
{
    char *path = pb_format(GOLDEN "%s.bin", name);
    CHECK(pb_weights_open(path) == NULL);
    if (!CHECK(strstr(pb_error_text(), path) == pb_error_text() && strstr(pb_error_text(), why)))
        printf("  %s: '%s'\n", name, pb_error_text());
    pb_error_clear();
    free(path);
}

TEST(everything_else_is_refused_by_name)
{
    check_refused("call", "calls 'posix.system', which is refused");
    check_refused("old", "before torch 1.6 is not read; convert it: python -c");
    check_refused("nested", "'model': want a tensor, got a dictionary");
    check_refused("protocol", "pickle protocol: want 2, which torch.save writes, got 4");
    check_refused("list", "pickle instruction 0x5d is refused");
    check_refused("no-storage", "'archive/data/0': want 2 elements of 4 bytes, got no such entry");
    check_refused("short-storage", "'archive/data/0': want 2 elements of 4 bytes, got an entry of 4 bytes");
    check_refused("far", "reach beyond its storage");
    check_refused("stride", "reach beyond its storage");
    check_refused("repeated", "reach beyond its storage");
    check_refused("negative", "shape or strides are no sizes");
    check_refused("big-endian", "byteorder: want little, got big");
    check_refused("packed", "'archive/data.pkl': want an entry that is stored without compression");
    check_refused("twice", "'a': two tensors have this name");
    check_refused("cut", "it has no end");
    check_refused("one-column", "reach beyond its storage");
    check_refused("negated", "negated or conjugated view of its storage is not read; want it saved as a clone()");
    check_refused("integer-key", "want strings as the keys");
    check_refused("views", "views of one storage are more than the file holds; save them as clone()s");
}

TEST(only_regular_files_are_opened)
{
    char folder[] = "/tmp/peftbench-fifo-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    char *fifo = pb_format("%s/fifo", folder);
    pb_map m;
    CHECK_INT(mkfifo(fifo, 0600), 0);
    CHECK_INT(pb_map_open(&m, fifo), -1);
    CHECK(strstr(pb_error_text(), "want a regular file, got a FIFO") != NULL);
    pb_error_clear();
    CHECK(pb_weights_open(fifo) == NULL && pb_read_file(fifo, NULL) == NULL);
    pb_error_clear();
    CHECK(pb_read_file("/dev/zero", NULL) == NULL);
    CHECK(strstr(pb_error_text(), "/dev/zero: cannot read: want a regular file, got a character device") != NULL);
    pb_error_clear();
    CHECK(pb_read_file(folder, NULL) == NULL);
    CHECK(strstr(pb_error_text(), "want a regular file, got a folder") != NULL);
    unlink(fifo);
    rmdir(folder);
    free(fifo);
}
