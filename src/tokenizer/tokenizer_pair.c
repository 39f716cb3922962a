/* tokenizer_pair: encodes pairs of texts, in the form that the post-processor gives them (tokenizer_template.c). */
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

void pb_longest_first(size_t size[2], size_t most)
{
    int shorter = size[0] > size[1];
    if (size[0] + size[1] <= most)
        return;
    size[shorter] = pb_min_size(size[shorter], most / 2);
    size[!shorter] = most - size[shorter];
}

int pb_tokenizer_encode_pair(const pb_tokenizer *t, const char *first, const char *second, int limit, pb_ids *out,
                             pb_ids *type)
{
    pb_ids text[2] = {{0}, {0}};
    size_t others = t->pair.count - 2;
    int rc = pb_tokenizer_check_pair(t) || pb_tokenizer_encode(t, first, strlen(first), false, 0, &text[0]) ||
                     pb_tokenizer_encode(t, second, strlen(second), false, 0, &text[1])
                 ? -1
                 : 0;
    if (!rc && limit > 0 && (size_t)limit < others)
        rc = pb_error("a pair of texts has %zu special tokens; want room for more than %d tokens", others, limit);
    size_t size[2] = {text[0].count, text[1].count};
    if (!rc && limit > 0)
        pb_longest_first(size, (size_t)limit - others);
    for (size_t i = 0; i < t->pair.count && !rc; i++) {
        int id = t->pair.id[i];
        const pb_ids *part = id < 0 ? &text[id == SECOND_TEXT] : &(pb_ids){.id = &id};
        for (size_t k = 0; k < (id < 0 ? size[id == SECOND_TEXT] : 1); k++) {
            pb_ids_add(out, part->id[k]);
            pb_ids_add(type, t->pair_type.id[i]);
        }
    }
    pb_ids_free(&text[0]);
    pb_ids_free(&text[1]);
    return rc;
}
