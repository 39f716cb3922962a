/* transfer: see transfer.h. */
#include "cli/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 4 };         /* of one file; each continues where the last was cut off */
enum { REDIRECTIONS = 10 }; /* of one attempt */

#define LONGEST_TEXT (64ll << 20)
#define LONGEST_FILE (64ll << 30) /* if the length is not known */

void pb_transfer_start(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

void pb_transfer_stop(void)
{
    curl_global_cleanup();
}

/* ---- URLs ------------------------------------------------------------------------------------------------- */

typedef struct url_parts {
    char *scheme, *host, *port, *path; /* libcurl's; NULL: has none */
    bool named;                        /* it contains a user name or a password */
} url_parts;

/* Parses a URL with the parser that the transfer uses. */
static int parse_url(const char *url, url_parts *out)
{
    *out = (url_parts){.scheme = NULL};
    char *user = NULL, *password = NULL;
    CURLU *u = curl_url();
    int rc = !u || curl_url_set(u, CURLUPART_URL, url, 0) ? -1 : 0;
    if (!rc) {
        curl_url_get(u, CURLUPART_SCHEME, &out->scheme, 0);
        curl_url_get(u, CURLUPART_HOST, &out->host, 0);
        curl_url_get(u, CURLUPART_PORT, &out->port, CURLU_DEFAULT_PORT);
        curl_url_get(u, CURLUPART_PATH, &out->path, CURLU_URLDECODE);
        out->named = !curl_url_get(u, CURLUPART_USER, &user, 0) || !curl_url_get(u, CURLUPART_PASSWORD, &password, 0);
    }
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(u);
    return rc;
}

static void free_url(url_parts *p)
{
    curl_free(p->scheme);
    curl_free(p->host);
    curl_free(p->port);
    curl_free(p->path);
}

static bool is_scheme(const url_parts *p, const char *scheme)
{
    return p->scheme && !strcasecmp(p->scheme, scheme);
}

static bool is_loopback(const url_parts *p)
{
    return p->host && (!strcasecmp(p->host, "localhost") || !strcmp(p->host, "127.0.0.1") || !strcmp(p->host, "[::1]"));
}

static bool is_allowed(const url_parts *p)
{
    if (p->named)
        return false;
    if (is_scheme(p, "file"))
        return !p->host || !*p->host;
    return p->host && (is_scheme(p, "https") || (is_scheme(p, "http") && is_loopback(p)));
}

bool pb_url_is_allowed(const char *url)
{
    url_parts p;
    bool allowed = !parse_url(url, &p) && is_allowed(&p);
    free_url(&p);
    return allowed;
}

static bool same(const char *a, const char *b)
{
    return a && b && !strcasecmp(a, b);
}

static bool same_origin(const char *a, const char *b)
{
    url_parts x, y;
    int rc = parse_url(a, &x) | parse_url(b, &y);
    bool is = !rc && !x.named && !y.named && same(x.scheme, y.scheme) && same(x.host, y.host) && same(x.port, y.port);
    free_url(&x);
    free_url(&y);
    return is;
}

void pb_url_escape(pb_text *out, const char *name, bool keep_slashes)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *name; name++)
        if (strchr(plain, *name) || (keep_slashes && *name == '/'))
            pb_text_bytes(out, name, 1);
        else
            pb_text_add(out, "%%%02X", (unsigned)(unsigned char)*name);
}

/* ---- the identity of a partial file --------------------------------------------------------------------------- */

static char *record_of(const char *part)
{
    return pb_format("%s.from", part);
}

void pb_transfer_forget(const char *part)
{
    char *record = record_of(part);
    unlink(record);
    unlink(part);
    free(record);
}

static long long size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) || !S_ISREG(st.st_mode) ? 0 : (long long)st.st_size;
}

/* ---- one response ------------------------------------------------------------------------------------------- */

typedef struct sink {
    const pb_transfer *t;
    CURL *curl;
    const char *part; /* the file, or */
    FILE *file;
    pb_text *text;
    long long have;  /* bytes of the partial file, which this response continues */
    long long whole; /* bytes of the whole file as the response states; -1: unknown */
    long long got;   /* bytes of the file so far                                 */
    char *etag;      /* of the partial file; NULL: the hash is known           */
    bool begun;
    bool stale;   /* the server continues another file than the partial one  */
    bool refused; /* the response is not what was requested; an error is pending        */
    bool failed;  /* the file cannot be written; an error is pending                        */
    double shown; /* clock of the last line of progress                               */
} sink;

static int refuse(sink *s, const char *fmt, ...) PB_PRINTF(2, 3);
static int refuse(sink *s, const char *fmt, ...)
{
    char text[1024];
    va_list list;
    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    s->refused = true;
    return pb_error("%s: %s", s->t->url, text);
}

static int fail(sink *s, const char *path)
{
    s->failed = true;
    return pb_error("%s: cannot write: %s", path, strerror(errno));
}

static const char *header(const sink *s, const char *name)
{
    struct curl_header *h;
    return curl_easy_header(s->curl, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : "";
}

static long status_of(const sink *s)
{
    long code = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

/* Returns the strong ETag of the response, which identifies a file to the byte, or "" if there is none. */
static const char *strong_etag(const sink *s)
{
    const char *etag = header(s, "ETag");
    return *etag == '"' && strlen(etag) < 512 ? etag : "";
}

/* Checks that the response is what was requested. */
static int check_form(sink *s)
{
    const char *encoding = header(s, "Content-Encoding"), *type = header(s, "Content-Type");
    if (*encoding && strcasecmp(encoding, "identity") != 0)
        return refuse(s, "the server uses the encoding '%s', which was not requested", encoding);
    if (!strncasecmp(type, "text/html", 9) && !pb_ends_in_any_case(s->t->name, ".html") &&
        !pb_ends_in_any_case(s->t->name, ".htm"))
        return refuse(s, "the server sends a web page; want the file itself (does it require a login?)");
    return 0;
}

/* Returns the length of the whole file as the response states it, or -1 if it does not. */
static long long length_of(const sink *s, long long *from)
{
    curl_off_t length = -1;
    long long last = -1, total = -1;
    *from = 0;
    if (status_of(s) != 206) {
        curl_easy_getinfo(s->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        return (long long)length;
    }
    if (sscanf(header(s, "Content-Range"), "bytes %lld-%lld/%lld", from, &last, &total) < 2)
        *from = -1;
    return total;
}

/* Returns whether the response continues the partial file, and not another one. */
static int check_rest(sink *s, long long from)
{
    s->stale = from != s->have || (s->etag && strcmp(s->etag, strong_etag(s)) != 0);
    return s->stale ? -1 : 0;
}

/* Records the identity of the file, as far as it is known: its hash, or the URL and the ETag. */
static int put_record(sink *s)
{
    const char *etag = strong_etag(s);
    char *record = record_of(s->part);
    char *known = *s->t->identity ? pb_strdup(s->t->identity) : *etag ? pb_format("%s\n%s", s->t->url, etag) : NULL;
    int rc = known ? pb_write_file(record, known, strlen(known)) : 0;
    if (!known)
        unlink(record);
    s->failed = rc != 0;
    free(known);
    free(record);
    return rc;
}

/* A server that has another file, or does not support ranges, sends the whole file; the partial file is discarded. */
static int begin_anew(sink *s)
{
    if (s->have && (fflush(s->file) || ftruncate(fileno(s->file), 0) || fseek(s->file, 0, SEEK_SET)))
        return fail(s, s->t->name);
    s->have = s->got = 0;
    return put_record(s);
}

static int begin(sink *s)
{
    long long from = 0, length = s->whole = length_of(s, &from);
    s->begun = true;
    if (status_of(s) >= 300)
        return -1; /* the page with the reason is not read */
    if (check_form(s) || (status_of(s) == 206 && check_rest(s, from)))
        return -1;
    if (status_of(s) == 206 && !s->have)
        return refuse(s, "the server sends a part; the whole file was requested");
    if (s->t->size >= 0 && length >= 0 && length != s->t->size)
        return refuse(s, "the server sends %lld bytes; the hub says %lld", length, s->t->size);
    return s->file && status_of(s) != 206 ? begin_anew(s) : 0;
}

static long long limit_of(const sink *s)
{
    const char *limit = getenv("PEFTBENCH_FETCH_LIMIT"); /* bytes */
    return s->text ? LONGEST_TEXT : s->t->size >= 0 ? s->t->size : limit ? strtoll(limit, NULL, 10) : LONGEST_FILE;
}

static size_t receive_bytes(char *data, size_t one, size_t n, void *ctx)
{
    sink *s = ctx;
    n *= one;
    if (!s->begun && begin(s))
        return 0;
    if (s->got + (long long)n > limit_of(s)) {
        refuse(s, "more than %lld bytes, %s", limit_of(s), s->t->size >= 0 ? "which the hub says it has" : "refused");
        return 0;
    }
    s->got += (long long)n;
    if (s->text)
        pb_text_bytes(s->text, data, n);
    else if (fwrite(data, 1, n, s->file) != n) {
        fail(s, s->t->name);
        return 0;
    }
    return n;
}

static int show_progress(void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    (void)up_total, (void)up_now;
    sink *s = ctx;
    double clock = pb_clock(), all = (double)total + (double)s->have, got = (double)now + (double)s->have;
    bool bar = isatty(2), last = total && now == total;
    if (s->t->quiet || s->text || !s->begun || clock - s->shown < (last ? 0 : bar ? 0.2 : 5) || !now)
        return 0;
    curl_off_t speed = 0;
    curl_easy_getinfo(s->curl, CURLINFO_SPEED_DOWNLOAD_T, &speed);
    double left = speed > 0 && total ? (double)(total - now) / (double)speed : 0;
    fprintf(stderr, "%s%s: %.1f of %.1f MB, %.0f s left%s", bar ? "\r" : "", pb_visible(s->t->name), got / 1e6,
            all / 1e6, left, bar && !last ? "  " : "  \n");
    s->shown = last ? clock + 1e9 : clock;
    return 0;
}

/* ---- one attempt ---------------------------------------------------------------------------------------------- */

/* Refuses a file:// URL of a device or a pipe, which may have no end. */
static int check_file(const pb_transfer *t)
{
    url_parts p;
    struct stat st;
    int rc = parse_url(t->url, &p);
    if (!rc && is_scheme(&p, "file") && !stat(p.path ? p.path : "", &st) && !S_ISREG(st.st_mode))
        rc = pb_error("%s: want a regular file", t->url);
    free_url(&p);
    return rc;
}

static CURL *prepare(sink *s)
{
    const char *patience = getenv("PEFTBENCH_FETCH_PATIENCE"); /* seconds without a byte */
    CURL *c = s->curl = curl_easy_init();
    if (!c)
        PB_BUG("libcurl does not start");
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https,http,file");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 30L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, patience ? strtol(patience, NULL, 10) : 60L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "peftbench");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, receive_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, show_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    return c;
}

/* Requests one URL.  The token is sent to the hub's origin only, wherever a redirection leads. */
static CURLcode ask(sink *s, const char *url)
{
    const pb_transfer *t = s->t;
    bool hub = t->token && *t->token && t->hub && same_origin(url, t->hub);
    char *range = s->have ? pb_format("%lld-", s->have) : NULL;
    char *condition = range && s->etag ? pb_format("If-Range: %s", s->etag) : NULL;
    struct curl_slist *headers = condition ? curl_slist_append(NULL, condition) : NULL;
    s->begun = false;
    curl_easy_setopt(s->curl, CURLOPT_URL, url);
    curl_easy_setopt(s->curl, CURLOPT_HTTPAUTH, hub ? CURLAUTH_BEARER : CURLAUTH_NONE);
    curl_easy_setopt(s->curl, CURLOPT_XOAUTH2_BEARER, hub ? t->token : NULL);
    curl_easy_setopt(s->curl, CURLOPT_RANGE, range);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode rc = curl_easy_perform(s->curl);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    free(condition);
    free(range);
    return rc;
}

/* Returns whether a redirection from one URL to the other is allowed. */
static bool may_lead(const char *from, const char *to)
{
    url_parts a, b;
    int rc = parse_url(from, &a) | parse_url(to, &b);
    bool may = !rc && is_allowed(&b) && (is_scheme(&b, "https") || (is_scheme(&a, "http") && is_scheme(&b, "http")));
    free_url(&a);
    free_url(&b);
    return may;
}

/* Requests a URL and follows redirections. */
static CURLcode follow(sink *s)
{
    char *url = pb_strdup(s->t->url);
    CURLcode rc = CURLE_OK;
    for (int i = 0; !s->refused && !s->failed; i++) {
        char *to = NULL;
        rc = ask(s, url);
        if (status_of(s) < 300 || status_of(s) >= 400 || curl_easy_getinfo(s->curl, CURLINFO_REDIRECT_URL, &to) || !to)
            break;
        if (i == REDIRECTIONS)
            refuse(s, "more than %d redirections: a loop?", REDIRECTIONS);
        else if (!may_lead(url, to))
            refuse(s, "it leads to %s; want https:// without a user name", to);
        char *next = pb_strdup(to);
        free(url);
        url = next;
    }
    if (rc == CURLE_OK && !s->begun && !s->refused && begin(s))
        rc = CURLE_WRITE_ERROR; /* a response without a body */
    free(url);
    return rc;
}

/* Returns the result of an attempt: 0, or -1 with an error.  *again says whether another attempt may succeed, because
 * the transfer was cut off or has to start over. */
static int judge(const sink *s, CURLcode rc, bool *again)
{
    const char *url = s->t->url;
    long code = status_of(s);
    *again = false;
    if (s->refused || s->failed)
        return -1;
    if (code == 401 || code == 403)
        return pb_error("%s: refused (%ld): a gated or private repository? want a token in HF_TOKEN that may read it",
                        url, code);
    if (code == 404)
        return pb_error("%s: not found (404): check the name, the revision and the file", url);
    *again = s->stale || code == 416 || rc == CURLE_PARTIAL_FILE || rc == CURLE_RECV_ERROR || rc == CURLE_GOT_NOTHING ||
             rc == CURLE_SEND_ERROR;
    if (code >= 300)
        return pb_error("%s: the server answers %ld", url, code);
    if (s->stale)
        return pb_error("%s: the server sends a part of another file than before", url);
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return pb_error("%s: the server does not answer, or it stopped sending", url);
    if (rc)
        return pb_error("%s: %s", url, curl_easy_strerror(rc));
    long long size = s->t->size >= 0 ? s->t->size : s->whole;
    if (!s->got && s->t->size)
        return pb_error("%s: the server sends nothing", url);
    *again = size >= 0 && s->got != size;
    return *again ? pb_error("%s: received %lld bytes; want %lld", url, s->got, size) : 0;
}

int pb_transfer_text(const pb_transfer *t, pb_text *out)
{
    bool again;
    sink s = {.t = t, .text = out};
    if (check_file(t))
        return -1;
    CURL *c = prepare(&s);
    CURLcode code = follow(&s);
    int rc = judge(&s, code, &again);
    curl_easy_cleanup(c);
    return rc;
}

/* Returns how many bytes of the same file are there, and its ETag if that identifies it and not a hash. */
static long long rest_of(const pb_transfer *t, const char *part, char **etag)
{
    char *record = record_of(part), *known = pb_file_exists(record) ? pb_read_file(record, NULL) : NULL;
    size_t n = strlen(t->url);
    bool same_file = known && *t->identity && !strcmp(known, t->identity);
    *etag = NULL;
    if (known && !*t->identity && !strncmp(known, t->url, n) && known[n] == '\n') {
        *etag = pb_strdup(known + n + 1);
        same_file = true;
    }
    free(known);
    free(record);
    long long have = same_file ? size_of(part) : 0;
    return t->size < 0 || have <= t->size ? have : 0;
}

/* Requests the rest of a partial file, or the whole. */
static int get_rest(sink *s, bool *again)
{
    s->file = fopen(s->part, s->have ? "r+b" : "wb");
    if (!s->file || fseek(s->file, 0, SEEK_END)) {
        fail(s, s->part);
        if (s->file)
            fclose(s->file);
        return -1;
    }
    CURL *c = prepare(s);
    CURLcode code = follow(s);
    if (fclose(s->file) && !s->failed)
        fail(s, s->t->name);
    int rc = judge(s, code, again);
    if (s->refused || s->stale || status_of(s) == 416)
        pb_transfer_forget(s->part); /* continuing it cannot succeed */
    curl_easy_cleanup(c);
    return rc;
}

static int try_file(const pb_transfer *t, const char *part, bool *again)
{
    sink s = {.t = t, .part = part};
    *again = false;
    s.have = s.got = rest_of(t, part, &s.etag);
    bool all = *t->identity && s.have && s.have == t->size; /* its hash is checked later */
    int rc = all ? 0 : get_rest(&s, again);
    free(s.etag);
    return rc;
}

int pb_transfer_file(const pb_transfer *t, const char *part)
{
    bool again = true;
    int rc = check_file(t);
    if (rc)
        return rc;
    for (int i = 0; i < TRIES && again; i++) {
        pb_error_clear();
        rc = try_file(t, part, &again);
    }
    return rc;
}
