/* Pretraining: what is asked for, what a teacher says, and that a killed run goes on to the same bits. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/threads.h"
#include "test.h"
#include "train/pretrain.h"
#include "util.h"

#define TINY "tests/golden/tiny-bert"

static char *folder;
static pb_arena *names; /* of all paths */

static const char *inside(const char *name)
{
    if (!folder) {
        names = pb_arena_new("names");
        folder = pb_arena_strdup(names, mkdtemp((char[]){"/tmp/pretrain.XXXXXX"}));
    }
    return pb_arena_format(names, "%s/%s", folder, name);
}

/* Sentences of a small grammar: what follows is partly known from what came before. */
static void write_text(const char *path, int documents, uint64_t seed)
{
    static const char *const who[] = {"the cat", "a dog", "my friend", "the old man"};
    static const char *const does[] = {"eats", "likes", "sees", "forgets"};
    static const char *const what[] = {"the unforgettable fish", "a good bone", "that film", "his hat"};
    pb_rng r = pb_rng_named(seed, "text");
    pb_text t = {0};
    for (int i = 0; i < documents; i++) {
        for (int k = 0; k < 6; k++) {
            int which = (int)pb_rng_below(&r, 4);
            pb_text_add(&t, "%s %s %s. ", who[which], does[pb_rng_below(&r, 4)], what[which]);
        }
        pb_text_add(&t, "\n");
    }
    CHECK(!pb_write_file(path, t.data, t.length));
    pb_text_free(&t);
}

typedef struct setup {
    pb_source source;
    pb_corpus corpus;
    pb_decontamination *none;
    pb_tokenizer *tokenizer;
    pb_pretrain_options options, preset;
} setup;

/* A folder with a tokenizer and a network to be trained, and the corpus as its tokens. */
static setup setup_open(pb_objective objective, const char *name, int vocabulary)
{
    setup d = {.source = {.name = "toy", .repeat = 1}, .none = pb_decontamination_new()};
    const pb_network_shape shape = {
        .layers = 2, .width = 32, .heads = 2, .kv_heads = 2, .intermediate_size = 64, .positions = 64};
    d.source.file = inside("train.txt");
    d.source.heldout = inside("heldout.txt");
    write_text(d.source.file, 120, 1);
    write_text(d.source.heldout, 12, 2);
    d.corpus.sources = 1;
    pb_option_defaults(pb_pretrain_table, &d.options);
    d.preset = d.options; /* owns its texts; the paths are of `names` */
    d.options.objective = (int)objective;
    d.options.output = inside(name);
    d.options.state = pb_arena_format(names, "%s.state", d.options.output);
    d.options.vocabulary = vocabulary;
    d.options.tokens = 100000;
    d.options.batch = 512;
    d.options.length = 48;
    d.options.lr = 5e-3;
    d.options.bf16 = false;
    pb_bpe_trainer *t = pb_bpe_trainer_new(objective == PB_MASKED ? PB_BPE_WORDS : PB_BPE_TEXT);
    d.corpus.source = &d.source;
    CHECK(!pb_make_dirs(d.options.output) && !pb_corpus_count(&d.corpus, d.none, t));
    int entries = pb_bpe_trainer_write(t, vocabulary, pb_arena_format(names, "%s/tokenizer.json", d.options.output));
    CHECK(!pb_network_config_write(d.options.output, objective, &shape, entries));
    pb_bpe_trainer_free(t);
    d.tokenizer = pb_tokenizer_open(d.options.output);
    CHECK(d.tokenizer && !pb_corpus_encode(&d.corpus, d.none, d.tokenizer));
    return d;
}

static void setup_close(setup *d)
{
    pb_corpus_free(&d->corpus);
    pb_decontamination_free(d->none);
    pb_tokenizer_close(d->tokenizer);
    pb_option_release(pb_pretrain_table, &d->preset);
}

static pb_pretrained pretrain(setup *d)
{
    const pb_pretrain_watch none = {NULL, NULL, NULL};
    pb_pretrained out = {.steps = 0};
    d->corpus.source = &d->source;
    if (!CHECK(!pb_pretrain(&d->options, &d->corpus, &none, &out)))
        printf("  %s\n", pb_error_text());
    return out;
}

TEST(segments_are_the_whole_text_cut_in_front_of_words)
{
    setup d = setup_open(PB_MASKED, "segments", 290);
    d.corpus.source = &d.source;
    pb_stream *s = &d.corpus.train;
    for (int equal = 0; equal < 2; equal++) {
        size_t at = 0, documents = 0;
        pb_stream_cut(s, 24, equal, 5);
        for (size_t i = 0; i < s->segments; i++) {
            const struct pb_segment *p = &s->segment[i];
            CHECK(p->at == at && p->count > 0 && p->count <= 24 && s->begins[p->at]);
            documents += p->opens;
            at += (size_t)p->count;
        }
        CHECK(at == s->ids.count && documents == s->documents && documents == 120);
    }
    int count, again;
    int *a = pb_corpus_order(&d.corpus, 1, 0, &count), *b = pb_corpus_order(&d.corpus, 1, 0, &again);
    int *c = pb_corpus_order(&d.corpus, 1, 1, &again);
    long sum = 0;
    for (int i = 0; i < count; i++)
        sum += a[i];
    CHECK(count == (int)s->segments && sum == (long)count * (count - 1) / 2);
    CHECK(!memcmp(a, b, (size_t)count * sizeof *a) && memcmp(a, c, (size_t)count * sizeof *a));
    free(a);
    free(b);
    free(c);
    setup_close(&d);
}

TEST(whole_words_are_asked_for_and_mostly_hidden)
{
    setup d = setup_open(PB_MASKED, "masks", 290);
    pb_stream *s = &d.corpus.train;
    pb_collator l = {.objective = PB_MASKED, .tokenizer = d.tokenizer, .masked_segments = 1, .masked_words = 0.3};
    pb_stream_cut(s, 48, true, 0);
    CHECK(!pb_collator_start(&l));
    int *segment = pb_alloc(s->segments * sizeof *segment), words = 0, asked = 0, hidden = 0, tokens = 0;
    for (size_t i = 0; i < s->segments; i++)
        segment[i] = (int)i;
    pb_batch b;
    CHECK(!pb_collator_batch(
        &l, s, &(pb_pretrain_batch){.segment = segment, .segments = (int)s->segments, .key = 3, .with_targets = true},
        &b));
    for (size_t i = 0; i < s->segments; i++) {
        int at = b.offset[i], end = b.offset[i + 1];
        CHECK(b.ids[at] == l.begin && b.ids[end - 1] == l.end && b.target[at] < 0 && b.target[end - 1] < 0);
        for (int k = at + 1; k < end - 1; k++) {
            size_t from = s->segment[i].at + (size_t)(k - at - 1);
            bool wanted = b.target[k] >= 0;
            words += s->begins[from] != PB_NO_WORD;
            asked += s->begins[from] && wanted;
            hidden += wanted && b.ids[k] == l.mask;
            tokens += wanted;
            CHECK(!wanted || b.target[k] == s->ids.id[from]);
            CHECK(wanted || b.ids[k] == s->ids.id[from]);
            CHECK(s->begins[from] || wanted == (b.target[k - 1] >= 0));
        }
    }
    CHECK_NEAR((double)asked / words, 0.3, 0.1);
    CHECK_NEAR((double)hidden / tokens, 0.8, 0.1);
    free(segment);
    pb_collator_stop(&l);
    setup_close(&d);
}

TEST(every_token_of_a_document_and_its_end_is_asked_for_once)
{
    setup d = setup_open(PB_CAUSAL, "causal-batches", 290);
    pb_stream *s = &d.corpus.train;
    pb_collator l = {.objective = PB_CAUSAL, .tokenizer = d.tokenizer};
    pb_stream_cut(s, 24, false, 0);
    CHECK(!pb_collator_start(&l));
    size_t next = 0;
    for (int i = 0; i < (int)s->segments; i++) {
        pb_batch b;
        CHECK(!pb_collator_batch(&l, s, &(pb_pretrain_batch){.segment = &i, .segments = 1, .with_targets = true}, &b));
        CHECK((b.ids[0] == l.begin) == s->segment[i].opens);
        for (int k = 0; k < b.offset[1]; k++) {
            bool end = k + 1 == b.offset[1] && s->segment[i].closes;
            CHECK_INT(b.target[k], end ? l.end : s->ids.id[next]);
            next += !end;
        }
    }
    CHECK(next == s->ids.count);
    pb_collator_stop(&l);
    setup_close(&d);
}

/* The teacher has a tokenizer of its own; words are what both have in common. */
TEST(a_teacher_says_one_thing_of_all_tokens_of_a_word)
{
    setup d = setup_open(PB_MASKED, "teacher", 290);
    pb_stream *s = &d.corpus.train;
    pb_model *teacher = pb_model_open(&(pb_opening){.path = TINY, .bare = true});
    if (!CHECK(teacher && !pb_model_attach(teacher, NULL, 0)))
        return;
    pb_collator l = {.objective = PB_MASKED,
                     .tokenizer = d.tokenizer,
                     .masked_segments = 1,
                     .masked_words = 0.5,
                     .teacher_weight = 1,
                     .teacher = teacher};
    pb_stream_cut(s, 14, true, 0); /* the teacher has few positions */
    CHECK(!pb_collator_start(&l));
    const int segment[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    pb_batch clean, masked;
    CHECK(!pb_collator_calibrate(&l, s, segment, 10));
    CHECK(!pb_collator_batch(&l, s, &(pb_pretrain_batch){.segment = segment, .segments = 10, .with_teacher = true},
                             &clean));
    int n = clean.offset[10], width = pb_model_outputs(teacher), repeated = 0;
    pb_real *kept = pb_alloc((size_t)(n * width) * sizeof *kept);
    memcpy(kept, clean.distill_target, (size_t)(n * width) * sizeof *kept);
    CHECK(!pb_collator_batch(
        &l, s, &(pb_pretrain_batch){.segment = segment, .segments = 10, .with_targets = true, .with_teacher = true},
        &masked));
    CHECK(!memcmp(kept, masked.distill_target, (size_t)(n * width) * sizeof *kept)); /* it sees the text unmasked */
    CHECK_INT((int)l.unmatched, 0);
    for (int i = 0; i < 10; i++)
        for (int k = masked.offset[i] + 1; k < masked.offset[i + 1] - 1; k++) {
            bool first = s->begins[s->segment[i].at + (size_t)(k - masked.offset[i] - 1)];
            bool same = !memcmp(kept + k * width, kept + (k - 1) * width, (size_t)width * sizeof *kept);
            CHECK(first != same);
            repeated += same;
        }
    CHECK(repeated > 0);          /* some words are of several tokens */
    double square = 0, count = 0; /* every coordinate has variance 1 over the words it was measured on */
    for (int i = 0; i < 10; i++)
        for (int k = masked.offset[i] + 1; k < masked.offset[i + 1] - 1; k++)
            for (int j = 0; s->begins[s->segment[i].at + (size_t)(k - masked.offset[i] - 1)] && j < width; j++) {
                square += (double)(kept[k * width + j] * kept[k * width + j]);
                count++;
            }
    CHECK_NEAR(square / count, 1, 0.02);
    free(kept);
    pb_collator_stop(&l);
    pb_model_free(teacher);
    setup_close(&d);
}

TEST(it_learns_what_there_is_to_learn)
{
    static const struct {
        pb_objective objective;
        const char *name, *teacher;
    } row[] = {{PB_MASKED, "masked", ""}, {PB_MASKED, "distilled", TINY}, {PB_CAUSAL, "causal", ""}};
    for (size_t i = 0; i < PB_COUNT(row); i++) {
        setup d = setup_open(row[i].objective, row[i].name, 400);
        d.options.teacher = row[i].teacher;
        pb_pretrained p = pretrain(&d);
        /* Of log 400 = 6 nats at the start; the grammar's own entropy is 0.13 bits a byte. */
        if (!CHECK(p.heldout > 0.1 && p.heldout < 2.2) || !CHECK(p.bits_per_byte < 0.4))
            printf("  %s: %g nats, %g bits a byte\n", row[i].name, p.heldout, p.bits_per_byte);
        CHECK((row[i].objective == PB_CAUSAL) == (p.bits_per_byte > 0.1));
        CHECK(pb_file_exists(pb_arena_format(names, "%s/model.safetensors", d.options.output)));
        pb_model *m = pb_model_open(&(pb_opening){.path = d.options.output}); /* and it is a checkpoint */
        CHECK(m && pb_model_outputs(m) == pb_tokenizer_vocab(d.tokenizer));
        pb_model_free(m);
        pb_pretrained_free(&p);
        setup_close(&d);
    }
}

static char *weights_of(const setup *d, size_t *size)
{
    return pb_read_file(pb_arena_format(names, "%s/model.safetensors", d->options.output), size);
}

TEST(a_killed_run_goes_on_to_the_same_bits)
{
    setup a = setup_open(PB_MASKED, "straight", 290), b = setup_open(PB_MASKED, "killed", 290);
    a.options.tokens = b.options.tokens = 20000;
    pb_pretrained p = pretrain(&a);
    pb_pretrained_free(&p);
    b.options.save = 1e-9; /* after every step */
    for (int kills = 0; kills < 3; kills++) {
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            pb_pretrained ignored = pretrain(&b);
            pb_pretrained_free(&ignored);
            _exit(0);
        }
        usleep(60000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    p = pretrain(&b);
    size_t n, m;
    char *x = weights_of(&a, &n), *y = weights_of(&b, &m);
    CHECK(n == m && !memcmp(x, y, n));
    CHECK(p.curve.points > 10); /* the curve of all stretches */
    free(x);
    free(y);
    pb_pretrained_free(&p);
    setup_close(&a);
    setup_close(&b);
}

TEST(a_checkpoint_of_another_network_is_refused)
{
    setup a = setup_open(PB_MASKED, "one", 290), b = setup_open(PB_CAUSAL, "other", 290);
    a.options.tokens = 1000;
    pb_pretrained p = pretrain(&a);
    pb_pretrained_free(&p);
    b.options.state = a.options.state;
    b.corpus.source = &b.source;
    CHECK_INT(pb_pretrain(&b.options, &b.corpus, &(pb_pretrain_watch){.ctx = NULL}, &p), -1);
    CHECK(strstr(pb_error_text(), a.options.state) == pb_error_text() &&
          strstr(pb_error_text(), "remove it to start again"));
    pb_pretrained_free(&p);
    setup_close(&a);
    setup_close(&b);
    CHECK(!system(pb_arena_format(names, "rm -r '%s'", folder))); /* NOLINT: a folder of our own */
    pb_arena_free(names);
}
