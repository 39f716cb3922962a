/* task: the data of a task in memory; see task.h. */
#include "train/task.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

const char *const pb_split_name[PB_SPLITS] = {"train", "validation", "test"};

const pb_task *pb_task_find(const char *name)
{
    for (const pb_task *const *t = pb_tasks; *t; t++)
        if (!strcmp((*t)->name, name))
            return *t;
    return NULL;
}

const char *pb_task_digest(const pb_task *t)
{
    for (int i = 0; pb_tasks[i]; i++)
        if (pb_tasks[i] == t)
            return pb_task_digests[i];
    PB_BUG("the kind of task '%s' is not in the list", t->name);
}

pb_data *pb_data_new(const char *name)
{
    pb_data *d = pb_alloc(sizeof *d);
    d->name = pb_strdup(name);
    d->positive = -1;
    return d;
}

static void free_texts(int n, char **text)
{
    for (int k = 0; k < n; k++)
        free(text[k]);
    free(text);
}

static void free_example(pb_example *e)
{
    free((char *)(uintptr_t)e->text);
    free((char *)(uintptr_t)e->second);
    free_texts(e->answers, e->answer);
    free_texts(e->words, e->word);
    free_texts(e->choices, e->choice);
    free(e->tag);
    free(e->labels);
}

void pb_prediction_free(pb_prediction *p)
{
    free(p->text);
    free(p->label_set);
    free(p->score);
    p->text = NULL;
    p->label_set = p->score = NULL;
}

void pb_data_clear(pb_data *d, pb_split split)
{
    for (int i = 0; i < d->split[split].count; i++)
        free_example(&d->split[split].example[i]);
    d->split[split].count = 0;
}

void pb_data_free(pb_data *d)
{
    if (!d)
        return;
    for (int s = 0; s < PB_SPLITS; s++) {
        pb_data_clear(d, (pb_split)s);
        free(d->split[s].example);
    }
    for (int c = 0; c < d->classes; c++)
        free(d->class_name[c]);
    free(d->class_name);
    free(d->class_weight);
    free(d->pair[0]);
    free(d->pair[1]);
    free(d->template);
    free(d->chat);
    free(d->date);
    free(d->forms);
    free(d->answer);
    free((char *)(uintptr_t)d->name);
    free(d);
}

int pb_data_class(pb_data *d, const char *name)
{
    for (int c = 0; c < d->classes; c++)
        if (!strcmp(d->class_name[c], name))
            return c;
    return pb_data_add_class(d, name);
}

int pb_data_add_class(pb_data *d, const char *name)
{
    pb_grow(&d->class_name, (size_t)d->classes, &d->class_capacity, sizeof *d->class_name);
    d->class_name[d->classes] = pb_strdup(name);
    return d->classes++;
}

int pb_data_find_class(const pb_data *d, const char *name)
{
    pb_text known = {0};
    for (int c = 0; c < d->classes; c++) {
        if (!strcmp(d->class_name[c], name)) {
            pb_text_free(&known);
            return c;
        }
        if (c < 8)
            pb_text_add(&known, "%s%s", c ? ", " : "", d->class_name[c]);
    }
    const char **names = pb_alloc((size_t)(d->classes + 1) * sizeof *names);
    for (int c = 0; c < d->classes; c++)
        names[c] = d->class_name[c];
    char *near = pb_did_you_mean(name, names);
    pb_error("no class '%s'%s want one of %s%s", name, *near ? near : ";", known.data ? known.data : "none",
             d->classes > 8 ? ", .." : "");
    pb_text_free(&known);
    free(names);
    free(near);
    return -1;
}

int *pb_data_count_classes(const pb_data *d, pb_split split)
{
    int *count = pb_alloc((size_t)(d->classes + 1) * sizeof *count);
    for (int i = 0; i < d->split[split].count && d->classes; i++) {
        const pb_example *e = &d->split[split].example[i];
        for (int k = 0; k < e->words; k++)
            count[e->tag[k]]++;
        if (e->label >= 0)
            count[e->label]++;
        for (int k = 0; k < e->label_count; k++)
            count[e->labels[k]]++;
    }
    return count;
}

double pb_data_mean(const pb_data *d)
{
    double sum = 0;
    int n = d->split[PB_TRAIN].count;
    for (int i = 0; i < n && d->answer_kind == PB_ANSWER_NUMBER; i++)
        sum += d->split[PB_TRAIN].example[i].target;
    return n ? sum / n : 0;
}

int pb_data_blame(const pb_data *d, const char *setting)
{
    const char *location = d->name;
    for (const pb_setting_place *p = d->place; p && p->name; p++)
        if (!strcmp(p->name, setting))
            location = p->location;
    pb_error_prefix("%s", setting);
    return pb_error_prefix("%s", location);
}

/* Adds the example itself: the data owns its texts from now on. */
static void put_example(pb_data *d, pb_split split, const pb_example *e)
{
    size_t capacity = (size_t)d->split[split].capacity;
    pb_grow(&d->split[split].example, (size_t)d->split[split].count, &capacity, sizeof(pb_example));
    d->split[split].capacity = (int)capacity;
    d->split[split].example[d->split[split].count++] = *e;
}

/* A copy of n texts, each a copy; NULL if there are none. */
static char **copy_texts(int n, char *const *text)
{
    char **copy = n ? pb_alloc((size_t)n * sizeof *copy) : NULL;
    for (int k = 0; k < n; k++)
        copy[k] = pb_strdup(text[k]);
    return copy;
}

static int *copy_numbers(int n, const int *number)
{
    int *copy = n ? pb_alloc((size_t)n * sizeof *copy) : NULL;
    if (n)
        memcpy(copy, number, (size_t)n * sizeof *copy);
    return copy;
}

void pb_data_add_example(pb_data *d, pb_split split, const pb_example *e)
{
    pb_example copy = *e;
    PB_CHECK(!e->second == !d->pair[1]);
    copy.text = pb_strdup(e->text);
    copy.second = e->second ? pb_strdup(e->second) : NULL;
    copy.answer = copy_texts(e->answers, e->answer);
    copy.word = copy_texts(e->words, e->word);
    copy.choice = copy_texts(e->choices, e->choice);
    copy.tag = copy_numbers(e->words, e->tag);
    copy.labels = copy_numbers(e->label_count, e->labels);
    put_example(d, split, &copy);
}

void pb_data_add_sentence(pb_data *d, pb_split split, int words, const char *const *word, const int *tag, int line)
{
    pb_text text = {0}, tags = {0};
    for (int i = 0; i < words; i++) {
        pb_text_add(&text, "%s%s", i ? " " : "", word[i]);
        pb_text_add(&tags, "%s%s", i ? " " : "", d->class_name[tag[i]]);
    }
    pb_data_add_example(d, split,
                        &(pb_example){.text = text.data,
                                      .label = -1,
                                      .answer = &tags.data,
                                      .answers = 1,
                                      .word = (char **)(uintptr_t)word,
                                      .tag = (int *)(uintptr_t)tag,
                                      .words = words,
                                      .line = line});
    pb_text_free(&text);
    pb_text_free(&tags);
}

void pb_data_add(pb_data *d, pb_split split, const char *text, int label, int line)
{
    pb_data_add_example(d, split, &(pb_example){.text = text, .label = label, .line = line});
}

void pb_data_add_answer(pb_data *d, pb_split split, const char *text, const char *answer, int line)
{
    char *one = (char *)(uintptr_t)answer;
    pb_data_add_example(d, split, &(pb_example){.text = text, .label = -1, .answer = &one, .answers = 1, .line = line});
}

/* ---- grouping ------------------------------------------------------------------------------- */

static int by_characters(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Compares the choices in alphabetical order, so that a question with its choices in another order is the same one. */
static int compare_choices(const pb_example *a, const pb_example *b)
{
    const char *x[PB_MOST_CHOICES], *y[PB_MOST_CHOICES];
    int order = (a->choices > b->choices) - (a->choices < b->choices);
    if (order || !a->choices)
        return order;
    memcpy(x, a->choice, (size_t)a->choices * sizeof *x);
    memcpy(y, b->choice, (size_t)b->choices * sizeof *y);
    qsort(x, (size_t)a->choices, sizeof *x, by_characters);
    qsort(y, (size_t)b->choices, sizeof *y, by_characters);
    for (int k = 0; !order && k < a->choices; k++)
        order = strcmp(x[k], y[k]);
    return order;
}

int pb_example_compare(const pb_example *a, const pb_example *b)
{
    int order = strcmp(a->text, b->text);
    order = order ? order : strcmp(a->second ? a->second : "", b->second ? b->second : "");
    return order ? order : compare_choices(a, b);
}

static int by_text_and_position(const void *a, const void *b)
{
    const pb_example *const *x = a, *const *y = b;
    int order = pb_example_compare(*x, *y);
    return order ? order : (*x > *y) - (*x < *y);
}

/* Appends the answers of `from` to those of `to`.  Afterwards `from` is empty, without a text. */
static void join_answers(pb_example *to, pb_example *from)
{
    to->answer = pb_realloc(to->answer, (size_t)(to->answers + from->answers) * sizeof *to->answer);
    memcpy(to->answer + to->answers, from->answer, (size_t)from->answers * sizeof *to->answer);
    to->answers += from->answers;
    from->answers = 0;
    free_example(from);
    *from = (pb_example){.text = NULL};
}

static void group_split(pb_data *d, pb_split s)
{
    pb_example *all = d->split[s].example;
    int n = d->split[s].count, kept = 0;
    pb_example **sorted = pb_alloc((size_t)(n + 1) * sizeof *sorted);
    for (int i = 0; i < n; i++)
        sorted[i] = &all[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_text_and_position);
    for (int i = 0, first = 0; i < n; i++)
        if (i > first && !pb_example_compare(sorted[i], sorted[first]))
            join_answers(sorted[first], sorted[i]);
        else
            first = i;
    for (int i = 0; i < n; i++)
        if (all[i].text)
            all[kept++] = all[i];
    d->split[s].count = kept;
    free(sorted);
}

void pb_data_group(pb_data *d)
{
    for (int s = 0; s < PB_SPLITS; s++)
        group_split(d, (pb_split)s);
}

/* ---- drawing splits ------------------------------------------------------------------------ */

/* Equal texts, which may have different targets or answers, stay in their order, however qsort treats equal ones. */
static int by_label_text_and_position(const void *a, const void *b)
{
    const pb_example *const *x = a, *const *y = b;
    int order = ((*x)->label > (*y)->label) - ((*x)->label < (*y)->label);
    return order ? order : by_text_and_position(a, b);
}

/* Returns the n examples by label, text and position.  The caller frees the array, whose texts are those of e. */
static pb_example *sort_by_label(const pb_example *e, int n)
{
    const pb_example **order = pb_alloc((size_t)(n + 1) * sizeof *order);
    pb_example *sorted = pb_alloc((size_t)(n + 1) * sizeof *sorted);
    for (int i = 0; i < n; i++)
        order[i] = &e[i];
    qsort(order, (size_t)n, sizeof *order, by_label_text_and_position);
    for (int i = 0; i < n; i++)
        sorted[i] = *order[i];
    free(order);
    return sorted;
}

static int by_text(const void *a, const void *b)
{
    const pb_example *const *x = a, *const *y = b;
    return pb_example_compare(*x, *y);
}

/* Consecutive examples with equal texts, which stay in one split. */
typedef struct text_group {
    int first, count;
} text_group;

/* Returns the end of the examples from `from` on that have equal texts. */
static int end_of_group(const pb_example *e, int from, int n)
{
    int to = from + 1;
    while (to < n && !pb_example_compare(&e[to], &e[from]))
        to++;
    return to;
}

/* Distributes the examples [from,to) of one label over the splits, in an order of their groups drawn from r. */
static void deal_label(pb_data *d, const pb_example *e, int from, int to, const double share[2], pb_rng *r)
{
    text_group *g = pb_alloc((size_t)(to - from) * sizeof *g);
    int *order = pb_alloc((size_t)(to - from) * sizeof *order), groups = 0;
    for (int i = from, next; i < to; i = next) {
        next = end_of_group(e, i, to);
        order[groups] = groups;
        g[groups++] = (text_group){i, next - i};
    }
    pb_rng_shuffle(r, order, groups);
    int wanted[2] = {(int)(share[0] * (to - from) + 0.5), (int)(share[1] * (to - from) + 0.5)}, got[2] = {0, 0};
    for (int i = 0; i < groups; i++) {
        pb_split s = got[0] < wanted[0] ? PB_VALIDATION : got[1] < wanted[1] ? PB_TEST : PB_TRAIN;
        for (int k = 0; k < g[order[i]].count; k++)
            put_example(d, s, &e[g[order[i]].first + k]);
        if (s != PB_TRAIN)
            got[s == PB_TEST] += g[order[i]].count;
    }
    free(order);
    free(g);
}

void pb_data_draw(pb_data *d, double validation, double test, uint64_t seed)
{
    int n = d->split[PB_TRAIN].count;
    pb_example *all = sort_by_label(d->split[PB_TRAIN].example, n);
    free(d->split[PB_TRAIN].example);
    d->split[PB_TRAIN].example = NULL;
    d->split[PB_TRAIN].count = d->split[PB_TRAIN].capacity = 0;
    pb_rng r = pb_rng_named(seed, "split");
    for (int from = 0, to; from < n; from = to) {
        for (to = from; to < n && all[to].label == all[from].label;)
            to++;
        deal_label(d, all, from, to, (const double[]){validation, test}, &r);
    }
    free(all);
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Returns n of the numbers 0 .. count-1, chosen by the seed, in ascending order.  The caller frees them. */
static int *choose_numbers(int count, int n, uint64_t seed)
{
    int *order = pb_alloc((size_t)count * sizeof *order + 1);
    for (int i = 0; i < count; i++)
        order[i] = i;
    pb_rng r = pb_rng_named(seed, "keep");
    pb_rng_shuffle(&r, order, count);
    qsort(order, (size_t)n, sizeof *order, by_number);
    return order;
}

pb_data *pb_data_part(const pb_data *d, int n, uint64_t seed)
{
    int count = d->split[PB_TRAIN].count, kept = n && n < count ? n : count;
    int *order = choose_numbers(count, kept, seed);
    pb_data *part = pb_alloc(sizeof *part);
    *part = *d;
    part->split[PB_TRAIN].example = pb_alloc((size_t)kept * sizeof *part->split[PB_TRAIN].example + 1);
    for (int i = 0; i < kept; i++)
        part->split[PB_TRAIN].example[i] = d->split[PB_TRAIN].example[order[i]];
    part->split[PB_TRAIN].count = part->split[PB_TRAIN].capacity = kept;
    part->class_weight = d->balanced ? NULL : d->class_weight;
    free(order);
    return part;
}

void pb_data_part_free(pb_data *part)
{
    if (part)
        free(part->split[PB_TRAIN].example);
    if (part && part->balanced)
        free(part->class_weight);
    free(part);
}

void pb_data_keep(pb_data *d, pb_split split, int n, uint64_t seed)
{
    pb_example *all = d->split[split].example;
    int count = d->split[split].count, next = 0;
    if (!n || n >= count)
        return;
    int *order = choose_numbers(count, n, seed);
    for (int i = 0; i < count; i++)
        if (next < n && order[next] == i)
            all[next++] = all[i];
        else
            free_example(&all[i]);
    d->split[split].left_out += count - n;
    d->split[split].count = n;
    free(order);
}

/* ---- checking ------------------------------------------------------------------------------- */

static int split_of(const pb_data *d, const pb_example *e)
{
    for (int s = 0; s < PB_SPLITS; s++)
        if (e >= d->split[s].example && e < d->split[s].example + d->split[s].count)
            return s;
    PB_BUG("example of no split");
}

static int refuse_overlap(const pb_data *d, const pb_example *a, const pb_example *b)
{
    const char *what = b->choices ? "question" : b->second ? "pair" : "text", *second = b->second ? b->second : "";
    return pb_error("%s: the %s \"%.*s\"%s%.*s%s is in both %s and %s; want every %s in one split%s", d->name, what,
                    pb_characters(b->text, 60), b->text, *second ? ", \"" : "", pb_characters(second, 60), second,
                    *second ? "\"" : "", pb_split_name[split_of(d, a)], pb_split_name[split_of(d, b)], what,
                    d->may_drop ? ", or overlap = drop" : "");
}

static int check_overlap(const pb_data *d, const pb_example **all, int n)
{
    for (int i = 1; i < n; i++)
        if (!pb_example_compare(all[i - 1], all[i]) && split_of(d, all[i - 1]) != split_of(d, all[i]))
            return refuse_overlap(d, all[i - 1], all[i]);
    return 0;
}

/* Returns true if the text of all[i] is in a later split, too.  `all` [n] is sorted by text. */
static bool is_in_later_split(const pb_data *d, const pb_example **all, int n, int i)
{
    int split = split_of(d, all[i]), from = i;
    while (from > 0 && !pb_example_compare(all[from - 1], all[i]))
        from--;
    for (; from < n && !pb_example_compare(all[from], all[i]); from++)
        if (split_of(d, all[from]) > split)
            return true;
    return false;
}

static const pb_example **sorted_by_text(const pb_data *d, int *count)
{
    int n = 0;
    for (int s = 0; s < PB_SPLITS; s++)
        n += d->split[s].count;
    const pb_example **all = pb_alloc((size_t)(n + 1) * sizeof *all);
    *count = 0;
    for (int s = 0; s < PB_SPLITS; s++)
        for (int i = 0; i < d->split[s].count; i++)
            all[(*count)++] = &d->split[s].example[i];
    qsort(all, (size_t)n, sizeof *all, by_text);
    return all;
}

int pb_data_drop_overlap(pb_data *d)
{
    int n, dropped = 0;
    const pb_example **all = sorted_by_text(d, &n);
    bool *drop[PB_SPLITS];
    for (int s = 0; s < PB_SPLITS; s++)
        drop[s] = pb_alloc((size_t)d->split[s].count + 1);
    for (int i = 0; i < n; i++) {
        int s = split_of(d, all[i]);
        drop[s][all[i] - d->split[s].example] = is_in_later_split(d, all, n, i);
    }
    for (int s = 0; s < PB_SPLITS; s++) {
        int kept = 0;
        for (int i = 0; i < d->split[s].count; i++) {
            if (drop[s][i])
                free_example(&d->split[s].example[i]);
            else
                d->split[s].example[kept++] = d->split[s].example[i];
        }
        d->split[s].dropped += d->split[s].count - kept;
        dropped += d->split[s].count - kept;
        d->split[s].count = kept;
        free(drop[s]);
    }
    free(all);
    return dropped;
}

/* Adds to `sum` what the digest of the data depends on: of a pair also the lengths, so that no other pair has the same
 * digest. */
static void add_example(const pb_data *d, int split, const pb_example *e, pb_text *sum)
{
    const char *label = e->label < 0 ? "" : d->class_name[e->label];
    if (e->second)
        pb_text_add(sum, "%d\t%s\t%zu\t%zu\t%s\t%s\n", split, label, strlen(e->text), strlen(e->second), e->text,
                    e->second);
    else
        pb_text_add(sum, "%d\t%s\t%s\n", split, label, e->text);
    for (int k = 0; k < e->words; k++) /* words may have blanks */
        pb_text_add(sum, "\t%zu", strlen(e->word[k]));
    for (int k = 0; k < e->answers; k++)
        pb_text_add(sum, "\t%s\n", e->answer[k]);
    for (int k = 0; k < e->choices; k++)
        pb_text_add(sum, "\t%zu\t%s\n", strlen(e->choice[k]), e->choice[k]);
    for (int k = 0; k < e->label_count; k++)
        pb_text_add(sum, "\t%s\n", d->class_name[e->labels[k]]);
    if (d->answer_kind == PB_ANSWER_NUMBER)
        pb_text_add(sum, "\t%.17g\n", e->target);
}

int pb_data_check(pb_data *d)
{
    pb_text sum = {0};
    if (d->classes == 1 && d->answer_kind != PB_ANSWER_NUMBER)
        return pb_error("%s: want at least 2 %s, got %d", d->name,
                        d->answer_kind == PB_ANSWER_LABELS ? "labels" : "classes", d->classes);
    for (int s = 0; s < PB_SPLITS; s++) {
        if (d->split[s].count == 0)
            return pb_error("%s: no %s examples", d->name, pb_split_name[s]);
        for (int i = 0; i < d->split[s].count; i++)
            add_example(d, s, &d->split[s].example[i], &sum);
    }
    d->digest = pb_sha256(sum.data, sum.length);
    pb_text_free(&sum);
    int n;
    const pb_example **all = sorted_by_text(d, &n);
    int rc = check_overlap(d, all, n);
    free(all);
    return rc;
}
