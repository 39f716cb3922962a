/* Conversations as examples: what is trained and what is scored, the shared prefix, and what is cut. */
#include "test.h"

#include <stdlib.h>

#include "base/arena.h"
#include "model/decoding.h"
#include "train/conversation.h"
#include "train/encoded.h"

#define USER(text) "{\"role\": \"user\", \"content\": \"" text "\"}"
#define ASSISTANT(text) "{\"role\": \"assistant\", \"content\": \"" text "\"}"
#define SYSTEM(text) "{\"role\": \"system\", \"content\": \"" text "\"}"

/* One conversation in each split, of two turns behind a system message. */
static pb_data *two_turns(void)
{
    static const char *const words[] = {"hot", "wet", "old"};
    pb_data *d = pb_data_new("talk");
    d->answer_kind = PB_ANSWER_TEXT;
    CHECK(!pb_conversation_template(d, "tasks/dialogue.jinja", ""));
    for (int s = 0; s < PB_SPLITS; s++) {
        char *prompt, *answer;
        char *json = pb_format("[" SYSTEM("Be short.") ", " USER("Is it %s?") ", " ASSISTANT("It is not.") ", " USER(
                                   "Why?") ", " ASSISTANT("Nobody knows.") "]",
                               words[s]);
        CHECK(!pb_conversation_split(json, &prompt, &answer));
        pb_data_add_answer(d, (pb_split)s, prompt, answer, 1);
        free(json);
        free(prompt);
        free(answer);
    }
    return d;
}

static pb_model *open_decoder(void)
{
    pb_model *m = pb_model_open(&(pb_opening){.path = "models/pico-decoder"});
    if (!m || pb_model_attach(m, NULL, 0))
        PB_BUG("%s", pb_error_text());
    return m;
}

/* The encoded data, or NULL with an error. */
static pb_encoded *encode(const pb_data *d, const pb_model *m, const pb_decoding *how, int max_tokens)
{
    return pb_encoded_new(d, m, &(pb_encoding){NULL, max_tokens, how, 0, 0});
}

static pb_decoding default_decoding(void)
{
    pb_decoding how;
    pb_option_defaults(pb_decode_table, &how);
    CHECK(!pb_option_set(pb_decode_table, &how, "max_new", "16"));
    return how;
}

/* The text of the tokens that a batch of the only item of a split predicts.  The caller frees it. */
static char *targets_of(const pb_encoded *set, const pb_model *m, pb_split s, bool with_targets)
{
    pb_arena *arena = pb_arena_new("test");
    pb_batch b = pb_encoded_batch(set, arena, s, (const int[]){0}, 1, with_targets);
    pb_ids ids = {0};
    pb_text t = {0};
    for (int i = 0; i < b.offset[1]; i++)
        if (b.target[i] >= 0) {
            pb_ids_add(&ids, b.target[i]);
            CHECK(i + 1 == b.offset[1] || b.ids[i + 1] == b.target[i]);
        }
    pb_tokenizer_decode(pb_model_tokenizer(m), ids.id, ids.count, false, &t);
    pb_ids_free(&ids);
    pb_arena_free(arena);
    return t.data;
}

static char *input_of(const pb_encoded *set, const pb_model *m, pb_split s)
{
    pb_ids ids = pb_encoded_input(set, s, 0);
    pb_text t = {0};
    pb_tokenizer_decode(pb_model_tokenizer(m), ids.id, ids.count, false, &t);
    pb_ids_free(&ids);
    return t.data;
}

static void check_text(char *got, const char *want)
{
    CHECK_TEXT(got, want);
    free(got);
}

TEST(all_that_the_assistant_says_is_trained_and_the_last_is_scored)
{
    pb_data *d = two_turns();
    pb_model *m = open_decoder();
    pb_decoding how = default_decoding();
    pb_encoded *set = encode(d, m, &how, 200);
    if (!set)
        PB_BUG("%s", pb_error_text());
    check_text(input_of(set, m, PB_TRAIN), "Be short.\n\nQuestion: Is it hot?\nAnswer: It is not.<|endoftext|>\n"
                                           "Question: Why?\nAnswer:");
    check_text(targets_of(set, m, PB_TRAIN, true), " It is not.<|endoftext|> Nobody knows.<|endoftext|>");
    check_text(targets_of(set, m, PB_TRAIN, false), " Nobody knows.<|endoftext|>");
    CHECK(set->prefix.count > 3 && set->shots == 0 && set->extra_tokens > 3);
    size_t whole = set->prefix.count + set->text[PB_TEST][0].count;
    CHECK_INT(set->length[PB_TEST][0], whole);
    CHECK(!pb_encoded_cache_prefix(set, m));
    check_text(targets_of(set, m, PB_TRAIN, true), " It is not.<|endoftext|> Nobody knows.<|endoftext|>");
    pb_encoded_free(set);
    pb_option_release(pb_decode_table, &how);
    pb_model_free(m);
    pb_data_free(d);
}

TEST(the_oldest_turns_are_cut_and_the_last_never)
{
    pb_data *d = two_turns();
    pb_model *m = open_decoder();
    pb_decoding how = default_decoding();
    pb_encoded *set = encode(d, m, &how, 20);
    if (!set)
        PB_BUG("%s", pb_error_text());
    check_text(input_of(set, m, PB_TRAIN), "Be short.\n\nQuestion: Why?\nAnswer:");
    check_text(targets_of(set, m, PB_TRAIN, true), " Nobody knows.<|endoftext|>");
    for (int s = 0; s < PB_SPLITS; s++)
        CHECK_INT(set->cut[s], 1);
    pb_encoded_free(set);
    CHECK(!encode(d, m, &how, 4));
    CHECK(strstr(pb_error_text(), "talk: train: line 1: the last message has ") != NULL);
    pb_error_clear();
    pb_option_release(pb_decode_table, &how);
    pb_model_free(m);
    pb_data_free(d);
}

TEST(a_conversation_is_shortened_by_whole_turns)
{
    static const char all[] = "[" USER("a") ", " ASSISTANT("b") ", " USER("c") ", " ASSISTANT("d") ", " USER("e") "]";
    char *text = pb_conversation_shorten(all, 0);
    check_text(text, all);
    check_text(pb_conversation_shorten(all, 1), "[" USER("c") ", " ASSISTANT("d") ", " USER("e") "]");
    check_text(pb_conversation_shorten(all, 2), "[" USER("e") "]");
    CHECK(!pb_conversation_shorten(all, 3));
}
