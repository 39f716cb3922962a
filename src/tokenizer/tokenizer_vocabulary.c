/* tokenizer_vocabulary: looks up the tokens of a tokenizer.json and their ids. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer_internal.h"

void pb_ids_add(pb_ids *ids, int id)
{
    pb_grow(&ids->id, ids->count, &ids->capacity, sizeof *ids->id);
    ids->id[ids->count++] = id;
}

void pb_ids_free(pb_ids *ids)
{
    free(ids->id);
    *ids = (pb_ids){0};
}

/* ---- tokens and ids ------------------------------------------------------------------------------- */

int pb_tokenizer_lookup(const pb_tokenizer *t, const char *bytes, size_t n)
{
    return pb_index_find(&t->index, bytes, n);
}

int pb_tokenizer_id(const pb_tokenizer *t, const char *token)
{
    int id = pb_tokenizer_lookup(t, token, strlen(token));
    return id >= 0 ? id : pb_index_find(&t->written, token, strlen(token)); /* not the normalized content */
}

int pb_tokenizer_vocab(const pb_tokenizer *t)
{
    return t->tokens;
}

const pb_added_token *pb_added_token_find(const pb_tokenizer *t, int id)
{
    int i = id >= 0 && id < t->tokens ? t->added_of[id] : -1;
    return i < 0 ? NULL : &t->added[i];
}

bool pb_tokenizer_is_added(const pb_tokenizer *t, int id)
{
    return pb_added_token_find(t, id) != NULL;
}

const char *pb_tokenizer_token(const pb_tokenizer *t, int id)
{
    const pb_added_token *a = pb_added_token_find(t, id);
    return a ? a->content : id >= 0 && id < t->tokens ? t->token[id] : NULL;
}

int pb_tokenizer_keep(pb_tokenizer *t, const char *token, int id)
{
    if (t->token[id] && strcmp(t->token[id], token) != 0)
        return pb_error("%s: id %d: two tokens, '%s' and '%s'", t->path, id, t->token[id], token);
    t->token[id] = token;
    return 0;
}

/* ---- GPT-2's mapping of bytes ------------------------------------------------------------------------ */

static bool is_printable(int b)
{
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
}

/* A printable byte is mapped to the same code point, the others to U+0100 and following. */
int32_t pb_byte_character(unsigned char byte)
{
    int32_t next = 0x100;
    for (int b = 0; b < byte; b++)
        next += !is_printable(b);
    return is_printable(byte) ? byte : next;
}

int pb_character_byte(int32_t c)
{
    if (c < 0x100)
        return c >= 0 && is_printable(c) ? c : -1;
    int32_t next = 0x100;
    for (int b = 0; b < 256; b++)
        if (!is_printable(b) && next++ == c)
            return b;
    return -1;
}

void pb_tokenizer_byte_ids(const pb_tokenizer *t, int id[256])
{
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)i);
        id[i] = pb_tokenizer_lookup(t, name, strlen(name));
    }
}
