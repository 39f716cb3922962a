/* tokenizer_wordlevel: each word is one token, or the unknown token. */
#include "tokenizer/tokenizer_internal.h"

int pb_wordlevel_read(pb_tokenizer *t, const pb_json *model)
{
    const char *unknown = pb_json_text(pb_json_get(model, "unk_token"), "<unk>");
    if (t->bytes)
        return pb_error("%s: pre_tokenizer: ByteLevel: is not supported for a WordLevel", t->path);
    t->wordpiece.unknown = pb_tokenizer_id(t, unknown);
    return t->wordpiece.unknown >= 0
               ? 0
               : pb_error("%s: model: unk_token: '%s' is not in the vocabulary", t->path, unknown);
}

void pb_wordlevel_encode(const pb_tokenizer *t, const char *word, size_t size, pb_ids *out)
{
    int id = pb_tokenizer_lookup(t, word, size);
    pb_ids_add(out, id >= 0 ? id : t->wordpiece.unknown);
}
