/* adapter_base: replaces values of the base by those of the adapter: whole modules, biases, rows of embedding
 * tables, and a vocabulary of another size. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter_load.h"

/* ---- parameters that change ------------------------------------------------------------------------------- */

static bool is_transposed(const pb_loading *l, const pb_param *p)
{
    return l->m->config.family->conv1d && p->kind == PB_MATRIX && p->layer >= 0;
}

/* Copies a tensor into a parameter.  `again`: another tensor was copied into it before, and the two must be equal. */
static int copy_or_compare(pb_loading *l, pb_param *p, const pb_array *t, bool again)
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

/* ---- a vocabulary of another size -------------------------------------------------------------------------- */

/* The whole table that the file has for a module; NULL if it has none. */
static const pb_array *whole_table(const pb_loading *l, const pb_module *mod)
{
    const pb_array *t =
        pb_weights_find(l->a->weights, pb_arena_format(l->m->arena, "base_model.model.%s.weight", mod->local));
    return t ? t
             : pb_weights_find(l->a->weights,
                               pb_arena_format(l->m->arena, "base_model.model.%s.base_layer.weight", mod->local));
}

static void resize_param(pb_loading *l, pb_param *p, int rows, int cols)
{
    p->rows = rows;
    p->cols = cols;
    p->packed = NULL;
    p->x = pb_arena_alloc(l->m->arena, PB_WEIGHTS, (size_t)rows * (size_t)cols * sizeof *p->x);
}

/* Ids beyond the base's vocabulary come from the tokenizer beside the adapter. */
static int read_tokenizer(pb_loading *l)
{
    char *path = pb_format("%s/tokenizer.json", l->a->dir);
    bool there = pb_file_exists(path);
    pb_tokenizer *tokenizer = there ? pb_tokenizer_open(l->a->dir) : NULL;
    free(path);
    if (tokenizer) {
        pb_tokenizer_close(l->m->tokenizer);
        l->m->tokenizer = tokenizer;
    }
    return there && !tokenizer ? -1 : 0;
}

static int resize_head(pb_loading *l, const pb_module *out, int rows)
{
    const pb_array *t = whole_table(l, out);
    const char *bias = pb_arena_format(l->m->arena, "base_model.model.%s.bias", out->local);
    if (!pb_loading_is_tied(l) && !t)
        return pb_error("%s: a vocabulary of %d tokens, but no tensor 'base_model.model.%s.weight' of that size",
                        l->a->file_path, rows, out->local);
    if (out->b && !pb_weights_find(l->a->weights, bias))
        return pb_error("%s: a vocabulary of %d tokens, but no tensor '%s' of that size", l->a->file_path, rows, bias);
    if (!pb_loading_is_tied(l))
        resize_param(l, out->w, rows, out->w->cols);
    if (out->b)
        resize_param(l, out->b, 1, rows);
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
        return pb_error("%s: a vocabulary of %d tokens needs the base's weights", l->a->file_path, rows);
    if (out && resize_head(l, out, rows))
        return -1;
    resize_param(l, word->w, rows, word->w->cols);
    l->m->config.vocab = rows;
    l->resized = true;
    return read_tokenizer(l);
}

/* ---- whole tensors ---------------------------------------------------------------------------------------------- */

typedef enum level { SHARED, ALONE } level; /* the base's weight, or a copy of it for one module */

/* Finds the module of a tensor by the tensor's name without the parts that PEFT adds.  Returns NULL if there is
 * none. */
static pb_module *module_named(pb_loading *l, const char *name, bool *bias)
{
    const char *dot = strrchr(name, '.');
    *bias = dot && !strcmp(dot, ".bias");
    for (size_t i = 0; i < l->modules; i++) {
        pb_module *mod = &l->module[i];
        size_t n = strlen(mod->local);
        bool by_name = dot && n == (size_t)(dot - name) && !strncmp(mod->local, name, n) &&
                       (*bias ? mod->b != NULL : !strcmp(dot, ".weight"));
        const char *other = mod->is_lm_head ? l->m->config.family->masked.bias : NULL; /* "cls.predictions.bias" */
        if (by_name || (*bias && other && !strcmp(name, other)))
            return mod;
    }
    return NULL;
}

/* The level of a whole weight or bias; -1 with an error if no member of the config covers it. */
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
    return pb_error("%s: '%s': no member of adapter_config.json covers it, neither modules_to_save nor bias",
                    l->a->file_path, t->name);
}

/* `name` without `part`. */
static char *without(pb_arena *arena, const char *name, const char *part)
{
    const char *at = strstr(name, part);
    return at ? pb_arena_format(arena, "%.*s%s", (int)(at - name), name, at + strlen(part))
              : pb_arena_strdup(arena, name);
}

/* PEFT writes a wrapped module under these names too: the base's values, and a copy of the trained ones. */
static bool is_wrapper_copy(const char *name)
{
    return strstr(name, ".original_module.") || strstr(name, ".modules_to_save.");
}

static int copy_whole(pb_loading *l, pb_module *mod, bool bias, int where, const pb_array *t)
{
    pb_param *p = bias ? mod->b : where == ALONE ? pb_loading_untied_weight(l, mod) : mod->w;
    bool again = mod->given[bias];
    for (size_t i = 0; !again && !bias && i < l->modules; i++)
        again = l->module[i].w == p && l->module[i].given[0];
    pb_loading_make_writable(l, p);
    mod->given[bias] = true;
    return copy_or_compare(l, p, t, again);
}

static int find_whole(pb_loading *l, size_t i, level wanted)
{
    const pb_array *t = pb_weights_at(l->a->weights, i);
    pb_arena *arena = l->m->arena;
    const char *name = without(arena, without(arena, t->name, "base_model.model."), "base_model.");
    name = without(arena, name, l->peft->layout == PB_PEFT_NORMS ? ".ln_tuning_layers" : "\n");
    bool base_layer = strstr(name, ".base_layer.") != NULL, bias = false;
    pb_module *mod = is_wrapper_copy(name) ? NULL : module_named(l, without(arena, name, ".base_layer"), &bias);
    int where = mod ? level_of(l, mod, bias, base_layer, t) : -2;
    if (where == -1)
        return -1;
    if (where != (int)wanted)
        return 0;
    l->used[i] = true;
    return copy_whole(l, mod, bias, where, t);
}

static int copy_level(pb_loading *l, level wanted)
{
    for (size_t i = 0; i < pb_weights_count(l->a->weights); i++)
        if (!l->used[i] && find_whole(l, i, wanted))
            return -1;
    return 0;
}

/* Every module that the config says is saved must have been given: its weight and bias, or its bias alone. */
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
            return pb_error("%s: no %s of '%s', which %s of adapter_config.json names", l->a->file_path,
                            whole && !mod->given[0] ? "weight" : "bias", mod->local,
                            mod->saved ? "modules_to_save"
                            : whole    ? "target_modules"
                                       : "bias");
    }
    return 0;
}

/* ---- rows of tables: trainable_token_indices ------------------------------------------------------------ */

typedef struct search {
    const char *name; /* of a module */
    const pb_json *found;
} search;

static int match_key(void *ctx, const char *key, const pb_json *value)
{
    search *s = ctx;
    s->found = pb_ends_in(s->name, key) ? value : NULL;
    return s->found != NULL;
}

/* The ids whose rows the config says were trained at a module; NULL if there are none. */
static const pb_json *ids_of(const pb_loading *l, const pb_module *mod)
{
    const pb_json *v = pb_json_get(l->config, "trainable_token_indices");
    search s = {mod->local, NULL};
    if (pb_json_is_array(v))
        return mod->is_word_embedding ? v : NULL;
    pb_json_each(v, match_key, &s);
    return s.found;
}

#define ROWS "token_adapter.trainable_tokens_delta"

static bool has_rows(const pb_loading *l, const pb_module *mod)
{
    return pb_weights_find(l->a->weights, pb_arena_format(l->m->arena, "base_model.model.%s." ROWS, mod->local));
}

static int copy_rows(pb_loading *l, const pb_module *mod, const pb_json *ids, pb_param *p)
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

/* Replaces trained rows of a table.  A tied table is changed for the words and for the logits, unless the file has
 * separate rows for the logits. */
static int replace_rows(pb_loading *l, pb_module *mod, bool output_has_rows)
{
    const pb_json *ids = ids_of(l, mod);
    bool there = has_rows(l, mod), both = mod->is_word_embedding && pb_loading_is_tied(l) && !output_has_rows;
    if (!there && ids && !(mod->is_lm_head && pb_loading_is_tied(l)))
        return pb_error("%s: no tensor 'base_model.model.%s." ROWS "'", l->a->file_path, mod->local);
    if (!there)
        return 0;
    if (!ids || mod->targeted || mod->saved)
        return pb_error("%s: trainable_token_indices: want ids for '%s', which nothing else may change",
                        l->a->config_path, mod->local);
    for (size_t i = 0; i < l->modules; i++) /* PEFT would compute another update than it saved */
        if (mod->is_word_embedding && l->was_tied && l->module[i].is_lm_head && l->module[i].targeted)
            return pb_error(
                "%s: trainable_token_indices: of a table that is tied to '%s', which is targeted: not supported",
                l->a->config_path, l->module[i].local);
    if ((both || mod->is_lm_head) && l->m->head_b)
        return pb_error("%s: trainable_token_indices: of a head with a bias, which PEFT applies only after merging: "
                        "not supported",
                        l->a->config_path);
    if (both)
        pb_loading_make_writable(l, mod->w);
    return copy_rows(l, mod, ids, both ? mod->w : pb_loading_untied_weight(l, mod));
}

static int replace_all_rows(pb_loading *l)
{
    bool output_has_rows = false;
    for (size_t i = 0; i < l->modules; i++)
        output_has_rows = output_has_rows || (l->module[i].is_lm_head && has_rows(l, &l->module[i]));
    for (size_t i = 0; i < l->modules; i++)
        if (l->module[i].kind != PB_MODULE_NORM && replace_rows(l, &l->module[i], output_has_rows))
            return -1;
    return 0;
}

/* ---- unused tensors ---------------------------------------------------------------------------------------- */

/* Whether the name ends in a dot and one of the words. */
static bool ends_in_word(const char *name, const char *words)
{
    for (size_t n; words && *words; words += n + (words[n] != 0)) {
        n = strcspn(words, " ");
        size_t length = strlen(name);
        if (length > n && name[length - n - 1] == '.' && !strncmp(name + length - n, words, n))
            return true;
    }
    return false;
}

/* With bias = all, and with a resized vocabulary, PEFT writes a wrapped module two more times, without need. */
static bool is_redundant(const pb_loading *l, const char *name)
{
    if (ends_in_word(name, l->peft->idle))
        return true;
    char *mode = pb_adapter_value(l->a, "bias");
    bool writes = l->resized || (mode && !strcmp(mode, "all"));
    free(mode);
    return writes && is_wrapper_copy(name);
}

static int check_all_used(const pb_loading *l)
{
    pb_text unused = {0};
    for (size_t i = 0; i < pb_weights_count(l->a->weights); i++) {
        const char *name = pb_weights_at(l->a->weights, i)->name;
        if (!l->used[i] && !is_redundant(l, name))
            pb_text_add(&unused, "%s'%s'", unused.length ? ", " : "", name);
    }
    int rc = unused.length ? pb_error("%s: a %s with %s has no parameters for %s", l->a->file_path,
                                      pb_model_family(l->m), l->a->method->name, unused.data)
                           : 0;
    pb_text_free(&unused);
    return rc;
}

int pb_loading_replace_base(pb_loading *l)
{
    return copy_level(l, SHARED) || pb_loading_subtract_initial(l) || pb_loading_fold_updates(l) ||
                   copy_level(l, ALONE) || replace_all_rows(l) || check_given(l) || check_all_used(l)
               ? -1
               : 0;
}
