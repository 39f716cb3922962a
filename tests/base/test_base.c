/* The ground floor: errors, text, hashes, files, arenas, random streams, threads, settings. */
#include "child.h"
#include "util.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/option.h"
#include "base/threads.h"

/* ---- errors ---------------------------------------------------------------------------------------------- */

TEST(the_first_error_is_kept)
{
    CHECK_TEXT(pb_error_text(), "");
    CHECK_INT(pb_error("%s:%d: rank: want 1..64, got %d", "lora.ini", 12, 0), -1);
    CHECK_INT(pb_error("a consequence"), -1);
    CHECK_TEXT(pb_error_text(), "lora.ini:12: rank: want 1..64, got 0");
    pb_error_clear();
    CHECK_TEXT(pb_error_text(), "");
    pb_error("another");
    CHECK_TEXT(pb_error_text(), "another");
}

TEST(an_error_longer_than_its_place_is_cut)
{
    char *longer = pb_alloc(10001);
    memset(longer, 'x', 10000);
    pb_error("%s", longer);
    size_t n = strlen(pb_error_text());
    CHECK(n > 1000 && n < 10000 && !strncmp(pb_error_text(), longer, n));
    free(longer);
}

static void error_of_thread(void *ctx, int thread)
{
    bool *clean = ctx;
    clean[thread] = pb_error_text()[0] == 0;
    pb_error("thread %d", thread);
    pb_error_clear();
}

TEST(each_thread_has_its_own_error)
{
    bool clean[2] = {false, false};
    pb_threads_start(2);
    pb_error("mine");
    pb_threads_run(error_of_thread, clean);
    CHECK(!clean[0] && clean[1]);
    pb_threads_stop();
}

static void break_invariant(void)
{
    PB_CHECK(1 + 1 == 3);
}

TEST(a_broken_invariant_says_where_and_aborts)
{
    char *said;
    int status = status_of(break_invariant, &said);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(said, "tests/base/test_base.c:") && strstr(said, "broken invariant: 1 + 1 == 3"));
    free(said);
}

static void warn(void)
{
    pb_warn("%d rows left out", 3);
}

TEST(a_warning_goes_to_stderr)
{
    char *said;
    CHECK_INT(status_of(warn, &said), 0);
    CHECK_TEXT(said, "peftbench: warning: 3 rows left out\n");
    free(said);
}

/* ---- memory and text ------------------------------------------------------------------------------------- */

TEST(memory_is_zeroed_and_grows)
{
    char *a = pb_alloc(1000), *nothing = pb_alloc(0);
    for (int i = 0; i < 1000; i++)
        CHECK(a[i] == 0);
    CHECK(nothing != NULL);
    free(nothing);
    a[999] = 'x';
    a = pb_realloc(a, 5000);
    CHECK(a[999] == 'x' && a[0] == 0);
    free(a);
    int *items = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        pb_grow(&items, i, &capacity, sizeof *items);
        CHECK(capacity > i);
        items[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++)
        CHECK_INT(items[i], i);
    CHECK(capacity < 2100); /* doubles, no more */
    pb_grow(&items, 100000, &capacity, sizeof *items);
    CHECK(capacity > 100000 && items[999] == 999);
    free(items);
}

TEST(numbers_are_written_in_the_fewest_digits)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {{0.1, "0.1"},
                 {2.615, "2.615"},
                 {1234567, "1234567"},
                 {-1e300, "-1e+300"},
                 {0, "0"},
                 {4, "4"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1.0 / 3, "0.3333333333333333"}};
    for (size_t i = 0; i < PB_COUNT(known); i++) {
        pb_text t = {0};
        pb_text_real(&t, known[i].value);
        CHECK_TEXT(t.data, known[i].text);
        pb_text_free(&t);
    }
}

TEST(text_is_built_piece_by_piece)
{
    pb_text t = {0};
    CHECK(t.data == NULL);
    pb_text_add(&t, "%s", "");
    CHECK_TEXT(t.data, "");
    pb_text_add(&t, "%d,", 12);
    pb_text_bytes(&t, "a\0b", 3);
    CHECK_INT((long long)t.length, 6);
    CHECK(!memcmp(t.data, "12,a\0b", 7));
    pb_text_free(&t);
    CHECK(t.data == NULL && t.length == 0 && t.capacity == 0);
    for (int i = 0; i < 3000; i++) {
        pb_text_add(&t, "%d ", i % 10);
        CHECK_INT((long long)strlen(t.data), 2LL * (i + 1));
    }
    pb_text_bytes(&t, NULL, 0);
    CHECK_INT((long long)t.length, 6000);
    pb_text_free(&t);
    char *s = pb_format("%s-%03d", "x", 7), *empty = pb_format("%s", ""), *copy = pb_strdup(s);
    CHECK_TEXT(s, "x-007");
    CHECK_TEXT(empty, "");
    CHECK_TEXT(copy, "x-007");
    free(s);
    free(empty);
    free(copy);
}

/* ---- hashes ------------------------------------------------------------------------------------------------ */

#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_448_BITS "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
#define OF_A_MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

TEST(sha256_of_the_standard_s_examples)
{
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    CHECK_TEXT(pb_sha256("", 0).hex, OF_NOTHING);
    CHECK_TEXT(pb_sha256(NULL, 0).hex, OF_NOTHING);
    CHECK_TEXT(pb_sha256("abc", 3).hex, OF_ABC);
    CHECK_TEXT(pb_sha256(two_blocks, strlen(two_blocks)).hex, OF_448_BITS);
    char *a = pb_alloc(1000000);
    memset(a, 'a', 1000000);
    CHECK_TEXT(pb_sha256(a, 1000000).hex, OF_A_MILLION_A);
    free(a);
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static char folder[64];

/* A fresh folder; its path stands before NAME in the result. */
static char *inside(const char *name)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/peftbench-base-XXXXXX");
        if (!mkdtemp(folder))
            PB_BUG("no folder in /tmp");
    }
    return pb_format("%s/%s", folder, name);
}

__attribute__((destructor)) static void remove_folder(void)
{
    if (folder[0])
        rmdir(folder);
}

static int entries(void)
{
    char *command = pb_format("ls -A %s | wc -l", folder);
    FILE *f = popen(command, "r"); /* NOLINT: a path of our own */
    int n = -1;
    if (f && fscanf(f, "%d", &n) != 1)
        n = -1;
    if (f)
        pclose(f);
    free(command);
    return n;
}

TEST(a_file_is_written_whole_and_read_back)
{
    char *path = inside("file"), big[200000];
    size_t size = 1;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7);
    CHECK(!pb_file_exists(path));
    CHECK_INT(pb_write_file(path, "first", 5), 0);
    CHECK(pb_file_exists(path));
    CHECK_INT(pb_write_file(path, big, sizeof big), 0); /* over the first */
    char *got = pb_read_file(path, &size);
    CHECK(got && size == sizeof big && !memcmp(got, big, size) && got[size] == 0);
    free(got);
    pb_digest of_file;
    CHECK_INT(pb_sha256_file(path, &of_file), 0);
    CHECK_TEXT(of_file.hex, pb_sha256(big, sizeof big).hex);
    CHECK_INT(pb_write_file(path, NULL, 0), 0);
    got = pb_read_file(path, &size);
    CHECK(got && size == 0 && got[0] == 0);
    free(got);
    CHECK_INT(entries(), 1); /* no temporary is left */
    remove(path);
    free(path);
}

TEST(a_file_that_cannot_be_written_is_as_it_was)
{
    char *target = inside("folder"), *kept = inside("folder/kept"), *nowhere = inside("none/file");
    CHECK_INT(pb_make_dirs(target), 0);
    CHECK_INT(pb_write_file(kept, "kept", 4), 0);
    CHECK_INT(pb_write_file(target, "x", 1), -1); /* a folder that is not empty */
    CHECK(strstr(pb_error_text(), target) == pb_error_text() && strstr(pb_error_text(), ": cannot write: "));
    CHECK_INT(entries(), 1);
    pb_error_clear();
    CHECK_INT(pb_write_file(nowhere, "x", 1), -1);
    CHECK(strstr(pb_error_text(), "cannot write: No such file or directory"));
    char *got = pb_read_file(kept, NULL);
    CHECK_TEXT(got, "kept");
    free(got);
    remove(kept);
    rmdir(target);
    free(target);
    free(kept);
    free(nowhere);
}

/* A reader beside the writer sees the old text or the new one, nothing else. */
TEST(a_file_is_never_seen_half_written)
{
    enum { SIZE = 300000, ROUNDS = 40 };
    char *path = inside("atomic"), *text = pb_alloc(SIZE);
    memset(text, 'A', SIZE);
    CHECK_INT(pb_write_file(path, text, SIZE), 0);
    fflush(stdout);
    pid_t child = fork();
    for (int i = 1; child == 0 && i <= ROUNDS; i++) {
        memset(text, 'A' + i % 20, SIZE);
        if (pb_write_file(path, text, SIZE) || i == ROUNDS)
            _exit(i != ROUNDS);
    }
    int status = 1, whole = 0, broken = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        size_t size;
        char *got = pb_read_file(path, &size);
        bool same = got && size == SIZE;
        for (size_t i = 0; same && i < size; i++)
            same = got[i] == got[0];
        whole += same;
        broken += !same;
        free(got);
    }
    CHECK(status == 0 && whole > 0 && broken == 0);
    remove(path);
    free(path);
    free(text);
}

TEST(what_cannot_be_read_says_why)
{
    char *path = inside("missing");
    size_t size = 5;
    pb_digest d;
    CHECK(!pb_read_file(path, &size));
    CHECK_INT((long long)size, 0);
    CHECK(strstr(pb_error_text(), path) == pb_error_text());
    CHECK(strstr(pb_error_text(), ": cannot read: No such file or directory"));
    pb_error_clear();
    CHECK_INT(pb_sha256_file(path, &d), -1);
    CHECK(strstr(pb_error_text(), "cannot read: No such file"));
    pb_error_clear();
    CHECK(!pb_read_file("/tmp", NULL)); /* a folder */
    CHECK(strstr(pb_error_text(), "/tmp: cannot read: want a regular file, got a folder"));
    pb_error_clear();
    CHECK_INT(pb_sha256_file("/tmp", &d), -1);
    CHECK(strstr(pb_error_text(), "/tmp: cannot read"));
    free(path);
}

TEST(folders_are_made_with_their_parents)
{
    char *deep = inside("a/b//c/"), *file = inside("a/file"), *below = inside("a/file/x");
    CHECK_INT(pb_make_dirs(deep), 0);
    CHECK_INT(pb_make_dirs(deep), 0); /* they may be there */
    CHECK(pb_file_exists(deep));
    CHECK_INT(pb_make_dirs("/"), 0);
    CHECK_INT(pb_write_file(file, "", 0), 0);
    CHECK_INT(pb_make_dirs(file), -1);
    CHECK(strstr(pb_error_text(), "a/file: cannot make the folder: "));
    pb_error_clear();
    CHECK_INT(pb_make_dirs(below), -1);
    static const char *const made[] = {"a/file", "a/b/c", "a/b", "a"};
    for (size_t i = 0; i < PB_COUNT(made); i++) {
        char *path = inside(made[i]);
        CHECK_INT(remove(path), 0);
        free(path);
    }
    free(deep);
    free(file);
    free(below);
}

TEST(clocks)
{
    char stamp[32];
    double a = pb_clock(), b = pb_clock();
    int y, mo, d, h, mi, s, used = 0;
    CHECK(b >= a && a > 0);
    pb_timestamp(stamp);
    CHECK_INT(sscanf(stamp, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &y, &mo, &d, &h, &mi, &s, &used), 6);
    CHECK_INT(used, 20);
    CHECK(y >= 2024 && mo >= 1 && mo <= 12 && d >= 1 && d <= 31 && h < 24 && mi < 60 && s <= 60);
    CHECK(pb_peak_rss() > 1 << 20);
}

/* ---- arenas --------------------------------------------------------------------------------------------------- */

TEST(an_arena_counts_by_class)
{
    pb_arena *a = pb_arena_new("test");
    char *one = pb_arena_alloc(a, PB_WEIGHTS, 100), *two = pb_arena_alloc(a, PB_GRADIENTS, 64);
    CHECK((uintptr_t)one % 64 == 0 && (uintptr_t)two % 64 == 0 && one != two);
    CHECK_INT((long long)pb_arena_live(a, PB_WEIGHTS), 128); /* each rounded up to 64 */
    CHECK_INT((long long)pb_arena_live(a, PB_GRADIENTS), 64);
    CHECK_INT((long long)pb_arena_live(a, PB_META), 0);
    memset(one, 0xFF, 100);
    pb_arena_alloc(a, PB_WEIGHTS, 1);
    pb_arena_reset(a);
    CHECK_INT((long long)pb_arena_live(a, PB_WEIGHTS), 0);
    CHECK_INT((long long)pb_arena_high(a, PB_WEIGHTS), 192); /* the mark stays */
    char *again = pb_arena_alloc(a, PB_WEIGHTS, 100);
    CHECK(again == one); /* the memory is used again, */
    for (int i = 0; i < 100; i++)
        CHECK(again[i] == 0); /* and zeroed */
    CHECK_INT((long long)pb_arena_high(a, PB_WEIGHTS), 192);
    CHECK_TEXT(pb_arena_strdup(a, "name"), "name");
    CHECK_TEXT(pb_arena_format(a, "%s.%d", "layer", 3), "layer.3");
    CHECK_INT((long long)pb_arena_high(a, PB_META), 128);
    pb_arena_free(a);
    pb_arena_free(NULL);
}

/* Blocks of all sizes, several times over; no two allocations share a byte. */
TEST(an_arena_s_memory_does_not_overlap)
{
    enum { ITEMS = 400 };
    pb_arena *a = pb_arena_new("test");
    unsigned char *item[ITEMS];
    size_t size[ITEMS], high = 0;
    pb_rng r = pb_rng_named(1, "arena");
    for (int round = 0; round < 5; round++) {
        size_t sum = 0;
        for (int i = 0; i < ITEMS; i++) {
            size[i] = pb_rng_below(&r, i % 50 == 7 ? 3000000 : 3000);
            item[i] = pb_arena_alloc(a, PB_ACTIVATIONS, size[i]);
            memset(item[i], i % 251, size[i]);
            sum += (size[i] + 63) / 64 * 64;
        }
        for (int i = 0; i < ITEMS; i++)
            for (size_t k = 0; k<size[i]; k += size[i]> 100000 ? 997 : 1)
                if (item[i][k] != i % 251 && !CHECK(item[i][k] == i % 251))
                    break;
        CHECK_INT((long long)pb_arena_live(a, PB_ACTIVATIONS), (long long)sum);
        high = sum > high ? sum : high;
        CHECK_INT((long long)pb_arena_high(a, PB_ACTIVATIONS), (long long)high);
        pb_arena_reset(a);
    }
    CHECK_TEXT(pb_memory_class_name[PB_WEIGHTS], "weights");
    for (int c = 0; c < PB_MEMORY_CLASSES; c++)
        CHECK(pb_memory_class_name[c] != NULL);
    pb_arena_free(a);
}

/* ---- random streams ------------------------------------------------------------------------------------------- */

TEST(a_stream_is_a_function_of_seed_name_and_counter)
{
    pb_rng a = pb_rng_named(7, "init"), b = pb_rng_named(7, "init"), later;
    pb_rng name = pb_rng_named(7, "order"), seed = pb_rng_named(8, "init");
    for (int i = 0; i < 10; i++) {
        uint64_t x = pb_rng_next(&a);
        CHECK(x == pb_rng_next(&b) && x != pb_rng_next(&name) && x != pb_rng_next(&seed));
    }
    later = (pb_rng){.key = a.key, .counter = 5};
    b = pb_rng_named(7, "init");
    for (int i = 0; i < 5; i++)
        pb_rng_next(&b);
    CHECK(pb_rng_next(&later) == pb_rng_next(&b)); /* taken up anywhere */
    CHECK(pb_rng_named(0, "ab").key != pb_rng_named(0, "ba").key);
    /* SplitMix64 from seed 0: the published first numbers. */
    CHECK(pb_mix(0, 1) == 0xE220A8397B1DCDAFu && pb_mix(0, 2) == 0x6E789E6AA1B965F4u);
}

TEST(random_numbers_have_their_distribution)
{
    enum { N = 200000 };
    pb_rng r = pb_rng_named(3, "moments");
    double sum = 0, square = 0, normal = 0, normal2 = 0, normal4 = 0;
    int count[10] = {0};
    for (int i = 0; i < N; i++) {
        double u = pb_rng_uniform(&r), z = pb_rng_normal(&r);
        CHECK(u >= 0 && u < 1);
        sum += u;
        square += u * u;
        normal += z;
        normal2 += z * z;
        normal4 += z * z * z * z;
        count[pb_rng_below(&r, 10)]++;
    }
    CHECK(fabs(sum / N - 0.5) < 0.003 && fabs(square / N - 1.0 / 3) < 0.003);
    CHECK(fabs(normal / N) < 0.01 && fabs(normal2 / N - 1) < 0.015 && fabs(normal4 / N - 3) < 0.15);
    for (int i = 0; i < 10; i++)
        CHECK(abs(count[i] - N / 10) < 700); /* 5 sigma */
}

TEST(below_is_below)
{
    pb_rng r = pb_rng_named(4, "below");
    uint64_t huge = (UINT64_MAX / 3) * 2, upper = 0;
    for (int i = 0; i < 1000; i++) {
        CHECK(pb_rng_below(&r, 1) == 0 && pb_rng_below(&r, 7) < 7);
        uint64_t x = pb_rng_below(&r, huge);
        CHECK(x < huge);
        upper += x >= huge / 2; /* a plain remainder would favour the lower half by two to one */
    }
    CHECK(upper > 420 && upper < 580);
}

TEST(a_shuffle_keeps_its_items_and_has_all_orders)
{
    pb_rng r = pb_rng_named(5, "order");
    int order[100], seen[100] = {0}, times[6] = {0};
    for (int i = 0; i < 100; i++)
        order[i] = i;
    pb_rng_shuffle(&r, order, 100);
    for (int i = 0; i < 100; i++)
        seen[order[i]]++;
    for (int i = 0; i < 100; i++)
        CHECK_INT(seen[i], 1);
    for (int i = 0; i < 6000; i++) {
        int three[] = {0, 1, 2};
        pb_rng_shuffle(&r, three, 3);
        times[2 * three[0] + (three[1] > three[2])]++;
    }
    for (int i = 0; i < 6; i++)
        CHECK(abs(times[i] - 1000) < 150);
    pb_rng_shuffle(&r, NULL, 0);
}

/* ---- threads ------------------------------------------------------------------------------------------------- */

typedef struct tally {
    int calls[8], from[8], to[8], n, grain;
} tally;

static void count_call(void *ctx, int thread)
{
    tally *t = ctx;
    t->calls[thread]++;
    pb_threads_share(t->n, t->grain, thread, &t->from[thread], &t->to[thread]);
}

TEST(shares_cover_everything_once)
{
    CHECK_INT(pb_threads_count(), 1);
    for (int threads = 1; threads <= 5; threads++) {
        pb_threads_start(threads); /* starting again changes the count */
        CHECK_INT(pb_threads_count(), threads);
        for (int n = 0; n < 70; n += 3)
            for (int grain = 1; grain <= 8; grain += 7) {
                tally t = {.n = n, .grain = grain};
                pb_threads_run(count_call, &t);
                int at = 0;
                for (int i = 0; i < threads; i++) {
                    CHECK(t.calls[i] == 1 && t.from[i] == at && t.to[i] >= at);
                    CHECK(t.to[i] == n || t.to[i] % grain == 0);
                    at = t.to[i];
                }
                CHECK_INT(at, n);
            }
    }
    pb_threads_stop();
    pb_threads_stop();
    CHECK_INT(pb_threads_count(), 1);
    pb_threads_start(0);
    CHECK(pb_threads_count() >= 1);
    pb_threads_stop();
}

TEST(a_sleeping_pool_wakes)
{
    pb_threads_start(3);
    for (int i = 0; i < 5; i++) {
        tally t = {.n = 10, .grain = 1};
        usleep(i * 2000); /* longer than the workers spin */
        pb_threads_run(count_call, &t);
        CHECK(t.calls[0] == 1 && t.calls[1] == 1 && t.calls[2] == 1);
    }
    usleep(5000);
    pb_threads_stop();
}

/* ---- settings ------------------------------------------------------------------------------------------------- */

typedef struct conf {
    int rank, act;
    double alpha;
    bool rslora;
    const char *sites; /* the key is "targets" */
} conf;

static const pb_option table[] = {
    PB_OPTION(conf, rank, INT, "8", 1, 64, "inner dimension"),
    PB_OPTION(conf, alpha, REAL, "0.1", 0, 1e6, "scale"),
    PB_OPTION(conf, rslora, BOOL, "no", "divide by the root"),
    PB_OPTION_NAMED("targets", conf, sites, TEXT, "attn.q attn.v", "where"),
    PB_OPTION(conf, act, CHOICE, "gelu", "relu|gelu|tanh", "non-linearity"),
    {0},
};

TEST(settings_start_at_their_defaults)
{
    conf c;
    memset(&c, 0xFF, sizeof c); /* nothing of what was there is freed or kept */
    pb_option_defaults(table, &c);
    CHECK(c.rank == 8 && c.alpha == 0.1 && !c.rslora && c.act == 1);
    CHECK_TEXT(c.sites, "attn.q attn.v");
    pb_option_release(table, &c);
    CHECK(c.sites == NULL);
    pb_option_defaults(NULL, &c);
    pb_option_release(NULL, &c);
}

TEST(settings_are_parsed)
{
    conf c;
    pb_option_defaults(table, &c);
    CHECK(!pb_option_set(table, &c, "rank", "64") && c.rank == 64);
    CHECK(!pb_option_set(table, &c, "rank", "1") && c.rank == 1);
    CHECK(!pb_option_set(table, &c, "alpha", "1e-3") && c.alpha == 1e-3);
    CHECK(!pb_option_set(table, &c, "act", "relu") && c.act == 0);
    CHECK(!pb_option_set(table, &c, "act", "tanh") && c.act == 2);
    CHECK(!pb_option_set(table, &c, "targets", "*"));
    CHECK_TEXT(c.sites, "*");
    static const char *const words[] = {"yes", "no", "true", "false", "on", "off", "1", "0", "Yes", "OFF"};
    for (size_t i = 0; i < PB_COUNT(words); i++)
        CHECK(!pb_option_set(table, &c, "rslora", words[i]) && c.rslora == (i % 2 == 0));
    CHECK_TEXT(pb_error_text(), "");
    pb_option_release(table, &c);
}

static void check_refused(const char *name, const char *value, const char *message)
{
    conf c;
    pb_option_defaults(table, &c);
    CHECK_INT(pb_option_set(table, &c, name, value), -1);
    CHECK_TEXT(pb_error_text(), message);
    CHECK(c.rank == 8 && c.alpha == 0.1 && !c.rslora && c.act == 1 && !strcmp(c.sites, "attn.q attn.v"));
    pb_option_release(table, &c);
    pb_error_clear();
}

TEST(bad_settings_are_refused_and_change_nothing)
{
    check_refused("rank", "0", "rank: want a whole number in 1..64, got '0'");
    check_refused("rank", "65", "rank: want a whole number in 1..64, got '65'");
    check_refused("rank", "8.5", "rank: want a whole number in 1..64, got '8.5'");
    check_refused("rank", "8x", "rank: want a whole number in 1..64, got '8x'");
    check_refused("rank", "", "rank: want a whole number in 1..64, got ''");
    check_refused("rank", "99999999999999999999", "rank: want a whole number in 1..64, got '99999999999999999999'");
    check_refused("alpha", "-0.1", "alpha: want a number in 0..1e+06, got '-0.1'");
    check_refused("alpha", "nan", "alpha: want a number in 0..1e+06, got 'nan'");
    check_refused("alpha", "inf", "alpha: want a number in 0..1e+06, got 'inf'");
    check_refused("alpha", "one", "alpha: want a number in 0..1e+06, got 'one'");
    check_refused("rslora", "maybe", "rslora: want yes or no, got 'maybe'");
    check_refused("act", "gelu|tanh", "act: want relu|gelu|tanh, got 'gelu|tanh'");
    check_refused("act", "gel", "act: want relu|gelu|tanh, got 'gel'; did you mean 'gelu'?");
    check_refused("act", "", "act: want relu|gelu|tanh, got ''");
    check_refused("rnak", "8", "no setting 'rnak'; did you mean 'rank'? allowed: rank, alpha, rslora, targets, act");
    check_refused("quantisation", "8", "no setting 'quantisation'; allowed: rank, alpha, rslora, targets, act");
    CHECK_INT(pb_option_set(NULL, NULL, "rank", "8"), -1);
    CHECK_TEXT(pb_error_text(), "no setting 'rank'; allowed: none");
}

static void check_round_trip(const pb_option *row, const char *value, const char *printed)
{
    conf c, back;
    pb_text t = {0}, u = {0};
    pb_option_defaults(table, &c);
    pb_option_defaults(table, &back);
    CHECK_INT(pb_option_set(table, &c, row->name, value), 0);
    pb_option_print(row, &c, &t);
    CHECK_TEXT(t.data, printed);
    CHECK_INT(pb_option_set(table, &back, row->name, t.data), 0);
    pb_option_print(row, &back, &u);
    CHECK_TEXT(u.data, printed);
    CHECK(row->type != PB_REAL || c.alpha == back.alpha);
    pb_text_free(&t);
    pb_text_free(&u);
    pb_option_release(table, &c);
    pb_option_release(table, &back);
}

TEST(printed_settings_read_back_the_same)
{
    check_round_trip(&table[0], "16", "16");
    check_round_trip(&table[1], "0.1", "0.1");
    check_round_trip(&table[1], "0.30000000000000004", "0.30000000000000004");
    check_round_trip(&table[1], "1e-5", "1e-05");
    check_round_trip(&table[1], "32", "32");
    check_round_trip(&table[2], "on", "yes");
    check_round_trip(&table[2], "0", "no");
    check_round_trip(&table[3], "3.attn.*", "3.attn.*");
    check_round_trip(&table[3], "", "");
    check_round_trip(&table[4], "relu", "relu");
    check_round_trip(&table[4], "tanh", "tanh");
    CHECK(pb_option_find(table, "alpha") == &table[1]);
    CHECK(!pb_option_find(table, "alph") && !pb_option_find(NULL, "alpha"));
}

static void set_bad_default(void)
{
    static const pb_option bad[] = {PB_OPTION(conf, rank, INT, "0", 1, 64, "inner dimension"), {0}};
    conf c;
    pb_option_defaults(bad, &c);
}

TEST(a_bad_default_is_a_bug)
{
    char *said;
    int status = status_of(set_bad_default, &said);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(strstr(said, "rank: want a whole number in 1..64, got '0'"));
    free(said);
}

TEST(the_nearest_word)
{
    static const char *const names[] = {"lora", "prefix", "prompt", "bitfit", "houlsby", NULL}, *const none[] = {NULL};
    CHECK_TEXT(pb_nearest("lroa", names), "lora");
    CHECK_TEXT(pb_nearest("prfix", names), "prefix");
    CHECK_TEXT(pb_nearest("promptt", names), "prompt");
    CHECK_TEXT(pb_nearest("lora", names), "lora");
    CHECK_TEXT(pb_nearest("adapter", names), NULL);
    CHECK_TEXT(pb_nearest("", names), NULL);
    CHECK_TEXT(pb_nearest("lora", none), NULL);
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    pb_nearest(longer, names); /* words of any length */
}

TEST(an_error_gets_a_prefix)
{
    pb_error_clear();
    pb_error("a cause");
    CHECK(pb_error_prefix("file:%d", 3) == -1);
    CHECK(!strcmp(pb_error_text(), "file:3: a cause"));
    pb_error_clear();
}
