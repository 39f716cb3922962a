/* Gradient accumulation: the micro-batches of a step have the loss and the gradients of one batch, up to rounding, for
 * every kind of answer, with its methods' terms, and the memory of activations of a micro-batch. */
#include "toy.h"

#include <unistd.h>

#include "train/micro_batches.h"

#define DECODER "models/pico-decoder"

enum { EXAMPLES = 7 };

static const double tolerance = sizeof(pb_real) == sizeof(double) ? 1e-12 : 5e-4; /* of rounding */

/* ---- data: texts of several lengths ------------------------------------------------------------------------------ */

static pb_data *with_classes(const char *weights, double smoothing)
{
    static const char *const text[] = {"film", "never unlovable film", "film film film never", "unlovable"};
    pb_data *d = pb_data_new("classes");
    pb_data_class(d, "bad");
    pb_data_class(d, "good");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < EXAMPLES; i++)
            pb_data_add(d, (pb_split)s, text[i % 4], i % 3 == 0, i + 1);
    d->label_smoothing = smoothing;
    CHECK(!*weights || !pb_data_weigh(d, weights));
    return d;
}

static pb_data *with_numbers(void)
{
    pb_data *d = pb_data_new("numbers");
    d->answer_kind = PB_ANSWER_NUMBER;
    pb_data_class(d, "score");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < EXAMPLES; i++)
            pb_data_add_example(d, (pb_split)s,
                                &(pb_example){.text = i % 2 ? "film" : "never film", .target = i - 2.5});
    return d;
}

static pb_data *with_label_sets(void)
{
    static int both[] = {0, 1};
    pb_data *d = pb_data_new("sets");
    d->answer_kind = PB_ANSWER_LABELS;
    pb_data_class(d, "bad");
    pb_data_class(d, "good");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < EXAMPLES; i++)
            pb_data_add_example(
                d, (pb_split)s,
                &(pb_example){
                    .text = i % 2 ? "film" : "never film", .label = -1, .labels = both, .label_count = i % 3});
    return d;
}

static pb_data *with_tags(void)
{
    static const char *const word[] = {"film", "never", "unlovable", "film", "never", "film"};
    static const int tag[] = {0, 1, 0, 0, 1, 1};
    pb_data *d = pb_data_new("tags");
    d->answer_kind = PB_ANSWER_TAGS;
    pb_data_class(d, "O");
    pb_data_class(d, "B-X");
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < EXAMPLES; i++)
            pb_data_add_sentence(d, (pb_split)s, 1 + i % 6, word, tag, i + 1);
    return d;
}

static pb_data *with_texts(void)
{
    static const char *const answer[] = {"Yes.", "It is a fine film, and long.", "No, never.",
                                         "There is a place named Alimentum near the river, which is cheap."};
    pb_data *d = pb_data_new("texts");
    d->answer_kind = PB_ANSWER_TEXT;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < EXAMPLES; i++) {
            char *text = pb_format("name[N%d%d]", s, i);
            pb_data_add_answer(d, (pb_split)s, text, answer[i % 4], i + 1);
            free(text);
        }
    pb_data_group(d);
    return d;
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

typedef struct subject {
    pb_data *data;
    pb_decoding decoding;
    fixture model;
    pb_encoded *set;
    pb_runner runner;
    int *touched;
} subject;

static void open_subject(subject *s, const char *model, pb_data *d, const char *spec)
{
    bool texts = d->answer_kind == PB_ANSWER_TEXT;
    *s = (subject){.data = d};
    pb_option_defaults(pb_decode_table, &s->decoding);
    const pb_opening how = {.path = model,
                            .classes = texts ? 0 : d->classes,
                            .tokens = d->answer_kind == PB_ANSWER_TAGS,
                            .problem = texts ? PB_PROBLEM_ANY : pb_problem_of(d->answer_kind),
                            .seed = 5};
    if (pb_testbed_open_as(&s->model, &how, spec))
        PB_BUG("%s", pb_error_text());
    fixture_stir(&s->model, 0.05);
    pb_model *m = s->model.model;
    s->set = pb_encoded_new(d, m, &(pb_encoding){.max_tokens = 64, .decoding = &s->decoding});
    if (!s->set)
        PB_BUG("%s", pb_error_text());
    pb_ids *without = s->set->target[PB_TRAIN] ? &s->set->target[PB_TRAIN][2] : NULL;
    for (size_t k = 0; without && k < without->count; k++) /* a micro-batch of this sentence alone has no target */
        without->id[k] = -1;
    allocate_all_gradients(m);
    s->runner = pb_runner_start(m, s->set, false);
    s->touched = pb_alloc((size_t)pb_model_params(m) * sizeof *s->touched);
    for (int i = 0; i < pb_model_params(m); i++)
        s->touched[i] = pb_model_param(m, i)->rows;
}

static void close_subject(subject *s)
{
    pb_runner_stop(&s->runner);
    pb_encoded_free(s->set);
    fixture_close(&s->model);
    pb_option_release(pb_decode_table, &s->decoding);
    pb_data_free(s->data);
    free(s->touched);
}

/* Runs all training examples as one step in so many micro-batches. */
static double step_in(subject *s, int accumulate, double dropout, pb_effort *effort)
{
    static const int item[] = {0, 1, 2, 3, 4, 5, 6};
    const pb_step_parts step = {
        .batch = {.split = PB_TRAIN, .item = item, .count = EXAMPLES, .training = true, .dropout = dropout, .key = 11},
        .accumulate = accumulate,
        .touched = s->touched};
    double loss = NAN;
    for (int i = 0; i < pb_model_params(s->model.model); i++)
        pb_model_param(s->model.model, i)->reached = false;
    if (!CHECK(!pb_step_run(&s->runner, &step, effort, &loss)))
        printf("  %s\n", pb_error_text());
    pb_graph_mark_reached(s->runner.graph);
    return loss;
}

/* The gradients of the last step, tensor by tensor; those of tensors that it does not reach are 0. */
static double *copy_gradients(const subject *s)
{
    const pb_model *m = s->model.model;
    size_t n = 0, at = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        n += pb_param_elements(pb_model_param(m, i));
    double *out = pb_alloc(n * sizeof *out);
    for (int i = 0; i < pb_model_params(m); i++) {
        const pb_param *p = pb_model_param(m, i);
        for (size_t k = 0; k < pb_param_elements(p); k++, at++)
            out[at] = p->trainable && p->reached ? fixture_gradient(p, k) : 0;
    }
    return out;
}

/* The largest difference of a tensor's gradients relative to the largest of them, over all tensors that train.  Gradients
 * that are a thousandth of others, such as those of the biases of keys, which cancel, are compared with a thousandth. */
static double apart(const subject *s, const double *a, const double *b)
{
    const pb_model *m = s->model.model;
    double worst = 0, all = 0;
    size_t at = 0;
    for (int i = 0; i < pb_model_params(m); i++)
        for (size_t k = 0; k < pb_param_elements(pb_model_param(m, i)); k++)
            all = fmax(all, fabs(a[at++]));
    for (int i = 0; i < pb_model_params(m); i++) {
        size_t n = pb_param_elements(pb_model_param(m, i));
        double off = 0, most = all / 1000;
        for (size_t k = 0; k < n; k++) {
            off = fmax(off, fabs(a[k] - b[k]));
            most = fmax(most, fabs(a[k]));
        }
        worst = fmax(worst, off / most);
        a += n;
        b += n;
    }
    return all > 0 ? worst : INFINITY;
}

static void compare_step_of(const char *model, pb_data *d, const char *spec)
{
    static const int parts[] = {2, 3, EXAMPLES, 100};
    subject s;
    open_subject(&s, model, d, spec);
    pb_effort one = {0};
    double loss = step_in(&s, 1, 0, &one), *gradient = copy_gradients(&s);
    for (size_t k = 0; k < PB_COUNT(parts); k++) {
        pb_effort many = {0};
        double sum = step_in(&s, parts[k], 0, &many), *added = copy_gradients(&s);
        CHECK_INT(many.steps, 1);
        if (!CHECK(fabs(sum - loss) < tolerance * fabs(loss)) || !CHECK(apart(&s, gradient, added) < tolerance))
            printf("  %s, %s, %d micro-batches: loss %g and %g, gradients apart %g\n", d->name, spec, parts[k], loss,
                   sum, apart(&s, gradient, added));
        free(added);
    }
    free(gradient);
    close_subject(&s);
}

static void compare_step(pb_data *d, const char *spec)
{
    compare_step_of(d->answer_kind == PB_ANSWER_TEXT ? DECODER : TINY, d, spec);
}

/* adalora adds a penalty, adamix draws experts and adds what two passes differ by,
 * dylora draws a rank, and diff-pruning gates. */
TEST(micro_batches_of_classes_have_the_gradients_of_one_batch)
{
    static const char *const specs[] = {"full", "lora", "adalora", "adamix", "dylora", "diff-pruning", "prefix"};
    for (size_t i = 0; i < PB_COUNT(specs); i++)
        compare_step(with_classes("", 0), specs[i]);
    compare_step(with_classes("bad:0.3, good:2", 0.1), "full");
    compare_step(with_numbers(), "full");
    compare_step(with_label_sets(), "full");
}

/* The tiny BERT with a table of words that is not tied, whose gradient is sparse.  Returns its folder. */
static char *make_untied(void)
{
    static const char *const files[] = {"model.safetensors", "tokenizer.json"};
    char *folder = pb_strdup("/tmp/untied-XXXXXX"), *here = realpath(TINY, NULL);
    char *config = pb_read_file(TINY "/config.json", NULL), *to;
    CHECK(mkdtemp(folder) && here && config);
    for (size_t i = 0; i < PB_COUNT(files); i++) {
        char *from = pb_format("%s/%s", here, files[i]);
        to = pb_format("%s/%s", folder, files[i]);
        CHECK(!symlink(from, to));
        free(from);
        free(to);
    }
    char *untied = pb_format("{\"tie_word_embeddings\": false,%s", strchr(config, '{') + 1);
    to = pb_format("%s/config.json", folder);
    CHECK(!pb_write_file(to, untied, strlen(untied)));
    free(to);
    free(untied);
    free(config);
    free(here);
    return folder;
}

TEST(micro_batches_touch_the_rows_of_a_table_that_one_batch_touches)
{
    char *folder = make_untied();
    compare_step_of(folder, with_classes("", 0), "full");
    pb_model *m = pb_model_open(&(pb_opening){.path = folder, .classes = 2});
    pb_attached part;
    fixture_method(&part, (char[]){"full"});
    CHECK(m && !pb_model_attach(m, &part, 1) && pb_model_find(m, "embed.word")->slot);
    pb_model_free(m);
    free((void *)(uintptr_t)part.conf);
    pb_remove_tree(folder);
    free(folder);
}

TEST(micro_batches_of_tags_count_by_their_words)
{
    compare_step(with_tags(), "full");
    compare_step(with_tags(), "lora");
}

TEST(micro_batches_of_texts_count_by_their_tokens)
{
    compare_step(with_texts(), "full");
    compare_step(with_texts(), "lora");
}

TEST(micro_batches_have_masks_of_their_own)
{
    subject s;
    open_subject(&s, TINY, with_classes("", 0), "lora");
    for (int i = 1; i < EXAMPLES; i++) /* all examples are the first one, so equal masks would give equal parts */
        s.set->item[PB_TRAIN][i] = s.set->item[PB_TRAIN][0];
    pb_effort e = {0};
    double same = step_in(&s, EXAMPLES, 0, &e), *plain = copy_gradients(&s);
    CHECK_NEAR(same, step_in(&s, 1, 0, &e), 1e-5);
    const pb_runner_batch first = {
        .split = PB_TRAIN, .item = &(int){0}, .count = 1, .training = true, .dropout = 0.5, .key = 11};
    CHECK(!pb_runner_run(&s.runner, &first));
    double one = (double)pb_graph_loss(s.runner.graph)->x[0];
    CHECK(fabs(step_in(&s, EXAMPLES, 0.5, &e) - one) > 1e-3);
    free(plain);
    close_subject(&s);
}

/* ---- whole runs ---------------------------------------------------------------------------------------------------- */

static pb_footprint plan_of(const char *spec, const pb_encoded *f, int batch, int accumulate)
{
    pb_train_options o = options_with(2, 1e-2);
    o.batch = batch;
    o.accumulate = accumulate;
    fixture r = fixture_open(spec, 2, 6);
    pb_footprint planned;
    CHECK(!pb_train_plan(r.model, f, &o, 6, &planned));
    fixture_close(&r);
    return planned;
}

TEST(the_activations_are_those_of_a_micro_batch)
{
    static const char *const specs[] = {"full", "lora", "head", "lora-ga"};
    pb_encoded *f = toy_set(40);
    for (size_t i = 0; i < PB_COUNT(specs); i++) {
        pb_footprint whole = plan_of(specs[i], f, 8, 1), parts = plan_of(specs[i], f, 8, 4),
                     small = plan_of(specs[i], f, 2, 1);
        CHECK(parts.activations == small.activations && parts.workspace == small.workspace);
        CHECK(parts.activations < whole.activations && parts.gradients == whole.gradients);
        CHECK(parts.prepare.activations == small.prepare.activations);
        CHECK_INT(parts.effort.steps, whole.effort.steps);
        CHECK(pb_effort_flops(&parts.effort) == pb_effort_flops(&small.effort));
        CHECK(parts.effort.tokens == whole.effort.tokens);
    }
    toy_free(f);
}

/* Trains two models for two epochs, one of them in micro-batches.  pb_train aborts if what it uses is not what it planned.
 */
static void compare_runs(const char *model, const char *spec)
{
    pb_encoded *f = toy_set(38); /* the last batch has 6 examples */
    pb_train_options o = options_with(2, 0.05);
    o.optimizer = PB_SGD;
    o.dropout = 0;
    fixture a, b;
    CHECK(!pb_testbed_open(&a, model, false, spec, 2, 6) && !pb_testbed_open(&b, model, false, spec, 2, 6));
    pb_result x = train(&a, f, &o, 6);
    o.accumulate = 3;
    pb_result y = train(&b, f, &o, 6);
    double first = pb_result_get(&x, -1, "train.first_loss"), last = pb_result_get(&x, -1, "train.last_loss");
    CHECK(last < first && !same_parameters(&a, &b));
    CHECK_NEAR(pb_result_get(&y, -1, "train.first_loss"), first, 1e-4);
    CHECK_NEAR(pb_result_get(&y, -1, "train.last_loss"), last, 1e-4);
    CHECK(pb_result_get(&y, -1, "memory.train.activations") <= pb_result_get(&x, -1, "memory.train.activations"));
    CHECK(pb_result_get(&y, -1, "memory.train.gradients") == pb_result_get(&x, -1, "memory.train.gradients"));
    pb_result_free(&x);
    pb_result_free(&y);
    fixture_close(&a);
    fixture_close(&b);
    toy_free(f);
}

TEST(a_run_in_micro_batches_ends_where_one_in_batches_does)
{
    char *folder = make_untied();
    compare_runs(TINY, "full");
    compare_runs(TINY, "lora");
    compare_runs(TINY, "head");
    compare_runs(folder, "full");
    pb_remove_tree(folder);
    free(folder);
}
