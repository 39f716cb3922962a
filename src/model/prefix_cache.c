/* prefix_cache: prefix caching: the keys and values of a prefix of every text, computed once. */
#include "model/decode_step.h"
#include "model/internal.h"

int pb_model_cache_prefix(pb_model *m, const int *ids, int n)
{
    pb_model_drop_prefix(m);
    if (!m->config.family->causal || m->multi_adapter)
        return pb_error("a prefix can be cached in a causal model without a multi-adapter only");
    if (n < 1 || n >= pb_model_max_tokens(m))
        return pb_error("a prefix of %d tokens, want 1..%d, so that a text can follow", n, pb_model_max_tokens(m) - 1);
    pb_kv_cache *cache = pb_kv_cache_new(m);
    pb_kv_cache_begin(cache, NULL, n);
    pb_decode_step *step = pb_decode_step_new(m);
    int rc = pb_decode_step_run(step, 1, &(pb_decode_input){cache, ids, n}) ? 0 : -1;
    pb_decode_step_free(step);
    if (rc) {
        pb_kv_cache_free(cache);
        return -1;
    }
    m->cached_prefix = cache;
    for (int i = 0; i < n; i++)
        pb_ids_add(&m->cached_prefix_ids, ids[i]);
    return 0;
}

void pb_model_drop_prefix(pb_model *m)
{
    pb_kv_cache_free(m->cached_prefix);
    pb_ids_free(&m->cached_prefix_ids);
    m->cached_prefix = NULL;
}
