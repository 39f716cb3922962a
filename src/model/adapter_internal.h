/* adapter_internal: an opened adapter folder.  Not for other rooms. */
#ifndef PB_ADAPTER_INTERNAL_H
#define PB_ADAPTER_INTERNAL_H

#include "model/adapter.h"
#include "model/internal.h"

struct pb_adapter {
    char *dir, *config_path, *file_path;
    pb_json_doc *doc;    /* adapter_config.json                          */
    const char *type;    /* its peft_type; owned by doc                  */
    pb_weights *weights; /* the tensors' file                            */
    const pb_method *method;
    const pb_peft *peft; /* the method's description of the type */
    void *conf;          /* the method's settings, as read when the adapter was attached; owns its texts */
};

/* The change of a projection as a product of two matrices and a bias. */
typedef struct pb_factors {
    pb_real *A, *B, *bias; /* [rank,in], [out,rank], [out]; all NULL: the projection is not changed */
} pb_factors;

/* Returns -1 with an error if an adapter of type LORA cannot have this rank. */
int pb_adapter_check_rank(int rank);

/* Writes factors [pb_model_sites()] of a rank that pb_adapter_check_rank allows, and what else is trained, as a PEFT
 * adapter of type LORA into DIR.  `biases`: with their biases, which are zero otherwise.  Returns -1 with an error if a
 * file cannot be written. */
int pb_adapter_save_factors(pb_model *m, const pb_factors *factors, int rank, bool biases, const char *dir);

/* As pb_adapter_save, with the tensors as they are.  */
int pb_adapter_save_tensors(pb_model *m, const char *dir);

/* The value of a member of adapter_config.json as text, or PEFT's default where the member is absent or null.  Returns
 * NULL if the value is a list or an object, or if there is no default.  The caller frees it. */
char *pb_adapter_value(const pb_adapter *a, const char *key);

/* The same value as JSON writes it, of any type; NULL if the member is absent and there is no default. */
char *pb_adapter_json(const pb_adapter *a, const char *key);

/* True if the same value is `true`. */
bool pb_adapter_flag(const pb_adapter *a, const char *key);

#endif
