/* fetch: see fetch.h. */
#include "cli/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "table/parquet.h"
#include "cli/transfer.h"

enum { DONE, FAILED, INVALID }; /* exit codes */

#define SUMS "SHA256SUMS"
#define LOCK ".fetch.lock"

typedef struct wanted {
    char *name, *url;
    char sha256[65], blob[41]; /* as the hub states: SHA-256 (large files), git's object name; "": unknown */
    long long size;            /* -1: unknown */
} wanted;

typedef struct job {
    char *id, *revision, *file, *dir;
    bool dataset, quiet;
    char *endpoint;
    const char *token;
    wanted *file_list;
    size_t files, capacity;
    char *known; /* SHA256SUMS as it was found; NULL: there is none */
} job;

/* Store an error as pb_error does; the value is the exit code that belongs to it. */
#define report_failure(...) (pb_error(__VA_ARGS__), FAILED)
#define report_invalid(...) (pb_error(__VA_ARGS__), INVALID)

/* ---- the request ---------------------------------------------------------------------------------- */

static bool is_shard(const char *name, const char *begin, const char *end)
{
    return !strncmp(name, begin, strlen(begin)) && pb_ends_in_any_case(name, end);
}

/* Pickles of parameters only, which can be read without running code (weights/unpickle.c). */
static bool is_state_dict(const char *name)
{
    return !strcmp(name, "pytorch_model.bin") || !strcmp(name, "adapter_model.bin") ||
           is_shard(name, "pytorch_model-0", ".bin");
}

/* Formats that can run code when they are read. */
static bool is_pickle(const char *name)
{
    static const char *const ends[] = {".bin",  ".pt", ".pth",     ".pkl", ".pickle",
                                       ".ckpt", ".h5", ".msgpack", ".npz", ".joblib"};
    for (size_t i = 0; i < PB_COUNT(ends); i++)
        if (pb_ends_in_any_case(name, ends[i]))
            return !is_state_dict(name);
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
        return pb_ends_in_any_case(name, "README.md") || pb_ends_in_any_case(name, "LICENSE");
    return is_shard(name, "model-0", ".safetensors");
}

/* Formats that a task can read. */
static bool is_table(const char *name)
{
    return pb_ends_in_any_case(name, ".tsv") || pb_ends_in_any_case(name, ".csv") ||
           pb_ends_in_any_case(name, ".jsonl");
}

/* Returns whether a name stays inside the folder: no "..", not absolute, no control characters, and not a file of this
 * program. */
static bool is_safe(const char *name)
{
    if (strpbrk(name, "\\:") || strcmp(pb_visible(name), name) != 0 || pb_ends_in_any_case(name, ".part") ||
        pb_ends_in_any_case(name, ".part.from") || !strcmp(name, SUMS) || !strcmp(name, LOCK))
        return false;
    for (const char *part = name;; part++) {
        size_t n = strcspn(part, "/");
        if (!n || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        part += n;
        if (!*part)
            return true;
    }
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
        return report_invalid("'%s': want org/name, datasets/org/name or a URL, optionally with @revision and :file",
                              name);
    j->id = pb_format("%.*s", (int)n, rest);
    rest += n;
    size_t revision = *rest == '@' ? strcspn(rest, ":") : 0;
    j->revision = revision > 1 ? pb_format("%.*s", (int)revision - 1, rest + 1) : pb_strdup("main");
    rest += revision;
    j->file = *rest == ':' ? pb_strdup(rest + 1) : NULL;
    if (strstr(j->revision, "..") || strpbrk(j->revision, "?#% ") || (j->file && !is_safe(j->file)))
        return report_invalid("'%s': want a plain revision and the name of a file in the repository", name);
    return DONE;
}

static wanted *add_wanted(job *j, const char *name, char *url)
{
    pb_grow(&j->file_list, j->files, &j->capacity, sizeof *j->file_list);
    j->file_list[j->files] = (wanted){.name = pb_strdup(name), .url = url, .size = -1};
    return &j->file_list[j->files++];
}

/* ---- recorded hashes ----------------------------------------------------------------------------- */

/* SHA256SUMS has a line "HASH NAME" for each file, as sha256sum writes and checks it, after a comment "# URL" with the
 * URL of the file. */
typedef struct entry {
    const char *url, *hash, *name; /* in the text, not ended by a NUL */
    size_t url_size, name_size;
} entry;

/* Reads the next entry of the text.  Returns false at its end. */
static bool next_entry(const char **text, entry *e)
{
    *e = (entry){.url = ""};
    while (*text && **text) {
        const char *line = *text;
        size_t n = strcspn(line, "\n");
        *text = line + n + (line[n] == '\n');
        if (n > 2 && line[0] == '#' && line[1] == ' ') {
            e->url = line + 2;
            e->url_size = n - 2;
        } else if (n > 66 && line[64] == ' ') {
            e->hash = line;
            e->name = line + 66;
            e->name_size = n - 66;
            return true;
        }
    }
    return false;
}

static bool is_text(const char *bytes, size_t n, const char *text)
{
    return n == strlen(text) && !memcmp(bytes, text, n);
}

/* Returns the hash that an earlier download of the file from the same URL recorded, or "" if there is none. */
static void recorded(const job *j, const wanted *w, char out[65])
{
    entry e;
    *out = 0;
    for (const char *text = j->known; next_entry(&text, &e);)
        if (is_text(e.name, e.name_size, w->name) && is_text(e.url, e.url_size, w->url))
            snprintf(out, 65, "%s", e.hash);
}

static void record(pb_text *sums, const wanted *w, const char *hash)
{
    pb_text_add(sums, "# %s\n%s  %s\n", w->url, hash, w->name);
}

/* The entries of files that are not part of this download are kept. */
static void keep_others(const job *j, pb_text *sums)
{
    entry e;
    for (const char *text = j->known; next_entry(&text, &e);) {
        bool ours = false;
        for (size_t i = 0; i < j->files; i++)
            ours = ours || is_text(e.name, e.name_size, j->file_list[i].name);
        if (!ours && e.url_size)
            pb_text_add(sums, "# %.*s\n", (int)e.url_size, e.url);
        if (!ours)
            pb_text_add(sums, "%.64s  %.*s\n", e.hash, (int)e.name_size, e.name);
    }
}

/* Compares the file with the size and hash that the hub states, and computes its SHA-256. */
static int check_hash(const wanted *w, const char *path, pb_digest *d)
{
    char blob[41] = "";
    if (pb_sha256_file(path, d) || (*w->blob && pb_git_blob_file(path, blob)))
        return FAILED;
    if (*w->sha256 && strcmp(d->hex, w->sha256) != 0)
        return report_failure("%s: SHA-256 is %s, want %s: removed", w->name, d->hex, w->sha256);
    if (*w->blob && strcmp(blob, w->blob) != 0)
        return report_failure("%s: git's hash of it is %s, want %s: removed", w->name, blob, w->blob);
    return DONE;
}

/* Returns whether the file exists from an earlier download and is unchanged. */
static bool is_there(const job *j, const wanted *w, const char *path, pb_digest *d)
{
    char known[65];
    recorded(j, w, known);
    bool hub_knows = *w->sha256 || *w->blob;
    bool there = pb_file_exists(path) && (hub_knows || *known) && !check_hash(w, path, d) &&
                 (hub_knows || !strcmp(d->hex, known));
    pb_error_clear();
    return there;
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

/* Writes the rows of a Parquet file as JSON Lines beside it. */
static int convert(const char *path, bool quiet)
{
    char *to = pb_format("%.*s.jsonl", (int)(strlen(path) - strlen(".parquet")), path);
    pb_text left_out = {0};
    int rc = pb_parquet_to_lines(path, to, &left_out) ? FAILED : DONE;
    if (!rc && !quiet)
        fprintf(stderr, "%s: written%s%s\n", pb_visible(to), left_out.length ? ", without the columns " : "",
                left_out.length ? pb_visible(left_out.data) : "");
    pb_text_free(&left_out);
    free(to);
    return rc;
}

/* Downloads into NAME.part, which is renamed when it is complete and verified. */
static int obtain(const job *j, const wanted *w, const char *path, pb_digest *d)
{
    char *part = pb_format("%s.part", path);
    char *identity = *w->sha256 ? pb_format("sha256 %s", w->sha256) : *w->blob ? pb_format("blob %s", w->blob) : NULL;
    pb_transfer t = {.url = w->url,
                     .name = w->name,
                     .hub = j->endpoint,
                     .token = j->token,
                     .identity = identity ? identity : "",
                     .size = w->size,
                     .quiet = j->quiet};
    int rc = make_folder_of(path) || pb_transfer_file(&t, part) ? FAILED : check_hash(w, part, d);
    bool whole = !rc;
    if (whole && rename(part, path))
        rc = report_failure("%s: cannot write: %s", path, strerror(errno));
    if (whole || *d->hex)
        pb_transfer_forget(part); /* continuing a file with the wrong hash cannot succeed */
    free(identity);
    free(part);
    return rc;
}

static int fetch_one(const job *j, const wanted *w, pb_text *sums)
{
    char *path = pb_format("%s/%s", j->dir, w->name);
    pb_digest d = {""};
    bool there = is_there(j, w, path, &d);
    d = there ? d : (pb_digest){""};
    int rc = there ? DONE : obtain(j, w, path, &d);
    if (!rc)
        record(sums, w, d.hex);
    if (!rc && !j->quiet)
        fprintf(stderr, "%s: %s\n", pb_visible(path), there ? "is there" : "fetched");
    if (!rc && pb_ends_in_any_case(w->name, ".parquet"))
        rc = convert(path, j->quiet);
    free(path);
    return rc;
}

/* Waits until no other download uses the folder.  Returns a descriptor that holds the lock until it is closed, or -1
 * with an error. */
static int lock_folder(const job *j)
{
    char *path = pb_format("%s/" LOCK, j->dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int rc = fd < 0 ? -1 : flock(fd, LOCK_EX | LOCK_NB);
    if (rc && fd >= 0 && errno == EWOULDBLOCK) {
        if (!j->quiet)
            fprintf(stderr, "%s: another fetch works there; it is waited for\n", pb_visible(j->dir));
        while ((rc = flock(fd, LOCK_EX)) && errno == EINTR)
            continue;
    }
    if (rc) {
        pb_error("%s: cannot be locked: %s; want a writable folder", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    free(path);
    return rc ? -1 : fd;
}

static int fetch_all(job *j)
{
    int lock = lock_folder(j), rc = lock < 0 ? FAILED : DONE;
    if (rc)
        return rc;
    char *path = pb_format("%s/" SUMS, j->dir);
    pb_text sums = {0};
    j->known = pb_file_exists(path) ? pb_read_file(path, NULL) : NULL;
    keep_others(j, &sums);
    for (size_t i = 0; i < j->files && !rc; i++)
        rc = fetch_one(j, &j->file_list[i], &sums);
    if (!rc && pb_write_file(path, sums.data ? sums.data : "", sums.length))
        rc = FAILED;
    pb_text_free(&sums);
    free(path);
    close(lock);
    return rc;
}

/* ---- the hub --------------------------------------------------------------------------------------------------- */

static const char *sibling_name(const pb_json *siblings, size_t i)
{
    return pb_json_text(pb_json_get(pb_json_at(siblings, i), "rfilename"), "");
}

/* Returns whether the name is in the folder, or `folder` is NULL. */
static bool is_inside(const char *name, const char *folder)
{
    size_t n = folder ? strlen(folder) : 0;
    return !folder || (!strncmp(name, folder, n) && name[n] == '/');
}

static bool has_some(const pb_json *siblings, const char *folder, bool (*is_one)(const char *name))
{
    for (size_t i = 0; i < pb_json_size(siblings); i++)
        if (is_inside(sibling_name(siblings, i), folder) && is_one(sibling_name(siblings, i)))
            return true;
    return false;
}

static bool is_safetensors(const char *name)
{
    return !strcmp(name, "model.safetensors") || !strcmp(name, "adapter_model.safetensors") ||
           is_shard(name, "model-0", ".safetensors");
}

static bool is_hex(const char *text, size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

/* DIR/resolve/REVISION/NAME of the repository; a revision may be refs/pr/1 */
static char *url_of(const job *j, const char *name)
{
    pb_text t = {0};
    pb_text_add(&t, "%s/%s%s/resolve/", j->endpoint, j->dataset ? "datasets/" : "", j->id);
    pb_url_escape(&t, j->revision, false);
    pb_text_add(&t, "/");
    pb_url_escape(&t, name, true);
    return t.data;
}

/* The size and the hash that the hub states for a file. */
static int add_listed(job *j, const char *name, const pb_json *one)
{
    const pb_json *lfs = pb_json_get(one, "lfs"), *size = pb_json_get(one, "size");
    const char *sha256 = pb_json_text(pb_json_get(lfs, "sha256"), "");
    const char *blob = *sha256 ? "" : pb_json_text(pb_json_get(one, "blobId"), "");
    long long bytes = pb_json_integer(size, -1);
    if (!is_safe(name))
        return report_failure("%s: the hub names a file '%s': refused", j->id, name);
    if ((*sha256 && !is_hex(sha256, 64)) || (*blob && !is_hex(blob, 40)) ||
        (size && !pb_json_is_null(size) && (bytes < 0 || bytes > (long long)1 << 50)))
        return report_failure("%s: %s: the hub states neither its size nor a valid hash", j->id, name);
    wanted *w = add_wanted(j, name, url_of(j, name));
    snprintf(w->sha256, sizeof w->sha256, "%s", sha256);
    snprintf(w->blob, sizeof w->blob, "%s", blob);
    w->size = bytes;
    return DONE;
}

/* Selects the named file, the tables of a data set or of the named folder of it, Parquet only if there are no others,
 * or the files of a model, those of torch.save only if there are no safetensors. */
static int choose(job *j, const pb_json *siblings)
{
    bool tables = has_some(siblings, j->dataset ? j->file : NULL, is_table);
    bool pickles = !has_some(siblings, NULL, is_safetensors), found = false;
    int rc = DONE;
    for (size_t i = 0; i < pb_json_size(siblings) && !rc; i++) {
        const pb_json *one = pb_json_at(siblings, i);
        const char *name = sibling_name(siblings, i);
        bool rows = j->dataset && (tables ? is_table(name) : pb_ends_in_any_case(name, ".parquet"));
        bool pickle = !j->dataset && pickles && (is_state_dict(name) || !strcmp(name, "pytorch_model.bin.index.json"));
        if (j->file ? strcmp(name, j->file) != 0 && !(rows && is_inside(name, j->file))
                    : !rows && !pickle && !is_needed(j->dataset, name))
            continue;
        found = found || !j->dataset || j->file || rows;
        rc = add_listed(j, name, one);
    }
    if (found || rc)
        return rc;
    return report_invalid("%s: no %s in it", j->id,
                          j->file      ? j->file
                          : j->dataset ? "TSV, CSV, JSON Lines or Parquet file"
                                       : "safetensors model");
}

static int ask_hub(job *j)
{
    pb_text address = {0}, answer = {0};
    pb_text_add(&address, "%s/api/%s/%s/revision/", j->endpoint, j->dataset ? "datasets" : "models", j->id);
    pb_url_escape(&address, j->revision, false);
    pb_text_add(&address, "?blobs=true");
    const char *url = address.data;
    pb_transfer t = {
        .url = url, .name = url, .hub = j->endpoint, .token = j->token, .identity = "", .size = -1, .quiet = j->quiet};
    int rc = pb_transfer_text(&t, &answer) ? FAILED : DONE;
    pb_json_doc *doc = rc ? NULL : pb_json_parse(url, answer.data ? answer.data : "", answer.length);
    rc = rc ? rc : doc ? choose(j, pb_json_get(pb_json_root(doc), "siblings")) : FAILED;
    pb_json_free(doc);
    pb_text_free(&answer);
    pb_text_free(&address);
    return rc;
}

/* Adds the file of a URL. */
static int read_url(job *j, const char *url)
{
    const char *slash = strrchr(url, '/');
    char *name = pb_format("%.*s", (int)strcspn(slash + 1, "?#"), slash + 1);
    int rc = DONE;
    if (!pb_url_is_allowed(url))
        rc = report_invalid("%s: want https://, file:/// or http://localhost, without a user name", url);
    else if (strpbrk(url, " \t\n"))
        rc = report_invalid("%s: want a URL without blanks", url);
    else if (!is_safe(name) || is_pickle(name))
        rc = report_invalid("%s: want the URL of a file%s", url,
                            is_pickle(name) ? " that is not a pickle, which may run code when it is read" : "");
    else
        add_wanted(j, name, pb_strdup(url));
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

static int check_hub(const job *j)
{
    if (strncmp(j->endpoint, "http", 4) != 0 || !pb_url_is_allowed(j->endpoint))
        return report_invalid("HF_ENDPOINT: want https:// or http://localhost, got '%s'", j->endpoint);
    if (j->token && strcmp(pb_visible(j->token), j->token) != 0)
        return report_invalid("HF_TOKEN: contains control characters; want the token alone");
    return DONE;
}

static int fetch_named(job *j, const char *name, const char *dir)
{
    bool url = strstr(name, "://") != NULL;
    int rc = url ? read_url(j, name) : read_id(j, name);
    if (!rc && j->file && is_pickle(j->file))
        rc = report_invalid("%s: a pickle may run code when it is read; want safetensors or GGUF", j->file);
    rc = rc ? rc : check_hub(j);
    if (!rc && !url)
        rc = ask_hub(j);
    j->dir = dir ? pb_strdup(dir) : default_folder(j);
    return rc ? rc : pb_make_dirs(j->dir) ? FAILED : fetch_all(j);
}

/* Returns the endpoint without '/' at its end, because the paths begin with one. */
static char *endpoint(void)
{
    const char *given = getenv("HF_ENDPOINT");
    char *url = pb_strdup(given && *given ? given : "https://huggingface.co");
    for (size_t n = strlen(url); n && url[n - 1] == '/';)
        url[--n] = 0;
    return url;
}

int pb_fetch(const char *name, const char *dir, bool quiet)
{
    job j = {.endpoint = endpoint(), .token = getenv("HF_TOKEN"), .quiet = quiet};
    pb_transfer_start();
    int rc = fetch_named(&j, name, dir);
    for (size_t i = 0; i < j.files; i++) {
        free(j.file_list[i].name);
        free(j.file_list[i].url);
    }
    free(j.file_list);
    free(j.endpoint);
    free(j.id);
    free(j.revision);
    free(j.file);
    free(j.dir);
    free(j.known);
    pb_transfer_stop();
    return rc;
}
