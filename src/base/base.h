/* base: errors, log, text, hash, clock.  It needs libc and libmd only.
 *
 * Three kinds of failure, never mixed:
 *   bad input or bad world   return pb_error("lora.ini:12: rank: want 1..64, got 0")   -> -1
 *   broken invariant         PB_BUG("gradient of a frozen leaf"), PB_CHECK(cond)        -> abort
 *   out of memory            pb_alloc() does not return NULL                            -> exit 2
 */
#ifndef PB_BASE_H
#define PB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PB_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define PB_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The engine's number.  `make test REAL=double` compiles it as double, so that finite
 * differences are sharp; files and the database always hold 32-bit floats. */
#ifdef PB_REAL_DOUBLE
typedef double pb_real;
#else
typedef float pb_real;
#endif

/* ---- errors -------------------------------------------------------------------------- */

/* Records the message, made visible, as this thread's current error, if none is pending, and
 * returns -1: the first error is the cause, later ones are its consequences. */
int pb_error(const char *fmt, ...) PB_PRINTF(1, 2);

/* The pending error's text, "" if there is none.  Owned by the module; valid until the next
 * pb_error_clear() in this thread. */
const char *pb_error_text(void);

/* Forgets the pending error (tests, and the driver before each cell). */
void pb_error_clear(void);

/* Reports a broken invariant of our own with its place and aborts.  Never compiled out. */
_Noreturn void pb_bug(const char *file, int line, const char *fmt, ...) PB_PRINTF(3, 4);
#define PB_BUG(...) pb_bug(__FILE__, __LINE__, __VA_ARGS__)
#define PB_CHECK(cond) ((cond) ? (void)0 : PB_BUG("broken invariant: %s", #cond))

/* ---- log: messages for people go to stderr, results to stdout ------------------------- */

void pb_warn(const char *fmt, ...) PB_PRINTF(1, 2); /* "peftbench: warning: ..." on stderr  */

/* ---- memory (heap; the owner frees with free()) ---------------------------------------- */

_Noreturn void pb_no_memory(const char *where); /* says so and exits with 2 */
void *pb_alloc(size_t bytes);                   /* zeroed; dies when memory is exhausted      */
void *pb_realloc(void *old, size_t bytes);      /* contents beyond the old size are undefined */
char *pb_strdup(const char *text);
char *pb_format(const char *fmt, ...) PB_PRINTF(1, 2); /* a heap string; caller frees       */

/* Grows `*array` (of `item` bytes each) so that index `count` is valid: capacity doubles.
 * `*capacity` is in items and starts at 0 with a NULL array. */
void pb_grow(void *array, size_t count, size_t *capacity, size_t item);

/* ---- text builder ----------------------------------------------------------------------- */

typedef struct pb_text {
    char *data; /* always NUL-terminated once something was added; NULL when empty */
    size_t length, capacity;
} pb_text;

void pb_text_add(pb_text *t, const char *fmt, ...) PB_PRINTF(2, 3);
void pb_text_bytes(pb_text *t, const void *bytes, size_t n);
void pb_text_free(pb_text *t); /* leaves an empty, reusable builder */

/* ---- foreign text on a terminal ----------------------------------------------------------- */

/* Names out of models, data sets, databases, servers and experiment files may hold bytes that a terminal obeys.
 * Control characters (C0, DEL, C1), marks that change the direction of text and line separators are written as
 * \u001b (\n, \t and \r where C has a letter), a byte that is not UTF-8 as \xff.  What is made visible once stays as
 * it is.  pb_error and pb_warn do this with the whole message. */

/* Returns `text` made visible: `text` itself if nothing in it needs that, otherwise a copy that the module owns and
 * that is valid until the sixteenth further call in this thread. */
const char *pb_visible(const char *text);

/* The same into `out`, which has `room` >= 1 bytes; what does not fit is left out, whole characters at a time. */
void pb_visible_copy(char *out, size_t room, const char *text);

/* Writes the visible form of the first character of s, which has n >= 1 bytes, as a text into `out`.  Returns how many
 * bytes of s that character has; a byte that is not UTF-8 counts as one. */
enum { PB_WIDEST_VISIBLE = 8 }; /* bytes of the longest visible form of a character, with its NUL */
size_t pb_visible_character(const unsigned char *s, size_t n, char out[PB_WIDEST_VISIBLE]);

/* How many bytes the first `most` characters of `text` have, or all of them if there are no more: for "%.*s", which by
 * itself counts bytes and cuts a character in two. */
int pb_characters(const char *text, int most);

/* Called once, before anything is written.  If standard output is a terminal, all that the program writes to stdout
 * from now on is made visible, but for line ends and tabs; if it is a file or a pipe, it stays as it is. */
void pb_visible_terminal(void);

/* From now on this thread reads and writes numbers with a decimal point, whatever the locale of the process is or
 * becomes (a plugin may call setlocale).  Every thread of the program does this when it starts, and pb_format() and
 * pb_text_add() before they write. */
void pb_plain_numbers(void);

/* ---- hash, clock, files ------------------------------------------------------------------ */

/* FNV-1a, for tables in memory: not against anyone who chooses the bytes. */
uint64_t pb_hash(const void *bytes, size_t n);

/* SHA-256 as 64 lower-case hex digits and a NUL. */
typedef struct pb_digest {
    char hex[65];
} pb_digest;

pb_digest pb_sha256(const void *bytes, size_t n);
int pb_sha256_file(const char *path, pb_digest *out); /* -1 with an error if it cannot be read */

/* The name that git gives a file with these bytes (SHA-1 of "blob SIZE", a NUL and the bytes), as 40 lower-case hex
 * digits and a NUL.  -1 with an error if it cannot be read. */
int pb_git_blob_file(const char *path, char hex[41]);

double pb_clock(void);           /* monotonic seconds                                  */
void pb_timestamp(char out[32]); /* now, UTC, "2026-01-31T12:00:00Z"                   */
size_t pb_peak_rss(void);        /* this process' peak resident bytes (getrusage)      */

/* Reads a whole file into a heap buffer with a NUL behind it; caller frees.  NULL with
 * "PATH: cannot read: reason" on failure.  `*size` (may be NULL) excludes the NUL. */
char *pb_read_file(const char *path, size_t *size);

/* Writes a file so that it is either complete or absent (temporary name, fsync, rename). */
int pb_write_file(const char *path, const void *bytes, size_t n);

int pb_make_dirs(const char *path);    /* mkdir -p; -1 with an error                          */
void pb_remove_tree(const char *path); /* a folder of ours with all that is in it             */
bool pb_file_exists(const char *path);

/* Does the text end in `end`; the second takes capital and small letters of ASCII for the same. */
bool pb_ends_in(const char *text, const char *end);
bool pb_ends_in_any_case(const char *text, const char *end);

#endif
