/* plugin: methods that are not of this folder: shared objects.
 *
 * A plugin is one method's file with PB_PLUGIN(its method) at the end, compiled by itself:
 *     gcc -std=c11 -O2 -shared -fPIC -I .../src -o gate.so gate.c */
#ifndef PB_PLUGIN_H
#define PB_PLUGIN_H

#include "base/base.h"
#include "model/method.h"

/* Raised when the contract changes without a change of any struct's size. */
#define PB_ABI 1

/* What the plugin was compiled against. */
typedef struct pb_abi {
    unsigned number, real, method, site, build, option, init;
} pb_abi;

#define PB_ABI_HERE                                                                                                    \
    {                                                                                                                  \
        PB_ABI, sizeof(pb_real), sizeof(pb_method), sizeof(pb_site), sizeof(pb_build), sizeof(pb_option),              \
            sizeof(pb_init)                                                                                            \
    }

typedef struct pb_plugin {
    pb_abi abi;
    const pb_method *method;
} pb_plugin;

#define PB_PLUGIN(m)                                                                                                   \
    extern const pb_plugin pb_plugin_here;                                                                             \
    const pb_plugin pb_plugin_here = {PB_ABI_HERE, &(m)};

/* Loads FILE.so: from now on its method is among the methods.  The same file again is the same method.  It stays
 * until the program ends.  NULL with an error: no such file, no plugin, compiled against another contract, a method
 * whose name is taken. */
const pb_method *pb_plugin_load(const char *path);

/* SHA-256 of the file that the method came from, NULL if it was built in. */
const pb_digest *pb_plugin_digest(const pb_method *m);
const char *pb_plugin_path(const pb_method *m); /* as given to pb_plugin_load; NULL likewise */

#endif
