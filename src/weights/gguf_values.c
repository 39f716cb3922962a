/* gguf_values: the metadata of a GGUF file, looked up by key. */
#include "weights/gguf_internal.h"

#include <string.h>

int pb_gguf_bytes(pb_gguf_type type)
{
    static const int bytes[PB_GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return bytes[type];
}

const pb_gguf_value *pb_gguf_find(const pb_gguf *f, const char *key)
{
    int i = pb_interner_find(&f->key, key, strlen(key));
    return i < 0 ? NULL : &f->value[i];
}

static double number_at(pb_gguf_type type, const unsigned char *p)
{
    uint64_t n = 0;
    for (int i = pb_gguf_bytes(type); i-- > 0;)
        n = n << 8 | p[i];
    float f;
    double d;
    uint32_t low = (uint32_t)n;
    switch (type) {
    case PB_GGUF_F32: memcpy(&f, &low, sizeof f); return (double)f;
    case PB_GGUF_F64: memcpy(&d, &n, sizeof d); return d;
    case PB_GGUF_I8: return (double)(int8_t)n;
    case PB_GGUF_I16: return (double)(int16_t)n;
    case PB_GGUF_I32: return (double)(int32_t)n;
    case PB_GGUF_I64: return (double)(int64_t)n;
    default: return (double)n;
    }
}

double pb_gguf_number(const pb_gguf *f, const char *key, double otherwise)
{
    const pb_gguf_value *v = pb_gguf_find(f, key);
    return v && v->type != PB_GGUF_TEXT && v->type != PB_GGUF_LIST ? number_at(v->type, v->data) : otherwise;
}

const char *pb_gguf_next_text(const unsigned char **at, size_t *size)
{
    uint64_t n = 0;
    for (int i = 8; i-- > 0;)
        n = n << 8 | (*at)[i];
    const char *text = (const char *)*at + 8;
    *size = (size_t)n;
    *at += 8 + n;
    return text;
}

const char *pb_gguf_text(pb_gguf *f, const char *key)
{
    const pb_gguf_value *v = pb_gguf_find(f, key);
    if (!v || v->type != PB_GGUF_TEXT)
        return NULL;
    size_t n;
    const unsigned char *at = v->data;
    const char *text = pb_gguf_next_text(&at, &n);
    pb_grow(&f->text, f->texts, &f->text_capacity, sizeof *f->text);
    f->text[f->texts] = pb_alloc(n + 1);
    memcpy(f->text[f->texts], text, n);
    return f->text[f->texts++];
}
