/* claims: reads the tables, and judges. */
#include "report/claims.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    size_t at;
    bool needed;
} columns[] = {{"id", offsetof(pb_claim, id), true},
               {"source", offsetof(pb_claim, source), true},
               {"claim", offsetof(pb_claim, claim), true},
               {"experiment", offsetof(pb_claim, experiment), true},
               {"a", offsetof(pb_claim, a), true},
               {"key", offsetof(pb_claim, key), true},
               {"b", offsetof(pb_claim, b), false},
               {"key_b", offsetof(pb_claim, key_b), false},
               {"relation", offsetof(pb_claim, relation), true},
               {"plan", offsetof(pb_claim, plan), false},
               {"why", offsetof(pb_claim, why), false}};

static const char *field(const pb_claim *c, size_t at)
{
    return *(const char *const *)(const void *)((const char *)c + at);
}

/* Refuses a claim that says nothing that could be tested. */
static int check(pb_claim *c, const pb_claim *before, int count)
{
    for (size_t k = 0; k < PB_COUNT(columns); k++)
        if (columns[k].needed && !*field(c, columns[k].at))
            return pb_error("%s:%d: %s is empty", c->path, c->line, columns[k].name);
    for (int i = 0; i < count; i++)
        if (!strcmp(before[i].id, c->id))
            return pb_error("%s:%d: the id '%s' is also that of %s:%d; want one of its own", c->path, c->line, c->id,
                            before[i].path, before[i].line);
    if (pb_relation_parse(&c->says, c->relation))
        return pb_error_prefix("%s:%d: relation", c->path, c->line);
    bool pair = c->says.of != PB_CLAIM_VALUE;
    if (pair != (*c->b != 0))
        return pb_error("%s:%d: the relation '%s' %s; want %s", c->path, c->line, c->relation,
                        pair ? "has a B, but b is empty" : "has no B, but b is not empty",
                        pair ? "the label of a row in column b" : "an empty column b, or a relation with B");
    if (*c->key_b && !pair)
        return pb_error("%s:%d: key_b is the key of row B, but the relation has no B; want it empty", c->path, c->line);
    return 0;
}

static int read_row(pb_claims *c, const pb_table *t, const int *column, size_t row)
{
    pb_claim *x = &c->claim[c->claims];
    *x = (pb_claim){.path = pb_table_path(t, column[0]), .line = pb_table_line(t, row, column[0])};
    for (size_t k = 0; k < PB_COUNT(columns); k++)
        *(const char **)(void *)((char *)x + columns[k].at) = pb_table_get(t, row, column[k]);
    if (check(x, c->claim, c->claims))
        return -1;
    c->claims++;
    return 0;
}

static int read_table(pb_claims *c, const char *path)
{
    int column[PB_COUNT(columns)], rc = 0;
    char *found = pb_find_installed(path);
    pb_table *t = pb_table_open(found, NULL);
    free(found);
    if (!t)
        return -1;
    c->table[c->tables++] = t;
    for (size_t k = 0; k < PB_COUNT(columns); k++)
        if ((column[k] = pb_table_column(t, columns[k].name)) < 0)
            return -1;
    c->claim = pb_realloc(c->claim, ((size_t)c->claims + pb_table_rows(t) + 1) * sizeof *c->claim);
    for (size_t i = 0; i < pb_table_rows(t) && !rc; i++)
        rc = read_row(c, t, column, i);
    return rc;
}

int pb_claims_read(pb_claims *c, char *const *path, int n)
{
    int rc = 0;
    *c = (pb_claims){.table = pb_alloc((size_t)(n + 1) * sizeof *c->table)};
    for (int i = 0; i < n && !rc; i++)
        rc = read_table(c, path[i]);
    if (rc)
        pb_claims_free(c);
    return rc;
}

void pb_claims_free(pb_claims *c)
{
    for (int i = 0; i < c->tables; i++)
        pb_table_close(c->table[i]);
    free(c->table);
    free(c->claim);
    *c = (pb_claims){.tables = 0};
}

/* ---- verdicts -------------------------------------------------------------------------------------------------- */

void pb_claims_judge(pb_claims *c)
{
    double *p = pb_alloc((size_t)(c->claims + 1) * sizeof *p);
    c->tested = 0;
    for (int i = 0; i < c->claims; i++) {
        pb_claim *x = &c->claim[i];
        x->holm = x->p = isnan(x->effect.middle) ? NAN : pb_relation_p(&x->says, &x->effect);
        if (!isnan(x->p))
            p[c->tested++] = x->p;
    }
    pb_stats_holm(c->tested, p);
    for (int i = 0, k = 0; i < c->claims; i++) {
        pb_claim *x = &c->claim[i];
        if (!isnan(x->p))
            x->holm = p[k++];
        x->verdict = pb_relation_verdict(&x->says, &x->effect, x->holm);
    }
    free(p);
}
