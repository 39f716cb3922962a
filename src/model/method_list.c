/* method_list: see method_list.h. */
#include "model/method_list.h"

#include <string.h>

static const pb_method *added[PB_MAX_PLUGINS];
static int addeds;

void pb_method_list_add(const pb_method *m)
{
    PB_CHECK(addeds < PB_MAX_PLUGINS);
    added[addeds++] = m;
}

const pb_method *pb_method_at(int i)
{
    int n = 0;
    while (pb_methods[n])
        n++;
    return i < n ? pb_methods[i] : i < n + addeds ? added[i - n] : NULL;
}

const pb_method *pb_method_find(const char *name)
{
    const pb_method *m;
    for (int i = 0; (m = pb_method_at(i)); i++)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}
