/* fetch against an HTTP server of our own on 127.0.0.1 that cuts, stalls, lies and sends in circles. */
#include "test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/table.h"
#include "study/fetch.h"

/* ---- the server ----------------------------------------------------------------------------------------- */

enum { BIG = 100000, PIECE = 30000 };

static unsigned char big[BIG]; /* what model.safetensors holds there */

static struct {
    int socket;
    pthread_mutex_t lock;
    pb_text log;         /* "PATH FROM TOKEN\n" for each request */
    const char *listing; /* what the hub's API answers           */
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
    char *head = pb_format("HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, length);
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
    char request[4096] = "", path[1024] = "", token[64] = "-";
    size_t n = 0, from = 0;
    while (n + 1 < sizeof request && !strstr(request, "\r\n\r\n")) {
        ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (got <= 0)
            return;
        n += (size_t)got;
        request[n] = 0;
    }
    const char *range = strstr(request, "\r\nRange: bytes="), *bearer = strstr(request, "\r\nAuthorization: Bearer ");
    sscanf(request, "GET %1023s", path);
    if (range)
        from = (size_t)strtoul(range + 15, NULL, 10);
    if (bearer)
        sscanf(bearer + 24, "%63s", token);
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
    for (int i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 31 + i / 256);
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
        pb_table *t = pb_table_open(in_folder(names_of[i]), NULL, NULL);
        CHECK(t && pb_table_rows(t) == (i ? 1 : 2));
        CHECK_TEXT(t ? pb_table_get(t, 0, pb_table_column(t, "text")) : "", "a fine film");
        pb_table_close(t);
    }
    end();
}

TEST(a_data_set_of_parquet_lands_as_json_lines)
{
    begin("{\"siblings\": [" SIBLING("data/train.parquet") ", " SIBLING("README.md") "]}");
    CHECK_INT(fetch("datasets/org/films"), 0);
    pb_table *t = pb_table_open(in_folder("data/train.jsonl"), NULL, NULL);
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
    write_part("model.safetensors.part", BIG / 2);
    CHECK_INT(fetch_path("/files/model.safetensors"), 0);
    CHECK(was_asked("/files/model.safetensors 50000 ") && is_big("model.safetensors"));
    end();
    begin("");
    write_part("model.safetensors.part", BIG); /* all of it was there already */
    CHECK_INT(fetch_path("/files/model.safetensors"), 0);
    CHECK(is_big("model.safetensors"));
    end();
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
        {"/stalls/a.json", "no answer, or no byte for too long"},
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
        {"org/tiny:pytorch_model.bin", "a pickle"},
        {"https://host.invalid/model.pt", "no pickle"},
        {"http://host.invalid/model.safetensors", "want https://"},
        {"ftp://host.invalid/model.safetensors", "want https://"},
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
    server.listing = "{\"siblings\": [";
    CHECK_INT(fetch("org/tiny"), 1);
    CHECK(says("/api/models/org/tiny"));
    end();
}
