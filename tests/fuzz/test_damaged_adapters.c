/* PEFT adapters of every type that is written here meet damage in adapter_config.json or in their tensors: each is read,
 * or refused with a message; none crashes (the sanitizers watch in `make check`).  Damage is a pure function of the
 * round, so a failure can be repeated. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "model/adapter.h"
#include "model/adapter_fields.h"

/* A classifier; of types with which no head is saved a language model. */
static pb_model *open_base(bool head)
{
    return head ? pb_model_open(&(pb_opening){.path = "tests/golden/tiny-bert", .classes = 3})
                : pb_model_open(&(pb_opening){.path = "tests/golden/families/llama-3"});
}

enum { ROUNDS = 40 };

static void set(const pb_method *method, void *conf, const char *option, const char *value)
{
    if (pb_option_find(method->settings.options, option))
        PB_CHECK(!pb_option_set(method->settings.options, conf, option, value));
}

/* Writes an adapter of this type to the folder; false if the method needs other settings for that. */
static bool write_adapter(const pb_method *method, const pb_peft *peft, const char *dir)
{
    void *conf = pb_alloc(method->settings.conf_size + 1);
    pb_option_defaults(method->settings.options, conf);
    set(method, conf, "rank", "2");
    set(method, conf, "target_rank", "1");
    set(method, conf, "size", "4");
    set(method, conf, "blocks", "0");
    set(method, conf, "frozen", strcmp(peft->type, "CARTRIDGE") ? "0" : "1");
    for (const pb_peft_tensor *t = peft->loaded; t && t->ours; t++)
        set(method, conf, t->ours, t->theirs);
    pb_model *m = open_base(pb_peft_saves_modules(peft));
    bool written = !pb_model_attach(m, &(pb_attached){method, conf}, 1) && !pb_adapter_save(m, dir);
    if (!written)
        printf("  %s: %s\n", peft->type, pb_error_text());
    pb_error_clear();
    pb_model_free(m);
    pb_option_release(method->settings.options, conf);
    free(conf);
    return written;
}

/* One to three wounds: a bit, a digit, a stretch cut out or zeroed. */
static void damage(char *bytes, size_t *n, const char *type, int round)
{
    pb_rng r = pb_rng_named((uint64_t)round, type);
    for (int wounds = 1 + (int)pb_rng_below(&r, 3); wounds > 0 && *n > 0; wounds--) {
        size_t at = (size_t)pb_rng_below(&r, *n), length = 1 + (size_t)pb_rng_below(&r, 8);
        length = at + length > *n ? *n - at : length;
        switch (pb_rng_below(&r, 4)) {
        case 0: bytes[at] = (char)(bytes[at] ^ (1 << pb_rng_below(&r, 8))); break;
        case 1: bytes[at] = "0123456789-.\"[]{}"[pb_rng_below(&r, 17)]; break;
        case 2:
            memmove(bytes + at, bytes + at + length, *n - at - length);
            *n -= length;
            break;
        default: memset(bytes + at, 0, length); break;
        }
    }
}

/* Reads the folder with one file damaged; returns whether it was refused. */
static bool is_refused(const char *dir, const char *name, const pb_peft *peft, int round)
{
    const char *type = peft->type;
    char *path = pb_format("%s/%s", dir, name);
    size_t size, n;
    char *whole = pb_read_file(path, &size), *hurt = pb_alloc(size + 1);
    memcpy(hurt, whole, n = size);
    if (round > 0)
        damage(hurt, &n, type, round);
    PB_CHECK(!pb_write_file(path, hurt, n));
    pb_error_clear();
    pb_adapter *a = pb_adapter_open(dir);
    pb_model *m = a ? open_base(pb_peft_saves_modules(peft)) : NULL;
    bool refused = !m || pb_adapter_attach(m, a, true) != 0;
    if (!round && !CHECK(!refused)) /* as it was written */
        printf("  %s: %s\n", type, pb_error_text());
    if (!CHECK(!refused || *pb_error_text()))
        printf("  %s, %s, round %d: refused without a message\n", type, name, round);
    pb_error_clear();
    pb_model_free(m);
    pb_adapter_close(a);
    PB_CHECK(!pb_write_file(path, whole, size));
    free(hurt);
    free(whole);
    free(path);
    return refused;
}

TEST(adapters_of_every_type)
{
    const pb_method *method;
    for (int i = 0; (method = pb_method_at(i)); i++)
        for (const pb_peft *p = method->peft; p && !p->only_written; p = p->other) {
            char dir[] = "/tmp/peftbench-fuzz-XXXXXX";
            int refused = 0;
            PB_CHECK(mkdtemp(dir) != NULL);
            bool written = write_adapter(method, p, dir);
            for (int round = 0; written && round < ROUNDS; round++) {
                refused += is_refused(dir, "adapter_config.json", p, round);
                refused += is_refused(dir, "adapter_model.safetensors", p, round);
            }
            printf("  %-16s refused %d of %d\n", p->type, refused, 2 * ROUNDS);
            pb_remove_tree(dir);
        }
}
