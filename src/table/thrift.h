/* thrift: reads Thrift's compact protocol, which describes the contents of a Parquet file.
 *
 * Values are read in order.  After the first byte that does not conform, the cursor is bad and every read returns 0 or
 * NULL. */
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
    bool bad; /* the data are cut off or are not of this protocol */
} pb_thrift;

/* The number and type of a field. */
typedef struct pb_thrift_field {
    int number;
    pb_thrift_type type;
} pb_thrift_field;

/* Moves to the next field of a struct; `field` starts as {0}.  Returns false after the last field. */
bool pb_thrift_next(pb_thrift *t, pb_thrift_field *field);

/* Read the value of the field that pb_thrift_next found.  A value of another type makes the cursor bad.  The text lies
 * inside the data, is not NUL-terminated and has *size bytes. */
int64_t pb_thrift_integer(pb_thrift *t, const pb_thrift_field *field);
const char *pb_thrift_text(pb_thrift *t, const pb_thrift_field *field, size_t *size);

/* Reads the beginning of a list.  Returns its length and stores the type of its elements in `item`. */
size_t pb_thrift_list(pb_thrift *t, const pb_thrift_field *field, pb_thrift_field *item);

/* Skips the value of a field. */
void pb_thrift_skip(pb_thrift *t, const pb_thrift_field *field);

/* Reads an unsigned number of variable length: 7 bits a byte, the lowest first. */
uint64_t pb_thrift_varint(pb_thrift *t);

#endif
