/* serving: what it costs to serve many adapters on one base, measured. */
#ifndef PB_SERVING_H
#define PB_SERVING_H

#include "train/encoded.h"
#include "train/measure.h"

/* Measures `count` adapters on one base: copies of the adapter in DIR, each in separate memory, on the base model
 * `m`, which has a head of the adapter's size and no method.  `merged` is the model with the adapter folded in.  Puts
 * these results, each with .nCOUNT behind its key and the process as its step:
 *   serving.adapter_bytes  bytes of one adapter (from process 0, for the whole run)
 *   serving.load_ms        milliseconds to read one adapter
 *   serving.switch_ms      median latency of one text when each request is for another adapter, minus that when all are
 *                          for the same one
 * and the samples serving.mixed and serving.merged: seconds of whole passes of 32 texts, each for another adapter,
 * and of the same texts through `merged`.  Returns -1 with an error. */
int pb_measure_serving(pb_model *m, pb_model *merged, const char *dir, int count, const pb_encoded *data,
                       const pb_rounds *rounds, pb_result *out);

#endif
