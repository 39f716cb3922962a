/* torch_internal: what the files of the reader of torch.save's format share.  Not for other files. */
#ifndef PB_TORCH_INTERNAL_H
#define PB_TORCH_INTERNAL_H

#include "base/arena.h"
#include "weights/torch.h"
#include "weights/zip.h"

typedef enum pb_pickled_kind {
    PB_PICKLED_NONE,
    PB_PICKLED_BOOL,
    PB_PICKLED_INTEGER,
    PB_PICKLED_TEXT,
    PB_PICKLED_MARK,   /* where a tuple or the items of a dictionary begin on the stack */
    PB_PICKLED_GLOBAL, /* a name of a module, see pb_pickle_global                             */
    PB_PICKLED_TUPLE,
    PB_PICKLED_DICT, /* item: key, value, key, value, ..   */
    PB_PICKLED_STORAGE,
    PB_PICKLED_TENSOR
} pb_pickled_kind;

typedef enum pb_pickle_global_kind {
    PB_PICKLE_GLOBAL_DICT,
    PB_PICKLE_GLOBAL_TENSOR,
    PB_PICKLE_GLOBAL_TENSOR_OF,
    PB_PICKLE_GLOBAL_PARAMETER,
    PB_PICKLE_GLOBAL_TYPE
} pb_pickle_global_kind;

/* A name that a pickle may use, and what it stands for. */
typedef struct pb_pickle_global {
    const char *module, *name;
    pb_pickle_global_kind kind;
    pb_dtype dtype; /* PB_PICKLE_GLOBAL_TYPE: of a storage or a tensor            */
    size_t width;   /* bytes of one element                                */
} pb_pickle_global;

typedef struct pb_pickled_value pb_pickled_value;
struct pb_pickled_value {
    pb_pickled_kind kind;
    long long n;                    /* bool, integer                                          */
    const char *text;               /* n bytes and a NUL                                      */
    const pb_pickle_global *global; /* of a storage: its type                                 */
    pb_pickled_value **item;        /* of a tuple or dictionary; a storage is tensor's item 0 */
    size_t count, capacity;
    const pb_zip_entry *data; /* of a storage */
    pb_array array;           /* of a tensor  */
};

typedef struct pb_unpickler {
    const char *path;
    const pb_zip *zip;
    const char *root; /* the archive's folder, with its slash */
    pb_arena *arena;
    const unsigned char *at, *end;
    pb_pickled_value **stack, **memo;
    size_t depth, stack_capacity, memo_size;
    size_t copied; /* bytes of tensors that were copied because they are not contiguous in their storage */
} pb_unpickler;

/* Follows the pickle [at, end) and returns its value, which lives in the arena; NULL with an error. */
const pb_pickled_value *pb_unpickle(pb_unpickler *u);

/* torch_tensor.c.  Make a storage from its persistent id, and a tensor from the arguments of its constructor.  Both
 * return NULL with an error if the arguments are not those of torch.save. */
pb_pickled_value *pb_torch_storage(pb_unpickler *u, const pb_pickled_value *id);
pb_pickled_value *pb_torch_tensor(pb_unpickler *u, const pb_pickle_global *maker, const pb_pickled_value *arguments);

/* A new value of this kind in the arena. */
pb_pickled_value *pb_pickled_new(pb_unpickler *u, pb_pickled_kind kind);

#endif
