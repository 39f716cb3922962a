/* transfer: one file or text from a server.  transfer.c is the only includer of libcurl.
 *
 * A server is not believed: it may send a web page in place of a file, too little, without end, or another version
 * behind the half that is there.  The hub's token is shown to the hub's own origin (scheme, host and port) only. */
#ifndef PB_TRANSFER_H
#define PB_TRANSFER_H

#include "base/base.h"

typedef struct pb_transfer {
    const char *url;
    const char *name;     /* for progress and messages                                               */
    const char *hub;      /* the hub's URL; NULL: none                                               */
    const char *token;    /* for the hub; NULL or "": none                                           */
    const char *identity; /* the hash of the whole file, in any form, as the hub says it; "": unknown */
    long long size;       /* bytes of the whole file, as the hub says it; -1: unknown                */
    bool quiet;
} pb_transfer;

/* Call both once a program, around all others. */
void pb_transfer_start(void);
void pb_transfer_stop(void);

/* Is the URL https://, file:/// or http:// of this machine (localhost, 127.0.0.1, [::1]), without a user's name or
 * password in it? */
bool pb_url_is_allowed(const char *url);

/* Appends the bytes of `name` so that they can stand in a URL's path; '/' stays if `keep_slashes`. */
void pb_url_escape(pb_text *out, const char *name, bool keep_slashes);

/* Appends what the URL holds, at most 64 MB.  -1 with an error. */
int pb_transfer_text(const pb_transfer *t, pb_text *out);

/* Writes what the URL holds into the file `part`.  If an earlier call left half of it there, only the rest is asked
 * for, provided that it is the rest of the same file: PART.from holds the identity, or the ETag that the server gave,
 * and it must be the same.  Otherwise the whole is asked for.  -1 with an error; what came stays for the next call. */
int pb_transfer_file(const pb_transfer *t, const char *part);

/* Removes the file and what is known of it. */
void pb_transfer_forget(const char *part);

#endif
