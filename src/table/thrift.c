/* thrift: see thrift.h. */
#include "table/thrift.h"

enum { DEEPEST = 16 };

static unsigned byte(pb_thrift *t)
{
    if (t->bad || t->at >= t->end) {
        t->bad = true;
        return 0;
    }
    return *t->at++;
}

uint64_t pb_thrift_varint(pb_thrift *t)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        unsigned b = byte(t);
        value |= (uint64_t)(b & 127) << shift;
        if (b < 128)
            return value;
    }
    t->bad = true;
    return 0;
}

/* Zigzag encoding: 0, -1, 1, -2, .. are stored as 0, 1, 2, 3, .. */
static int64_t zigzag(pb_thrift *t)
{
    uint64_t n = pb_thrift_varint(t);
    return (int64_t)(n >> 1 ^ (~(n & 1) + 1));
}

static pb_thrift_type type_of(pb_thrift *t, unsigned bits)
{
    t->bad |= bits >= PB_THRIFT_TYPES;
    return t->bad ? PB_THRIFT_END : (pb_thrift_type)bits;
}

bool pb_thrift_next(pb_thrift *t, pb_thrift_field *field)
{
    unsigned head = byte(t);
    field->type = type_of(t, head & 15);
    if (field->type == PB_THRIFT_END)
        return false;
    int64_t number = head >> 4 ? field->number + (int)(head >> 4) : zigzag(t);
    t->bad |= number < -32768 || number > 32767;
    field->number = t->bad ? 0 : (int)number;
    return !t->bad;
}

int64_t pb_thrift_integer(pb_thrift *t, const pb_thrift_field *field)
{
    switch (field->type) {
    case PB_THRIFT_TRUE: return 1;
    case PB_THRIFT_FALSE: return 0;
    case PB_THRIFT_BYTE: return (signed char)byte(t);
    case PB_THRIFT_I16:
    case PB_THRIFT_I32:
    case PB_THRIFT_I64: return zigzag(t);
    default: t->bad = true; return 0;
    }
}

const char *pb_thrift_text(pb_thrift *t, const pb_thrift_field *field, size_t *size)
{
    uint64_t n = field->type == PB_THRIFT_TEXT ? pb_thrift_varint(t) : UINT64_MAX;
    if (t->bad || n > (uint64_t)(t->end - t->at)) {
        t->bad = true;
        *size = 0;
        return NULL;
    }
    const char *text = (const char *)t->at;
    *size = (size_t)n;
    t->at += n;
    return text;
}

size_t pb_thrift_list(pb_thrift *t, const pb_thrift_field *field, pb_thrift_field *item)
{
    unsigned head = field->type == PB_THRIFT_LIST || field->type == PB_THRIFT_SET ? byte(t) : 0;
    uint64_t n = head >> 4 == 15 ? pb_thrift_varint(t) : head >> 4;
    *item = (pb_thrift_field){0, type_of(t, head & 15)};
    if (n > (uint64_t)(t->end - t->at)) /* each element takes at least one byte */
        t->bad = true;
    return t->bad ? 0 : (size_t)n;
}

static void skip(pb_thrift *t, const pb_thrift_field *field, int depth);

/* Skips an element of a list or map.  A boolean takes a byte there, so that no element is empty. */
static void skip_item(pb_thrift *t, const pb_thrift_field *item, int depth)
{
    if (item->type == PB_THRIFT_TRUE || item->type == PB_THRIFT_FALSE)
        byte(t);
    else
        skip(t, item, depth);
}

static void skip_list(pb_thrift *t, const pb_thrift_field *field, int depth)
{
    pb_thrift_field item;
    for (size_t n = pb_thrift_list(t, field, &item); n > 0 && !t->bad; n--)
        skip_item(t, &item, depth);
}

static void skip_map(pb_thrift *t, int depth)
{
    uint64_t n = pb_thrift_varint(t);
    unsigned types = n ? byte(t) : 0;
    const pb_thrift_field key = {0, type_of(t, types >> 4)}, value = {0, type_of(t, types & 15)};
    for (; n > 0 && !t->bad; n--) {
        skip_item(t, &key, depth);
        skip_item(t, &value, depth);
    }
}

static void skip(pb_thrift *t, const pb_thrift_field *field, int depth)
{
    pb_thrift_field nested = {0, PB_THRIFT_END};
    size_t size;
    if (depth > DEEPEST)
        t->bad = true;
    if (t->bad)
        return;
    switch (field->type) {
    case PB_THRIFT_TRUE:
    case PB_THRIFT_FALSE: break;
    case PB_THRIFT_BYTE: byte(t); break;
    case PB_THRIFT_I16:
    case PB_THRIFT_I32:
    case PB_THRIFT_I64: pb_thrift_varint(t); break;
    case PB_THRIFT_DOUBLE:
        for (int i = 0; i < 8; i++)
            byte(t);
        break;
    case PB_THRIFT_TEXT: pb_thrift_text(t, field, &size); break;
    case PB_THRIFT_LIST:
    case PB_THRIFT_SET: skip_list(t, field, depth + 1); break;
    case PB_THRIFT_MAP: skip_map(t, depth + 1); break;
    case PB_THRIFT_STRUCT:
        while (pb_thrift_next(t, &nested))
            skip(t, &nested, depth + 1);
        break;
    default: t->bad = true;
    }
}

void pb_thrift_skip(pb_thrift *t, const pb_thrift_field *field)
{
    skip(t, field, 0);
}
