/* tokenizer_normalize: the normalizers of a BPE's tokenizer.json.  Floor 3. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "files/tokenizer_internal.h"

enum { PREPEND, REPLACE, LOWERCASE, STRIP_ACCENTS, STRIP, UNICODE };

pb_step *pb_steps_add(pb_steps *s, int kind)
{
    pb_grow(&s->step, s->count, &s->capacity, sizeof *s->step);
    pb_step *new = &s->step[s->count++];
    *new = (pb_step){.kind = kind, .a = "", .b = ""};
    return new;
}

int pb_steps_each(pb_tokenizer *t, const pb_json *v, const char *key,
                  int (*read)(pb_tokenizer *t, const pb_json *v, const char *type))
{
    if (!v || pb_json_is_null(v))
        return 0;
    const char *type = pb_json_text(pb_json_get(v, "type"), "(none)");
    if (strcmp(type, "Sequence") != 0)
        return read(t, v, type);
    const pb_json *list = pb_json_get(v, key);
    for (size_t i = 0; i < pb_json_size(list); i++)
        if (pb_steps_each(t, pb_json_at(list, i), key, read))
            return -1;
    return 0;
}

static int read_step(pb_tokenizer *t, const pb_json *v, const char *type)
{
    static const struct {
        const char *type;
        int kind, form;
    } known[] = {{"Prepend", PREPEND, 0},
                 {"Replace", REPLACE, 0},
                 {"Lowercase", LOWERCASE, 0},
                 {"StripAccents", STRIP_ACCENTS, 0},
                 {"Strip", STRIP, 0},
                 {"NFC", UNICODE, UTF8PROC_COMPOSE},
                 {"NFD", UNICODE, UTF8PROC_DECOMPOSE},
                 {"NFKC", UNICODE, UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UNICODE, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    size_t i = 0;
    while (i < PB_COUNT(known) && strcmp(type, known[i].type) != 0)
        i++;
    if (i == PB_COUNT(known))
        return pb_error("%s: normalizer: type '%s' is not supported for a BPE", t->path, type);
    pb_step *s = pb_steps_add(&t->normalizer, known[i].kind);
    s->start = known[i].form;
    s->flag = pb_json_bool(pb_json_get(v, "strip_left"), true);
    s->flag2 = pb_json_bool(pb_json_get(v, "strip_right"), true);
    if (known[i].kind == PREPEND)
        s->a = pb_json_text(pb_json_get(v, "prepend"), "");
    if (known[i].kind != REPLACE)
        return 0;
    s->a = pb_json_text(pb_json_get(pb_json_get(v, "pattern"), "String"), "");
    s->b = pb_json_text(pb_json_get(v, "content"), "");
    return *s->a ? 0 : pb_error("%s: normalizer: Replace: want a pattern {\"String\": ..}", t->path);
}

int pb_normalizer_read(pb_tokenizer *t, const pb_json *v)
{
    return pb_steps_each(t, v, "normalizers", read_step);
}

/* ---- running ----------------------------------------------------------------------------------------- */

static void replace(const pb_step *s, const pb_text *in, pb_text *out)
{
    size_t n = strlen(s->a);
    for (size_t i = 0; i < in->length;) {
        bool here = in->length - i >= n && !memcmp(in->data + i, s->a, n);
        pb_text_bytes(out, here ? s->b : in->data + i, here ? strlen(s->b) : 1);
        i += here ? n : 1;
    }
}

/* By utf8proc, which speaks of text with its length given. */
static void transform(const pb_step *s, const pb_text *in, pb_text *out)
{
    uint8_t *result = NULL;
    utf8proc_ssize_t n = utf8proc_map((const uint8_t *)in->data, (utf8proc_ssize_t)in->length, &result,
                                      (utf8proc_option_t)(s->start | UTF8PROC_STABLE));
    if (n >= 0)
        pb_text_bytes(out, result, (size_t)n);
    else
        pb_text_bytes(out, in->data, in->length);
    free(result);
}

/* U+0130 is the one character whose lower case is two. */
static void lower(const pb_text *in, pb_text *out)
{
    int32_t c;
    for (size_t i = 0; i < in->length;) {
        i += pb_utf8_next(in->data + i, in->length - i, &c);
        pb_utf8_add(out, c == 0x130 ? 'i' : utf8proc_tolower(c));
        if (c == 0x130)
            pb_utf8_add(out, 0x307);
    }
}

static void strip_accents(const pb_text *in, pb_text *out)
{
    int32_t c;
    for (size_t i = 0; i < in->length;) {
        i += pb_utf8_next(in->data + i, in->length - i, &c);
        utf8proc_category_t category = utf8proc_category(c);
        if (category != UTF8PROC_CATEGORY_MN && category != UTF8PROC_CATEGORY_MC && category != UTF8PROC_CATEGORY_ME)
            pb_utf8_add(out, c);
    }
}

static void strip(const pb_step *s, const pb_text *in, pb_text *out)
{
    size_t from = 0, to = 0, n;
    bool begun = false;
    int32_t c;
    for (size_t i = 0; i < in->length; i += n) {
        n = pb_utf8_next(in->data + i, in->length - i, &c);
        if (pb_utf8_is_space(c))
            continue;
        from = begun ? from : i;
        begun = true;
        to = i + n;
    }
    from = s->flag ? from : 0;
    to = s->flag2 ? to : in->length;
    if (begun)
        pb_text_bytes(out, in->data + from, to - from);
}

static void run(const pb_step *s, const pb_text *in, pb_text *out)
{
    switch (s->kind) {
    case PREPEND:
        if (in->length)
            pb_text_add(out, "%s", s->a);
        pb_text_bytes(out, in->data, in->length);
        break;
    case REPLACE: replace(s, in, out); break;
    case LOWERCASE: lower(in, out); break;
    case STRIP_ACCENTS: strip_accents(in, out); break;
    case STRIP: strip(s, in, out); break;
    default: transform(s, in, out);
    }
}

static void swap(pb_text *a, pb_text *b)
{
    pb_text c = *a;
    *a = *b;
    *b = c;
}

void pb_normalizer_run(const pb_tokenizer *t, const char *text, size_t size, pb_text *out)
{
    pb_text next = {0};
    pb_text_bytes(out, "", 0);
    pb_text_bytes(out, text, size);
    for (size_t i = 0; i < t->normalizer.count && out->length; i++) {
        next.length = 0;
        pb_text_bytes(&next, "", 0);
        run(&t->normalizer.step[i], out, &next);
        swap(out, &next);
    }
    pb_text_free(&next);
}
