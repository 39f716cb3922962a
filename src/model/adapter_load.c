/* adapter_load: see adapter_load.h. */
#include "model/adapter_load.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------------------------- */

int pb_loading_config_error(const pb_loading *l, const char *key)
{
    return pb_error_prefix("%s: %s", l->a->config_path, key);
}

const pb_array *pb_loading_tensor(pb_loading *l, const char *name)
{
    const pb_array *t = pb_weights_find(l->a->weights, name);
    for (size_t i = 0; t && i < pb_weights_count(l->a->weights); i++)
        l->used[i] |= pb_weights_at(l->a->weights, i) == t;
    return t;
}

const pb_array *pb_loading_module_tensor(pb_loading *l, const pb_module *mod, const char *end)
{
    return end ? pb_loading_tensor(l, pb_arena_format(l->m->arena, "base_model.model.%s.%s", mod->local, end)) : NULL;
}

const char *pb_loading_tensor_name(const pb_module *mod, const pb_peft_tensor *t)
{
    return t->copies                          ? t->copies
           : t->of_model && !t->part          ? NULL
           : mod->kind == PB_MODULE_EMBEDDING ? t->embedding
                                              : t->theirs;
}

pb_site pb_loading_site(const pb_module *mod)
{
    if (mod->site)
        return *mod->site;
    bool embedding = mod->kind == PB_MODULE_EMBEDDING; /* PEFT's update of a table is one of its transpose */
    return (pb_site){.number = -1,
                     .layer = -1,
                     .role = mod->local,
                     .in = embedding ? mod->w->rows : mod->w->cols,
                     .out = embedding ? mod->w->cols : mod->w->rows,
                     .w = mod->w,
                     .b = mod->b,
                     .module = mod->name};
}

pb_param *pb_loading_find_param(const pb_loading *l, const pb_module *mod, const char *name)
{
    pb_site site = pb_loading_site(mod);
    return pb_params_find_added(l->m, l->a->method, &site, name);
}

bool pb_loading_is_tied(const pb_loading *l)
{
    pb_head head = l->m->head;
    return (head == PB_HEAD_CAUSAL || head == PB_HEAD_MASKED) && l->m->head_w == l->m->word;
}

bool pb_loading_stays_tied(const pb_loading *l, const pb_module *mod)
{
    const char *last = strrchr(mod->local, '.') ? strrchr(mod->local, '.') + 1 : mod->local;
    return (mod->is_word_embedding || mod->is_lm_head) && pb_loading_is_tied(l) &&
           pb_adapter_flag(l->a, "ensure_weight_tying") && (!strcmp(last, "embed_tokens") || !strcmp(last, "lm_head"));
}

/* ---- changing the model's parameters -------------------------------------------------------------------------- */

int pb_loading_copy(const pb_loading *l, pb_param *p, const pb_array *t, bool transposed)
{
    int rows = transposed ? p->cols : p->rows, cols = transposed ? p->rows : p->cols;
    size_t count = (size_t)rows * (size_t)cols;
    bool same = t->dims == 2 && t->shape[0] == rows && t->shape[1] == cols;
    bool vector = p->rows == 1 && t->count == count && (t->dims == 1 || (t->dims == 2 && t->shape[1] == 1));
    if (!same && !vector)
        return pb_error("%s: '%s': want shape [%d,%d]", l->a->file_path, t->name, rows, cols);
    p->drawn = false;
    if (!transposed)
        return pb_array_reals(t, 0, t->count, p->x);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            if (pb_array_reals(t, (size_t)i * (size_t)cols + (size_t)j, 1, &p->x[(size_t)j * (size_t)rows + (size_t)i]))
                return -1;
    return 0;
}

void pb_loading_make_writable(pb_loading *l, pb_param *p)
{
    if (!p->trainable)
        pb_checkpoint_make_writable(l->m, p);
    p->trainable = true;
}

pb_param *pb_loading_new_param(pb_loading *l, const char *name, const char *origin, pb_kind kind, int layer, int rows,
                               int cols)
{
    pb_param *p = pb_params_add(l->m, name, origin, kind, layer, rows, cols);
    p->x = pb_arena_alloc(l->m->arena, PB_WEIGHTS, (size_t)rows * (size_t)cols * sizeof *p->x);
    p->trainable = true;
    return p;
}

/* Gives the logits a copy of the table that they shared with the words. */
static void untie(pb_loading *l)
{
    pb_param *word = l->m->word;
    const char *out = l->m->config.family->masked.out;
    pb_param *head = pb_loading_new_param(l, "lm.weight", pb_arena_format(l->m->arena, "%s.weight", out), PB_MATRIX, -1,
                                          word->rows, word->cols);
    pb_param_values(word, 0, word->rows, 0, word->cols, head->x);
    l->m->head_w = head;
    for (size_t i = 0; i < l->modules; i++)
        if (l->module[i].is_lm_head)
            l->module[i].w = head;
}

pb_param *pb_loading_untied_weight(pb_loading *l, pb_module *mod)
{
    if ((mod->is_word_embedding || mod->is_lm_head) && pb_loading_is_tied(l))
        untie(l);
    pb_loading_make_writable(l, mod->w);
    return mod->w;
}
