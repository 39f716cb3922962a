/* steps: what methods do between training steps: their hooks, the numbers that they keep for them, rates of single
 * tensors, and penalties. */
#include <math.h>
#include <string.h>

#include "model/internal.h"
#include "numeric/top.h"

/* ---- kept numbers -------------------------------------------------------------------------------------------- */

void pb_state(pb_build *b, const pb_site *site, const char *name, int count)
{
    char full[PB_ADDED_NAME];
    pb_model *m = b->model;
    pb_params_added_name(m->part[b->part].method, site, name, full);
    const pb_param *p = pb_params_find_state(m, full);
    if (!pb_build_check_tensor(b, p, full, 1, count) && !p)
        pb_params_add_state(m, full, site ? site->layer : -1, count);
}

static size_t bytes_of(const pb_param *state)
{
    return (size_t)state->cols * sizeof *state->x;
}

size_t pb_model_state_bytes(const pb_model *m)
{
    size_t bytes = 0;
    for (size_t i = 0; i < m->states; i++)
        bytes += pb_arena_size(bytes_of(m->state[i]));
    return bytes;
}

void pb_model_open_state(pb_model *m, pb_arena *arena)
{
    for (size_t i = 0; i < m->states; i++)
        m->state[i]->x = pb_arena_alloc(arena, PB_OPTIMIZER, bytes_of(m->state[i]));
}

void pb_model_close_state(pb_model *m)
{
    for (size_t i = 0; i < m->states; i++)
        m->state[i]->x = NULL; /* the arena owns it */
}

void pb_pruned(pb_build *b, int count)
{
    b->model->pruned += b->model->attached ? 0 : (uint64_t)count;
}

uint64_t pb_model_pruned(const pb_model *m)
{
    return m->pruned;
}

/* ---- the hooks ------------------------------------------------------------------------------------------------- */

void pb_model_before_step(pb_model *m, const pb_step *at)
{
    pb_build b = pb_build_start(m, NULL, 0, 0);
    for (b.part = 0; b.part < m->parts; b.part++)
        if (m->part[b.part].method->hooks.before_step)
            m->part[b.part].method->hooks.before_step(&b, at);
    pb_plain_numbers(); /* a hook may have changed how this thread writes them */
}

void pb_model_after_step(pb_model *m, const pb_step *at)
{
    pb_build b = pb_build_start(m, NULL, 0, 0);
    m->unfinished = false;
    for (b.part = 0; b.part < m->parts; b.part++)
        if (m->part[b.part].method->hooks.after_step)
            m->part[b.part].method->hooks.after_step(&b, at);
    pb_plain_numbers();
}

void pb_unfinished(pb_build *b)
{
    b->model->unfinished = true;
}

int pb_first_phase(double share, const pb_step *step)
{
    int n = (int)lround(share * step->steps);
    return n < 1 ? 1 : n < step->steps ? n : step->steps - 1;
}

bool pb_first_phase_ends(pb_build *b, double share, const pb_step *step)
{
    int first = pb_first_phase(share, step);
    if (step->steps < 2)
        pb_error("%s: a run of one step; want at least two, one for each phase", b->model->part[b->part].method->name);
    if (step->step < first)
        pb_unfinished(b);
    return step->step + 1 == first;
}

/* The tensors of this name of the running method's targets. */
typedef struct named {
    pb_build *b;
    const char *name;
} named;

/* The number of their elements whose magnitude is at least `least`. */
static double count_reaching(void *tensors, double least)
{
    const named *t = tensors;
    double n = 0;
    PB_EACH_TARGET(t->b, s) {
        const pb_param *p = pb_tensor(t->b, s, t->name);
        for (size_t i = 0; i < pb_param_elements(p); i++)
            n += fabs((double)p->x[i]) >= least;
    }
    return n;
}

void pb_mark_largest(pb_build *b, const char *name, double share, const char *mark)
{
    named t = {b, name};
    double all = count_reaching(&t, 0), keep = floor(share * all), least = pb_threshold(keep, count_reaching, &t);
    double equals = keep - count_reaching(&t, nextafter(least, INFINITY)); /* elements of that magnitude to be kept */
    if (keep < 1)
        pb_error("%s: share: %g of %.0f elements is none; want one at least", b->model->part[b->part].method->name,
                 share, all);
    PB_EACH_TARGET(b, s) {
        const pb_param *p = pb_tensor(b, s, name);
        pb_real *marks = pb_tensor(b, s, mark)->x;
        for (size_t i = 0; i < pb_param_elements(p); i++) {
            double size = fabs((double)p->x[i]);
            marks[i] = size > least || (size == least && equals-- > 0);
        }
    }
}

void pb_mask_gradients(pb_build *b, const char *name, const char *mark)
{
    PB_EACH_TARGET(b, s) {
        pb_param *p = pb_tensor(b, s, name);
        const pb_real *marks = pb_tensor(b, s, mark)->x;
        for (size_t i = 0; i < pb_param_elements(p) && p->reached; i++)
            p->g[i] *= marks[i];
    }
}

void pb_rewind(pb_build *b, const char *name)
{
    PB_EACH_TARGET(b, s) {
        pb_param *p = pb_tensor(b, s, name);
        memset(p->x, 0, pb_param_elements(p) * sizeof *p->x);
        p->restart = true;
    }
}

bool pb_model_unfinished(const pb_model *m)
{
    return m->unfinished;
}

bool pb_model_has_after_step(const pb_model *m)
{
    for (int i = 0; i < m->parts; i++)
        if (m->part[i].method->hooks.after_step)
            return true;
    return false;
}

/* ---- rates and penalties --------------------------------------------------------------------------------------- */

pb_node *pb_rated(pb_node *added, double times)
{
    const pb_param *p = added ? added->param : NULL;
    if (!added)
        return NULL;
    if (!p || p->kind != PB_ADDED || p->rate == 0) { /* nothing of the method trains while it is prepared */
        pb_error("pb_rated: '%s' is no tensor of pb_added or pb_vector, so it has no learning rate",
                 p ? p->name : "a computed node");
        return NULL;
    }
    if (!isfinite(times) || times <= 0) {
        pb_error("pb_rated: '%s': %g times the learning rate, want a positive number", p->name, times);
        return NULL;
    }
    added->param->rate = times;
    return added;
}

void pb_penalty(pb_build *b, pb_node *term, double weight)
{
    if (!pb_graph_training(b->graph) || b->model->preparing || weight == 0)
        return;
    pb_node *more = pb_op_times(b->graph, term, weight);
    b->penalty = b->penalty ? pb_op_add(b->graph, b->penalty, more) : more;
}
