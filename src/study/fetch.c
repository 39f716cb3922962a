/* fetch: see fetch.h. */
#include "study/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/json.h"
#include "files/parquet.h"

enum { DONE, WORLD, QUESTION }; /* exit codes */
enum { TRIES = 4 };             /* of one file, each going on where the last was cut */

typedef struct wanted {
    char *name, *url;
    char sha256[65]; /* "": not known before */
} wanted;

typedef struct job {
    char *id, *revision, *file, *dir;
    bool dataset, quiet;
    const char *endpoint, *token;
    wanted *file_list;
    size_t files, capacity;
    pb_text sums; /* SHA256SUMS: of what is there, then of all */
} job;

static int world(const char *fmt, ...) PB_PRINTF(1, 2);
static int world(const char *fmt, ...)
{
    va_list list;
    char text[1024];
    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    pb_error("%s", text);
    return WORLD;
}

static int question(const char *fmt, ...) PB_PRINTF(1, 2);
static int question(const char *fmt, ...)
{
    va_list list;
    char text[1024];
    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    pb_error("%s", text);
    return QUESTION;
}

/* ---- what is asked for ---------------------------------------------------------------------------------- */

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcasecmp(name + n - k, end);
}

/* Formats that run code when they are read. */
static bool is_pickle(const char *name)
{
    static const char *const ends[] = {".bin",  ".pt", ".pth",     ".pkl", ".pickle",
                                       ".ckpt", ".h5", ".msgpack", ".npz", ".joblib"};
    for (size_t i = 0; i < PB_COUNT(ends); i++)
        if (ends_in(name, ends[i]))
            return true;
    return false;
}

static bool is_needed(bool dataset, const char *name)
{
    static const char *const model[] = {"config.json",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "generation_config.json",
                                        "special_tokens_map.json",
                                        "chat_template.jinja",
                                        "model.safetensors",
                                        "model.safetensors.index.json",
                                        "adapter_config.json",
                                        "adapter_model.safetensors",
                                        "README.md",
                                        "LICENSE"};
    for (size_t i = 0; !dataset && i < PB_COUNT(model); i++)
        if (!strcmp(name, model[i]))
            return true;
    if (dataset)
        return ends_in(name, "README.md") || ends_in(name, "LICENSE");
    return !strncmp(name, "model-0", 7) && ends_in(name, ".safetensors");
}

/* Rows that a task reads as they are. */
static bool is_table(const char *name)
{
    return ends_in(name, ".tsv") || ends_in(name, ".csv") || ends_in(name, ".jsonl");
}

/* A name that stays in the folder: no way up, no root, nothing that a terminal would obey. */
static bool is_safe(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7F || *c == '\\')
            return false;
    return *name && *name != '/' && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && !strstr(name, "/../") &&
           !ends_in(name, "/..") && !ends_in(name, "/");
}

static bool is_word(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", text[i]))
            return false;
    return n > 0 && text[0] != '.';
}

/* org/name[@revision][:file] */
static int read_id(job *j, const char *name)
{
    const char *rest = name;
    if (!strncmp(rest, "datasets/", 9)) {
        j->dataset = true;
        rest += 9;
    }
    size_t n = strcspn(rest, "@:"), slash = strcspn(rest, "/");
    if (slash >= n || !is_word(rest, slash) || !is_word(rest + slash + 1, n - slash - 1))
        return question("'%s': want org/name, datasets/org/name or a URL, with @revision and :file if need be", name);
    j->id = pb_format("%.*s", (int)n, rest);
    rest += n;
    size_t revision = *rest == '@' ? strcspn(rest, ":") : 0;
    j->revision = revision > 1 ? pb_format("%.*s", (int)revision - 1, rest + 1) : pb_strdup("main");
    rest += revision;
    j->file = *rest == ':' ? pb_strdup(rest + 1) : NULL;
    if (strstr(j->revision, "..") || strpbrk(j->revision, "?#% ") || (j->file && !is_safe(j->file)))
        return question("'%s': want a plain revision and the name of a file in the repository", name);
    return DONE;
}

static void add_wanted(job *j, const char *name, char *url, const char *sha256)
{
    pb_grow(&j->file_list, j->files, &j->capacity, sizeof *j->file_list);
    j->file_list[j->files] = (wanted){.name = pb_strdup(name), .url = url};
    snprintf(j->file_list[j->files++].sha256, 65, "%s", sha256);
}

/* ---- one transfer --------------------------------------------------------------------------------------------- */

typedef struct sink {
    CURL *curl;
    FILE *file; /* or */
    pb_text *text;
    long long have; /* bytes that were there before */
    bool begun, quiet;
    int failed; /* errno of a write */
    const char *name;
    double shown; /* clock of the last line of progress */
} sink;

/* A server that does not know ranges sends the whole: what was there goes. */
static int begin(sink *s)
{
    long code = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &code);
    s->begun = true;
    if (code >= 400)
        return -1;
    if (s->file && s->have && code == 200) {
        s->have = 0;
        return fflush(s->file) || ftruncate(fileno(s->file), 0) || fseek(s->file, 0, SEEK_SET) ? -1 : 0;
    }
    return 0;
}

static size_t take(char *data, size_t one, size_t n, void *ctx)
{
    sink *s = ctx;
    if (!s->begun && begin(s))
        return 0;
    if (s->text && s->text->length + n > 64u << 20)
        return 0;
    if (s->text)
        pb_text_bytes(s->text, data, one * n);
    else if (fwrite(data, one, n, s->file) != n) {
        s->failed = errno;
        return 0;
    }
    return one * n;
}

static int show(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    (void)up_total, (void)up_now;
    sink *s = ctx;
    double clock = pb_clock(), all = (double)total + (double)s->have, got = (double)now + (double)s->have;
    bool bar = isatty(2), last = total && now == total;
    if (s->quiet || s->text || clock - s->shown < (last ? 0 : bar ? 0.2 : 5) || !now)
        return 0;
    curl_off_t speed = 0;
    curl_easy_getinfo(s->curl, CURLINFO_SPEED_DOWNLOAD_T, &speed);
    double left = speed > 0 && total ? (double)(total - now) / (double)speed : 0;
    fprintf(stderr, "%s%s: %.1f of %.1f MB, %.0f s left%s", bar ? "\r" : "", s->name, got / 1e6, all / 1e6, left,
            bar && !last ? "  " : "  \n");
    s->shown = last ? clock + 1e9 : clock;
    return 0;
}

/* The hub may know our name; nobody that it sends us to may (libcurl keeps it from other hosts). */
static void set_token(const job *j, CURL *c, const char *url)
{
    if (!j->token || !*j->token || strncmp(url, j->endpoint, strlen(j->endpoint)) != 0)
        return;
    curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, j->token);
}

static CURL *prepare(const job *j, const char *url, sink *s)
{
    const char *patience = getenv("PEFTBENCH_FETCH_PATIENCE"); /* seconds without a byte */
    CURL *c = s->curl = curl_easy_init();
    if (!c)
        PB_BUG("libcurl does not start");
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http,file");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, strncmp(url, "https:", 6) ? "https,http" : "https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, patience ? strtol(patience, NULL, 10) : 60L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "peftbench");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, show);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    if (s->have)
        curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)s->have);
    set_token(j, c, url);
    return c;
}

/* What a transfer came to: DONE, or WORLD with an error; *again: it was cut and may be gone on with. */
static int judge(const sink *s, CURLcode rc, const char *url, bool *again)
{
    long code = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &code);
    *again = false;
    if (s->failed)
        return world("%s: cannot write: %s", s->name, strerror(s->failed));
    if (code == 401 || code == 403)
        return world("%s: refused (%ld): a gated or private repository? want a token in HF_TOKEN that may read it", url,
                     code);
    if (code == 404)
        return world("%s: not found (404): check the name, the revision and the file", url);
    if (code == 416 && s->have)
        return DONE; /* nothing is left: all of it was there */
    if (code >= 400)
        return world("%s: the server answers %ld", url, code);
    if (rc == CURLE_TOO_MANY_REDIRECTS)
        return world("%s: more than 10 redirections: a loop?", url);
    *again = rc == CURLE_PARTIAL_FILE || rc == CURLE_RECV_ERROR || rc == CURLE_GOT_NOTHING || rc == CURLE_SEND_ERROR;
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return world("%s: no answer, or no byte for too long", url);
    return rc ? world("%s: %s", url, curl_easy_strerror(rc)) : DONE;
}

static int get_text(const job *j, const char *url, pb_text *out)
{
    bool again;
    sink s = {.text = out, .name = url, .quiet = j->quiet};
    CURL *c = prepare(j, url, &s);
    int rc = judge(&s, curl_easy_perform(c), url, &again);
    curl_easy_cleanup(c);
    return rc;
}

static long long size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (long long)st.st_size;
}

static int get_file(const job *j, const wanted *w, const char *part)
{
    bool again = true;
    int rc = WORLD;
    for (int i = 0; i < TRIES && rc && again; i++) {
        pb_error_clear();
        sink s = {.have = size_of(part), .name = w->name, .quiet = j->quiet};
        s.file = fopen(part, s.have ? "r+b" : "wb");
        if (!s.file || fseek(s.file, 0, SEEK_END))
            return world("%s: cannot write: %s", part, strerror(errno));
        CURL *c = prepare(j, w->url, &s);
        CURLcode code = curl_easy_perform(c);
        if (fclose(s.file) && !s.failed)
            s.failed = errno;
        rc = judge(&s, code, w->url, &again);
        if (code == CURLE_RANGE_ERROR || code == CURLE_BAD_DOWNLOAD_RESUME) {
            unlink(part); /* this server only sends the whole */
            again = true;
        }
        curl_easy_cleanup(c);
    }
    return rc;
}

/* ---- files and their hashes ------------------------------------------------------------------------------------ */

/* The hash recorded for a file by an earlier fetch, "" if there is none. */
static void recorded(const job *j, const char *name, char out[65])
{
    const char *line = j->sums.data;
    *out = 0;
    for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        size_t n = strcspn(line, "\n");
        if (n > 66 && n - 66 == strlen(name) && !strncmp(line + 66, name, n - 66))
            snprintf(out, 65, "%s", line);
    }
}

static void record(pb_text *sums, const char *name, const char *hash)
{
    pb_text_add(sums, "%s  %s\n", hash, name);
}

static int make_folder_of(const char *path)
{
    char *dir = pb_strdup(path), *slash = strrchr(dir, '/');
    int rc = 0;
    if (slash) {
        *slash = 0;
        rc = pb_make_dirs(dir);
    }
    free(dir);
    return rc;
}

/* The rows of a Parquet file as JSON Lines beside it. */
static int convert(const char *path, bool quiet)
{
    char *to = pb_format("%.*s.jsonl", (int)(strlen(path) - strlen(".parquet")), path);
    pb_text left_out = {0};
    int rc = pb_parquet_to_lines(path, to, &left_out) ? WORLD : DONE;
    if (!rc && !quiet)
        fprintf(stderr, "%s: written%s%s\n", to, left_out.length ? ", without the columns " : "",
                left_out.length ? left_out.data : "");
    pb_text_free(&left_out);
    free(to);
    return rc;
}

static int fetch_one(const job *j, const wanted *w, pb_text *sums)
{
    char *path = pb_format("%s/%s", j->dir, w->name), *part = pb_format("%s.part", path), known[65];
    pb_digest d = {""};
    int rc = DONE;
    recorded(j, w->name, known);
    const char *right = *w->sha256 ? w->sha256 : known;
    bool there = pb_file_exists(path) && *right && !pb_sha256_file(path, &d) && !strcmp(d.hex, right);
    if (!there) {
        rc = make_folder_of(path) ? WORLD : get_file(j, w, part);
        if (!rc && pb_sha256_file(part, &d))
            rc = WORLD;
        if (!rc && *w->sha256 && strcmp(d.hex, w->sha256) != 0) {
            unlink(part); /* going on with it would never help */
            rc = world("%s: SHA-256 is %s, want %s: removed", path, d.hex, w->sha256);
        }
        if (!rc && rename(part, path))
            rc = world("%s: cannot write: %s", path, strerror(errno));
    }
    if (!rc)
        record(sums, w->name, d.hex);
    if (!rc && !j->quiet)
        fprintf(stderr, "%s: %s\n", path, there ? "is there" : "fetched");
    if (!rc && ends_in(w->name, ".parquet"))
        rc = convert(path, j->quiet);
    free(path);
    free(part);
    return rc;
}

static int write_records(const job *j, const pb_text *sums)
{
    char *path = pb_format("%s/SHA256SUMS", j->dir);
    int rc = pb_write_file(path, sums->data ? sums->data : "", sums->length) ? WORLD : DONE;
    free(path);
    return rc;
}

static int fetch_all(job *j)
{
    char *path = pb_format("%s/SHA256SUMS", j->dir);
    size_t n = 0;
    char *old = pb_file_exists(path) ? pb_read_file(path, &n) : NULL;
    pb_text sums = {0};
    int rc = DONE;
    pb_text_bytes(&j->sums, old ? old : "", n);
    for (size_t i = 0; i < j->files && !rc; i++)
        rc = fetch_one(j, &j->file_list[i], &sums);
    if (!rc)
        rc = write_records(j, &sums);
    pb_text_free(&sums);
    free(old);
    free(path);
    return rc;
}

/* ---- the hub --------------------------------------------------------------------------------------------------- */

static bool has_tables(const pb_json *siblings)
{
    for (size_t i = 0; i < pb_json_size(siblings); i++)
        if (is_table(pb_json_text(pb_json_get(pb_json_at(siblings, i), "rfilename"), "")))
            return true;
    return false;
}

/* Of a data set its tables, Parquet only where it has no others. */
static int choose(job *j, const pb_json *siblings)
{
    bool tables = has_tables(siblings), found = false;
    for (size_t i = 0; i < pb_json_size(siblings); i++) {
        const pb_json *one = pb_json_at(siblings, i);
        const char *name = pb_json_text(pb_json_get(one, "rfilename"), "");
        bool rows = j->dataset && (tables ? is_table(name) : ends_in(name, ".parquet"));
        if (j->file ? strcmp(name, j->file) != 0 : !rows && !is_needed(j->dataset, name))
            continue;
        found = found || !j->dataset || j->file || rows;
        if (!is_safe(name))
            return world("%s: the hub names a file '%s': refused", j->id, name);
        char *url =
            pb_format("%s/%s%s/resolve/%s/%s", j->endpoint, j->dataset ? "datasets/" : "", j->id, j->revision, name);
        add_wanted(j, name, url, pb_json_text(pb_json_get(pb_json_get(one, "lfs"), "sha256"), ""));
    }
    if (found)
        return DONE;
    return question("%s: no %s in it", j->id,
                    j->file      ? j->file
                    : j->dataset ? "TSV, CSV, JSON Lines or Parquet file"
                                 : "safetensors model");
}

static int ask_hub(job *j)
{
    char *url = pb_format("%s/api/%s/%s/revision/%s?blobs=true", j->endpoint, j->dataset ? "datasets" : "models", j->id,
                          j->revision);
    pb_text answer = {0};
    int rc = get_text(j, url, &answer);
    pb_json_doc *doc = rc ? NULL : pb_json_parse(url, answer.data ? answer.data : "", answer.length);
    rc = rc ? rc : doc ? choose(j, pb_json_get(pb_json_root(doc), "siblings")) : WORLD;
    pb_json_free(doc);
    pb_text_free(&answer);
    free(url);
    return rc;
}

static bool is_local(const char *url)
{
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};
    for (size_t i = 0; i < PB_COUNT(hosts); i++)
        if (!strncmp(url, hosts[i], strlen(hosts[i])) && strchr(":/", url[strlen(hosts[i])]) && url[strlen(hosts[i])])
            return true;
    return false;
}

static bool is_allowed(const char *url)
{
    return !strncmp(url, "https://", 8) || !strncmp(url, "file:///", 8) || is_local(url);
}

/* A URL is its one file. */
static int read_url(job *j, const char *url)
{
    const char *slash = strrchr(url, '/');
    char *name = pb_format("%.*s", (int)strcspn(slash + 1, "?#"), slash + 1);
    int rc = DONE;
    if (!is_allowed(url))
        rc = question("%s: want https://, file:/// or http://localhost", url);
    else if (!is_safe(name) || is_pickle(name))
        rc = question("%s: want the URL of a file%s", url,
                      is_pickle(name) ? " that is no pickle: reading one may run its code" : "");
    else
        add_wanted(j, name, pb_strdup(url), "");
    free(name);
    return rc;
}

static char *default_folder(const job *j)
{
    if (!j->id)
        return pb_strdup("data");
    const char *slash = strrchr(j->id, '/');
    return pb_format("%s/%s", j->dataset ? "data" : "models", slash + 1);
}

static int run(job *j, const char *name, const char *dir)
{
    bool url = strstr(name, "://") != NULL;
    int rc = url ? read_url(j, name) : read_id(j, name);
    if (!rc && j->file && is_pickle(j->file))
        rc = question("%s: a pickle: reading one may run its code; want safetensors or GGUF", j->file);
    if (!rc && !is_allowed(j->endpoint))
        rc = question("HF_ENDPOINT: want https:// or http://localhost, got '%s'", j->endpoint);
    if (!rc && !url)
        rc = ask_hub(j);
    j->dir = dir ? pb_strdup(dir) : default_folder(j);
    return rc ? rc : pb_make_dirs(j->dir) ? WORLD : fetch_all(j);
}

int pb_fetch(const char *name, const char *dir, bool quiet)
{
    const char *endpoint = getenv("HF_ENDPOINT");
    job j = {.endpoint = endpoint && *endpoint ? endpoint : "https://huggingface.co",
             .token = getenv("HF_TOKEN"),
             .quiet = quiet};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int rc = run(&j, name, dir);
    for (size_t i = 0; i < j.files; i++) {
        free(j.file_list[i].name);
        free(j.file_list[i].url);
    }
    free(j.file_list);
    free(j.id);
    free(j.revision);
    free(j.file);
    free(j.dir);
    pb_text_free(&j.sums);
    curl_global_cleanup();
    return rc;
}
