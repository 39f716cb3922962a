/* compressed: see compressed.h. */
#include "table/compressed.h"

#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#if __has_include(<zstd.h>) /* Debian's libzstd-dev, which tools/setup.sh installs if it can */
#include <zstd.h>
#define HAS_ZSTD
#endif

#include "base/map.h"

/* A file that is being decompressed. */
typedef struct stream {
    const char *path, *format;
    const unsigned char *in;
    size_t left; /* bytes of `in` */
    size_t most;
    unsigned char *out;
    size_t size, capacity; /* bytes in `out`, and that it has room for; one more is for a NUL */
} stream;

static int damaged(const stream *s)
{
    return pb_error("%s: damaged: its bytes are not what %s writes; want the file as it was written", s->path,
                    s->format);
}

static int cut_off(const stream *s)
{
    return pb_error("%s: ends early, in the middle of a stream of %s; want the whole file", s->path, s->format);
}

static int followed(const stream *s)
{
    return pb_error("%s: there are %zu bytes behind the stream of %s; want nothing else in the file", s->path, s->left,
                    s->format);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int check_size(const stream *s)
{
    return s->size <= s->most
               ? 0
               : pb_error("%s: it has more than %zu bytes decompressed; want at most that", s->path, s->most);
}

/* Gives the output room for at least one more byte.  Returns -1 with an error if it has more than it may have. */
static int make_room(stream *s)
{
    enum { FIRST = 1 << 16 };
    if (check_size(s))
        return -1;
    if (s->size < s->capacity)
        return 0;
    s->capacity += least(s->capacity ? s->capacity : FIRST, s->most + 1 - s->capacity);
    s->out = pb_realloc(s->out, s->capacity + 1);
    return 0;
}

/* ---- gzip --------------------------------------------------------------------------------------------------- */

/* Moves on by what one call of inflate may take and give: its counters have 32 bits. */
static int inflate_some(stream *s, z_stream *z)
{
    size_t in = least(s->left, 1 << 30), out = least(s->capacity - s->size, 1 << 30);
    z->next_in = (unsigned char *)(uintptr_t)s->in; /* inflate does not write to it */
    z->avail_in = (unsigned)in;
    z->next_out = s->out + s->size;
    z->avail_out = (unsigned)out;
    int rc = inflate(z, Z_NO_FLUSH);
    s->in += in - z->avail_in;
    s->left -= in - z->avail_in;
    s->size += out - z->avail_out;
    return rc;
}

/* Returns true if nothing is left but zeros, which gzip ignores behind its last stream. */
static bool is_padding(const stream *s)
{
    for (size_t i = 0; i < s->left; i++)
        if (s->in[i])
            return false;
    return true;
}

/* A stream ends with a checksum and the number of its bytes, which inflate compares. */
static int read_gzip_streams(stream *s, z_stream *z)
{
    for (int rc = Z_OK;;) {
        if (rc == Z_STREAM_END && is_padding(s))
            return 0;
        if (rc == Z_STREAM_END && (s->left < 2 || s->in[0] != 0x1f || s->in[1] != 0x8b))
            return followed(s);
        if (rc == Z_STREAM_END)
            inflateReset(z);
        if (make_room(s))
            return -1;
        rc = inflate_some(s, z);
        if (rc == Z_MEM_ERROR)
            pb_no_memory("inflate");
        if (rc == Z_BUF_ERROR) /* nothing is left to be read, and nothing to be written */
            return cut_off(s);
        if (rc != Z_OK && rc != Z_STREAM_END)
            return damaged(s);
    }
}

static int read_gzip(stream *s)
{
    z_stream z = {.next_in = NULL};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: with the header and checksum of gzip */
        pb_no_memory("inflate");
    int rc = read_gzip_streams(s, &z);
    inflateEnd(&z);
    return rc;
}

/* ---- xz ----------------------------------------------------------------------------------------------------- */

static int report_xz(const stream *s, lzma_ret rc)
{
    switch (rc) {
    case LZMA_STREAM_END: return 0;
    case LZMA_BUF_ERROR: return cut_off(s);
    case LZMA_MEM_ERROR: pb_no_memory("lzma");
    case LZMA_MEMLIMIT_ERROR: return pb_error("%s: its dictionary is larger than that of `xz -9`", s->path);
    case LZMA_UNSUPPORTED_CHECK:
    case LZMA_OPTIONS_ERROR: return pb_error("%s: it uses options of xz that are not supported", s->path);
    default: return damaged(s);
    }
}

static int read_xz(stream *s)
{
    enum { MEMORY = 100 << 20 }; /* `xz -9` needs 65 MiB to be read */
    lzma_stream x = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&x, MEMORY, LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK)
        pb_no_memory("lzma");
    x.next_in = s->in;
    x.avail_in = s->left;
    lzma_ret rc = LZMA_OK;
    int room = 0;
    while (rc == LZMA_OK && !(room = make_room(s))) {
        x.next_out = s->out + s->size;
        x.avail_out = s->capacity - s->size;
        rc = lzma_code(&x, LZMA_FINISH);
        s->size = s->capacity - x.avail_out;
    }
    lzma_end(&x);
    return room ? -1 : report_xz(s, rc);
}

/* ---- zstd --------------------------------------------------------------------------------------------------- */

#ifdef HAS_ZSTD
static int read_zstd(stream *s)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    if (!z)
        pb_no_memory("zstd");
    ZSTD_inBuffer in = {s->in, s->left, 0};
    size_t rc = 1, before = 0, wrote = 1;
    int failed = 0;
    while (!failed && (in.pos < in.size || (rc && wrote))) { /* rc 0: a frame has ended */
        failed = make_room(s);
        ZSTD_outBuffer out = {s->out, s->capacity, s->size};
        before = s->size;
        rc = failed ? 0 : ZSTD_decompressStream(z, &out, &in);
        failed = !failed && ZSTD_isError(rc) ? damaged(s) : failed;
        s->size = failed ? s->size : out.pos;
        wrote = s->size - before;
    }
    ZSTD_freeDStream(z);
    return failed ? -1 : rc ? cut_off(s) : 0;
}
#else
static int read_zstd(stream *s)
{
    return pb_error("%s: this program was built without libzstd; want libzstd-dev, then `make clean all`", s->path);
}
#endif

/* ---- any ---------------------------------------------------------------------------------------------------- */

static const struct format {
    const char *extension, *name;
    int (*read)(stream *s);
} formats[] = {{".gz", "gzip", read_gzip}, {".xz", "xz", read_xz}, {".zst", "zstd", read_zstd}};

static const struct format *format_of(const char *path)
{
    for (size_t i = 0; i < PB_COUNT(formats); i++)
        if (pb_ends_in(path, formats[i].extension))
            return &formats[i];
    return NULL;
}

size_t pb_compressed_stem(const char *path)
{
    const struct format *f = format_of(path);
    return strlen(path) - (f ? strlen(f->extension) : 0);
}

char *pb_compressed_read(const char *path, size_t most, size_t *size)
{
    const struct format *f = format_of(path);
    if (!f)
        return pb_read_file(path, size);
    pb_map file;
    if (pb_map_open(&file, path))
        return NULL;
    stream s = {.path = path, .format = f->name, .in = file.data, .left = file.size, .most = most};
    int rc = file.size ? f->read(&s) : cut_off(&s);
    pb_map_close(&file);
    if (rc || check_size(&s)) {
        free(s.out);
        return NULL;
    }
    s.out = pb_realloc(s.out, s.size + 1);
    s.out[s.size] = 0;
    *size = s.size;
    return (char *)s.out;
}
