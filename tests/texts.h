/* texts: hypotheses with sources and references from JSON Lines, for the tests of the metrics. */
#ifndef PB_TESTS_TEXTS_H
#define PB_TESTS_TEXTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/metric.h"

typedef struct texts {
    pb_text_set set;
    pb_text_item *item;      /* [set.count]; set.item */
    const char **hypothesis; /* [set.count]           */
    pb_json_doc **doc;       /* [set.count] own the texts */
} texts;

static inline void add_line(texts *t, const char *path, const char *line)
{
    size_t n = (size_t)t->set.count++;
    t->item = pb_realloc(t->item, (n + 1) * sizeof *t->item);
    t->hypothesis = pb_realloc(t->hypothesis, (n + 1) * sizeof *t->hypothesis);
    t->doc = pb_realloc(t->doc, (n + 1) * sizeof *t->doc);
    t->doc[n] = pb_json_parse(path, line, strlen(line));
    if (!t->doc[n]) {
        fprintf(stderr, "%s\n", pb_error_text());
        exit(2);
    }
    const pb_json *root = pb_json_root(t->doc[n]), *references = pb_json_get(root, "references");
    size_t count = pb_json_size(references);
    const char **reference = pb_alloc(count * sizeof *reference);
    for (size_t i = 0; i < count; i++)
        reference[i] = pb_json_text(pb_json_at(references, i), "");
    t->item[n] = (pb_text_item){pb_json_text(pb_json_get(root, "source"), NULL), reference, (int)count};
    t->hypothesis[n] = pb_json_text(pb_json_get(root, "hypothesis"), "");
    t->set.item = t->item;
}

/* Lines {"source": "..", "hypothesis": "..", "references": ["..", ..]}; ends the program if one is not. */
static inline texts read_texts(const char *path)
{
    texts t = {.set.count = 0};
    char *all = pb_read_file(path, NULL), *rest = all, *line;
    if (!all) {
        fprintf(stderr, "%s\n", pb_error_text());
        exit(2);
    }
    while ((line = strsep(&rest, "\n")) && *line)
        add_line(&t, path, line);
    free(all);
    return t;
}

static inline void free_texts(texts *t)
{
    for (int i = 0; i < t->set.count; i++) {
        free((void *)t->item[i].reference);
        pb_json_free(t->doc[i]);
    }
    free(t->item);
    free(t->hypothesis);
    free(t->doc);
}

#endif
