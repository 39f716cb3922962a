/* metrics: what check_metrics.py compares.
 *   metrics FILE [FORMS]     each metric of hypotheses as JSON Lines (tests/texts.h): its name, signature,
 *                            value, and the value of each example alone (none where it is no sum)
 *   metrics --treebank       the Treebank words of each line of stdin */
#include "tests/texts.h"

#include <math.h>

#include "train/metric_internal.h"

static void print_number(double x)
{
    if (isfinite(x))
        printf("%.17g", x);
    else
        printf("null");
}

static void print_metric(const pb_text_metric *m, const texts *t)
{
    size_t width = (size_t)m->stats;
    double *stats = pb_alloc(((size_t)t->set.count * width + 1) * sizeof *stats);
    char *signature = pb_text_signature(m, &t->set);
    printf("{\"metric\": \"%s\", \"signature\": \"%s\", \"value\": ", m->name, signature);
    print_number(pb_text_score(m, &t->set, t->hypothesis, stats));
    printf(", \"each\": [");
    for (int i = 0; m->value && i < t->set.count; i++) {
        printf("%s", i ? ", " : "");
        print_number(m->value(stats + (size_t)i * width));
    }
    printf("]}\n");
    free(signature);
    free(stats);
}

static void print_words(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        pb_pieces p = pb_cut_treebank(line);
        puts(p.count ? p.text.data : "");
        pb_pieces_free(&p);
    }
    free(line);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--treebank")) {
        print_words();
        return 0;
    }
    pb_forms *forms = argc > 2 ? pb_forms_read(argv[2]) : NULL;
    if (argc < 2 || (argc > 2 && !forms)) {
        fprintf(stderr, "%s\n", argc < 2 ? "usage: metrics FILE [FORMS] | metrics --treebank" : pb_error_text());
        return 2;
    }
    texts t = read_texts(argv[1]);
    t.set.forms = forms;
    t.set.answer = "{number}";
    for (const pb_text_metric *const *m = pb_text_metrics; *m; m++)
        print_metric(*m, &t);
    free_texts(&t);
    pb_forms_free(forms);
    return 0;
}
