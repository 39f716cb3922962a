/* unpickle: interprets the subset of Python's pickle format that torch.save writes for a dictionary of tensors.
 *
 * A pickle is a program for a stack machine with a memo.  Only the instructions below are implemented, only the names
 * in `globals` can be called, and calling one constructs a pb_pickled_value.  No code of the file is run. */
#include <stdlib.h>
#include <string.h>

#include "weights/torch_internal.h"

enum { LONGEST_TEXT = 1 << 20 };

static const pb_pickle_global globals[] = {
    {"collections", "OrderedDict", PB_PICKLE_GLOBAL_DICT, 0, 0},
    {"torch._utils", "_rebuild_tensor_v2", PB_PICKLE_GLOBAL_TENSOR, 0, 0},
    {"torch._utils", "_rebuild_tensor_v3", PB_PICKLE_GLOBAL_TENSOR_OF, 0, 0},
    {"torch._utils", "_rebuild_parameter", PB_PICKLE_GLOBAL_PARAMETER, 0, 0},
    {"torch", "DoubleStorage", PB_PICKLE_GLOBAL_TYPE, PB_F64, 8},
    {"torch", "FloatStorage", PB_PICKLE_GLOBAL_TYPE, PB_F32, 4},
    {"torch", "HalfStorage", PB_PICKLE_GLOBAL_TYPE, PB_F16, 2},
    {"torch", "BFloat16Storage", PB_PICKLE_GLOBAL_TYPE, PB_BF16, 2},
    {"torch", "LongStorage", PB_PICKLE_GLOBAL_TYPE, PB_I64, 8},
    {"torch", "IntStorage", PB_PICKLE_GLOBAL_TYPE, PB_I32, 4},
    {"torch", "ShortStorage", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 2},
    {"torch", "CharStorage", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 1},
    {"torch", "ByteStorage", PB_PICKLE_GLOBAL_TYPE, PB_U8, 1},
    {"torch", "BoolStorage", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 1},
    {"torch.storage", "UntypedStorage", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 1},
    {"torch", "float8_e4m3fn", PB_PICKLE_GLOBAL_TYPE, PB_F8, 1},
    {"torch", "float8_e5m2", PB_PICKLE_GLOBAL_TYPE, PB_F8, 1},
    {"torch", "uint16", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 2},
    {"torch", "uint32", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 4},
    {"torch", "uint64", PB_PICKLE_GLOBAL_TYPE, PB_OTHER, 8},
};

static int damaged(const pb_unpickler *u, const char *what)
{
    return pb_error("%s: data.pkl: %s: the file is damaged, or torch.save did not write it", u->path, what);
}

/* ---- values and the stack ------------------------------------------------------------------------------- */

static int push(pb_unpickler *u, pb_pickled_value *v)
{
    if (!v)
        return -1;
    pb_grow(&u->stack, u->depth, &u->stack_capacity, sizeof(pb_pickled_value *));
    u->stack[u->depth++] = v;
    return 0;
}

static int push_integer(pb_unpickler *u, pb_pickled_kind kind, long long n)
{
    pb_pickled_value *v = pb_pickled_new(u, kind);
    v->n = n;
    return push(u, v);
}

/* Removes and returns the top of the stack, or NULL with an error if the stack is empty or a mark is on top. */
static pb_pickled_value *pop(pb_unpickler *u)
{
    if (u->depth && u->stack[u->depth - 1]->kind != PB_PICKLED_MARK)
        return u->stack[--u->depth];
    damaged(u, "a value is missing on the stack");
    return NULL;
}

/* Returns the index of the first value above the last mark, or -1 with an error if there is no mark. */
static long long find_mark(const pb_unpickler *u)
{
    for (size_t i = u->depth; i-- > 0;)
        if (u->stack[i]->kind == PB_PICKLED_MARK)
            return (long long)i + 1;
    return damaged(u, "a mark is missing on the stack");
}

/* ---- operands -------------------------------------------------------------------------------- */

/* Returns the next n bytes, or NULL with an error if there are fewer. */
static const unsigned char *take_bytes(pb_unpickler *u, size_t n)
{
    if (n > (size_t)(u->end - u->at)) {
        damaged(u, "it ends inside an instruction");
        return NULL;
    }
    u->at += n;
    return u->at - n;
}

/* Reads a little-endian number of n bytes.  Returns -1 with an error. */
static long long take_number(pb_unpickler *u, size_t n)
{
    const unsigned char *p = take_bytes(u, n);
    uint64_t x = 0;
    for (size_t i = n; p && i-- > 0;)
        x = x << 8 | p[i];
    return p ? (long long)x : -1;
}

static int read_short(pb_unpickler *u, size_t bytes)
{
    long long n = take_number(u, bytes);
    return n < 0 ? -1 : push_integer(u, PB_PICKLED_INTEGER, n);
}

static int read_int(pb_unpickler *u)
{
    const unsigned char *p = take_bytes(u, 4);
    int32_t n = 0;
    for (size_t i = 4; p && i-- > 0;)
        n = (int32_t)((uint32_t)n << 8 | p[i]);
    return p ? push_integer(u, PB_PICKLED_INTEGER, n) : -1;
}

/* LONG1: a number of up to 8 bytes in two's complement. */
static int read_long(pb_unpickler *u)
{
    long long size = take_number(u, 1);
    const unsigned char *p = size < 0 ? NULL : take_bytes(u, (size_t)size);
    if (!p)
        return -1;
    if (size > 8)
        return damaged(u, "a whole number of more than 8 bytes");
    uint64_t n = size && p[size - 1] & 0x80 ? ~(uint64_t)0 : 0;
    for (long long i = size; i-- > 0;)
        n = n << 8 | p[i];
    return push_integer(u, PB_PICKLED_INTEGER, (long long)n);
}

static int read_text(pb_unpickler *u)
{
    long long size = take_number(u, 4);
    const unsigned char *p = size < 0 ? NULL : take_bytes(u, (size_t)size);
    if (!p)
        return -1;
    if (size > LONGEST_TEXT)
        return damaged(u, "a string is too long");
    pb_pickled_value *v = pb_pickled_new(u, PB_PICKLED_TEXT);
    v->n = size;
    v->text = pb_arena_format(u->arena, "%.*s", (int)size, (const char *)p);
    return push(u, v);
}

/* Reads a line of text, without its end.  Returns NULL with an error. */
static const char *take_line(pb_unpickler *u)
{
    const unsigned char *end = memchr(u->at, '\n', (size_t)(u->end - u->at));
    if (!end || end - u->at > LONGEST_TEXT) {
        damaged(u, "it ends inside a name");
        return NULL;
    }
    const char *line = pb_arena_format(u->arena, "%.*s", (int)(end - u->at), (const char *)u->at);
    u->at = end + 1;
    return line;
}

static int read_global(pb_unpickler *u)
{
    const char *module = take_line(u), *name = module ? take_line(u) : NULL;
    if (!name)
        return -1;
    for (size_t i = 0; i < PB_COUNT(globals); i++)
        if (!strcmp(globals[i].module, module) && !strcmp(globals[i].name, name)) {
            pb_pickled_value *v = pb_pickled_new(u, PB_PICKLED_GLOBAL);
            v->global = &globals[i];
            return push(u, v);
        }
    return pb_error(
        "%s: data.pkl: it calls '%s.%s', which is refused: want a dictionary of tensors alone (a state dict)", u->path,
        module, name);
}

/* ---- instructions ----------------------------------------------------------------------------------------- */

/* Replaces the last n values of the stack by a tuple of them. */
static int make_tuple(pb_unpickler *u, size_t n)
{
    pb_pickled_value *v = pb_pickled_new(u, PB_PICKLED_TUPLE);
    v->item = pb_arena_alloc(u->arena, PB_META, (n + 1) * sizeof *v->item);
    for (v->count = n; n-- > 0;)
        if (!(v->item[n] = pop(u)))
            return -1;
    return push(u, v);
}

static int make_marked_tuple(pb_unpickler *u)
{
    long long from = find_mark(u);
    if (from < 0)
        return -1;
    size_t n = u->depth - (size_t)from;
    pb_pickled_value *v = pb_pickled_new(u, PB_PICKLED_TUPLE);
    v->item = pb_arena_alloc(u->arena, PB_META, (n + 1) * sizeof *v->item);
    for (v->count = 0; v->count < n; v->count++)
        v->item[v->count] = u->stack[(size_t)from + v->count];
    u->depth = (size_t)from - 1;
    return push(u, v);
}

static void add_item(pb_unpickler *u, pb_pickled_value *to, pb_pickled_value *item)
{
    if (to->count == to->capacity) {
        pb_pickled_value **old = to->item;
        to->capacity = to->capacity ? 2 * to->capacity : 16;
        to->item = pb_arena_alloc(u->arena, PB_META, to->capacity * sizeof *to->item);
        for (size_t i = 0; i < to->count; i++)
            to->item[i] = old[i];
    }
    to->item[to->count++] = item;
}

/* Stores the values from index `from` on, which are keys and values in turn, in the dictionary below them and below
 * `marks` marks. */
static int set_items(pb_unpickler *u, size_t from, size_t marks)
{
    pb_pickled_value *to = from > marks ? u->stack[from - marks - 1] : NULL;
    if (!to || to->kind != PB_PICKLED_DICT || (u->depth - from) % 2)
        return damaged(u, "items without a dictionary");
    for (size_t i = from; i < u->depth; i++)
        add_item(u, to, u->stack[i]);
    u->depth = from - marks;
    return 0;
}

static int set_marked_items(pb_unpickler *u)
{
    long long from = find_mark(u);
    return from < 0 ? -1 : set_items(u, (size_t)from, 1);
}

/* Calls one of the names above. */
static int call(pb_unpickler *u)
{
    pb_pickled_value *arguments = pop(u), *what = arguments ? pop(u) : NULL;
    if (!what)
        return -1;
    if (what->kind != PB_PICKLED_GLOBAL || arguments->kind != PB_PICKLED_TUPLE ||
        what->global->kind == PB_PICKLE_GLOBAL_TYPE)
        return damaged(u, "a call of something that cannot be called");
    if (what->global->kind != PB_PICKLE_GLOBAL_DICT)
        return push(u, pb_torch_tensor(u, what->global, arguments));
    return arguments->count ? damaged(u, "an OrderedDict with arguments") : push(u, pb_pickled_new(u, PB_PICKLED_DICT));
}

/* BUILD sets attributes.  torch stores the versions of modules in those of a dictionary; they do not change a tensor.
 */
static int build(pb_unpickler *u)
{
    if (!pop(u))
        return -1;
    return u->depth && u->stack[u->depth - 1]->kind == PB_PICKLED_DICT
               ? 0
               : damaged(u, "attributes of something that is not a dictionary");
}

static int store_in_memo(pb_unpickler *u, long long at)
{
    if (at < 0 || !u->depth || u->stack[u->depth - 1]->kind == PB_PICKLED_MARK)
        return damaged(u, "no value to store in the memo");
    if ((size_t)at >= u->memo_size)
        return damaged(u, "an index of the memo beyond the file's size");
    u->memo[at] = u->stack[u->depth - 1];
    return 0;
}

static int recall(pb_unpickler *u, long long at)
{
    if (at < 0 || (size_t)at >= u->memo_size || !u->memo[at])
        return damaged(u, "an empty entry of the memo");
    return push(u, u->memo[at]);
}

static int read_protocol(pb_unpickler *u)
{
    long long n = take_number(u, 1);
    return n == 2 ? 0
                  : pb_error("%s: data.pkl: pickle protocol: want 2, which torch.save writes, got %lld", u->path, n);
}

static int persistent(pb_unpickler *u)
{
    const pb_pickled_value *id = pop(u);
    return id ? push(u, pb_torch_storage(u, id)) : -1;
}

static int follow(pb_unpickler *u, unsigned char instruction)
{
    switch (instruction) {
    case 0x80: return read_protocol(u);
    case 'c': return read_global(u);
    case 'X': return read_text(u);
    case 'J': return read_int(u);
    case 'K': return read_short(u, 1);
    case 'M': return read_short(u, 2);
    case 0x8a: return read_long(u);
    case 'N': return push(u, pb_pickled_new(u, PB_PICKLED_NONE));
    case 0x88:
    case 0x89: return push_integer(u, PB_PICKLED_BOOL, instruction == 0x88);
    case '(': return push(u, pb_pickled_new(u, PB_PICKLED_MARK));
    case ')': return make_tuple(u, 0);
    case 0x85:
    case 0x86:
    case 0x87: return make_tuple(u, instruction - 0x84u);
    case 't': return make_marked_tuple(u);
    case '}': return push(u, pb_pickled_new(u, PB_PICKLED_DICT));
    case 's': return u->depth < 2 ? damaged(u, "items without a dictionary") : set_items(u, u->depth - 2, 0);
    case 'u': return set_marked_items(u);
    case 'b': return build(u);
    case 'R': return call(u);
    case 'Q': return persistent(u);
    case 'q': return store_in_memo(u, take_number(u, 1));
    case 'r': return store_in_memo(u, take_number(u, 4));
    case 'h': return recall(u, take_number(u, 1));
    case 'j': return recall(u, take_number(u, 4));
    default:
        return pb_error(
            "%s: data.pkl: pickle instruction 0x%02x is refused: want a dictionary of tensors alone (a state "
            "dict)",
            u->path, instruction);
    }
}

static pb_pickled_value *run_pickle(pb_unpickler *u)
{
    while (u->at < u->end) {
        unsigned char instruction = *u->at++;
        if (instruction == '.') {
            pb_pickled_value *result = pop(u);
            if (result && u->depth)
                damaged(u, "values are left on the stack");
            return u->depth ? NULL : result;
        }
        if (follow(u, instruction))
            return NULL;
    }
    damaged(u, "it has no end");
    return NULL;
}

const pb_pickled_value *pb_unpickle(pb_unpickler *u)
{
    u->memo_size = (size_t)(u->end - u->at); /* storing a value takes an instruction of at least one byte */
    u->memo = pb_alloc((u->memo_size + 1) * sizeof(pb_pickled_value *));
    const pb_pickled_value *result = run_pickle(u);
    free(u->memo);
    free(u->stack);
    return result;
}
