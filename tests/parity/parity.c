/* parity: our answer to one batch, for check_minilm.py to hold against transformers and PEFT.
 *
 *   parity MODEL_DIR METHODS IN.safetensors OUT.safetensors
 *       METHODS: full, or lora:rank=4,alpha=8+prefix:length=3
 *       IN:  I32 ids [T], offset [S+1], label [S]; F32 param.NAME [rows,cols]
 *       OUT: F32 logits [S,classes], loss [1,1], grad.NAME [rows,cols]
 *   parity tokenize MODEL_DIR
 *       a JSON string a line in, a JSON array of ids a line out
 *
 * A test program: it may include every floor. */
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "base/json.h"
#include "weights/safetensors.h"
#include "model/model.h"
#include "numeric/blas.h"

enum { MAX_PARTS = 8 };

/* ---- methods -------------------------------------------------------------------------------- */

/* "rank=4,alpha=8" into the settings; the text is cut up. */
static int set_options(const pb_method *method, void *conf, char *text)
{
    char *save = NULL;
    for (char *s = strtok_r(text, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
        char *value = strchr(s, '=');
        if (!value)
            return pb_error("%s: want name=value, got '%s'", method->name, s);
        *value++ = '\0';
        if (pb_option_set(method->settings.options, conf, s, value))
            return -1;
    }
    return 0;
}

/* "lora:rank=4,alpha=8" */
static int read_part(char *text, pb_attached *out)
{
    char *options = strchr(text, ':');
    if (options)
        *options++ = '\0';
    out->method = pb_method_find(text);
    if (!out->method)
        return pb_error("no method '%s'", text);
    void *conf = pb_alloc(out->method->settings.conf_size + 1);
    pb_option_defaults(out->method->settings.options, conf);
    out->conf = conf;
    return options ? set_options(out->method, conf, options) : 0;
}

/* The number of methods; -1 with an error. */
static int read_methods(const char *spec, pb_attached out[MAX_PARTS])
{
    char *text = pb_strdup(spec), *save = NULL;
    int count = 0, rc = 0;
    for (char *s = strtok_r(text, "+", &save); s && !rc; s = strtok_r(NULL, "+", &save))
        rc = count == MAX_PARTS ? pb_error("more than %d methods", MAX_PARTS) : read_part(s, &out[count++]);
    free(text);
    return rc ? -1 : count;
}

static void free_methods(pb_attached list[MAX_PARTS])
{
    for (int i = 0; i < MAX_PARTS && list[i].method; i++) {
        void *conf = (void *)(uintptr_t)list[i].conf;
        pb_option_release(list[i].method->settings.options, conf);
        free(conf);
    }
}

/* ---- what is given ------------------------------------------------------------------------------ */

static const int *integers(const pb_safetensors *in, const char *name, size_t *count)
{
    const pb_array *a = pb_safetensors_find(in, name);
    if (!a || a->dtype != PB_I32) {
        pb_error("input: want a tensor '%s' of type I32", name);
        return NULL;
    }
    if (count)
        *count = a->count;
    return a->data;
}

static int read_batch(const pb_safetensors *in, pb_batch *out)
{
    size_t offsets;
    out->ids = integers(in, "ids", NULL);
    out->label = integers(in, "label", NULL);
    out->offset = integers(in, "offset", &offsets);
    if (!out->ids || !out->label || !out->offset)
        return -1;
    out->sequences = (int)offsets - 1;
    return 0;
}

static int set_params(pb_model *m, const pb_safetensors *in)
{
    for (size_t i = 0; i < pb_safetensors_count(in); i++) {
        const pb_array *a = pb_safetensors_at(in, i);
        if (strncmp(a->name, "param.", 6) != 0)
            continue;
        pb_param *p = pb_model_find(m, a->name + 6);
        if (!p || !p->trainable)
            return pb_error("input: '%s' is no trainable parameter here", a->name);
        if (a->dims != 2 || a->shape[0] != p->rows || a->shape[1] != p->cols)
            return pb_error("input: '%s': want shape [%d,%d]", a->name, p->rows, p->cols);
        if (pb_array_reals(a, 0, a->count, p->x))
            return -1;
    }
    return 0;
}

/* ---- the run ------------------------------------------------------------------------------------- */

/* The gradient of every trainable parameter, after the graph was built: only then is known
 * how many rows of a table are touched. */
static void make_gradients(pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++) {
        pb_param *p = pb_model_param(m, i);
        size_t rows = (size_t)(p->slot ? p->touched : p->rows);
        p->g = p->trainable ? pb_alloc(rows * (size_t)p->cols * sizeof *p->g) : NULL;
    }
}

static void free_gradients(pb_model *m)
{
    for (int i = 0; i < pb_model_params(m); i++)
        free(pb_model_param(m, i)->g);
}

static int run(pb_model *m, pb_graph *g, pb_executor *executor, const pb_batch *batch, pb_outputs *out)
{
    pb_plan plan;
    if (pb_model_build(m, g, batch, 0, 0, out))
        return -1;
    make_gradients(m);
    if (pb_graph_plan(g, out->logits, out->loss, &plan))
        return -1;
    pb_executor_bind(executor, g, &plan);
    pb_executor_forward(executor, g);
    pb_executor_backward(executor, g);
    return 0;
}

/* ---- the answer ----------------------------------------------------------------------------------- */

typedef struct answer {
    pb_array *array;
    size_t count, capacity;
} answer;

/* Room for a matrix in the answer; the caller fills it. */
static float *put(answer *a, char *name, int rows, int cols)
{
    size_t n = (size_t)rows * (size_t)cols;
    float *x = pb_alloc(n * sizeof *x);
    pb_grow(&a->array, a->count, &a->capacity, sizeof *a->array);
    a->array[a->count++] = (pb_array){
        .name = name, .dtype = PB_F32, .dims = 2, .shape = {rows, cols}, .count = n, .data = x, .bytes = n * sizeof *x};
    return x;
}

static void put_reals(answer *a, char *name, int rows, int cols, const pb_real *from)
{
    float *x = put(a, name, rows, cols);
    for (size_t i = 0; i < (size_t)rows * (size_t)cols; i++)
        x[i] = (float)from[i];
}

/* A table's gradient holds only its touched rows. */
static void put_sparse(answer *a, char *name, const pb_param *p)
{
    float *x = put(a, name, p->rows, p->cols);
    for (int r = 0; r < p->rows; r++)
        for (int c = 0; p->slot[r] >= 0 && c < p->cols; c++)
            x[(size_t)r * (size_t)p->cols + (size_t)c] = (float)p->g[(size_t)p->slot[r] * (size_t)p->cols + (size_t)c];
}

static int write_answer(const char *path, const pb_model *m, const pb_outputs *out)
{
    answer a = {0};
    put_reals(&a, pb_strdup("logits"), out->logits->rows, out->logits->cols, out->logits->x);
    put_reals(&a, pb_strdup("loss"), 1, 1, out->loss->x);
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        if (!p->trainable)
            continue;
        char *name = pb_format("grad.%s", p->name);
        if (p->slot)
            put_sparse(&a, name, p);
        else
            put_reals(&a, name, p->rows, p->cols, p->g);
    }
    int rc = pb_safetensors_write(path, a.array, a.count, NULL);
    for (size_t i = 0; i < a.count; i++) {
        free((void *)(uintptr_t)a.array[i].name);
        free((void *)(uintptr_t)a.array[i].data);
    }
    free(a.array);
    return rc;
}

static int answer_batch(pb_model *m, const pb_safetensors *in, const char *path)
{
    pb_batch batch = {0};
    pb_outputs out;
    if (set_params(m, in) || read_batch(in, &batch))
        return -1;
    pb_arena *arena = pb_arena_new("step");
    pb_executor *executor = pb_executor_new();
    int rc = run(m, pb_graph_new(arena, true), executor, &batch, &out);
    rc = rc ? rc : write_answer(path, m, &out);
    free_gradients(m);
    pb_executor_free(executor);
    pb_arena_free(arena);
    return rc;
}

static int parity(const char *dir, const char *spec, const char *from, const char *to)
{
    pb_attached part[MAX_PARTS] = {0};
    pb_safetensors *in = pb_safetensors_open(from);
    const pb_array *head = in ? pb_safetensors_find(in, "param.head.weight") : NULL;
    if (in && (!head || head->dims != 2))
        pb_error("%s: want param.head.weight [classes,hidden]", from);
    pb_model *m = head ? pb_model_open(&(pb_opening){.path = dir, .classes = (int)head->shape[0]}) : NULL;
    int parts = m ? read_methods(spec, part) : -1;
    int rc = parts < 0 || pb_model_attach(m, part, parts) || answer_batch(m, in, to) ? -1 : 0;
    free_methods(part);
    pb_model_free(m);
    if (in)
        pb_safetensors_close(in);
    return rc;
}

/* ---- tokenize ---------------------------------------------------------------------------------------- */

/* A bare string is wrapped into an array, so that the parser need not take scalars. */
static int tokenize_line(const pb_tokenizer *t, const char *line, size_t size, pb_ids *ids)
{
    pb_text text = {0};
    pb_text_add(&text, "[");
    pb_text_bytes(&text, line, size);
    pb_text_add(&text, "]");
    pb_json_doc *doc = pb_json_parse("input", text.data, text.length);
    pb_text_free(&text);
    if (!doc)
        return -1;
    const pb_json *s = pb_json_at(pb_json_root(doc), 0);
    ids->count = 0;
    pb_tokenizer_encode(t, pb_json_text(s, ""), pb_json_text_size(s), true, 0, ids);
    pb_json_free(doc);
    printf("[");
    for (size_t i = 0; i < ids->count; i++)
        printf("%s%d", i ? "," : "", ids->id[i]);
    printf("]\n");
    return 0;
}

static int tokenize(const char *dir)
{
    pb_tokenizer *t = pb_tokenizer_open(dir);
    pb_ids ids = {0};
    char *line = NULL;
    size_t capacity = 0;
    int rc = t ? 0 : -1;
    for (ssize_t n; !rc && (n = getline(&line, &capacity, stdin)) > 0;)
        rc = tokenize_line(t, line, (size_t)n, &ids);
    free(line);
    pb_ids_free(&ids);
    if (t)
        pb_tokenizer_close(t);
    return rc;
}

int main(int argc, char **argv)
{
    pb_blas_fix_core(argv);
    pb_threads_start(0);
    int rc = -1;
    if (argc == 3 && !strcmp(argv[1], "tokenize"))
        rc = tokenize(argv[2]);
    else if (argc == 5)
        rc = parity(argv[1], argv[2], argv[3], argv[4]);
    else
        pb_error("usage: parity MODEL_DIR METHODS IN OUT | parity tokenize MODEL_DIR");
    if (rc)
        fprintf(stderr, "parity: %s\n", pb_error_text());
    pb_threads_stop();
    return rc ? 2 : 0;
}
