/* adapter_changes: writes updates since their start (pb_low_rank_add_change) as plain LoRA of twice the rank. */
#include <stdlib.h>
#include <string.h>

#include "model/adapter_internal.h"
#include "model/low_rank.h"

/* The tensors of an update since its start (pb_low_rank_add_change) at a site; all NULL: it has none. */
typedef struct change {
    const pb_param *A, *B, *A0, *B0;
} change;

static change change_at(const pb_model *m, const pb_site *site)
{
    const pb_method *method = m->part[0].method;
    change c = {pb_params_find_added(m, method, site, "A"), pb_params_find_added(m, method, site, "B"),
                pb_params_find_added(m, method, site, "A0"), pb_params_find_added(m, method, site, "B0")};
    return c.A && c.B && c.A0 && c.B0 ? c : (change){0};
}

/* Row or column k of an update of twice the rank: those of A and B, then those of A0 and -B0. */
static pb_factors double_rank(const pb_site *site, const change *c, int rank, double scale)
{
    size_t in = (size_t)site->in, r = (size_t)c->A->rows, whole = (size_t)rank;
    pb_factors f = {.A = pb_alloc(whole * in * sizeof *f.A), .B = pb_alloc((size_t)site->out * whole * sizeof *f.B)};
    memcpy(f.A, c->A->x, r * in * sizeof *f.A);
    memcpy(f.A + r * in, c->A0->x, r * in * sizeof *f.A);
    for (int o = 0; o < site->out; o++)
        for (size_t k = 0; k < r; k++) {
            f.B[(size_t)o * whole + k] = (pb_real)scale * c->B->x[(size_t)o * r + k];
            f.B[(size_t)o * whole + r + k] = -(pb_real)scale * c->B0->x[(size_t)o * r + k];
        }
    return f;
}

static int save_changes(pb_model *m, int rank, const char *dir)
{
    pb_factors *factors = pb_alloc((size_t)(pb_model_sites(m) + 1) * sizeof *factors);
    int rc = pb_adapter_check_rank(rank);
    for (int i = 0; i < pb_model_sites(m) && !rc; i++) {
        change c = change_at(m, pb_model_site(m, i));
        if (c.A)
            factors[i] =
                double_rank(pb_model_site(m, i), &c, rank, pb_low_rank_at(m->part[0].conf, pb_model_site(m, i)).scale);
    }
    rc = rc || pb_adapter_save_factors(m, factors, rank, false, dir) ? -1 : 0;
    for (int i = 0; i < pb_model_sites(m); i++) {
        free(factors[i].A);
        free(factors[i].B);
    }
    free(factors);
    return rc;
}

static int rank_of_changes(const pb_model *m)
{
    int rank = 0;
    for (int i = 0; i < pb_model_sites(m); i++) {
        change c = change_at(m, pb_model_site(m, i));
        rank = c.A && 2 * c.A->rows > rank ? 2 * c.A->rows : rank;
    }
    return rank;
}

int pb_adapter_save(pb_model *m, const char *dir)
{
    bool low = m->parts == 1 && m->part[0].method->peft == &pb_low_rank_peft;
    int doubled = low ? rank_of_changes(m) : 0;
    return doubled ? save_changes(m, doubled, dir) : pb_adapter_save_tensors(m, dir);
}
