/* fetch against an HTTP server of our own on 127.0.0.1 that cuts, stalls, lies and sends in circles. */
#include "test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/table.h"
#include "cli/fetch.h"

/* ---- the server ----------------------------------------------------------------------------------------- */

enum { BIG = 100000, PIECE = 30000 };

static unsigned char big[BIG]; /* what model.safetensors holds there */

static struct {
    int socket;
    pthread_mutex_t lock;
    pb_text log;         /* "PATH FROM TOKEN\n" for each request */
    const char *listing; /* what the hub's API answers           */
    const char *etag;    /* of all that it has; NULL: it says none */
    const char *header;  /* one more of each answer, "" if none  */
    char hub[64], elsewhere[96];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void send_all(int fd, const void *data, size_t n)
{
    for (const char *at = data; n;) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

/* Status and headers, then `n` of the `length` bytes that it promises. */
static void answer(int fd, const char *status, const void *body, size_t length, size_t n)
{
    char *head = pb_format("HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s%s%s%sConnection: close\r\n\r\n", status, length,
                           server.etag ? "ETag: " : "", server.etag ? server.etag : "", server.etag ? "\r\n" : "",
                           server.header);
    send_all(fd, head, strlen(head));
    send_all(fd, body, n);
    free(head);
}

static void send_text(int fd, const char *text)
{
    answer(fd, "200 OK", text, strlen(text), strlen(text));
}

static void send_file(int fd, const char *path)
{
    size_t n = 0;
    char *bytes = pb_read_file(path, &n);
    answer(fd, "200 OK", bytes, n, n);
    free(bytes);
}

/* Bytes without end, until nobody reads them. */
static void send_for_ever(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    send_all(fd, head, strlen(head));
    while (send(fd, big, BIG, MSG_NOSIGNAL) > 0)
        continue;
}

static void redirect(int fd, const char *to)
{
    char *head = pb_format("HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", to);
    send_all(fd, head, strlen(head));
    free(head);
}

static bool names(const char *path, const char *part)
{
    return strstr(path, part) != NULL;
}

/* What a path's words ask for; `from`: of a range, 0 if none; the `asked`th request. */
static void serve(int fd, const char *path, size_t from, int asked)
{
    char *status =
        pb_format(from ? "206 Partial Content\r\nContent-Range: bytes %zu-%d/%d" : "200 OK", from, BIG - 1, BIG);
    if (names(path, "/api/"))
        send_text(fd, server.listing);
    else if (names(path, "absent"))
        answer(fd, "404 Not Found", "", 0, 0);
    else if (names(path, "gated"))
        answer(fd, "401 Unauthorized", "", 0, 0);
    else if (names(path, "broken"))
        answer(fd, "500 Internal Server Error", "", 0, 0);
    else if (names(path, "loop"))
        redirect(fd, path);
    else if (names(path, "elsewhere"))
        redirect(fd, server.elsewhere);
    else if (names(path, "away"))
        redirect(fd, "https://user@host.invalid/model.safetensors");
    else if (names(path, "plain"))
        redirect(fd, "http://host.invalid/model.safetensors");
    else if (names(path, "unasked")) {
        answer(fd, "206 Partial Content\r\nContent-Range: bytes 0-999/100000", big, 1000, 1000);
    } else if (names(path, "middle")) { /* of what is asked for, the beginning alone */
        char *part =
            pb_format(from ? "206 Partial Content\r\nContent-Range: bytes %zu-%zu/100000" : "200 OK", from, from + 999);
        answer(fd, part, big + from, from ? 1000 : BIG, 1000);
        free(part);
    } else if (names(path, "endless"))
        send_for_ever(fd);
    else if (names(path, "nothing"))
        send_text(fd, "");
    else if (names(path, "stalls")) {
        answer(fd, "200 OK", big, BIG, 0);
        sleep(3);
    } else if (names(path, "whole"))
        answer(fd, "200 OK", big, BIG, asked == 1 ? PIECE : BIG); /* knows no ranges; the first answer is cut */
    else if (names(path, "dies"))
        answer(fd, status, big + from, BIG - from, 1000 < BIG - from ? 1000 : BIG - from);
    else if (names(path, "cut"))
        answer(fd, status, big + from, BIG - from, PIECE < BIG - from ? PIECE : BIG - from);
    else if (names(path, ".safetensors"))
        answer(fd, from >= BIG ? "416 Range Not Satisfiable" : status, big + from, BIG - from, BIG - from);
    else if (names(path, ".parquet"))
        send_file(fd, "tests/golden/parquet/snappy.parquet");
    else if (names(path, ".tsv"))
        send_text(fd, "label\ttext\ngood\ta fine film\nbad\ta dull one\n");
    else if (names(path, ".jsonl"))
        send_text(fd, "{\"label\": \"good\", \"text\": \"a fine film\"}\n");
    else
        send_text(fd, "{}\n");
    free(status);
}

/* Notes a request; returns how many there were. */
static int note(const char *path, size_t from, const char *token)
{
    int lines = 0;
    pthread_mutex_lock(&server.lock);
    pb_text_add(&server.log, "%s %zu %s\n", path, from, token);
    for (const char *c = server.log.data; *c; c++)
        lines += *c == '\n';
    pthread_mutex_unlock(&server.lock);
    return lines;
}

static void talk(int fd)
{
    char request[4096] = "", path[1024] = "", token[64] = "-", wanted[64] = "";
    size_t n = 0, from = 0;
    while (n + 1 < sizeof request && !strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        request[n] = 0;
    }
    const char *range = strstr(request, "\r\nRange: bytes="), *bearer = strstr(request, "\r\nAuthorization: Bearer ");
    const char *condition = strstr(request, "\r\nIf-Range: ");
    sscanf(request, "GET %1023s", path);
    if (range)
        from = (size_t)strtoul(range + 15, NULL, 10);
    if (bearer)
        sscanf(bearer + 24, "%63s", token);
    if (condition)
        sscanf(condition + 12, "%63s", wanted);
    if (condition && !names(path, "liar") && (!server.etag || strcmp(wanted, server.etag) != 0))
        from = 0; /* it has another one by now */
    serve(fd, path, from, note(path, from, token));
}

static void *run_connection(void *fd)
{
    talk((int)(intptr_t)fd);
    close((int)(intptr_t)fd);
    return NULL;
}

static void start_thread(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument))
        PB_BUG("no thread");
    pthread_detach(thread);
}

static void *run_server(void *none)
{
    for (int fd; (fd = accept(server.socket, NULL, NULL)) >= 0;)
        start_thread(run_connection, (void *)(intptr_t)fd);
    return none;
}

static void fill_big(void)
{
    for (int i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 31 + i / 256);
}

/* Starts at the first call, for the rest of the program. */
static void start_server(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (*server.hub)
        return;
    server.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (server.socket < 0 || bind(server.socket, (struct sockaddr *)&at, sizeof at) || listen(server.socket, 16) ||
        getsockname(server.socket, (struct sockaddr *)&at, &size))
        PB_BUG("no server on 127.0.0.1");
    fill_big();
    snprintf(server.hub, sizeof server.hub, "http://127.0.0.1:%d", ntohs(at.sin_port));
    snprintf(server.elsewhere, sizeof server.elsewhere, "http://localhost:%d/files/model.safetensors",
             ntohs(at.sin_port));
    start_thread(run_server, NULL);
}

/* ---- one fetch ---------------------------------------------------------------------------------------------- */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[2][160];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* An empty folder, an empty log, the hub and its token. */
static void begin(const char *listing)
{
    start_server();
    snprintf(folder, sizeof folder, "/tmp/peftbench-fetch-XXXXXX");
    if (!mkdtemp(folder))
        PB_BUG("cannot make %s", folder);
    server.listing = listing;
    server.etag = "\"v1\"";
    server.header = "";
    pb_text_free(&server.log);
    setenv("HF_ENDPOINT", server.hub, 1);
    setenv("HF_TOKEN", "secret", 1);
    setenv("no_proxy", "127.0.0.1,localhost", 1);
    setenv("PEFTBENCH_FETCH_PATIENCE", "1", 1);
}

static void end(void)
{
    char *clean = pb_format("rm -r %s", folder);
    CHECK_INT(system(clean), 0); /* NOLINT: a folder of our own */
    free(clean);
    pb_error_clear();
}

static int fetch(const char *name)
{
    pb_error_clear();
    return pb_fetch(name, folder, true);
}

static int fetch_path(const char *path)
{
    char *url = pb_format("%s%s", server.hub, path);
    int rc = fetch(url);
    free(url);
    return rc;
}

static bool says(const char *text)
{
    bool said = strstr(pb_error_text(), text) != NULL;
    if (!said)
        printf("  it says '%s'\n", pb_error_text());
    return said;
}

static bool was_asked(const char *line)
{
    pthread_mutex_lock(&server.lock);
    bool asked = server.log.data && strstr(server.log.data, line);
    pthread_mutex_unlock(&server.lock);
    return asked;
}

static bool is_there(const char *name)
{
    return pb_file_exists(in_folder(name));
}

static bool is_big(const char *name)
{
    size_t n = 0;
    char *bytes = is_there(name) ? pb_read_file(in_folder(name), &n) : NULL;
    bool same = bytes && n == BIG && !memcmp(bytes, big, BIG);
    free(bytes);
    return same;
}

static void write_part(const char *name, size_t bytes)
{
    CHECK_INT(pb_write_file(in_folder(name), (const char *)big, bytes), 0);
}

/* ---- what comes ---------------------------------------------------------------------------------------------- */

#define SIBLING(name) "{\"rfilename\": \"" name "\"}"

TEST(a_model_is_the_files_that_it_needs)
{
    begin("{\"siblings\": [" SIBLING("config.json") ", " SIBLING("tokenizer.json") ", " SIBLING(
        "model.safetensors") ", " SIBLING("pytorch_model.bin") ", " SIBLING("onnx/model.onnx") "]}");
    CHECK_INT(fetch("org/tiny@v2"), 0);
    CHECK(was_asked("/api/models/org/tiny/revision/v2?blobs=true 0 secret\n"));
    CHECK(was_asked("/org/tiny/resolve/v2/config.json 0 secret\n"));
    CHECK(is_there("config.json") && is_there("tokenizer.json") && is_big("model.safetensors"));
    CHECK(!is_there("pytorch_model.bin") && !was_asked("pytorch_model.bin") && !was_asked("onnx"));
    char *sums = pb_read_file(in_folder("SHA256SUMS"), NULL);
    CHECK(sums && strstr(sums, pb_sha256(big, BIG).hex) && strstr(sums, "  model.safetensors\n"));
    free(sums);
    pb_text_free(&server.log); /* what is there and right is not fetched again, what is wrong is */
    write_part("config.json", 7);
    CHECK_INT(fetch("org/tiny@v2"), 0);
    CHECK(!was_asked("model.safetensors") && was_asked("config.json"));
    end();
}

TEST(pickled_parameters_are_fetched_where_there_are_no_others)
{
    begin("{\"siblings\": [" SIBLING("config.json") ", " SIBLING("pytorch_model-00001-of-00001.bin") ", " SIBLING(
        "pytorch_model.bin.index.json") ", " SIBLING("optimizer.pt") ", " SIBLING("training_args.bin") "]}");
    CHECK_INT(fetch("org/tiny"), 0);
    CHECK(is_there("pytorch_model-00001-of-00001.bin") && is_there("pytorch_model.bin.index.json"));
    CHECK(!was_asked("optimizer.pt") && !was_asked("training_args.bin"));
    end();
}

TEST(one_file_can_be_named)
{
    begin("{\"siblings\": [" SIBLING("config.json") ", " SIBLING("model-cut.safetensors") "]}");
    CHECK_INT(fetch("org/tiny:model-cut.safetensors"), 0);
    CHECK(is_big("model-cut.safetensors") && !is_there("config.json"));
    CHECK_INT(fetch("org/tiny:other.safetensors"), 2);
    CHECK(says("no other.safetensors in it"));
    end();
}

TEST(a_data_set_lands_as_what_tasks_read)
{
    begin("{\"siblings\": [" SIBLING("README.md") ", " SIBLING("data/train.tsv") ", " SIBLING(
        "test.jsonl") ", " SIBLING("script.py") "]}");
    CHECK_INT(fetch("datasets/org/films"), 0);
    CHECK(was_asked("/api/datasets/org/films/revision/main") &&
          was_asked("/datasets/org/films/resolve/main/test.jsonl"));
    CHECK(!was_asked("script.py"));
    static const char *const names_of[] = {"data/train.tsv", "test.jsonl"};
    for (int i = 0; i < 2; i++) {
        pb_table *t = pb_table_open(in_folder(names_of[i]), NULL);
        CHECK(t && pb_table_rows(t) == (i ? 1 : 2));
        CHECK_TEXT(t ? pb_table_get(t, 0, pb_table_column(t, "text")) : "", "a fine film");
        pb_table_close(t);
    }
    end();
}

TEST(one_folder_of_a_data_set_can_be_named)
{
    begin("{\"siblings\": [" SIBLING("README.md") ", " SIBLING("short/train.tsv") ", " SIBLING(
        "shorter/train.tsv") ", " SIBLING("long/data/train.parquet") "]}");
    CHECK_INT(fetch("datasets/org/films:short"), 0);
    CHECK(is_there("short/train.tsv") && !is_there("shorter/train.tsv") && !is_there("README.md"));
    CHECK_INT(fetch("datasets/org/films:long/data"), 0);
    CHECK(is_there("long/data/train.jsonl") && !was_asked("shorter"));
    CHECK_INT(fetch("datasets/org/films:shor"), 2);
    CHECK(says("no shor in it"));
    end();
}

TEST(a_data_set_of_parquet_lands_as_json_lines)
{
    begin("{\"siblings\": [" SIBLING("data/train.parquet") ", " SIBLING("README.md") "]}");
    CHECK_INT(fetch("datasets/org/films"), 0);
    pb_table *t = pb_table_open(in_folder("data/train.jsonl"), NULL);
    CHECK(t && pb_table_rows(t) == 20);
    CHECK_TEXT(t ? pb_table_get(t, 1, pb_table_column(t, "label")) : "", "good");
    pb_table_close(t);
    end();
    begin("{\"siblings\": [" SIBLING("train.parquet") ", " SIBLING("train.tsv") "]}");
    CHECK_INT(fetch("datasets/org/films"), 0);
    CHECK(is_there("train.tsv") && !was_asked("parquet"));
    end();
}

TEST(a_file_of_this_machine)
{
    begin("");
    write_part("given.safetensors", BIG);
    char *url = pb_format("file://%s", in_folder("given.safetensors")), *to = pb_format("%s/copy", folder);
    CHECK_INT(pb_fetch(url, to, true), 0);
    CHECK(is_big("copy/given.safetensors") && is_there("copy/SHA256SUMS"));
    free(url);
    CHECK_INT(pb_fetch("file:///dev/zero", to, true), 1);
    CHECK(says("want a regular file"));
    pb_error_clear();
    url = pb_format("file://%s/nothing.safetensors", folder);
    CHECK_INT(pb_fetch(url, to, true), 1);
    free(url);
    free(to);
    end();
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------ */

TEST(a_cut_is_gone_on_with)
{
    begin("");
    CHECK_INT(fetch_path("/cut/model.safetensors"), 0);
    CHECK(is_big("model.safetensors") && !is_there("model.safetensors.part"));
    CHECK(was_asked("/cut/model.safetensors 0 ") && was_asked("/cut/model.safetensors 30000 ") &&
          was_asked("/cut/model.safetensors 90000 "));
    end();
}

TEST(what_an_earlier_fetch_left_is_gone_on_with)
{
    begin("");
    CHECK_INT(fetch_path("/dies/model.safetensors"), 1); /* cut again and again */
    CHECK(is_there("model.safetensors.part") && !is_there("model.safetensors"));
    CHECK_INT(fetch_path("/dies/model.safetensors"), 1); /* and goes on: eight pieces of 1000 bytes by now */
    CHECK(was_asked("/dies/model.safetensors 7000 "));
    end();
}

/* Half of an older version in front of half of a newer one would be neither. */
TEST(half_of_another_version_is_not_gone_on_with)
{
    static const char listing[] = "{\"siblings\": [{\"rfilename\": \"model.safetensors\", \"size\": 100000}]}";
    static const char *const paths[] = {"/dies/model.safetensors", "/liar/dies/model.safetensors"};
    for (size_t i = 0; i < PB_COUNT(paths); i++) {
        begin("");
        CHECK_INT(fetch_path(paths[i]), 1);
        memset(big, 'n', BIG);
        server.etag = "\"v2\"";
        CHECK_INT(fetch_path(paths[i]), 1); /* 1000 bytes a try */
        size_t n = 0;
        char *half = pb_read_file(in_folder("model.safetensors.part"), &n);
        CHECK(half && n >= 1000 && !memcmp(half, big, n)); /* of the new one alone */
        free(half);
        fill_big();
        end();
    }
    begin(listing); /* left by somebody who did not say of what it is half */
    write_part("model.safetensors.part", BIG / 2);
    CHECK_INT(fetch("org/tiny"), 0);
    CHECK(was_asked("/model.safetensors 0 secret") && !was_asked("50000") && is_big("model.safetensors"));
    end();
    begin(""); /* half of one URL's file is not half of another's */
    CHECK_INT(fetch_path("/dies/model.safetensors"), 1);
    CHECK_INT(fetch_path("/files/model.safetensors"), 0);
    CHECK(was_asked("/files/model.safetensors 0 ") && is_big("model.safetensors"));
    end();
    begin(""); /* without an ETag nothing says that it is the same */
    server.etag = NULL;
    CHECK_INT(fetch_path("/dies/model.safetensors"), 1);
    CHECK(!was_asked("/dies/model.safetensors 1000 "));
    end();
}

static char *listing_of(const char *name, long long size, const char *sha256)
{
    return pb_format("{\"siblings\": [{\"rfilename\": \"%s\", \"size\": %lld, \"lfs\": {\"sha256\": \"%s\"}}]}", name,
                     size, sha256);
}

TEST(a_hash_tells_that_it_is_half_of_the_same)
{
    char *listing = listing_of("model-0-cut.safetensors", BIG, pb_sha256(big, BIG).hex);
    begin(listing);
    server.etag = NULL;
    CHECK_INT(fetch("org/tiny"), 0);
    CHECK(was_asked("/model-0-cut.safetensors 90000 ") && is_big("model-0-cut.safetensors"));
    CHECK(!is_there("model-0-cut.safetensors.part") && !is_there("model-0-cut.safetensors.part.from"));
    pb_text_free(&server.log);
    CHECK_INT(fetch("org/tiny"), 0);
    CHECK(!was_asked("safetensors")); /* it is there */
    end();
    free(listing);
}

/* What a server may send in place of a file. */
TEST(what_is_not_the_file_is_refused)
{
    static const struct {
        const char *name, *header;
        long long size;
        const char *message;
    } cases[] = {
        {"model.safetensors", "Content-Type: text/html; charset=utf-8\r\n", BIG, "sends a web page"},
        {"model.safetensors", "Content-Encoding: gzip\r\n", BIG, "uses the encoding 'gzip', which was not requested"},
        {"model.safetensors", "", BIG - 1, "the server sends 100000 bytes; the hub says 99999"},
        {"model.safetensors", "", BIG + 1, "the server sends 100000 bytes; the hub says 100001"},
        {"model-0-endless.safetensors", "", BIG + 1, "more than 100001 bytes, which the hub says it has"},
        {"model-0-nothing.safetensors", "", BIG, "the server sends 0 bytes; the hub says 100000"},
    };
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        char *listing = listing_of(cases[i].name, cases[i].size, pb_sha256(big, BIG).hex);
        begin("");
        server.listing = listing;
        server.header = cases[i].header;
        if (names(cases[i].header, "html")) { /* the listing itself is none */
            CHECK_INT(fetch("org/tiny"), 1);
            CHECK(says("/api/models/org/tiny/revision/main?blobs=true: the server sends a web page"));
            CHECK_INT(fetch_path("/files/model.safetensors"), 1);
        } else if (*cases[i].header) {
            CHECK_INT(fetch_path("/files/model.safetensors"), 1);
        } else {
            CHECK_INT(fetch("org/tiny"), 1);
        }
        CHECK(says(cases[i].message) && !is_there(cases[i].name));
        end();
        free(listing);
    }
    begin("");
    CHECK_INT(fetch_path("/nothing/a.tsv"), 1);
    CHECK(says("the server sends nothing") && !is_there("a.tsv"));
    CHECK_INT(fetch_path("/unasked/a.tsv"), 1);
    CHECK(says("the server sends a part; the whole file was requested") && !is_there("a.tsv"));
    CHECK_INT(fetch_path("/middle/a.tsv"), 1);
    CHECK(says("received 4000 bytes; want 100000") && was_asked("/middle/a.tsv 3000 ") && !is_there("a.tsv"));
    setenv("PEFTBENCH_FETCH_LIMIT", "1000000", 1);
    CHECK_INT(fetch_path("/endless/a.tsv"), 1);
    CHECK(says("more than 1000000 bytes, refused") && !is_there("a.tsv") && !is_there("a.tsv.part"));
    unsetenv("PEFTBENCH_FETCH_LIMIT");
    end();
}

TEST(what_a_server_says_is_no_command_for_a_terminal)
{
    begin("");
    server.header = "Content-Encoding: \x1b]0;x\x9b\r\n";
    CHECK_INT(fetch_path("/files/model.safetensors"), 1);
    CHECK(!strpbrk(pb_error_text(), "\x1b\x9b"));
    end();
}

TEST(records_that_are_none_are_no_harm)
{
    static const char *const records[] = {
        "",
        "\n\n",
        "# \n",
        "no hash  config.json\n",
        "#",
        "\xff\xfe",
        "0000000000000000000000000000000000000000000000000000000000000000  ",
        "0000000000000000000000000000000000000000000000000000000000000000  config.json"};
    for (size_t i = 0; i < PB_COUNT(records); i++) {
        begin("{\"siblings\": [" SIBLING("config.json") "]}");
        CHECK_INT(pb_write_file(in_folder("SHA256SUMS"), records[i], strlen(records[i])), 0);
        CHECK_INT(fetch("org/tiny"), 0);
        CHECK(was_asked("config.json"));
        pb_text_free(&server.log);
        CHECK_INT(fetch("org/tiny"), 0);
        CHECK(!was_asked("config.json"));
        end();
    }
}

/* printf '{}\n' | git hash-object --stdin */
TEST(small_files_are_held_to_git_s_hash)
{
    begin("{\"siblings\": [{\"rfilename\": \"config.json\", \"size\": 3, \"blobId\": "
          "\"0967ef424bce6791893e9a57bb952f80fd536e93\"}]}");
    CHECK_INT(fetch("org/tiny"), 0);
    CHECK(is_there("config.json"));
    pb_text_free(&server.log);
    CHECK_INT(fetch("org/tiny"), 0);
    CHECK(!was_asked("config.json"));
    server.listing = "{\"siblings\": [{\"rfilename\": \"config.json\", \"size\": 3, \"blobId\": "
                     "\"0967ef424bce6791893e9a57bb952f80fd536e94\"}]}"; /* the hub has another one now */
    CHECK_INT(fetch("org/tiny"), 1);
    CHECK(was_asked("config.json") && says("git's hash of it is 0967ef424bce6791893e9a57bb952f80fd536e93"));
    CHECK(!is_there("config.json.part"));
    end();
}

TEST(what_came_from_one_url_is_not_what_another_has)
{
    begin("");
    CHECK_INT(fetch_path("/a/films.tsv"), 0);
    CHECK_INT(fetch_path("/a/films.tsv"), 0);
    CHECK_INT(fetch_path("/a/others.tsv"), 0);
    pb_text_free(&server.log);
    CHECK_INT(fetch_path("/a/films.tsv"), 0);
    CHECK(!was_asked("films.tsv"));
    CHECK_INT(fetch_path("/b/films.tsv"), 0);
    CHECK(was_asked("/b/films.tsv"));
    char *sums = pb_read_file(in_folder("SHA256SUMS"), NULL);
    CHECK(sums && strstr(sums, "/b/films.tsv\n") && !strstr(sums, "/a/films.tsv\n"));
    CHECK(sums && strstr(sums, "  films.tsv\n") && strstr(sums, "  others.tsv\n")); /* one fetch keeps another's */
    free(sums);
    end();
}

TEST(names_are_escaped_in_urls)
{
    begin("{\"siblings\": [" SIBLING("a b#?%.tsv") "]}");
    CHECK_INT(fetch("datasets/org/films@refs/pr/1"), 0);
    CHECK(was_asked("/api/datasets/org/films/revision/refs%2Fpr%2F1?blobs=true ") &&
          was_asked("/datasets/org/films/resolve/refs%2Fpr%2F1/a%20b%23%3F%25.tsv ") && is_there("a b#?%.tsv"));
    end();
}

static void *fetch_beside(void *status)
{
    *(int *)status = pb_fetch("org/tiny", folder, true);
    return NULL;
}

TEST(two_fetches_at_once_do_not_mix)
{
    char *listing = listing_of("model-0-cut.safetensors", BIG, pb_sha256(big, BIG).hex);
    pthread_t thread[2];
    int status[2] = {-1, -1};
    begin(listing);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, fetch_beside, &status[i]))
            PB_BUG("no thread");
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    CHECK(status[0] == 0 && status[1] == 0 && is_big("model-0-cut.safetensors"));
    const char *first = strstr(server.log.data, "/model-0-cut.safetensors 0 ");
    CHECK(first && !strstr(first + 1, "/model-0-cut.safetensors 0 ")); /* the second found it there */
    end();
    free(listing);
}

TEST(a_server_without_ranges_sends_the_whole_again)
{
    begin("");
    CHECK_INT(fetch_path("/whole/model.safetensors"), 0);
    CHECK(is_big("model.safetensors"));
    end();
}

TEST(another_hash_than_the_hub_s_is_refused)
{
    begin("{\"siblings\": [{\"rfilename\": \"model.safetensors\", \"lfs\": {\"sha256\": "
          "\"00000000000000000000000000000000000000000000000000000000deadbeef\"}}]}");
    CHECK_INT(fetch("org/tiny"), 1);
    CHECK(says("SHA-256 is") && says("want 00000000000000000000000000000000000000000000000000000000deadbeef"));
    CHECK(!is_there("model.safetensors") && !is_there("model.safetensors.part") && !is_there("SHA256SUMS"));
    end();
}

TEST(a_server_s_refusals_have_their_messages)
{
    static const struct {
        const char *path, *message;
    } cases[] = {
        {"/absent/a.json", "not found (404): check the name"},
        {"/gated/a.json", "refused (401): a gated or private repository? want a token in HF_TOKEN"},
        {"/broken/a.json", "the server answers 500"},
        {"/loop/a.json", "more than 10 redirections: a loop?"},
        {"/stalls/a.json", "the server does not answer, or it stopped sending"},
    };
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        begin("");
        CHECK_INT(fetch_path(cases[i].path), 1);
        CHECK(says(cases[i].message) && !is_there("a.json"));
        end();
    }
}

TEST(a_full_disk_is_said)
{
    begin("");
    if (access("/dev/full", W_OK)) {
        end();
        SKIP("no /dev/full here");
    }
    CHECK_INT(symlink("/dev/full", in_folder("model.safetensors.part")), 0);
    CHECK_INT(fetch_path("/files/model.safetensors"), 1);
    CHECK(says("model.safetensors: cannot write: No space left on device") && !is_there("model.safetensors"));
    end();
}

TEST(the_token_is_for_the_hub_alone)
{
    begin("{\"siblings\": [" SIBLING("config.json") "]}");
    CHECK_INT(fetch_path("/elsewhere/model.safetensors"), 0); /* 127.0.0.1 sends us to localhost */
    CHECK(was_asked("/elsewhere/model.safetensors 0 secret\n") && was_asked("/files/model.safetensors 0 -\n"));
    setenv("HF_ENDPOINT", "https://hub.invalid", 1);
    CHECK_INT(fetch_path("/files/other.safetensors"), 0);
    CHECK(was_asked("/files/other.safetensors 0 -\n"));
    char *longer = pb_strdup(server.hub); /* whose beginning is another port's text */
    longer[strlen(longer) - 1] = 0;
    setenv("HF_ENDPOINT", longer, 1);
    CHECK_INT(fetch_path("/files/third.safetensors"), 0);
    CHECK(was_asked("/files/third.safetensors 0 -\n"));
    free(longer);
    end();
    begin("");
    char *url = pb_format("http://localhost%s/files/a.safetensors", strrchr(server.hub, ':'));
    CHECK_INT(fetch(url), 0); /* 127.0.0.1 is the hub */
    CHECK(was_asked("/files/a.safetensors 0 -\n"));
    free(url);
    setenv("HF_TOKEN", "secret\r\nX: y", 1);
    CHECK_INT(fetch_path("/files/b.safetensors"), 2);
    CHECK(says("HF_TOKEN: contains control characters") && !strstr(pb_error_text(), "secret"));
    end();
}

TEST(a_redirection_leads_where_a_url_may)
{
    begin("");
    CHECK_INT(fetch_path("/away/model.safetensors"), 1);
    CHECK(says("it leads to https://user@host.invalid/model.safetensors; want https://"));
    CHECK_INT(fetch_path("/plain/model.safetensors"), 1);
    CHECK(says("it leads to http://host.invalid/model.safetensors"));
    end();
}

TEST(what_should_not_be_asked_is_refused)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"tiny", "want org/name"},
        {"org/..", "want org/name"},
        {"org/tiny:../../passwd", "want a plain revision and the name of a file"},
        {"org/tiny@a/../b", "want a plain revision"},
        {"org/tiny:optimizer.bin", "a pickle"},
        {"org/tiny:pytorch_model.bin", "no pytorch_model.bin in it"},
        {"https://host.invalid/model.pt", "not a pickle"},
        {"http://host.invalid/model.safetensors", "want https://"},
        {"ftp://host.invalid/model.safetensors", "want https://"},
        {"http://localhost:x@host.invalid/model.safetensors", "want https://"},
        {"http://localhost@host.invalid/model.safetensors", "want https://"},
        {"http://localhost.host.invalid/model.safetensors", "want https://"},
        {"https://hub.invalid@host.invalid/model.safetensors", "without a user name"},
        {"file://host.invalid/model.safetensors", "want https://"},
        {"https://host.invalid/SHA256SUMS", "want the URL of a file"},
        {"https://host.invalid/a:b.tsv", "want the URL of a file"},
        {"org/tiny:a/./b.json", "want a plain revision and the name of a file"},
        {"org/tiny:a//b.json", "want a plain revision and the name of a file"},
        {"org/tiny:c:\\b.json", "want a plain revision and the name of a file"},
        {"org/tiny:\x1b[2J.json", "want a plain revision and the name of a file"},
        {"datasets/org/films", "no TSV, CSV, JSON Lines or Parquet file in it"},
        {"org/tiny:model.safetensors", "no model.safetensors in it"},
    };
    begin("{\"siblings\": [" SIBLING("README.md") "]}");
    for (size_t i = 0; i < PB_COUNT(cases); i++) {
        CHECK_INT(fetch(cases[i].name), 2);
        CHECK(says(cases[i].message));
    }
    setenv("HF_ENDPOINT", "http://hub.invalid", 1);
    CHECK_INT(fetch("org/tiny"), 2);
    CHECK(says("HF_ENDPOINT: want https://"));
    end();
}

TEST(a_hub_s_strange_answers)
{
    begin("{\"siblings\": [" SIBLING("../model-0.tsv") "]}");
    CHECK_INT(fetch("datasets/org/films"), 1);
    CHECK(says("refused"));
    server.listing = "{\"siblings\": [{\"rfilename\": \"\\u202egood.tsv\"}]}";
    CHECK_INT(fetch("datasets/org/films"), 1);
    CHECK(says("the hub names a file '\\u202egood.tsv': refused"));
    server.listing = "{\"siblings\": [{\"rfilename\": \"a.tsv\", \"size\": \"12\"}]}";
    CHECK_INT(fetch("datasets/org/films"), 1);
    CHECK(says("a.tsv: the hub states neither its size nor a valid hash"));
    server.listing = "{\"siblings\": [{\"rfilename\": \"a.tsv\", \"lfs\": {\"sha256\": \"../../x\"}}]}";
    CHECK_INT(fetch("datasets/org/films"), 1);
    CHECK(says("a.tsv: the hub states neither its size nor a valid hash"));
    server.listing = "{\"siblings\": [";
    CHECK_INT(fetch("org/tiny"), 1);
    CHECK(says("/api/models/org/tiny"));
    end();
}
