/* serving: what it costs to serve many adapters on one base, measured. */
#ifndef PB_SERVING_H
#define PB_SERVING_H

#include "train/encoded.h"
#include "train/measure.h"

/* Loads `count` copies of the adapter in DIR, each into memory of its own, onto the base model `m` and
 * puts, with .nCOUNT behind each key and the process as its step: serving.adapter_bytes (of one; process 0, of the
 * whole run), serving.load_ms (reading one),
 * serving.switch_ms (median latency of one text a request when every request is for another adapter,
 * less that when all are for the same), and samples serving.mixed and serving.merged: whole passes of
 * 32 texts, each for another adapter, beside the same texts in `merged`, the model with the adapter
 * folded in.  m has a head of the adapter's size and no method.  -1 with an error. */
int pb_measure_serving(pb_model *m, pb_model *merged, const char *dir, int count, const pb_encoded *f,
                       const pb_rounds *rounds, pb_result *out);

#endif
