/* fetch: models and data sets from a Hugging Face hub or a URL. */
#ifndef PB_FETCH_H
#define PB_FETCH_H

#include "base/base.h"

/* Obtains `name` into the folder `dir` (NULL: models/NAME or data/NAME):
 *   org/name[@revision][:file]            a model of the hub: what is needed to run it
 *   datasets/org/name[@revision][:file]   a data set: its TSV, CSV and JSON Lines files, or, if it has none, its
 *                                         Parquet files, and their rows as JSON Lines beside them
 *   https://..  file://..  http://localhost..   one file
 * HF_ENDPOINT names another hub; HF_TOKEN is shown to its origin and to nobody else.  A file that is there and has
 * the hash that the hub says, or where the hub says none the SHA-256 that DIR/SHA256SUMS records for the same URL, is
 * not fetched again.  Half a file waits as NAME.part and is gone on with if it is still half of what the server has.
 * What comes is held to the size and the hash that the hub says.  Two fetches into one folder wait for each other.
 * Returns 0, 1 if the world failed (network, hash, disk), 2 if the question is wrong;
 * with an error. */
int pb_fetch(const char *name, const char *dir, bool quiet);

#endif
