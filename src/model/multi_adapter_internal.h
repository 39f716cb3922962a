/* multi_adapter_internal: what the loading of adapters and the graph share.  Not for other rooms. */
#ifndef PB_MULTI_ADAPTER_INTERNAL_H
#define PB_MULTI_ADAPTER_INTERNAL_H

#include "model/internal.h"
#include "model/multi_adapter.h"

/* One adapter. */
typedef struct pb_adapter_deltas {
    pb_lora_delta *site;      /* [pb_model_sites()] the update of each projection; up NULL: none              */
    pb_lora_delta head;       /* the classification head's weight minus the base's, as an update          */
    const pb_real *head_bias; /* [classes] the head's bias minus the base's; NULL: the head has no bias   */
    pb_arena *arena;          /* owns all of these                                                        */
} pb_adapter_deltas;

struct pb_multi_adapter {
    pb_model *model;
    pb_adapter_deltas *adapter;
    size_t adapters, capacity;
};

#endif
