/* base: errors, warnings, memory, text, hashes, clock and files.  Only the C library and libmd are needed.
 *
 * There are three kinds of failure, and each has one way to be reported:
 *   invalid input, or a failing system   return pb_error("lora.ini:12: rank: want 1..64, got 0"), which is -1
 *   a broken invariant of the program    PB_BUG("gradient of a frozen leaf") or PB_CHECK(condition), which abort
 *   exhausted memory                     pb_alloc() does not return; the program exits with status 2
 *
 * The functions are in error.c, memory.c, visible.c, terminal.c and system.c. */
#ifndef PB_BASE_H
#define PB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PB_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define PB_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Returns the smaller of two numbers. */
static inline int pb_min(int a, int b)
{
    return a < b ? a : b;
}

/* Returns the smaller of two sizes. */
static inline size_t pb_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The floating-point type of the engine.  `make REAL=double` compiles it as double, which makes finite differences
 * accurate.  Files and the database always hold 32-bit floats. */
#ifdef PB_REAL_DOUBLE
typedef double pb_real;
#else
typedef float pb_real;
#endif

/* ---- errors -------------------------------------------------------------------------- */

/* Formats a message, makes it visible (see pb_visible) and stores it as the pending error of this thread.  If an error
 * is pending already, the message is dropped: the first error is the cause, later ones are consequences.  Returns -1.
 */
int pb_error(const char *fmt, ...) PB_PRINTF(1, 2);

/* Returns the text of this thread's pending error, or "" if there is none.  The text belongs to the module and is valid
 * until this thread calls pb_error_clear. */
const char *pb_error_text(void);

/* Clears the pending error of this thread.  Tests call it, and the driver before each cell. */
void pb_error_clear(void);

/* Puts a text formatted as by printf, and ": ", before the text of the pending error.  Returns -1. */
int pb_error_prefix(const char *fmt, ...) PB_PRINTF(1, 2);

/* Reports a broken invariant with its source location and aborts.  It is active in every build. */
_Noreturn void pb_bug(const char *file, int line, const char *fmt, ...) PB_PRINTF(3, 4);
#define PB_BUG(...) pb_bug(__FILE__, __LINE__, __VA_ARGS__)
#define PB_CHECK(cond) ((cond) ? (void)0 : PB_BUG("broken invariant: %s", #cond))

/* Writes "peftbench: warning: MESSAGE" to standard error.  Messages go to standard error, results to standard output.
 */
void pb_warn(const char *fmt, ...) PB_PRINTF(1, 2);

/* Writes "peftbench: out of memory: WHERE" to standard error and exits with status 2. */
_Noreturn void pb_no_memory(const char *where);

/* ---- memory on the heap --------------------------------------------------------------------- */

/* The caller releases what these functions return with free().  None of them returns NULL: the program exits with
 * pb_no_memory when memory is exhausted. */

/* Returns `bytes` zeroed bytes. */
void *pb_alloc(size_t bytes);

/* Resizes an allocation as realloc does.  The bytes beyond the old size are undefined. */
void *pb_realloc(void *old, size_t bytes);

/* Returns a copy of a text. */
char *pb_strdup(const char *text);

/* Returns a text formatted as by printf, always with a decimal point. */
char *pb_format(const char *fmt, ...) PB_PRINTF(1, 2);

/* Grows an array so that index `count` is valid.  `array` is the address of the pointer to the first of the items,
 * `item` is the size of an item in bytes.  `*capacity`, in items, starts at 0 with a NULL array and doubles. */
void pb_grow(void *array, size_t count, size_t *capacity, size_t item);

/* ---- text builder ----------------------------------------------------------------------- */

/* A text that grows; it starts as {0}. */
typedef struct pb_text {
    char *data; /* NULL before anything is added, then always NUL-terminated; owned */
    size_t length, capacity;
} pb_text;

/* Append a text formatted as by printf, always with a decimal point, and n bytes, which may contain NUL. */
void pb_text_add(pb_text *t, const char *fmt, ...) PB_PRINTF(2, 3);
void pb_text_bytes(pb_text *t, const void *bytes, size_t n);

/* Appends a number in the fewest digits, 6 or more where it needs them, that read back as the same number. */
void pb_text_real(pb_text *t, double value);

/* Frees the text and leaves an empty builder, which can be used again. */
void pb_text_free(pb_text *t);

/* Returns whether `text` begins with `start`. */
bool pb_begins_with(const char *text, const char *start);

/* Return whether `text` ends in `end`.  The second function does not distinguish ASCII's upper and lower case. */
bool pb_ends_in(const char *text, const char *end);
bool pb_ends_in_any_case(const char *text, const char *end);

/* Removes the characters of `blank` at the ends of a text in place, and returns where it then begins. */
char *pb_trim(char *text, const char *blank);

/* ---- foreign text on a terminal ----------------------------------------------------------- */

/* Names from models, data sets, databases, servers and experiment files may contain bytes that control a terminal.  The
 * visible form of a text replaces them: control characters (C0, DEL, C1), marks that change the direction of text and
 * line separators become \u001b (\n, \t and \r as in C), and a byte that is not UTF-8 becomes \xff.  The visible form
 * of a visible form is the same text.  pb_error and pb_warn apply it to the whole message. */

/* Returns the visible form of `text`: `text` itself if nothing has to be replaced, otherwise a copy.  The copy belongs
 * to the module and is valid until this thread has called the function sixteen more times. */
const char *pb_visible(const char *text);

/* Writes the visible form of `text` into `out`, which has `room` >= 1 bytes.  If it does not fit, it is cut after a
 * whole character. */
void pb_visible_copy(char *out, size_t room, const char *text);

/* Writes the visible form of the first character of s, which has n >= 1 bytes, as a text into `out`.  Returns how many
 * bytes of s that character has; a byte that is not UTF-8 counts as one. */
enum { PB_WIDEST_VISIBLE = 8 }; /* bytes of the longest visible form of a character, with its NUL */
size_t pb_visible_character(const unsigned char *s, size_t n, char out[PB_WIDEST_VISIBLE]);

/* Returns the number of bytes in the first `most` characters of `text`, or in all of it if it has fewer.  It serves as
 * the precision of "%.*s", which counts bytes and could otherwise cut a character in two. */
int pb_characters(const char *text, int most);

/* Call once, before anything is written.  If standard output is a terminal, everything that the program writes to
 * stdout afterwards is made visible, except for line ends and tabs.  A file or a pipe receives the bytes unchanged. */
void pb_visible_terminal(void);

/* From this call on, this thread reads and writes numbers with a decimal point, whatever the locale of the process is
 * or becomes (a plugin may call setlocale).  Every thread of the program calls it when it starts; pb_format and
 * pb_text_add call it before they write. */
void pb_plain_numbers(void);

/* ---- hashes -------------------------------------------------------------------------------- */

/* Returns the FNV-1a hash of n bytes, for hash tables in memory.  It gives no protection against chosen input. */
uint64_t pb_hash(const void *bytes, size_t n);

/* A SHA-256 digest as 64 lower-case hex digits and a NUL. */
typedef struct pb_digest {
    char hex[65];
} pb_digest;

/* Returns the SHA-256 digest of n bytes. */
pb_digest pb_sha256(const void *bytes, size_t n);

/* Computes the SHA-256 digest of a file.  Returns -1 with an error if the file cannot be read. */
int pb_sha256_file(const char *path, pb_digest *out);

/* Computes the object name that git gives a file with these bytes: the SHA-1 of "blob SIZE", a NUL and the bytes, as 40
 * lower-case hex digits and a NUL.  Returns -1 with an error if the file cannot be read. */
int pb_git_blob_file(const char *path, char hex[41]);

/* ---- clock and process ------------------------------------------------------------------------ */

/* Returns the time in seconds of a monotonic clock. */
double pb_clock(void);

/* Writes the current time in UTC, for example "2026-01-31T12:00:00Z". */
void pb_timestamp(char out[32]);

/* Returns the peak resident memory of this process in bytes (getrusage). */
size_t pb_peak_rss(void);

/* ---- files ---------------------------------------------------------------------------------------- */

/* Reads a whole file into a heap buffer with a NUL after the last byte; the caller frees it.  `size`, if not NULL,
 * receives the number of bytes without that NUL.  Returns NULL with "PATH: cannot read: REASON" on failure. */
char *pb_read_file(const char *path, size_t *size);

/* Writes a file so that it is either complete or absent (temporary name, fsync, rename).  Returns -1 with an error on
 * failure. */
int pb_write_file(const char *path, const void *bytes, size_t n);

/* Creates a folder and its parents, as mkdir -p does.  Returns -1 with an error on failure. */
int pb_make_dirs(const char *path);

/* Removes a folder of the program with everything in it.  Errors are ignored. */
void pb_remove_tree(const char *path);

/* Returns whether a file or folder of this name exists. */
bool pb_file_exists(const char *path);

/* Returns PREFIX/share/peftbench/PATH, where this program is PREFIX/bin/NAME, whether or not it exists; NULL if the
 * program is not in a folder bin.  The caller frees it. */
char *pb_installed(const char *path);

/* Finds a file or folder that comes with the program, such as tasks/sentiment.ini or models/pico-encoder.  Returns a
 * copy of the path, unless it is relative, nothing is there, and PREFIX/share/peftbench/PATH exists, where the program
 * is in PREFIX/bin: then that one.  The caller frees it. */
char *pb_find_installed(const char *path);

#endif
