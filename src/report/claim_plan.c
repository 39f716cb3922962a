/* claim_plan: see claim_plan.h. */
#include "report/claim_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "driver/plan.h"

/* The numbers of a plan, and of a plan for a device, in the order in which these functions compute them. */
static const char *const plan_keys[] = {"plan.trainable",
                                        "plan.trained",
                                        "plan.added",
                                        "plan.base",
                                        "plan.head",
                                        "plan.weights",
                                        "plan.gradients",
                                        "plan.optimizer",
                                        "plan.activations",
                                        "plan.workspace",
                                        "plan.prepare",
                                        "plan.total",
                                        "plan.forward_flops",
                                        "plan.backward_flops",
                                        "plan.recompute_flops",
                                        "plan.train_flops",
                                        NULL};
static const char *const device_keys[] = {"device.trainable",
                                          "device.parameters",
                                          "device.weights",
                                          "device.master",
                                          "device.gradients",
                                          "device.optimizer",
                                          "device.activations",
                                          "device.total",
                                          "device.file",
                                          "device.flops_per_token",
                                          "device.max_batch",
                                          "device.max_length",
                                          NULL};

static bool is_of_device(const char *key)
{
    return pb_begins_with(key, "device.");
}

static int find_key(const char *const *keys, const char *key)
{
    int i = 0;
    while (keys[i] && strcmp(keys[i], key) != 0)
        i++;
    return keys[i] ? i : -1;
}

static int plan_number(const pb_experiment *e, const pb_cell *c, int tokens, const char *key, double *x)
{
    pb_cell_bill b;
    if (pb_cell_plan(e, c, tokens, &b))
        return -1;
    const pb_footprint *f = &b.f;
    const double all[] = {(double)b.counts.trainable,
                          (double)b.counts.trained,
                          (double)b.counts.added,
                          (double)b.counts.base,
                          (double)b.counts.head,
                          (double)f->weights,
                          (double)f->gradients,
                          (double)f->optimizer,
                          (double)f->activations,
                          (double)f->workspace,
                          (double)pb_footprint_prepare(f),
                          (double)pb_footprint_total(f),
                          (double)f->effort.forward_flops,
                          (double)f->effort.backward_flops,
                          (double)f->effort.recompute_flops,
                          (double)pb_effort_flops(&f->effort)};
    _Static_assert(PB_COUNT(all) + 1 == PB_COUNT(plan_keys), "a number for each key");
    *x = all[find_key(plan_keys, key)];
    return 0;
}

static int device_number(const pb_experiment *e, const pb_cell *c, const pb_cell_device *d, const char *key, double *x)
{
    pb_device_bill b;
    int fit[2] = {0};
    if (pb_cell_device_plan(e, c, d, &b, fit))
        return -1;
    const double all[] = {(double)b.trainable,
                          (double)b.parameters,
                          b.weights,
                          b.master,
                          b.gradients,
                          b.optimizer,
                          b.activations,
                          b.total,
                          b.file,
                          b.flops_per_token,
                          d->memory > 0 ? fit[0] : NAN,
                          d->memory > 0 ? fit[1] : NAN};
    _Static_assert(PB_COUNT(all) + 1 == PB_COUNT(device_keys), "a number for each key");
    *x = all[find_key(device_keys, key)];
    return isnan(*x) ? pb_error("plan: '%s' needs the memory of the device, such as memory=24G", key) : 0;
}

/* The settings of a plan: the number of tokens of each text, or the device. */
typedef struct plan_settings {
    pb_cell_device device;
    int tokens;
} plan_settings;

static int set_plan(plan_settings *s, bool device, const char *name, const char *value)
{
    static const pb_option tokens[] = {
        PB_OPTION(plan_settings, tokens, INT, "0", 1, 1e6, "tokens of each text; the data are not read"), {0}};
    if (!device)
        return pb_option_set(tokens, s, name, value);
    if (!strcmp(name, "memory"))
        return pb_parse_unit(value, &s->device.memory) ? pb_error("memory: want bytes such as 24G, got '%s'", value)
                                                       : 0;
    return pb_option_set(pb_device_table, &s->device.device, name, value);
}

/* Reads "tokens=128" or "precision=fp16 length=2048". */
static int read_plan(const char *text, bool device, plan_settings *s)
{
    char *copy = pb_strdup(text), *rest = copy, *word;
    int rc = 0;
    *s = (plan_settings){.tokens = 0};
    pb_option_defaults(pb_device_table, &s->device.device);
    while (!rc && (word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        if (value)
            *value++ = 0;
        rc = value ? set_plan(s, device, word, value) : pb_error("want SETTING=VALUE, got '%s'", word);
    }
    free(copy);
    return rc ? pb_error_prefix("plan") : 0;
}

bool pb_claim_is_planned(const char *key)
{
    return pb_begins_with(key, "plan.") || is_of_device(key);
}

int pb_claim_plan(const pb_experiment *e, int row, const char *key, const char *settings, double *x)
{
    const pb_cell *c = e->cell;
    plan_settings s;
    while (c->row != &e->row[row])
        c++; /* the first setting and seed */
    if (read_plan(settings, is_of_device(key), &s))
        return -1;
    return is_of_device(key) ? device_number(e, c, &s.device, key, x) : plan_number(e, c, s.tokens, key, x);
}

int pb_claim_check_plan(const char *key)
{
    const char *const *keys = is_of_device(key) ? device_keys : plan_keys;
    if (find_key(keys, key) >= 0)
        return 0;
    char *near = pb_did_you_mean(key, keys);
    pb_error("a plan has no number '%s'%s", key, near);
    free(near);
    return -1;
}
