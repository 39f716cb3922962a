/* cmd_list: lists methods, kinds of tasks and named tasks. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cmd.h"
#include "cli/method_card.h"
#include "cli/plugins.h"
#include "experiment/named_tasks.h"
#include "model/preset.h"

static void list_named_tasks(void)
{
    char **names = pb_named_tasks();
    for (size_t i = 0; names[i]; i++)
        printf("  %s\n", names[i]);
    pb_named_tasks_free(names);
}

/* Appends ,"KEY":"VALUE". */
static void add_member(pb_text *out, const char *key, const char *value)
{
    pb_text_add(out, ",\"%s\":", key);
    pb_json_quote(out, value);
}

/* Appends the methods that a composition consists of, such as "sparse+lora". */
static void add_methods(pb_text *out, const pb_preset *composition)
{
    pb_preset_part part[PB_MAX_PARTS];
    int n = pb_preset_expand(composition, NULL, part);
    for (int i = 0; i < n; i++)
        pb_text_add(out, "%s%s", i ? "+" : "", part[i].method->name);
    pb_preset_parts_free(part, n);
}

/* Appends the counts of a composition, "NAME: COUNT; NAME: COUNT" with the names that its spec has. */
static void add_counts(pb_text *out, const pb_preset *composition)
{
    pb_preset_part part[PB_MAX_PARTS];
    int n = pb_preset_expand(composition, NULL, part);
    for (int i = 0; i < n; i++)
        if (part[i].method->count)
            pb_text_add(out, "%s%s: %s", out->length ? "; " : "", part[i].name, part[i].method->count);
    pb_preset_parts_free(part, n);
}

static void print_composition_json(const pb_preset *p)
{
    pb_text t = {0}, count = {0}, methods = {0};
    add_methods(&methods, p);
    add_counts(&count, p);
    pb_text_add(&t, "{\"method\":");
    pb_json_quote(&t, p->name);
    add_member(&t, "class", pb_category_name[PB_HYBRID]);
    add_member(&t, "title", p->title);
    add_member(&t, "paper", p->paper);
    add_member(&t, "count", count.data ? count.data : "");
    add_member(&t, "peft", "");
    pb_text_add(&t, ",\"merges\":%s", pb_composition_merges(p) ? "true" : "false");
    add_member(&t, "preset_of", methods.data);
    add_member(&t, "settings", p->spec);
    printf("%s}\n", t.data);
    pb_text_free(&t);
    pb_text_free(&count);
    pb_text_free(&methods);
}

/* Prints a method, or its preset p. */
static void print_json(const pb_method *m, const pb_preset *p)
{
    const char *type = pb_type_in_peft(m, p);
    pb_text t = {0};
    pb_text_add(&t, "{\"method\":");
    pb_json_quote(&t, p ? p->name : m->name);
    add_member(&t, "class", pb_category_name[m->traits.category]);
    add_member(&t, "title", p ? p->title : m->title);
    add_member(&t, "paper", p ? p->paper : m->paper);
    add_member(&t, "count", m->count ? m->count : "");
    add_member(&t, "peft", type ? type : "");
    pb_text_add(&t, ",\"merges\":%s", m->traits.merges ? "true" : "false");
    if (p) {
        add_member(&t, "preset_of", m->name);
        add_member(&t, "settings", p->spec);
    }
    printf("%s}\n", t.data);
    pb_text_free(&t);
}

static void list_json(void)
{
    const pb_method *m;
    const pb_preset *p;
    for (int i = 0; (m = pb_method_at(i)); i++)
        print_json(m, NULL);
    for (int i = 0; (p = pb_preset_at(i, &m)); i++)
        m ? print_json(m, p) : print_composition_json(p);
}

enum { INDENT = 46 };

/* Prints the line of a method, or of its preset p, and below it the paper and the count of elements. */
static void print_method(const pb_method *m, const pb_preset *p)
{
    const char *type = pb_type_in_peft(m, p);
    printf("  %-16s %-8s %-18s %s", p ? p->name : m->name, pb_merging(m), type ? type : "-", p ? p->title : m->title);
    if (p)
        printf("; = %s: %s", m->name, p->spec);
    printf("\n%*s%s", INDENT, "", p ? p->paper : m->paper);
    if (!p && m->count)
        printf("; adds %s", m->count);
    printf("\n");
}

static void print_composition(const pb_preset *p)
{
    printf("  %-16s %-8s %-18s %s; = %s\n%*s%s\n", p->name, pb_composition_merges(p) ? "yes" : "no", "-", p->title,
           p->spec, INDENT, "", p->paper);
}

/* Prints the methods of a category, each with its presets behind it, and the compositions of hybrid methods.  Adds
 * their numbers to *methods and *presets. */
static void print_category(int category, int *methods, int *presets)
{
    const pb_method *m;
    printf("%s:\n", pb_category_name[category]);
    for (int i = 0; (m = pb_method_at(i)); i++) {
        if ((int)m->traits.category != category)
            continue;
        print_method(m, NULL);
        ++*methods;
        for (const pb_preset *p = m->presets; p && p->name; p++, ++*presets)
            print_method(m, p);
    }
    for (const pb_preset *const *p = pb_presets; category == PB_HYBRID && *p; p++, ++*presets)
        print_composition(*p);
}

static void list_methods(void)
{
    int methods = 0, presets = 0;
    printf("methods by category, whether they can be merged into the weights, and PEFT's name of them\n"
           "(a+b composes two; `peftbench show NAME` prints the settings):\n");
    for (int c = PB_BASELINE; c <= PB_HYBRID; c++)
        print_category(c, &methods, &presets);
    printf("%d files, %d presets\n", methods, presets);
}

static int list(const pb_args *a)
{
    if (pb_plugins_load(a))
        return PB_EXIT_QUESTION;
    if (a->markdown) {
        pb_cards_print_markdown();
        return PB_EXIT_DONE;
    }
    if (a->json) {
        list_json();
        return PB_EXIT_DONE;
    }
    list_methods();
    printf("kinds of tasks:\n");
    for (const pb_task *const *t = pb_tasks; *t; t++)
        printf("  %-12s %s\n", (*t)->name, (*t)->help);
    printf("named tasks:\n");
    list_named_tasks();
    return PB_EXIT_DONE;
}

const pb_command pb_cmd_list = {
    .name = "list",
    .words = "",
    .options = "json markdown plugin",
    .help = "list methods, presets, kinds of tasks and named tasks\n\n"
            "A preset is a name of its own for some settings of a method: \"= lora: dora=yes\",\n"
            "or for a composition.\n",
    .run = list,
};
