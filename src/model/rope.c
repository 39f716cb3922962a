/* rope: see rope.h. */
#include "model/rope.h"

#include <math.h>
#include <string.h>

#include "model/field.h"
#include "model/internal.h"

/* ---- reading --------------------------------------------------------------------------------------------- */

typedef struct reader {
    const char *path;
    const pb_json *scaling; /* rope_parameters, or rope_scaling as transformers wrote it before version 5 */
    pb_network_config *c;
    double theta, factor, original;
} reader;

static double number(const reader *r, const char *key, double otherwise)
{
    return pb_json_number(pb_json_get(r->scaling, key), otherwise);
}

/* The frequency of pair i, theta^(-2i/hd) radians per position, in 32 bits as in training. */
static float plain_frequency(const reader *r, int i)
{
    return 1 / (float)pow(r->theta, (float)(2 * i) / (float)r->c->head_size);
}

static int read_linear(reader *r)
{
    for (int i = 0; i < r->c->head_size / 2; i++)
        r->c->rope.frequency[i] = plain_frequency(r, i) / (float)r->factor;
    return 0;
}

static int read_default(reader *r)
{
    r->factor = 1;
    return read_linear(r);
}

/* Llama 3 (Dubey et al. 2024, arXiv:2407.21783) divides the frequencies of long waves by `factor`, keeps those of short
 * ones, and interpolates in between. */
static int read_llama3(reader *r)
{
    double low = number(r, "low_freq_factor", 1), high = number(r, "high_freq_factor", 4);
    if (!(low > 0 && high > low))
        return pb_error("%s: rope: want low_freq_factor above 0 and below high_freq_factor", r->path);
    for (int i = 0; i < r->c->head_size / 2; i++) {
        float f = plain_frequency(r, i);
        double wave = 2 * M_PI / (double)f, keep = (r->original / wave - low) / (high - low);
        if (wave > r->original / low)
            f = f / (float)r->factor;
        else if (wave >= r->original / high)
            f = (float)((1 - keep) * (double)f / r->factor + keep * (double)f);
        r->c->rope.frequency[i] = f;
    }
    return 0;
}

/* The (fractional) index of the pair that completes this many turns within the original positions. */
static double pair_of_turns(const reader *r, double turns)
{
    return r->c->head_size * log(r->original / (turns * 2 * M_PI)) / (2 * log(r->theta));
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

/* YaRN (Peng et al. 2023, arXiv:2309.00071) keeps the frequencies of pairs that turn often, divides those of pairs that
 * turn seldom by `factor`, with a linear ramp in between, and scales the rotated values. */
static int read_yarn(reader *r)
{
    double fast = number(r, "beta_fast", 32), slow = number(r, "beta_slow", 1), mscale = number(r, "mscale", 0),
           all = number(r, "mscale_all_dim", 0);
    if (!(fast > 0) || !(slow > 0))
        return pb_error("%s: rope: beta_fast, beta_slow: want numbers above 0", r->path);
    double low = pair_of_turns(r, fast), high = pair_of_turns(r, slow);
    if (pb_json_bool(pb_json_get(r->scaling, "truncate"), true)) {
        low = floor(low);
        high = ceil(high);
    }
    low = low < 0 ? 0 : low;
    high = high > r->c->head_size - 1 ? r->c->head_size - 1 : high;
    high += low == high ? 0.001 : 0;
    for (int i = 0; i < r->c->head_size / 2; i++) {
        double ramp = (i - low) / (high - low);
        float divided = ramp < 0 ? 0 : ramp > 1 ? 1 : (float)ramp, f = plain_frequency(r, i);
        r->c->rope.frequency[i] = f / (float)r->factor * divided + f * (1 - divided);
    }
    double scale = mscale != 0 && all != 0 ? yarn_scale(r->factor, mscale) / yarn_scale(r->factor, all)
                                           : yarn_scale(r->factor, 1);
    r->c->rope.scale = number(r, "attention_factor", scale);
    return 0;
}

/* LongRoPE (Ding et al. 2024, arXiv:2402.13753) divides each frequency by a separate factor.  It has one list of
 * factors for short texts and one for long texts, which must be the same here. */
static int read_longrope(reader *r)
{
    const pb_json *divisor = pb_json_get(r->scaling, "short_factor"), *others = pb_json_get(r->scaling, "long_factor");
    int pairs = r->c->head_size / 2;
    if (pb_json_size(divisor) != (size_t)pairs || pb_json_size(others) != (size_t)pairs)
        return pb_error("%s: rope: short_factor, long_factor: want lists of %d numbers", r->path, pairs);
    for (int i = 0; i < pairs; i++) {
        double x = pb_json_number(pb_json_at(divisor, (size_t)i), 0);
        if (!(x > 0) || pb_json_number(pb_json_at(others, (size_t)i), 0) != x)
            return pb_error("%s: rope: number %d of short_factor and long_factor: want the same number above 0 in both "
                            "(frequencies that depend on a text's length are not supported)",
                            r->path, i);
        r->c->rope.frequency[i] = 1 / ((float)x * (float)pow(r->theta, (float)(2 * i) / (float)r->c->head_size));
    }
    double scale = r->factor <= 1 ? 1 : sqrt(1 + log(r->factor) / log(r->original));
    r->c->rope.scale = number(r, "attention_factor", scale);
    return 0;
}

static const struct {
    const char *type;
    int (*read)(reader *r);
} types[] = {{"default", read_default},
             {"linear", read_linear},
             {"llama3", read_llama3},
             {"yarn", read_yarn},
             {"longrope", read_longrope}};

/* The members of rope_parameters and rope_scaling; any other is an error. */
static const pb_field fields[] = {
    {"*", "rope_type", "text|null", NULL, PB_FIELD_READ},
    {"*", "type", "text|null", NULL, PB_FIELD_READ},
    {"*", "rope_theta", "number|null", NULL, PB_FIELD_READ},
    {"*", "factor", "number|null", NULL, PB_FIELD_READ},
    {"*", "low_freq_factor", "number|null", NULL, PB_FIELD_READ},
    {"*", "high_freq_factor", "number|null", NULL, PB_FIELD_READ},
    {"*", "original_max_position_embeddings", "number|null", NULL, PB_FIELD_READ},
    {"*", "attention_factor", "number|null", NULL, PB_FIELD_READ},
    {"*", "beta_fast", "number|null", NULL, PB_FIELD_READ},
    {"*", "beta_slow", "number|null", NULL, PB_FIELD_READ},
    {"*", "mscale", "number|null", NULL, PB_FIELD_READ},
    {"*", "mscale_all_dim", "number|null", NULL, PB_FIELD_READ},
    {"*", "truncate", "bool|null", NULL, PB_FIELD_READ},
    {"*", "short_factor", "list|null", NULL, PB_FIELD_READ},
    {"*", "long_factor", "list|null", NULL, PB_FIELD_READ},
    {"*", "finetuned", "bool|null", NULL, PB_FIELD_HARMLESS},
    {"*", "partial_rotary_factor", "number|null", "1.0", PB_FIELD_REFUSED},
};

static int check_key(void *ctx, const char *key, const pb_json *value)
{
    const reader *r = ctx;
    const pb_field *f = pb_field_in(fields, PB_COUNT(fields), "", key);
    return f ? pb_field_check(f, r->path, "transformers'", value)
             : pb_error("%s: rope: '%s' is not supported", r->path, key);
}

int pb_rope_read(const char *path, const pb_json *root, pb_network_config *c)
{
    const pb_json *v5 = pb_json_get(root, "rope_parameters"), *old = pb_json_get(root, "rope_scaling");
    bool is_v5 = pb_json_is_object(v5) && !pb_json_size(old); /* where both are, transformers takes the older */
    reader r = {.path = path, .c = c, .scaling = is_v5 ? v5 : old};
    const char *type =
        pb_json_text(pb_json_get(r.scaling, "rope_type"), pb_json_text(pb_json_get(r.scaling, "type"), "default"));
    r.theta = pb_json_number(pb_json_get(root, "rope_theta"), 10000);
    r.theta = is_v5 ? number(&r, "rope_theta", r.theta) : r.theta;
    r.original = pb_json_number(pb_json_get(root, "original_max_position_embeddings"),
                                number(&r, "original_max_position_embeddings", c->positions));
    r.factor = number(&r, "factor", !strcmp(type, "yarn") || !strcmp(type, "longrope") ? c->positions / r.original : 1);
    c->rope.scale = 1;
    if (!(r.theta > 1) || !(r.factor > 0) || !(r.original > 1))
        return pb_error("%s: rope: want rope_theta and original_max_position_embeddings above 1 and factor above 0",
                        path);
    if (c->head_size % 2 || c->head_size / 2 > (int)PB_COUNT(c->rope.frequency))
        return pb_error("%s: head_dim: want an even number, got %d", path, c->head_size);
    for (size_t i = 0; i < PB_COUNT(types); i++)
        if (!strcmp(type, types[i].type))
            return pb_json_is_object(r.scaling) && pb_json_each(r.scaling, check_key, &r) ? -1 : types[i].read(&r);
    return pb_error("%s: rope type: want default, linear, llama3, yarn or longrope, got '%s'", path, type);
}

/* ---- the tables ------------------------------------------------------------------------------------------ */

struct pb_rotation {
    pb_rotation *next; /* of other heads */
    int head_size, positions;
    pb_real *x; /* [positions, head_size] */
};

/* Pair i of heads of n columns turns by the base^(-2i/n) of Su et al.: in heads of m columns, that is pair i*m/n. */
static void fill_table(const pb_network_config *c, const pb_rotation *t)
{
    int half = t->head_size / 2;
    for (int i = 0; i < half; i++) {
        float f = c->rope.frequency[i * c->head_size / t->head_size];
        for (int p = 0; p < t->positions; p++) {
            float angle = (float)p * f;
            pb_real *row = t->x + (size_t)p * (size_t)t->head_size;
            row[i] = (pb_real)(cos((double)angle) * c->rope.scale);
            row[half + i] = (pb_real)(sin((double)angle) * c->rope.scale);
        }
    }
}

static pb_rotation *find_table(pb_model *m, int head_size)
{
    for (pb_rotation *t = m->rope; t; t = t->next)
        if (t->head_size == head_size)
            return t;
    pb_rotation *t = pb_arena_alloc(m->arena, PB_META, sizeof *t);
    *t = (pb_rotation){.next = m->rope, .head_size = head_size};
    return m->rope = t;
}

/* Graphs keep pointers to the table, so that a longer one is allocated anew. */
const pb_real *pb_rope_table(pb_model *m, int head_size, int positions)
{
    if (m->shapes_only)
        return NULL; /* shapes only: nothing will run */
    pb_rotation *t = find_table(m, head_size);
    if (positions <= t->positions)
        return t->x;
    t->positions = t->positions ? t->positions : 256;
    while (t->positions < positions)
        t->positions *= 2;
    t->x = pb_arena_alloc(m->arena, PB_META, (size_t)t->positions * (size_t)head_size * sizeof *t->x);
    fill_table(&m->config, t);
    return t->x;
}
