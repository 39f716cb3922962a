/* thrift: reading Thrift's compact protocol, in which Parquet says what is in a file.
 *
 * A value is read in order, from a cursor that stops for good at the first byte that does not fit. */
#ifndef PB_THRIFT_H
#define PB_THRIFT_H

#include "base/base.h"

typedef enum pb_thrift_type {
    PB_THRIFT_END,
    PB_THRIFT_TRUE,
    PB_THRIFT_FALSE,
    PB_THRIFT_BYTE,
    PB_THRIFT_I16,
    PB_THRIFT_I32,
    PB_THRIFT_I64,
    PB_THRIFT_DOUBLE,
    PB_THRIFT_TEXT,
    PB_THRIFT_LIST,
    PB_THRIFT_SET,
    PB_THRIFT_MAP,
    PB_THRIFT_STRUCT,
    PB_THRIFT_TYPES
} pb_thrift_type;

typedef struct pb_thrift {
    const unsigned char *at, *end;
    bool bad; /* cut off, or no such protocol: every read then gives nothing */
} pb_thrift;

/* A field's number and type; `field` starts as the struct's {0}, is asked until the type is END. */
typedef struct pb_thrift_field {
    int number;
    pb_thrift_type type;
} pb_thrift_field;
bool pb_thrift_next(pb_thrift *t, pb_thrift_field *field);

/* The value of the field that was just found. */
int64_t pb_thrift_integer(pb_thrift *t, const pb_thrift_field *field);
const char *pb_thrift_text(pb_thrift *t, const pb_thrift_field *field, size_t *size);     /* NULL: no text */
size_t pb_thrift_list(pb_thrift *t, const pb_thrift_field *field, pb_thrift_field *item); /* its length */
void pb_thrift_skip(pb_thrift *t, const pb_thrift_field *field);

/* 7 bits a byte, the lowest first. */
uint64_t pb_thrift_varint(pb_thrift *t);

#endif
