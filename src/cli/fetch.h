/* fetch: downloads models and data sets from a Hugging Face hub or a URL. */
#ifndef PB_FETCH_H
#define PB_FETCH_H

#include "base/base.h"

/* Downloads `name` into the folder `dir` (NULL: models/NAME or data/NAME):
 *   org/name[@revision][:file]            a model of the hub: the files that are needed to run it
 *   datasets/org/name[@revision][:file]   a data set: its TSV, CSV and JSON Lines files or, if it has none, its Parquet
 *                                         files and their rows as JSON Lines beside them
 *   https://..  file://..  http://localhost..   one file
 * The environment variable HF_ENDPOINT names another hub.  HF_TOKEN is sent to the hub's origin only.
 *
 * A file is not downloaded again if it exists and has the hash that the hub states or, where the hub states none, the
 * SHA-256 that DIR/SHA256SUMS records for the same URL.  An incomplete download is kept as NAME.part and continued if
 * the server still has the same file.  Size and hash of a download are compared with what the hub states.  Two
 * downloads into the same folder wait for each other.
 *
 * Returns 0 on success, 1 with an error if network, disk or hash failed, and 2 with an error if `name` is invalid.
 * `quiet` suppresses the progress on standard error. */
int pb_fetch(const char *name, const char *dir, bool quiet);

#endif
