/* cmd_verify: checks the contract of a method. */
#include <stdlib.h>
#include <string.h>

#include "model/config_writer.h"
#include "model/method_spec.h"
#include "model/plugin.h"
#include "cli/cmd.h"
#include "verify/verify.h"

/* Two small networks with random weights, an encoder and a decoder.  Both have biases, which a method must not lose. */
static int make_fixtures(const char *folder, pb_fixture fixture[2])
{
    static const pb_network_shape shape = {
        .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .intermediate_size = 48, .positions = 64, .bias = true};
    for (int i = 0; i < 2; i++) {
        pb_network_shape s = shape;
        char *path = pb_format("%s/%s", folder, i ? "decoder" : "encoder");
        s.kv_heads = i ? 2 : 4; /* an encoder has no groups */
        fixture[i] = (pb_fixture){.path = path, .random = true, .decoder = i};
        if (pb_make_dirs(path) || pb_network_config_write(path, i ? PB_CAUSAL : PB_MASKED, &s, 96))
            return -1;
    }
    return 0;
}

typedef struct checker {
    const char *spec, *fixture;
    int broken;
} checker;

static void print_check(void *ctx, const char *check, pb_outcome outcome, const char *why)
{
    static const char *const name_of[] = {"ok", "FAILED", "not promised"};
    checker *t = ctx;
    t->broken += outcome == PB_BROKEN;
    printf("%-12s %-20s %-8s %s%s%s\n", name_of[outcome], t->spec, t->fixture, check, *why ? ": " : "", why);
    fflush(stdout);
}

/* Returns whether the method is part of the spec, which was parsed successfully before. */
static bool has_method(const char *spec, const pb_method *m)
{
    pb_method_spec s;
    bool has = false;
    PB_CHECK(!pb_method_spec_parse(&s, spec));
    for (int i = 0; i < s.parts; i++)
        has = has || s.part[i].method == m;
    pb_method_spec_free(&s);
    return has;
}

/* Composes the spec with every other method, and prints one line for all that work and one for each that does not. */
static void verify_compositions(checker *t, const pb_fixture *g)
{
    int together = 0;
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++) {
        char why[200];
        if (has_method(t->spec, m))
            continue;
        pb_outcome o = pb_verify_together(g, t->spec, m->name, why);
        together += o == PB_HELD;
        t->broken += o == PB_BROKEN;
        if (o != PB_HELD)
            printf("%-12s %-20s %-8s with %s: %s\n", o == PB_BROKEN ? "FAILED" : "refused", t->spec, t->fixture,
                   m->name, why);
    }
    printf("%-12s %-20s %-8s works with %d other methods\n", "ok", t->spec, t->fixture, together);
}

/* Returns -1 with an error if there is no such method. */
static int verify_one(const char *spec, const pb_fixture fixture[2], int *broken)
{
    for (int i = 0; i < 2; i++) {
        checker t = {spec, fixture[i].decoder ? "decoder" : "encoder", 0};
        if (pb_verify(&fixture[i], spec, print_check, &t) < 0)
            return -1;
        if (!t.broken) /* else a composition is broken, too, or is aborted by the engine's own checks */
            verify_compositions(&t, &fixture[i]);
        *broken += t.broken;
    }
    return 0;
}

/* Loads FILE.so, which settings or other methods may follow, and replaces it by the name of its method.  Returns the
 * spec, which the caller frees, or NULL with an error. */
static char *load_spec(const char *given)
{
    const char *end = strstr(given, ".so");
    if (!end || !strchr(":+", end[3]))
        return pb_strdup(given);
    char *path = pb_format("%.*s", (int)(end + 3 - given), given);
    const pb_method *m = pb_plugin_load(path);
    free(path);
    return m ? pb_format("%s%s", m->name, end + 3) : NULL;
}

static int verify_all(const char *given, const pb_fixture fixture[2], int *broken)
{
    char *spec = load_spec(given);
    const pb_method *m;
    const pb_preset *p;
    int rc = !spec ? -1 : strcmp(spec, "all") != 0 ? verify_one(spec, fixture, broken) : 0;
    for (int i = 0; !rc && !strcmp(spec, "all") && (m = pb_method_at(i)); i++)
        rc = verify_one(m->name, fixture, broken);
    for (int i = 0; !rc && !strcmp(spec, "all") && (p = pb_preset_at(i, &m)); i++)
        rc = verify_one(p->name, fixture, broken);
    free(spec);
    return rc;
}

static int verify(const pb_args *a)
{
    char folder[] = "/tmp/peftbench-XXXXXX";
    pb_fixture fixture[2] = {{NULL, false, false}, {NULL, false, false}};
    int broken = 0,
        rc = mkdtemp(folder) ? make_fixtures(folder, fixture) : pb_error("%s: the folder cannot be created", folder);
    rc = rc || verify_all(a->word[0], fixture, &broken) ? -1 : 0;
    pb_remove_tree(folder);
    for (int i = 0; i < 2; i++)
        free((char *)(uintptr_t)fixture[i].path);
    if (!rc)
        printf("%d check%s failed\n", broken, broken == 1 ? "" : "s");
    return rc ? PB_EXIT_QUESTION : broken ? PB_EXIT_NO : PB_EXIT_DONE;
}

const pb_command pb_cmd_verify = {
    .name = "verify",
    .words = "METHOD|FILE.so|all",
    .least = 1,
    .most = 1,
    .options = "",
    .help =
        "check that a method, or every method, keeps its contract\n\n"
        "METHOD is the name of a method or preset, with settings such as lora:rank=4,dora=yes, or a composition a+b.  "
        "FILE.so is a\n"
        "plugin (docs/write-a-method.md).  The checks use a small encoder and a small decoder with random weights, "
        "and\n"
        "print one line each.  Exit code 1: a check failed.\n",
    .run = verify,
};
