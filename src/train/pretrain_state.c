/* pretrain_state: see pretrain_state.h.  A safetensors file: each parameter under its own name, its
 * moments under NAME.first and NAME.second, the rest as text in the metadata.  `steps` lists how many steps have
 * updated each parameter. */
#include "train/pretrain_state.h"

#include <stdlib.h>
#include <string.h>

#include "weights/safetensors.h"

typedef struct collection {
    pb_arena *arena;
    pb_array *array;
    size_t count, capacity;
    pb_text steps;
} collection;

static void collect_tensor(collection *c, const char *name, const char *ending, const pb_param *p, const pb_real *x)
{
    size_t n = (size_t)p->rows * (size_t)p->cols;
    float *copy = pb_arena_alloc(c->arena, PB_META, n * sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (float)x[i];
    pb_grow(&c->array, c->count, &c->capacity, sizeof *c->array);
    c->array[c->count++] = (pb_array){.name = pb_arena_format(c->arena, "%s%s", name, ending),
                                      .dtype = PB_F32,
                                      .dims = 2,
                                      .shape = {p->rows, p->cols},
                                      .count = n,
                                      .data = copy,
                                      .bytes = 4 * n};
}

static int collect_parameter(void *ctx, const pb_param *p, int *steps, pb_real *first, pb_real *second)
{
    collection *c = ctx;
    pb_text_add(&c->steps, "%d ", *steps);
    collect_tensor(ctx, p->name, "", p, p->x);
    collect_tensor(ctx, p->name, ".first", p, first);
    collect_tensor(ctx, p->name, ".second", p, second);
    return 0;
}

static char *tokenizer_digest(const pb_model *m)
{
    pb_digest d = {""};
    char *path = pb_format("%s/tokenizer.json", pb_model_dir(m));
    int rc = pb_sha256_file(path, &d);
    free(path);
    return rc ? NULL : pb_strdup(d.hex);
}

static char *print_curve(const pb_pretrain_curve *c)
{
    pb_text t = {0};
    pb_text_add(&t, "%s", "");
    for (size_t i = 0; i < c->points; i++) {
        const pb_pretrain_point *p = &c->point[i];
        pb_text_add(&t, "%.17g %.17g %.17g %.17g %.17g\n", p->tokens, p->seconds, p->loss, p->heldout, p->rate);
    }
    return t.data;
}

static int make_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? pb_format("%.*s", (int)(slash - path), path) : NULL;
    int rc = dir ? pb_make_dirs(dir) : 0;
    free(dir);
    return rc;
}

int pb_pretrain_save(const char *path, pb_model *m, pb_optim *opt, const pb_progress_state *at,
                     const pb_pretrain_curve *curve)
{
    collection c = {.arena = pb_arena_new("checkpoint")};
    char *tokenizer = tokenizer_digest(m), *points = print_curve(curve);
    char *position =
        pb_format("%d %d %d %.17g %.17g", pb_optim_steps(opt), at->epoch, at->cursor, at->tokens, at->seconds);
    pb_optim_each(opt, collect_parameter, &c);
    const char *metadata[] = {"place", position, "tokenizer", tokenizer, "curve", points, "steps", c.steps.data, NULL};
    int rc = !tokenizer || make_parent(path) ? -1 : pb_safetensors_write(path, c.array, c.count, metadata);
    free(tokenizer);
    free(points);
    free(position);
    free(c.array);
    pb_text_free(&c.steps);
    pb_arena_free(c.arena);
    return rc;
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

typedef struct stored {
    const char *path;
    const pb_safetensors *file;
    const char *steps; /* the list of steps from the next parameter on; NULL: each was updated in every step */
} stored;

static int read_tensor(const stored *s, const char *name, const char *ending, const pb_param *p, pb_real *x)
{
    char *full = pb_format("%s%s", name, ending);
    const pb_array *a = pb_safetensors_find(s->file, full);
    int rc = !a || a->dims != 2 || a->shape[0] != p->rows || a->shape[1] != p->cols
                 ? pb_error("%s: want a tensor '%s' [%d,%d]; is it of another network? remove it to start again",
                            s->path, full, p->rows, p->cols)
                 : pb_array_reals(a, 0, a->count, x);
    free(full);
    return rc;
}

/* Reads the next number of the list.  A checkpoint of an earlier version has no list: then each parameter was updated
 * in every step, which pb_optim_resume has set. */
static int read_steps(stored *s, int *steps)
{
    char *end;
    if (!s->steps)
        return 0;
    long n = strtol(s->steps, &end, 10);
    if (end == s->steps || n < 0 || n > *steps)
        return pb_error("%s: want in the list 'steps' one number from 0 to %d for each parameter", s->path, *steps);
    s->steps = end;
    *steps = (int)n;
    return 0;
}

static int read_tensors(void *ctx, const pb_param *p, int *steps, pb_real *first, pb_real *second)
{
    return read_steps(ctx, steps) || read_tensor(ctx, p->name, "", p, p->x) ||
                   read_tensor(ctx, p->name, ".first", p, first) || read_tensor(ctx, p->name, ".second", p, second)
               ? -1
               : 0;
}

static void read_curve(const char *text, pb_pretrain_curve *c)
{
    pb_pretrain_point p;
    int used;
    while (text &&
           sscanf(text, "%lf %lf %lf %lf %lf%n", &p.tokens, &p.seconds, &p.loss, &p.heldout, &p.rate, /* NOLINT */
                  &used) == 5) {
        pb_grow(&c->point, c->points, &c->capacity, sizeof *c->point);
        c->point[c->points++] = p;
        text += used;
    }
}

static int read_position(const stored *s, const pb_model *m, pb_optim *opt, pb_progress_state *at)
{
    int steps;
    const char *position = pb_safetensors_metadata(s->file, "place"),
               *theirs = pb_safetensors_metadata(s->file, "tokenizer");
    char *ours = tokenizer_digest(m);
    bool same = ours && theirs && !strcmp(ours, theirs);
    free(ours);
    if (!position || sscanf(position, "%d %d %d %lf %lf", &steps, &at->epoch, &at->cursor, &at->tokens, &at->seconds) !=
                         5) /* NOLINT */
        return pb_error("%s: not a checkpoint of a pretraining run; remove it to start again", s->path);
    if (!same)
        return pb_error("%s: made with another tokenizer than that of %s; remove it to start again", s->path,
                        pb_model_dir(m));
    pb_optim_resume(opt, steps);
    return 0;
}

int pb_pretrain_resume(const char *path, pb_model *m, pb_optim *opt, pb_progress_state *at, pb_pretrain_curve *curve)
{
    if (!pb_file_exists(path))
        return 0;
    pb_safetensors *f = pb_safetensors_open(path);
    stored s = {.path = path, .file = f};
    s.steps = f ? pb_safetensors_metadata(f, "steps") : NULL;
    int rc = !f || read_position(&s, m, opt, at) || pb_optim_each(opt, read_tensors, &s) ? -1 : 0;
    if (!rc)
        read_curve(pb_safetensors_metadata(f, "curve"), curve);
    if (f)
        pb_safetensors_close(f);
    return rc;
}
