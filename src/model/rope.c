/* rope: the angles of rotary positions (Su et al. 2021, arXiv:2104.09864). */
#include <math.h>

#include "model/internal.h"

/* Radians a position turns the pair i: theta^(-2i/hd), in the arithmetic that the models were trained
 * with, 32 bits.  Llama 3 (Dubey et al. 2024, arXiv:2407.21783) slows long waves down by `factor`,
 * keeps short ones and goes smoothly from one to the other in between. */
static float frequency(const pb_config *c, int i)
{
    const pb_rope *r = &c->rope;
    float f = 1 / (float)pow(r->theta, (float)(2 * i) / (float)c->head_size);
    if (!r->llama3)
        return f / (float)r->factor;
    double wave = 2 * M_PI / (double)f;
    if (wave < r->original / r->high)
        return f;
    if (wave > r->original / r->low)
        return f / (float)r->factor;
    double keep = (r->original / wave - r->low) / (r->high - r->low);
    return (float)((1 - keep) * (double)f / r->factor + keep * (double)f);
}

static void fill(const pb_config *c, pb_real *table, int positions)
{
    int half = c->head_size / 2;
    for (int i = 0; i < half; i++) {
        float f = frequency(c, i);
        for (int p = 0; p < positions; p++) {
            float angle = (float)p * f;
            table[(size_t)p * (size_t)c->head_size + (size_t)i] = (pb_real)cos((double)angle);
            table[(size_t)p * (size_t)c->head_size + (size_t)(half + i)] = (pb_real)sin((double)angle);
        }
    }
}

/* Graphs hold on to a table, so a longer one is a new one. */
const pb_real *pb_rope_table(pb_model *m, int positions)
{
    if (m->shapes_only)
        return NULL; /* shapes only: nothing will run */
    if (positions <= m->rope_positions)
        return m->rope;
    int longer = m->rope_positions ? m->rope_positions : 256;
    while (longer < positions)
        longer *= 2;
    m->rope = pb_arena_alloc(m->arena, PB_META, (size_t)longer * (size_t)m->config.head_size * sizeof *m->rope);
    m->rope_positions = longer;
    fill(&m->config, m->rope, longer);
    return m->rope;
}
