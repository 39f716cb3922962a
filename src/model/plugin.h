/* plugin: methods that are loaded from shared objects.
 *
 * A plugin is the file of one method with PB_PLUGIN(METHOD) at its end, compiled to a shared object:
 *     gcc -std=c11 -O2 -shared -fPIC -I/usr/local/include/peftbench -o gate.so gate.c */
#ifndef PB_PLUGIN_H
#define PB_PLUGIN_H

#include "base/base.h"
#include "model/bottleneck.h"
#include "model/low_rank.h"
#include "model/method.h"
#include "numeric/top.h"

/* The version of the contract.  It is raised when the contract changes and no struct changes its size. */
#define PB_ABI 4

/* The contract that a plugin was compiled against: its version, and the sizes of its types. */
typedef struct pb_abi {
    unsigned number, real, method, site, build, option, init, param, node, low_rank, peft, peft_tensor, peft_key,
        preset, stats, step, low_rank_settings, bottleneck, affine, op, rows, attention, prompting, top;
} pb_abi;

#define PB_ABI_HERE                                                                                                    \
    {                                                                                                                  \
        PB_ABI, sizeof(pb_real), sizeof(pb_method), sizeof(pb_site), sizeof(pb_build), sizeof(pb_option),              \
            sizeof(pb_init), sizeof(pb_param), sizeof(pb_node), sizeof(pb_low_rank), sizeof(pb_peft),                  \
            sizeof(pb_peft_tensor), sizeof(pb_peft_key), sizeof(pb_preset), sizeof(pb_training_stats),                 \
            sizeof(pb_step), sizeof(pb_low_rank_settings), sizeof(pb_bottleneck_settings), sizeof(pb_affine),          \
            sizeof(pb_op), sizeof(pb_rows), sizeof(pb_attention_conf), sizeof(pb_prompting), sizeof(pb_top)            \
    }

/* What a plugin exports, under the name pb_plugin_here. */
typedef struct pb_plugin {
    pb_abi abi;
    const pb_method *method;
} pb_plugin;

/* Exports a method from a shared object. */
#define PB_PLUGIN(m)                                                                                                   \
    extern const pb_plugin pb_plugin_here;                                                                             \
    const pb_plugin pb_plugin_here = {PB_ABI_HERE, &(m)};

/* Loads a shared object and adds its method to the list of methods, where it stays until the program ends.  Returns the
 * method; a file with the same content as a loaded one returns that one's.  Returns NULL with an error if the file
 * cannot be loaded, is no plugin, was compiled against another contract, or has a method or a preset whose name is
 * taken. */
const pb_method *pb_plugin_load(const char *path);

/* Returns the SHA-256 of the file that a method was loaded from, or NULL if it is built in. */
const pb_digest *pb_plugin_digest(const pb_method *m);

/* Returns the SHA-256, in hexadecimal digits, of the code of a method of the list: of the file that it was loaded from,
 * or of the tokens of its source, without comments and layout, if it is built in. */
const char *pb_method_digest(const pb_method *m);

/* Returns the path as it was given to pb_plugin_load, or NULL if the method is built in. */
const char *pb_plugin_path(const pb_method *m);

#endif
