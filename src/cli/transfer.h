/* transfer: downloads one file or text from a server.  transfer.c is the only file that includes libcurl.
 *
 * The server is not trusted: it may send a web page instead of a file, too few bytes, bytes without end, or another
 * version of a file than the part that was downloaded before.  The hub's token is sent to the hub's own origin
 * (scheme, host and port) only. */
#ifndef PB_TRANSFER_H
#define PB_TRANSFER_H

#include "base/base.h"

typedef struct pb_transfer {
    const char *url;
    const char *name;     /* of the file, in progress and messages                                    */
    const char *hub;      /* the URL of the hub; NULL if there is none                                */
    const char *token;    /* for the hub; NULL or "" if there is none                                 */
    const char *identity; /* the hash of the whole file as the hub states it; "" if it is not known   */
    long long size;       /* bytes of the whole file as the hub states it; -1 if it is not known      */
    bool quiet;           /* no progress on standard error                                            */
} pb_transfer;

/* Initialize libcurl and release it.  The program calls each once, before and after all other functions. */
void pb_transfer_start(void);
void pb_transfer_stop(void);

/* Returns whether a URL is https://, file:/// or http:// of this machine (localhost, 127.0.0.1, [::1]), without a user
 * name or password in it. */
bool pb_url_is_allowed(const char *url);

/* Appends `name` with percent-encoding for the path of a URL.  A '/' is kept if `keep_slashes` is true. */
void pb_url_escape(pb_text *out, const char *name, bool keep_slashes);

/* Appends the contents of the URL, at most 64 MB.  Returns -1 with an error. */
int pb_transfer_text(const pb_transfer *t, pb_text *out);

/* Downloads the URL into the file `part`.  If an earlier call left a part of it there, only the rest is requested,
 * provided that it belongs to the same file: PART.from holds the identity or the ETag of the server, which must be the
 * same. Otherwise the whole file is requested.  Returns -1 with an error; the bytes received are kept for the next
 * call. */
int pb_transfer_file(const pb_transfer *t, const char *part);

/* Removes the file `part` and its PART.from. */
void pb_transfer_forget(const char *part);

#endif
