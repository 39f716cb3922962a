/* device_card: see device_card.h. */
#include "cli/device_card.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "driver/plan.h"
#include "experiment/experiment_reader.h"
#include "model/method_list.h"

/* What the command line asks for. */
typedef struct request {
    pb_cell_device of;
    bool json;
} request;

/* ---- options ------------------------------------------------------------------------------------------------ */

static int read_request(const pb_args *a, request *r)
{
    *r = (request){.json = a->json};
    pb_option_defaults(pb_device_table, &r->of.device);
    if (a->precision && pb_option_set(pb_device_table, &r->of.device, "precision", a->precision))
        return pb_error_prefix("--precision");
    for (int i = 0; i < a->options; i++) {
        const char *name = strcmp(a->option[i][0], "train-tokens") ? a->option[i][0] : "tokens";
        if (pb_option_set(pb_device_table, &r->of.device, name, a->option[i][1]))
            return pb_error_prefix("--%s", a->option[i][0]);
    }
    if (a->device && (pb_parse_unit(a->device, &r->of.memory) || r->of.memory < 1))
        return pb_error("--device: want the memory of a device, such as 24G or 80G, got '%s'", a->device);
    return 0;
}

/* ---- rows from the command line ---------------------------------------------------------------------------------- */

/* Returns the folder of a model: the path itself, or a shape of models/shapes.  The caller frees it. */
static char *find_model(const char *name)
{
    char *shape = pb_format("models/shapes/%s", name), *folder = pb_find_installed(shape);
    bool known = !pb_file_exists(name) && pb_file_exists(folder);
    free(shape);
    if (known)
        return folder;
    free(folder);
    return pb_strdup(name);
}

/* Returns whether a model is a decoder, or -1 with an error. */
static int is_decoder(const char *path)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = path, .bare = true, .shapes_only = true});
    int causal = m ? pb_model_is_causal(m) : -1;
    pb_model_free(m);
    return causal;
}

/* Returns the row that qlora, or qlora:SETTINGS, stands for, and adds its sections.  QLoRA (Dettmers et al. 2023,
 * arXiv:2305.14314) is LoRA at all projections of a base in 4 bits, and the precision of a base is no setting of a
 * method that a preset could have.  The caller frees the row. */
static char *make_qlora(pb_ini *ini, const char *settings)
{
    char *row = pb_format("lora:qlora%s%s", *settings ? "," : "", settings), *model = pb_format("model %s", row);
    pb_ini_put(ini, "method lora:qlora", "targets", "*", "--methods: qlora");
    pb_ini_put(ini, model, "precision", "nf4", "--methods: qlora");
    pb_ini_put(ini, model, "double_quant", "yes", "--methods: qlora");
    free(model);
    return row;
}

/* Returns the list of methods with a row of lora for qlora.  The caller frees it. */
static char *expand_methods(pb_ini *ini, const char *methods)
{
    const size_t n = strlen("qlora");
    pb_text out = {0};
    char *item;
    while ((item = pb_method_list_next(&methods))) {
        bool qlora = !strncmp(item, "qlora", n) && (!item[n] || item[n] == ':');
        char *row = qlora ? make_qlora(ini, item + n + (item[n] == ':')) : pb_strdup(item);
        pb_text_add(&out, "%s%s", out.length ? "," : "", row);
        free(row);
        free(item);
    }
    return out.data ? out.data : pb_strdup("");
}

static pb_experiment *read_options(const pb_args *a)
{
    char *model = find_model(a->model);
    int decoder = is_decoder(model);
    pb_ini *ini = decoder < 0 ? NULL : pb_ini_new("plan");
    pb_experiment *e = NULL;
    if (ini) {
        char *methods = expand_methods(ini, a->methods);
        const char *const entry[][2] = {{"task", "plan"}, {"model", model}, {"methods", methods}, {"baseline", ""}};
        for (size_t i = 0; i < PB_COUNT(entry); i++)
            pb_ini_put(ini, "experiment", entry[i][0], entry[i][1], "the command line");
        pb_ini_put(ini, "task plan", "kind", decoder ? "generate" : "classify", "the command line");
        e = pb_experiment_read_ini(ini, a->set, NULL);
        free(methods);
    }
    free(model);
    return e;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void print_heading(const request *r, int width)
{
    static const char *const head[] = {"weights",     "master",    "gradients", "optimizer",
                                       "activations", "workspace", "total",     "file"};
    printf("%-*s %15s", width, "method", "trainable");
    for (size_t i = 0; i < PB_COUNT(head); i++)
        printf(" %11s", head[i]);
    printf(" %13s %8s", "GFLOP/token", "hours");
    printf(r->of.memory > 0 ? " %9s %10s\n" : "\n", "max batch", "max length");
}

static void print_row(const request *r, const char *label, int width, const pb_device_bill *b, const int fit[2])
{
    const double bytes[] = {b->weights,     b->master,    b->gradients, b->optimizer,
                            b->activations, b->workspace, b->total,     b->file};
    char text[PB_UNIT_SIZE];
    printf("%-*s %15llu", width, label, (unsigned long long)b->trainable);
    for (size_t i = 0; i < PB_COUNT(bytes); i++)
        printf(" %11s", pb_with_unit(text, bytes[i], "B"));
    printf(" %13.4g %8.3g", b->flops_per_token / 1e9, b->hours);
    if (r->of.memory > 0)
        printf(" %9d %10d", fit[0], fit[1]);
    putchar('\n');
}

static void print_object(const request *r, const char *label, const pb_device_bill *b, const int fit[2])
{
    pb_text name = {0};
    pb_json_quote(&name, label);
    printf("{\"method\":%s,\"parameters\":%llu,\"trainable\":%llu,\"weights\":%.0f,\"master\":%.0f,\"gradients\":%.0f,"
           "\"optimizer\":%.0f,\"activations\":%.0f,\"workspace\":%.0f,\"total\":%.0f,\"file\":%.0f,"
           "\"flops_per_token\":%.17g,\"hours\":%.17g",
           name.data, (unsigned long long)b->parameters, (unsigned long long)b->trainable, b->weights, b->master,
           b->gradients, b->optimizer, b->activations, b->workspace, b->total, b->file, b->flops_per_token, b->hours);
    if (r->of.memory > 0)
        printf(",\"max_batch\":%d,\"max_length\":%d", fit[0], fit[1]);
    printf("}\n");
    pb_text_free(&name);
}

static void print_notes(const request *r)
{
    const pb_device *d = &r->of.device;
    printf(
        "One step of %d text%s of %d tokens: what a GPU would need by the rules of docs/big-models.md, not what this "
        "program needs.\n"
        "A language model predicts every token.  Activations are the least that must be kept; a framework keeps "
        "more.\n"
        "hours: %g tokens at %g %% of %g TFLOP/s.%s\n",
        d->batch, d->batch == 1 ? "" : "s", d->length, d->tokens, d->utilization * 100, d->peak,
        r->of.memory > 0 ? "  max batch: of texts of this length; max length: of one text, at most the model's context."
                         : "");
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static int print_rows(const request *r, const pb_experiment *e)
{
    int width = pb_experiment_label_width(e, 12), rc = 0;
    const pb_row *last = NULL;
    for (int i = 0; i < e->cells && !rc; i++) {
        const pb_cell *c = &e->cell[i];
        pb_device_bill b = {.trainable = 0};
        int fit[2] = {0};
        if (c->row == last)
            continue; /* another setting or seed of the row */
        if ((rc = pb_cell_device_plan(e, c, &r->of, &b, fit)))
            break;
        if (!last && !r->json)
            print_heading(r, width);
        last = c->row;
        if (r->json)
            print_object(r, c->row->label, &b, fit);
        else
            print_row(r, c->row->label, width, &b, fit);
    }
    if (!rc && !r->json)
        print_notes(r);
    return rc;
}

int pb_device_card(const pb_args *a)
{
    request r;
    if (read_request(a, &r))
        return PB_EXIT_QUESTION;
    if (!!a->words == (a->model || a->methods) || !a->model != !a->methods)
        return (pb_error("plan: want EXPERIMENT.ini, or --model and --methods"), PB_EXIT_QUESTION);
    pb_experiment *e = a->words ? pb_experiment_read(a->word[0], a->set, a->task) : read_options(a);
    int rc = e ? print_rows(&r, e) : -1;
    pb_experiment_free(e);
    return rc ? PB_EXIT_QUESTION : PB_EXIT_DONE;
}
