/* adapter_base: what an adapter has in place of the base's own: whole modules, biases, rows of tables, a vocabulary of
 * another length. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter_load.h"

/* ---- parameters that change ------------------------------------------------------------------------------- */

static bool is_transposed(const pb_loading *l, const pb_param *p)
{
    return l->m->config.family->conv1d && p->kind == PB_MATRIX && p->layer >= 0;
}

/* A tensor for a parameter that has one already must say the same. */
static int put(pb_loading *l, pb_param *p, const pb_array *t, bool again)
{
    pb_param other = *p;
    if (!again)
        return pb_loading_copy(l, p, t, is_transposed(l, p));
    other.x = pb_alloc((size_t)p->rows * (size_t)p->cols * sizeof *other.x);
    int rc = pb_loading_copy(l, &other, t, is_transposed(l, p));
    if (!rc && memcmp(other.x, p->x, (size_t)p->rows * (size_t)p->cols * sizeof *other.x) != 0)
        rc = pb_error("%s: '%s': differs from another tensor for the same weights of this model", l->a->file_path,
                      t->name);
    free(other.x);
    return rc;
}

/* ---- a vocabulary of another length -------------------------------------------------------------------------- */

/* The table that the file has for a module, as a whole; NULL: none. */
static const pb_array *whole_table(const pb_loading *l, const pb_module *mod)
{
    const pb_array *t =
        pb_weights_find(l->a->weights, pb_arena_format(l->m->arena, "base_model.model.%s.weight", mod->local));
    return t ? t
             : pb_weights_find(l->a->weights,
                               pb_arena_format(l->m->arena, "base_model.model.%s.base_layer.weight", mod->local));
}

static void make_room(pb_loading *l, pb_param *p, int rows, int cols)
{
    p->rows = rows;
    p->cols = cols;
    p->packed = NULL;
    p->x = pb_arena_alloc(l->m->arena, PB_WEIGHTS, (size_t)rows * (size_t)cols * sizeof *p->x);
}

/* Ids beyond the base's vocabulary come from the tokenizer beside the adapter. */
static int take_tokenizer(pb_loading *l)
{
    char *path = pb_format("%s/tokenizer.json", l->a->dir);
    bool there = pb_file_exists(path);
    pb_tokenizer *own_tokenizer = there ? pb_tokenizer_open(l->a->dir) : NULL;
    free(path);
    if (own_tokenizer) {
        pb_tokenizer_close(l->m->tokenizer);
        l->m->tokenizer = own_tokenizer;
    }
    return there && !own_tokenizer ? -1 : 0;
}

static int resize_head(pb_loading *l, const pb_module *out, int rows)
{
    const pb_array *t = whole_table(l, out);
    const char *bias = pb_arena_format(l->m->arena, "base_model.model.%s.bias", out->local);
    if (!pb_loading_is_tied(l) && !t)
        return pb_error("%s: %d words, but no tensor 'base_model.model.%s.weight' of as many", l->a->file_path, rows,
                        out->local);
    if (out->b && !pb_weights_find(l->a->weights, bias))
        return pb_error("%s: %d words, but no tensor '%s' of as many", l->a->file_path, rows, bias);
    if (!pb_loading_is_tied(l))
        make_room(l, out->w, rows, out->w->cols);
    if (out->b)
        make_room(l, out->b, 1, rows);
    return 0;
}

int pb_loading_resize_vocabulary(pb_loading *l)
{
    const pb_module *word = NULL, *out = NULL;
    for (size_t i = 0; i < l->modules; i++) {
        word = l->module[i].is_word_embedding ? &l->module[i] : word;
        out = l->module[i].is_lm_head ? &l->module[i] : out;
    }
    const pb_array *t = word ? whole_table(l, word) : NULL;
    if (!t || t->dims != 2 || t->shape[0] == word->w->rows || t->shape[0] < 1 || t->shape[0] > 1 << 24)
        return 0;
    int rows = (int)t->shape[0];
    if (l->m->shapes_only)
        return pb_error("%s: a vocabulary of %d words needs the base's weights", l->a->file_path, rows);
    if (out && resize_head(l, out, rows))
        return -1;
    make_room(l, word->w, rows, word->w->cols);
    l->m->config.vocab = rows;
    l->resized = true;
    return take_tokenizer(l);
}

/* ---- whole tensors ---------------------------------------------------------------------------------------------- */

typedef enum level { SHARED, ALONE } level; /* the base's own weight, or a copy that one module has in its place */

/* The module and which of its two parameters a tensor is, from its name without what PEFT adds; NULL: none. */
static pb_module *module_named(pb_loading *l, const char *name, bool *bias)
{
    const char *dot = strrchr(name, '.');
    *bias = dot && !strcmp(dot, ".bias");
    for (size_t i = 0; i < l->modules; i++) {
        pb_module *mod = &l->module[i];
        size_t n = strlen(mod->local);
        bool own_name = dot && n == (size_t)(dot - name) && !strncmp(mod->local, name, n) &&
                        (*bias ? mod->b != NULL : !strcmp(dot, ".weight"));
        const char *other = mod->is_lm_head ? l->m->config.family->masked.bias : NULL; /* "cls.predictions.bias" */
        if (own_name || (*bias && other && !strcmp(name, other)))
            return mod;
    }
    return NULL;
}

/* On which level a whole weight or bias belongs; -1 with an error if the config does not speak of it. */
static int level_of(const pb_loading *l, const pb_module *mod, bool bias, bool base_layer, const pb_array *t)
{
    char *mode = pb_adapter_value(l->a, "bias");
    bool all = mode && !strcmp(mode, "all"), some = all || (mode && !strcmp(mode, "lora_only"));
    bool norms = l->peft->layout == PB_PEFT_NORMS && mod->targeted;
    free(mode);
    if (norms || (mod->saved && !base_layer))
        return pb_loading_stays_tied(l, mod) ? SHARED : ALONE;
    if (bias && (all || (some && mod->targeted)))
        return SHARED;
    if ((bias ? l->resized && mod->is_lm_head : mod->is_word_embedding || mod->is_lm_head) &&
        base_layer == mod->targeted)
        return SHARED;
    return pb_error("%s: '%s': adapter_config.json says nothing of it: neither modules_to_save nor bias",
                    l->a->file_path, t->name);
}

/* `name` without `part`. */
static char *without(pb_arena *arena, const char *name, const char *part)
{
    const char *at = strstr(name, part);
    return at ? pb_arena_format(arena, "%.*s%s", (int)(at - name), name, at + strlen(part))
              : pb_arena_strdup(arena, name);
}

/* What PEFT leaves of a wrapped module beside the clean name: the base's, and the same once more. */
static bool is_left_over(const char *name)
{
    return strstr(name, ".original_module.") || strstr(name, ".modules_to_save.");
}

static int put_whole(pb_loading *l, pb_module *mod, bool bias, int where, const pb_array *t)
{
    pb_param *p = bias ? mod->b : where == ALONE ? pb_loading_untied_weight(l, mod) : mod->w;
    bool again = mod->given[bias];
    for (size_t i = 0; !again && !bias && i < l->modules; i++)
        again = l->module[i].w == p && l->module[i].given[0];
    pb_loading_make_writable(l, p);
    mod->given[bias] = true;
    return put(l, p, t, again);
}

static int take_whole(pb_loading *l, size_t i, level wanted)
{
    const pb_array *t = pb_weights_at(l->a->weights, i);
    pb_arena *arena = l->m->arena;
    const char *name = without(arena, without(arena, t->name, "base_model.model."), "base_model.");
    name = without(arena, name, l->peft->layout == PB_PEFT_NORMS ? ".ln_tuning_layers" : "\n");
    bool base_layer = strstr(name, ".base_layer.") != NULL, bias = false;
    pb_module *mod = is_left_over(name) ? NULL : module_named(l, without(arena, name, ".base_layer"), &bias);
    int where = mod ? level_of(l, mod, bias, base_layer, t) : -2;
    if (where == -1)
        return -1;
    if (where != (int)wanted)
        return 0;
    l->used[i] = true;
    return put_whole(l, mod, bias, where, t);
}

static int take_level(pb_loading *l, level wanted)
{
    for (size_t i = 0; i < pb_weights_count(l->a->weights); i++)
        if (!l->used[i] && take_whole(l, i, wanted))
            return -1;
    return 0;
}

/* A bias of every module, a bias of the targeted ones, and all of a module that is saved: nothing may be lost. */
static int check_given(const pb_loading *l)
{
    char *mode = pb_adapter_value(l->a, "bias");
    bool all = mode && !strcmp(mode, "all"), some = all || (mode && !strcmp(mode, "lora_only"));
    free(mode);
    for (size_t i = 0; i < l->modules; i++) {
        const pb_module *mod = &l->module[i];
        bool whole = mod->saved || (l->peft->layout == PB_PEFT_NORMS && mod->targeted);
        bool bias = mod->b && (whole || all || (some && mod->targeted));
        if ((whole && !mod->given[0]) || (bias && !mod->given[1]))
            return pb_error("%s: no %s of '%s', which %s of adapter_config.json asks for", l->a->file_path,
                            whole && !mod->given[0] ? "weight" : "bias", mod->local,
                            mod->saved ? "modules_to_save"
                            : whole    ? "target_modules"
                                       : "bias");
    }
    return 0;
}

/* ---- rows of tables: trainable_token_indices ------------------------------------------------------------ */

typedef struct search {
    const char *name; /* a module's */
    const pb_json *found;
} search;

static int see_key(void *ctx, const char *key, const pb_json *value)
{
    search *s = ctx;
    s->found = pb_ends_in(s->name, key) ? value : NULL;
    return s->found != NULL;
}

/* The ids whose rows the config says are replaced at a module; NULL: none. */
static const pb_json *ids_of(const pb_loading *l, const pb_module *mod)
{
    const pb_json *v = pb_json_get(l->config, "trainable_token_indices");
    search s = {mod->local, NULL};
    if (pb_json_is_array(v))
        return mod->is_word_embedding ? v : NULL;
    pb_json_each(v, see_key, &s);
    return s.found;
}

#define ROWS "token_adapter.trainable_tokens_delta"

static bool has_rows(const pb_loading *l, const pb_module *mod)
{
    return pb_weights_find(l->a->weights, pb_arena_format(l->m->arena, "base_model.model.%s." ROWS, mod->local));
}

static int put_rows(pb_loading *l, const pb_module *mod, const pb_json *ids, pb_param *p)
{
    const pb_array *t = pb_loading_module_tensor(l, mod, ROWS);
    if (!pb_json_is_array(ids) || t->dims != 2 || t->shape[1] != p->cols || (size_t)t->shape[0] != pb_json_size(ids))
        return pb_error("%s: trainable_token_indices: want a list of ids, one for each row of '%s'", l->a->config_path,
                        t->name);
    for (size_t i = 0; i < pb_json_size(ids); i++) {
        long long id = pb_json_integer(pb_json_at(ids, i), -1);
        if (id < 0 || id >= p->rows)
            return pb_error("%s: trainable_token_indices: want ids 0..%d", l->a->config_path, p->rows - 1);
        if (pb_array_reals(t, i * (size_t)p->cols, (size_t)p->cols, p->x + (size_t)id * (size_t)p->cols))
            return -1;
    }
    return 0;
}

/* The rows of a table that is the logits' too are replaced for both, unless those have rows of their own. */
static int take_rows(pb_loading *l, pb_module *mod, bool output_has_rows)
{
    const pb_json *ids = ids_of(l, mod);
    bool there = has_rows(l, mod), both = mod->is_word_embedding && pb_loading_is_tied(l) && !output_has_rows;
    if (!there && ids && !(mod->is_lm_head && pb_loading_is_tied(l)))
        return pb_error("%s: no tensor 'base_model.model.%s." ROWS "'", l->a->file_path, mod->local);
    if (!there)
        return 0;
    if (!ids || mod->targeted || mod->saved)
        return pb_error("%s: trainable_token_indices: want ids for '%s', and nothing else about it", l->a->config_path,
                        mod->local);
    for (size_t i = 0; i < l->modules; i++) /* PEFT then computes another update than it saved */
        if (mod->is_word_embedding && l->was_tied && l->module[i].is_lm_head && l->module[i].targeted)
            return pb_error(
                "%s: trainable_token_indices: of a table that is '%s' as well, which is targeted: not supported",
                l->a->config_path, l->module[i].local);
    if ((both || mod->is_lm_head) && l->m->head_b)
        return pb_error(
            "%s: trainable_token_indices: of a head with a bias, which PEFT leaves out before merging and adds "
            "behind it: not supported",
            l->a->config_path);
    if (both)
        pb_loading_make_writable(l, mod->w);
    return put_rows(l, mod, ids, both ? mod->w : pb_loading_untied_weight(l, mod));
}

static int take_all_rows(pb_loading *l)
{
    bool output_has_rows = false;
    for (size_t i = 0; i < l->modules; i++)
        output_has_rows = output_has_rows || (l->module[i].is_lm_head && has_rows(l, &l->module[i]));
    for (size_t i = 0; i < l->modules; i++)
        if (l->module[i].kind != PB_MODULE_NORM && take_rows(l, &l->module[i], output_has_rows))
            return -1;
    return 0;
}

/* ---- what is left ---------------------------------------------------------------------------------------- */

/* With bias = all, and beside a longer vocabulary, PEFT writes a wrapped module two times more; `again` holds its
 * values, the other the base's. */
static bool is_harmless(const pb_loading *l, const char *name)
{
    char *mode = pb_adapter_value(l->a, "bias");
    bool writes = l->resized || (mode && !strcmp(mode, "all"));
    free(mode);
    return writes && is_left_over(name);
}

static int check_rest(const pb_loading *l)
{
    pb_text homeless = {0};
    for (size_t i = 0; i < pb_weights_count(l->a->weights); i++) {
        const char *name = pb_weights_at(l->a->weights, i)->name;
        if (!l->used[i] && !is_harmless(l, name))
            pb_text_add(&homeless, "%s'%s'", homeless.length ? ", " : "", name);
    }
    int rc = homeless.length ? pb_error("%s: no place in a %s with %s for %s", l->a->file_path, pb_model_family(l->m),
                                        l->a->method->name, homeless.data)
                             : 0;
    pb_text_free(&homeless);
    return rc;
}

int pb_loading_replace_base(pb_loading *l)
{
    return take_level(l, SHARED) || pb_loading_subtract_initial(l) || pb_loading_fold_updates(l) ||
                   take_level(l, ALONE) || take_all_rows(l) || check_given(l) || check_rest(l)
               ? -1
               : 0;
}
