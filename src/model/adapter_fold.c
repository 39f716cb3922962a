/* adapter_fold: subtracts from the base what PEFT subtracts when it loads an adapter, and merges updates of modules
 * outside of the layers into their weights. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/adapter_format.h"
#include "model/adapter_load.h"
#include "numeric/lowrank.h"
#include "numeric/product.h"

/* ---- initialization from the base's weights ------------------------------------------------------------ */

/* How the adapter was initialized.  What PiSSA (Meng et al. 2024, arXiv:2404.02948) and OLoRA (Buyukakyuz 2024,
 * arXiv:2406.01775) subtract from the base when training begins, PEFT subtracts again when it loads the adapter. */
typedef enum initialization { PLAIN, PISSA, OLORA } initialization;

static int initialization_of(const pb_loading *l)
{
    static const char *const plain[] = {"true", "false", "gaussian", "orthogonal", "eva", "mica"};
    const char *key = l->peft->init_key;
    char *value = key && l->a->method->hooks.low_rank ? pb_adapter_value(l->a, key) : NULL;
    int found = !value || !strcmp(value, "pissa") ? PISSA : !strcasecmp(value, "olora") ? OLORA : -1;
    if (!value)
        return PLAIN;
    for (size_t i = 0; i < PB_COUNT(plain); i++)
        found = strcmp(value, plain[i]) ? found : PLAIN;
    if (found == OLORA && l->m->config.family->conv1d)
        found = pb_error("%s: %s: PEFT cannot load olora on a %s", l->a->config_path, key, pb_model_family(l->m));
    else if (found < 0)
        pb_error("%s: %s: want true, gaussian, orthogonal, eva, mica, pissa or olora, got '%s': what PEFT "
                 "subtracts from the base for it is random or depends on data; save the adapter with "
                 "path_initial_model_for_weight_conversion",
                 l->a->config_path, key, value);
    free(value);
    return found;
}

static int subtract_initial(pb_loading *l, pb_module *mod, initialization how)
{
    pb_site site = pb_loading_site(mod);
    pb_low_rank u = l->a->method->hooks.low_rank(l->a->conf, &site);
    pb_loading_make_writable(l, mod->w);
    if (how == PISSA ? pb_lowrank_subtract_leading(mod->w->x, mod->w->rows, mod->w->cols, u.rank)
                     : pb_lowrank_subtract_qr(mod->w->x, mod->w->rows, mod->w->cols, u.rank, u.scale))
        return pb_error_prefix("%s: %s: '%s'", l->a->config_path, l->peft->init_key, mod->local);
    return 0;
}

int pb_loading_subtract_initial(pb_loading *l)
{
    int how = initialization_of(l);
    if (how < 0)
        return -1;
    if (how != PLAIN && l->m->base.precision != PB_IN_FP32)
        return pb_error("%s: %s: pissa and olora change the base: want precision = fp32", l->a->config_path,
                        l->peft->init_key);
    for (size_t i = 0; i < l->modules && how != PLAIN; i++) {
        pb_module *mod = &l->module[i];
        if (mod->targeted && mod->kind == PB_MODULE_LINEAR && !mod->given[0] &&
            subtract_initial(l, mod, (initialization)how))
            return -1;
    }
    return 0;
}

/* ---- updates of modules outside of the layers, and biases of updates -------------------------------------------- */

static pb_real *copy_of_values(const pb_param *p)
{
    pb_real *x = pb_alloc((size_t)p->rows * (size_t)p->cols * sizeof *x);
    pb_param_values(p, 0, p->rows, 0, p->cols, x);
    return x;
}

/* The shape here of a tensor at a module outside of the layers, where no hook has created it: A is [r,in] and B is
 * [out,r], with the rank that the config says; a vector has in or out elements. */
static void shape_of(const pb_loading *l, const pb_module *mod, const pb_site *site, const char *ours, int *rows,
                     int *cols)
{
    const pb_method *method = l->a->method;
    pb_low_rank u = method->hooks.low_rank ? method->hooks.low_rank(l->a->conf, site)
                                           : (pb_low_rank){.down = "", .up = ""};
    bool down = !strcmp(ours, u.down), up = !strcmp(ours, u.up);
    *rows = down ? u.rank : up ? site->out : 1;
    *cols = down || mod->feedforward ? site->in : up ? u.rank : site->out;
}

/* True if the array has as many numbers as the tensor, which is then worth its memory. */
static bool has_count(const pb_array *a, int rows, int cols)
{
    return a->count == (size_t)rows * (size_t)cols;
}

/* Adds the method's tensors at a module outside of the layers to the model's parameters, where its hook finds them. */
static int add_tensors(pb_loading *l, const pb_module *mod)
{
    pb_site site = pb_loading_site(mod);
    if (!l->a->method->hooks.low_rank && !l->peft->input_option)
        return pb_error("%s: target_modules: '%s': %s outside of the layers is not supported", l->a->config_path,
                        mod->local, l->peft->type);
    for (const pb_peft_tensor *t = l->peft->tensors; t->ours; t++) {
        const char *theirs = pb_loading_tensor_name(mod, t);
        int is = pb_stored_exists(l->m, &site, t), rows, cols;
        if (is < 0)
            return -1;
        if (!is)
            continue;
        const pb_array *a = pb_loading_module_tensor(l, mod, theirs);
        if (!a)
            return pb_error("%s: no tensor 'base_model.model.%s.%s'", l->a->file_path, mod->local, theirs);
        shape_of(l, mod, &site, t->ours, &rows, &cols);
        char name[PB_ADDED_NAME];
        pb_params_added_name(l->a->method, &site, t->ours, name);
        pb_stored s;
        if (!has_count(a, rows, cols))
            return pb_error("%s: '%s': its tensor %s has another shape than a module [%d,%d] needs", l->a->file_path,
                            mod->local, t->ours, mod->w->rows, mod->w->cols);
        pb_param *p = pb_loading_new_param(l, name, NULL, PB_ADDED, -1, rows, cols);
        if (pb_stored_of(l->m, &site, t, rows, cols, &s) || pb_stored_read(&s, l->a->file_path, a, p))
            return -1;
    }
    return 0;
}

/* Merges the method's update of a module outside of the layers into its weights. */
static int merge_module(pb_loading *l, pb_module *mod)
{
    if (add_tensors(l, mod))
        return -1;
    pb_param *w = pb_loading_untied_weight(l, mod), *b = mod->b;
    pb_site site = pb_loading_site(mod);
    bool transposed = mod->kind == PB_MODULE_EMBEDDING;
    pb_param before = *w, bias = b ? *b : *w;
    before.rows = site.out;
    before.cols = site.in;
    before.x = copy_of_values(w);
    if (transposed)
        pb_transpose(w->x, w->rows, w->cols, before.x);
    size_t bytes = (size_t)w->rows * (size_t)w->cols * sizeof *w->x;
    pb_real *x = pb_alloc(bytes), *folded_bias = pb_alloc((size_t)site.out * sizeof *folded_bias);
    if (b)
        pb_loading_make_writable(l, b);
    bias.x = b ? copy_of_values(b) : NULL;
    site.w = &before;
    site.b = b ? &bias : NULL;
    int rc = pb_fold_site(l->m, &site, NULL, x, folded_bias);
    if (transposed)
        pb_transpose(x, site.out, site.in, w->x);
    else
        memcpy(w->x, x, bytes);
    if (b)
        memcpy(b->x, folded_bias, (size_t)site.out * sizeof *folded_bias);
    free(folded_bias);
    free(bias.x);
    free(before.x);
    free(x);
    return rc;
}

/* The bias of a module, writable; one of zeros is added if it has none.  NULL for a module that cannot have one. */
static pb_param *bias_of(pb_loading *l, pb_module *mod)
{
    pb_model *m = l->m;
    if (mod->b || mod->kind != PB_MODULE_LINEAR) {
        if (mod->b)
            pb_loading_make_writable(l, mod->b);
        return mod->b;
    }
    int layer = mod->site ? mod->site->layer : -1;
    const char *name = mod->site ? pb_arena_format(m->arena, "layer.%d.%s.bias", layer, mod->site->role)
                                 : pb_arena_format(m->arena, "%s.bias", mod->local);
    mod->b =
        pb_loading_new_param(l, name, pb_arena_format(m->arena, "%s.bias", mod->name), PB_BIAS, layer, 1, mod->w->rows);
    if (mod->site)
        mod->site->b = mod->b;
    else if (mod->w == m->head_w)
        m->head_b = mod->b;
    else
        m->pool_b = mod->b;
    return mod->b;
}

/* The update is scale (B A x + b), where scale b is added to the bias of the module. */
static int add_bias(pb_loading *l, pb_module *mod)
{
    const pb_array *t = l->peft->bias && l->a->method->hooks.low_rank ? pb_loading_module_tensor(l, mod, l->peft->bias)
                                                                      : NULL;
    const char *key = l->peft->bias_key;
    bool wanted = key && pb_adapter_flag(l->a, key);
    if (!t && !wanted)
        return 0;
    if (!wanted || !t)
        return pb_error("%s: %s 'base_model.model.%s.%s', but %s is %s", l->a->file_path, t ? "has" : "no tensor",
                        mod->local, l->peft->bias, key, wanted ? "true" : "false");
    pb_site site = pb_loading_site(mod);
    pb_low_rank u = l->a->method->hooks.low_rank(l->a->conf, &site);
    if (!u.additive)
        return pb_error("%s: %s: PEFT allows it only for an update that is added to the weights as it is",
                        l->a->config_path, key);
    pb_param *b = bias_of(l, mod);
    if (!b || t->dims != 1 || t->shape[0] != b->cols)
        return pb_error("%s: '%s': want a bias of %d numbers", l->a->file_path, t->name, mod->w->rows);
    pb_real scale = (pb_real)u.scale, *x = pb_alloc(t->count * sizeof *x);
    int rc = pb_array_reals(t, 0, t->count, x);
    for (int i = 0; i < b->cols; i++)
        b->x[i] += scale * x[i];
    free(x);
    return rc;
}

int pb_loading_fold_updates(pb_loading *l)
{
    if (l->peft->layout != PB_PEFT_SITES)
        return 0;
    for (size_t i = 0; i < l->modules; i++) {
        pb_module *mod = &l->module[i];
        if (mod->targeted && ((!mod->site && merge_module(l, mod)) || add_bias(l, mod)))
            return -1;
    }
    return 0;
}
