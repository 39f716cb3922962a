/* adapter_format: see adapter_format.h. */
#include "model/adapter_format.h"

#include <stdlib.h>
#include <string.h>

#include "model/adapter_fields.h"
#include "model/formula.h"

/* ---- shapes ---------------------------------------------------------------------------------------------------- */

/* Sets the distances: those of the last dimension of `axes` are neighbours.  Returns false if `axes` is no order. */
static bool set_steps(const char *axes, pb_stored *s)
{
    size_t step = 1;
    if (axes && strlen(axes) != (size_t)s->dims)
        return false;
    for (int k = s->dims - 1; k >= 0; k--) {
        int d = axes ? axes[k] - '0' : k;
        if (d < 0 || d >= s->dims || s->step[d])
            return false;
        s->step[d] = step;
        step *= (size_t)s->shape[d];
    }
    s->count = step;
    return true;
}

int pb_stored_of(const pb_model *m, const pb_site *site, const pb_peft_tensor *t, int rows, int cols, pb_stored *out)
{
    bool turned = t->axes && !strcmp(t->axes, "10");
    double size[PB_PEFT_DIMS];
    *out = (pb_stored){.dims = pb_formula_list(m, site, "shape",
                                               t->shape ? t->shape
                                               : turned ? "cols, rows"
                                                        : "rows, cols",
                                               rows, cols, size, PB_PEFT_DIMS)};
    if (out->dims < 0)
        return -1;
    double count = 1;
    for (int d = 0; d < out->dims; d++) {
        count *= size[d];
        if (!(size[d] >= 1 && size[d] <= 1e9 && size[d] == (double)(int64_t)size[d]))
            return pb_error("%s: %s: dimension %d of '%s' is %g", m->part[0].method->name, t->ours, d, t->theirs,
                            size[d]);
        out->shape[d] = (int64_t)size[d];
    }
    bool pairs = t->along && count == 2.0 * cols;
    if ((!pairs && !t->part && count != (double)rows * cols) || !set_steps(t->axes, out))
        return pb_error("%s: %s [%d,%d] does not fit the shape and axes of '%s'", m->part[0].method->name, t->ours,
                        rows, cols, t->theirs);
    return 0;
}

size_t pb_stored_place(const pb_stored *s, size_t i)
{
    size_t place = 0;
    for (int d = s->dims - 1; d >= 0; i /= (size_t)s->shape[d--]) {
        size_t k = i % (size_t)s->shape[d];
        place += (s->kept && d == s->along ? (size_t)s->kept[k] : k) * s->step[d];
    }
    return place;
}

void pb_stored_keep(pb_stored *s, int along, const int *kept, int n)
{
    s->kept = kept;
    s->along = along;
    s->count = s->count / (size_t)s->shape[along] * (size_t)n;
    s->shape[along] = n;
}

int pb_stored_exists(const pb_model *m, const pb_site *site, const pb_peft_tensor *t)
{
    double is = 1;
    if (t->when && pb_formula_list(m, site, "when", t->when, 0, 0, &is, 1) < 0)
        return -1;
    return is != 0;
}

/* ---- models ---------------------------------------------------------------------------------------------------- */

/* PEFT projects what the tokens give by the output projection once more, with its bias, and takes the number of groups
 * of heads from the width of the keys. */
static int check_attentions(const pb_model *m, const pb_peft *peft)
{
    for (int l = 0; l < m->config.layers; l++) {
        const pb_site *o = &m->layer[l].site[O];
        if (o->b)
            return pb_error("PEFT's %s adds the bias of '%s' twice, which is not supported", peft->type, o->module);
        if (o->in != m->config.width)
            return pb_error("PEFT's %s fits heads of %d columns together only, the model's width, and '%s' has %d",
                            peft->type, m->config.width, o->module, o->in);
    }
    return 0;
}

int pb_peft_check_model(const pb_model *m, const pb_peft *peft)
{
    char *family = pb_format(" %s ", pb_model_family(m)),
         *all = pb_format(" %s ", peft->families ? peft->families : "");
    bool known = !peft->families || strstr(all, family);
    free(family);
    free(all);
    if (!known)
        return pb_error("PEFT's %s for a %s is not supported, want one of: %s", peft->type, pb_model_family(m),
                        peft->families);
    if (m->config.family->conv1d && !pb_peft_has_conv1d(peft))
        return pb_error("PEFT's %s does not apply to the Conv1D of a %s", peft->type, pb_model_family(m));
    return peft->layout == PB_PEFT_ATTENTIONS ? check_attentions(m, peft) : 0;
}

const char *pb_peft_parent(const pb_model *m, const char *name)
{
    return pb_arena_format(m->arena, "%.*s", (int)(strrchr(name, '.') - name), name);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

/* The name with the number in the place of '#'. */
static const char *with_number(const pb_model *m, const char *name, int n)
{
    const char *at = name ? strchr(name, '#') : NULL;
    return at ? pb_arena_format(m->arena, "%.*s%d%s", (int)(at - name), name, n, at + 1) : name;
}

bool pb_stored_numbered(const pb_model *m, const pb_peft_tensor *t, int n, pb_peft_tensor *out)
{
    *out = *t;
    out->ours = with_number(m, t->ours, n);
    out->theirs = with_number(m, t->theirs, n);
    return (n == 0 || out->ours != t->ours) && pb_params_find_added(m, m->part[0].method, NULL, out->ours);
}

static bool has_name(const char *full, const pb_site *site, const char *end)
{
    static const char before[] = "base_model.model.";
    if (!site)
        return !strcmp(full, end);
    size_t n = strlen(before), k = strlen(site->module);
    return !strncmp(full, before, n) && !strncmp(full + n, site->module, k) && full[n + k] == '.' &&
           !strcmp(full + n + k + 1, end);
}

static pb_param *find_at(const pb_model *m, const pb_peft *peft, const pb_site *site, const char *name, pb_stored *out)
{
    const pb_method *method = m->part[0].method;
    pb_peft_tensor one;
    for (const pb_peft_tensor *t = peft->tensors; t->ours; t++)
        for (int n = 0; t->of_model == !site && (site ? n == 0 : pb_stored_numbered(m, t, n, &one)); n++) {
            one = site ? *t : one;
            pb_param *p =
                one.theirs && has_name(name, site, one.theirs) ? pb_params_find_added(m, method, site, one.ours) : NULL;
            if (p && !pb_stored_of(m, site, &one, p->rows, p->cols, out))
                return p;
        }
    return NULL;
}

pb_param *pb_stored_find(const pb_model *m, const pb_peft *peft, const char *name, pb_stored *out)
{
    pb_param *p = find_at(m, peft, NULL, name, out);
    for (int i = 0; i < pb_model_sites(m) && !p; i++)
        if (pb_model_site(m, i)->module)
            p = find_at(m, peft, pb_model_site(m, i), name, out);
    return p;
}

/* ---- values ---------------------------------------------------------------------------------------------------- */

/* True if the array has the shape or, of a vector, the same shape without dimensions of 1. */
static bool fits(const pb_stored *s, const pb_array *a, bool vector)
{
    int large = 0;
    bool same = a->dims == s->dims;
    for (int d = 0; d < a->dims; d++) {
        same = same && a->shape[d] == s->shape[d];
        large += a->shape[d] != 1;
    }
    return same || (vector && large <= 1 && a->count == s->count);
}

static int bad_shape(const pb_stored *s, const char *path, const char *name)
{
    pb_text want = {0};
    for (int d = 0; d < s->dims; d++)
        pb_text_add(&want, "%s%lld", d ? "," : "", (long long)s->shape[d]);
    pb_error("%s: '%s': want shape [%s]", path, name, want.data);
    pb_text_free(&want);
    return -1;
}

int pb_stored_read(const pb_stored *s, const char *path, const pb_array *a, pb_param *p)
{
    if (!fits(s, a, p->rows == 1 && !s->kept))
        return bad_shape(s, path, a->name);
    pb_real *x = pb_alloc(a->count * sizeof *x);
    int rc = pb_array_reals(a, 0, a->count, x);
    if (s->kept)
        memset(p->x, 0, (size_t)p->rows * (size_t)p->cols * sizeof *p->x);
    for (size_t i = 0; i < a->count && !rc; i++)
        p->x[pb_stored_place(s, i)] = x[i];
    p->drawn = p->seeded = false; /* values that no seed makes again */
    free(x);
    return rc;
}

pb_real *pb_stored_plus(pb_model *m, const pb_site *site, const pb_peft_tensor *t, int *rows, int *cols)
{
    pb_arena *arena = pb_arena_new("adapter");
    pb_executor *executor = pb_executor_new();
    pb_graph *g = pb_graph_new(arena, false);
    pb_build b = pb_build_start(m, g, 0, 0);
    pb_real *x = NULL;
    pb_plan plan;
    if (!pb_graph_plan(g, t->plus(&b, site), NULL, &plan)) {
        pb_executor_bind(executor, g, &plan);
        pb_executor_forward(executor, g);
        const pb_node *n = pb_graph_output(g);
        size_t bytes = (size_t)n->rows * (size_t)n->cols * sizeof *x;
        x = memcpy(pb_alloc(bytes + 1), n->x, bytes);
        *rows = n->rows;
        *cols = n->cols;
    }
    pb_executor_free(executor);
    pb_arena_free(arena);
    return x;
}

/* ---- places ---------------------------------------------------------------------------------------------------- */

/* Element i of an array of integers; -1 if it has another type. */
static long long integer_at(const pb_array *a, size_t i)
{
    int32_t small;
    int64_t large;
    if (a->dtype == PB_I32) {
        memcpy(&small, (const char *)a->data + i * sizeof small, sizeof small);
        return small;
    }
    if (a->dtype != PB_I64)
        return -1;
    memcpy(&large, (const char *)a->data + i * sizeof large, sizeof large);
    return large;
}

int pb_stored_read_places(const pb_stored *s, const char *path, const pb_array *a, const pb_site *site, pb_param *p)
{
    bool pairs = s->count == 2 * (size_t)p->cols;
    if (!fits(s, a, false))
        return bad_shape(s, path, a->name);
    for (int i = 0; i < p->cols; i++) {
        long long at = integer_at(a, (size_t)i), column = pairs ? integer_at(a, (size_t)i + (size_t)p->cols) : 0;
        long long most = pairs ? site->out : p->below;
        if (at < 0 || at >= most || column < 0 || column >= site->in)
            return pb_error("%s: '%s': element %d: want integers that are places in a matrix [%d,%d]", path, a->name, i,
                            site->out, site->in);
        p->index[i] = (int)(pairs ? at * site->in + column : at);
    }
    return 0;
}

int pb_stored_read_part(const pb_stored *s, const char *path, const pb_array *a, pb_param *p, size_t first)
{
    if (!fits(s, a, false))
        return bad_shape(s, path, a->name);
    for (size_t i = 0; i < s->count; i++) {
        long long is = integer_at(a, i);
        if (is < 0 || is >= p->below)
            return pb_error("%s: '%s': element %zu: want integers 0..%d", path, a->name, i, p->below - 1);
        p->index[first + pb_stored_place(s, i)] = (int)is;
    }
    p->seeded = false;
    return 0;
}

typedef struct placed {
    int place;
    pb_real value;
} placed;

static int by_place(const void *a, const void *b)
{
    return ((const placed *)a)->place < ((const placed *)b)->place
               ? -1
               : ((const placed *)a)->place > ((const placed *)b)->place;
}

int pb_stored_sort(const char *path, const pb_array *a, pb_param *places, pb_param *along)
{
    placed *both = pb_alloc((size_t)places->cols * sizeof *both);
    int rc = 0;
    for (int i = 0; i < places->cols; i++)
        both[i] = (placed){places->index[i], along->x[i]};
    qsort(both, (size_t)places->cols, sizeof *both, by_place);
    for (int i = 0; i < places->cols; i++) {
        places->index[i] = both[i].place;
        along->x[i] = both[i].value;
        if (i && both[i].place == both[i - 1].place)
            rc = pb_error("%s: '%s': has the place %d twice", path, a->name, both[i].place);
    }
    free(both);
    return rc;
}

void pb_stored_write_places(const pb_stored *s, const pb_param *p, const pb_site *site, int32_t *out)
{
    bool pairs = s->count == 2 * (size_t)p->cols;
    for (int i = 0; i < p->cols; i++) {
        out[i] = pairs ? p->index[i] / site->in : p->index[i];
        if (pairs)
            out[i + p->cols] = p->index[i] % site->in;
    }
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

/* Part i of a list whose parts are separated by '|'; NULL past the last one. */
static char *part_of(const char *list, int i)
{
    for (; list && i > 0; i--)
        list = strchr(list, '|') ? strchr(list, '|') + 1 : NULL;
    return list ? pb_format("%.*s", (int)strcspn(list, "|"), list) : NULL;
}

/* The part of `to` at the place where `from` has `word`. */
static char *translate(const char *from, const char *to, const char *word)
{
    char *part = NULL;
    int i = 0;
    while ((part = part_of(from, i)) && strcmp(part, word) != 0) {
        free(part);
        i++;
    }
    char *found = part && *part ? part_of(to, i) : NULL;
    free(part);
    if (found && *found)
        return found;
    free(found);
    return NULL;
}

static const char *choices_of(const pb_method *method, const pb_peft_key *k)
{
    const pb_option *o = pb_option_find(method->settings.options, k->option);
    return o->type == PB_BOOL ? "no|yes" : o->choices;
}

char *pb_peft_word(const pb_method *method, const pb_peft_key *k, const char *value)
{
    return translate(choices_of(method, k), k->words, value);
}

char *pb_peft_value(const pb_method *method, const pb_peft_key *k, const char *json)
{
    return translate(k->words, choices_of(method, k), json);
}
