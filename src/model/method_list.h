/* method_list: the list of all methods, which pb_method_at and pb_method_find (method.h) read. */
#ifndef PB_METHOD_LIST_H
#define PB_METHOD_LIST_H

#include "model/method.h"

enum { PB_MAX_PLUGINS = 32 };

/* Adds a method behind those that are built in, where it stays until the program ends.  At most PB_MAX_PLUGINS are
 * added; the program aborts beyond. */
void pb_method_list_add(const pb_method *m);

#endif
