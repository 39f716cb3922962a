/* method_card: see method_card.h. */
#include "cli/method_card.h"

#include <stdlib.h>
#include <string.h>

#include "model/method_spec.h"
#include "model/plugin.h"
#include "report/grid.h"

enum { WIDTH = 120, RANGE = 160 };

/* Prints a text in lines of at most WIDTH bytes. */
static void print_wrapped(const char *text)
{
    for (size_t column = 0; *text;) {
        size_t word = strcspn(text, " ");
        if (column && column + 1 + word > WIDTH) {
            printf("\n");
            column = 0;
        }
        printf("%s%.*s", column ? " " : "", (int)word, text);
        column += word + (column ? 1 : 0);
        text += word + strspn(text + word, " ");
    }
    printf("\n");
}

/* Returns the value that a setting has unless it is set: the default, or that of a preset's part. */
static const char *default_of(const pb_option *o, const pb_preset_part *preset)
{
    for (int i = 0; preset && i < preset->settings; i++)
        if (!strcmp(preset->setting[i].key, o->name))
            return preset->setting[i].value;
    return o->default_value;
}

static const char *or_none(const char *text)
{
    return text && *text ? text : "none";
}

/* The allowed values: "1..4096" or "gelu|relu"; "" for others. */
static void write_range(const pb_option *o, char *range, size_t size)
{
    *range = 0;
    if (o->type == PB_INT || o->type == PB_REAL)
        snprintf(range, size, "%g..%g", o->min, o->max);
    else if (o->type == PB_CHOICE)
        snprintf(range, size, "%s", o->choices);
}

const char *pb_merging(const pb_method *m)
{
    bool hooks = m->hooks.weight || m->hooks.linear || m->hooks.attention || m->hooks.block || m->hooks.embed ||
                 m->hooks.logits || m->hooks.prompt;
    return m->traits.merges ? "yes" : m->hooks.select && !hooks ? "in place" : "no";
}

/* False if the preset's part has another value of a setting than PEFT always has. */
static bool fits(const pb_peft *peft, const pb_preset_part *part)
{
    bool same = true;
    for (const pb_peft_tensor *t = peft->loaded; t && t->ours; t++)
        for (int i = 0; i < part->settings; i++)
            same = same && (strcmp(part->setting[i].key, t->ours) != 0 || !strcmp(part->setting[i].value, t->theirs));
    return same;
}

const char *pb_type_in_peft(const pb_method *m, const pb_preset *p)
{
    pb_preset_part part = {.text = NULL};
    int n = p ? pb_preset_expand(p, m, &part) : 0;
    const pb_peft *peft = m->peft;
    while (peft && !fits(peft, &part))
        peft = peft->other;
    pb_preset_parts_free(&part, n);
    return peft ? peft->type : NULL;
}

/* ---- for a terminal ------------------------------------------------------------------------------------------ */

static void print_facts(const pb_method *m, const pb_preset *p)
{
    const char *plugin = pb_plugin_path(m);
    printf("%s: %s\nclass: %s\npaper: %s\n", p ? p->name : m->name, p ? p->title : m->title,
           pb_category_name[m->traits.category], p ? p->paper : m->paper);
    if (plugin)
        printf("plugin: %s, SHA-256 %s\n", plugin, pb_plugin_digest(m)->hex);
    print_wrapped(m->help);
    printf("equation: %s\n", or_none(m->equation));
    printf("trained elements that it adds: %s\n", or_none(m->count));
    if (m->deviation)
        printf("standard deviations at the start: %s\n", m->deviation);
    if (m->settings.size)
        printf("size, which [experiment] budget chooses: %s\n", m->settings.size);
    printf("starts as the base model: %s\n", m->traits.identity ? "yes" : "no");
    printf("can be merged into the weights: %s\n", pb_merging(m));
    printf("in PEFT: %s\n", or_none(pb_type_in_peft(m, p)));
}

void pb_card_print_settings(const pb_option *options, const pb_preset_part *preset)
{
    const char *member = preset && preset->name ? preset->name : "";
    for (const pb_option *o = options; o && o->name; o++) {
        char range[RANGE];
        write_range(o, range, sizeof range);
        char *name = pb_format("%s%s%s", member, *member ? "." : "", o->name);
        printf("  %-18s = %-10s %s%s%s%s\n", name, default_of(o, preset), o->help, *range ? " (" : "", range,
               *range ? ")" : "");
        free(name);
    }
}

void pb_card_print(const pb_method *m, const pb_preset *p)
{
    pb_preset_part part = {.text = NULL};
    int n = p ? pb_preset_expand(p, m, &part) : 0;
    print_facts(m, p);
    if (m->notes)
        print_wrapped(m->notes);
    if (p && p->notes)
        print_wrapped(p->notes);
    if (p)
        printf("preset of a method: = %s: %s\n", m->name, p->spec);
    for (const pb_preset *q = m->presets; !p && q && q->name; q++)
        printf("preset %s: %s\n", q->name, q->spec);
    if (m->settings.options)
        printf("settings, in [method %s]:\n", p ? p->name : m->name);
    pb_card_print_settings(m->settings.options, &part);
    pb_preset_parts_free(&part, n);
}

bool pb_composition_merges(const pb_preset *p)
{
    pb_preset_part part[PB_MAX_PARTS];
    int n = pb_preset_expand(p, NULL, part), merging = 0;
    for (int i = 0; i < n; i++)
        merging += !strcmp(pb_merging(part[i].method), "no") ? 0 : 1;
    pb_preset_parts_free(part, n);
    return merging == n;
}

void pb_card_print_composition(const pb_preset *p)
{
    pb_preset_part part[PB_MAX_PARTS];
    int n = pb_preset_expand(p, NULL, part);
    bool identity = true;
    for (int i = 0; i < n; i++)
        identity = identity && part[i].method->traits.identity;
    printf("%s: %s\nclass: %s\npaper: %s\n", p->name, p->title, pb_category_name[PB_HYBRID], p->paper);
    for (int i = 0; i < n; i++)
        printf("trained elements that %s adds: %s\n", part[i].name, or_none(part[i].method->count));
    printf("starts as the base model: %s\n", identity ? "yes" : "no");
    printf("can be merged into the weights: %s\n", pb_composition_merges(p) ? "yes" : "no");
    if (p->notes)
        print_wrapped(p->notes);
    printf("preset of a composition: = %s\nsettings, in [method %s]:\n", p->spec, p->name);
    for (int i = 0; i < n; i++)
        pb_card_print_settings(part[i].method->settings.options, &part[i]);
    pb_preset_parts_free(part, n);
}

/* ---- docs/methods.md ----------------------------------------------------------------------------------------- */

static const char *const about_category[] = {
    "Baselines: what fine-tuning is compared with.",
    "Additive methods train new parameters, which become a part of the network.",
    "Selective methods train some of the base model's own parameters.",
    "Reparametrization methods train a compact form of the change of the weights.",
    "Hybrid methods combine others.",
};

/* Prints a paper's reference with a link to arXiv, if it is there. */
static void print_paper(const char *paper)
{
    const char *id = strstr(paper, "arXiv:");
    if (!id) {
        pb_markdown_print(paper, stdout);
        return;
    }
    size_t n = strcspn(id + strlen("arXiv:"), " ,;)");
    char *before = pb_format("%.*s", (int)(id - paper), paper);
    pb_markdown_print(before, stdout);
    printf("[arXiv:%.*s](https://arxiv.org/abs/%.*s)", (int)n, id + strlen("arXiv:"), (int)n, id + strlen("arXiv:"));
    pb_markdown_print(id + strlen("arXiv:") + n, stdout);
    free(before);
}

/* A row of the table of facts, with the value as code or as words. */
static void print_fact(const char *name, const char *value, bool code)
{
    if (!value || !*value)
        return;
    printf("| %s | %s", name, code ? "`" : "");
    for (; *value; value++)
        printf("%s%c", *value == '|' ? "\\" : "", *value);
    printf("%s |\n", code ? "`" : "");
}

static void print_settings_markdown(const pb_option *options)
{
    if (!options || !options->name)
        return;
    printf("\n| setting | default | range | |\n|---|---|---|---|\n");
    for (const pb_option *o = options; o->name; o++) {
        char range[RANGE];
        write_range(o, range, sizeof range);
        printf("| `%s` | ", o->name);
        pb_markdown_print(o->default_value, stdout);
        printf(" | ");
        pb_markdown_print(range, stdout);
        printf(" | ");
        pb_markdown_print(o->help, stdout);
        printf(" |\n");
    }
}

static void print_preset_markdown(const pb_method *m, const pb_preset *p)
{
    printf("\n#### %s\n\n", p->name);
    pb_markdown_print(p->title, stdout);
    printf(". Preset `%s: %s`. ", m->name, p->spec);
    print_paper(p->paper);
    printf(".");
    if (p->notes) {
        printf(" ");
        pb_markdown_print(p->notes, stdout);
    }
    printf("\n");
}

static void print_markdown(const pb_method *m)
{
    printf("\n### %s\n\n**", m->name);
    pb_markdown_print(m->title, stdout);
    printf(".** ");
    print_paper(m->paper);
    printf(".\n\n");
    pb_markdown_print(m->help, stdout);
    printf("\n\n| | |\n|---|---|\n");
    print_fact("equation", m->equation, true);
    print_fact("trained elements that it adds", m->count, true);
    print_fact("standard deviations at the start", m->deviation, true);
    print_fact("size, which `budget` chooses", m->settings.size, true);
    print_fact("starts as the base model", m->traits.identity ? "yes" : "no", false);
    print_fact("can be merged into the weights", pb_merging(m), false);
    print_fact("in PEFT", or_none(pb_type_in_peft(m, NULL)), false);
    print_settings_markdown(m->settings.options);
    if (m->notes) {
        printf("\n");
        pb_markdown_print(m->notes, stdout);
        printf("\n");
    }
    for (const pb_preset *p = m->presets; p && p->name; p++)
        print_preset_markdown(m, p);
}

static void print_composition_markdown(const pb_preset *p)
{
    printf("\n### %s\n\n**", p->name);
    pb_markdown_print(p->title, stdout);
    printf(".** ");
    print_paper(p->paper);
    printf(". Preset `%s`.\n", p->spec);
    if (p->notes) {
        printf("\n");
        pb_markdown_print(p->notes, stdout);
        printf("\n");
    }
}

void pb_cards_print_markdown(void)
{
    int files = 0, presets = 0;
    for (; pb_methods[files]; files++)
        for (const pb_preset *p = pb_methods[files]->presets; p && p->name; p++)
            presets++;
    for (const pb_preset *const *p = pb_presets; *p; p++)
        presets++;
    printf("# Methods\n\n"
           "Generated by `make docs` from the files in `methods/`; do not edit this page. %d files, %d presets: a "
           "preset is "
           "a name of its own for some settings of a method or for a composition. `peftbench show NAME` prints the "
           "same of one method. The "
           "formulas are described in `src/model/formula.h`; `peftbench verify` compares them with the tensors.\n",
           files, presets);
    for (int c = PB_BASELINE; c <= PB_HYBRID; c++) {
        printf("\n## %s\n\n%s\n", pb_category_name[c], about_category[c]);
        for (const pb_method *const *m = pb_methods; *m; m++)
            if ((int)(*m)->traits.category == c)
                print_markdown(*m);
        for (const pb_preset *const *p = pb_presets; c == PB_HYBRID && *p; p++)
            print_composition_markdown(*p);
    }
}
