/* fetch: models and data sets from a Hugging Face hub or a URL.  Floor 6; fetch.c is the only includer
 * of libcurl. */
#ifndef PB_FETCH_H
#define PB_FETCH_H

#include "base/base.h"

/* Obtains `name` into the folder `dir` (NULL: models/NAME or data/NAME):
 *   org/name[@revision][:file]            a model of the hub: what is needed to run it
 *   datasets/org/name[@revision][:file]   a data set: its TSV, CSV and JSON Lines files, or, if it has none, its
 *                                         Parquet files, and their rows as JSON Lines beside them
 *   https://..  file://..  http://localhost..   one file
 * HF_ENDPOINT names another hub; HF_TOKEN is shown to it and to nobody else.  What is there and has
 * the SHA-256 recorded in DIR/SHA256SUMS is not fetched again; half a file waits as NAME.part and is
 * gone on with.  Returns 0, 1 if the world failed (network, hash, disk), 2 if the question is wrong;
 * with an error. */
int pb_fetch(const char *name, const char *dir, bool quiet);

#endif
