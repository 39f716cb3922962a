/* The keys of values: what a person may ask for, and what a run may store. */
#include "child.h"

#include "train/result.h"
#include "train/value_keys.h"

static bool classify_has(const char *key)
{
    return pb_value_key_exists(pb_task_find("classify"), key);
}

TEST(keys_that_a_whole_run_can_have)
{
    CHECK(classify_has("storage.trainable") && classify_has("accuracy.test.macro_f1"));
    CHECK(classify_has("serving.load_ms.n64") && classify_has("serving.load_ms.n64.high"));
    CHECK(classify_has("retention.score.s0.5") && classify_has("overhead.prefill_ratio.b32.merged.low"));
}

TEST(keys_that_it_cannot_have)
{
    CHECK(!classify_has("storage.trainabl") && !classify_has("storage.trainable.b") && !classify_has(""));
    CHECK(!classify_has("accuracy.test.pearson") && !classify_has("accuracy.test.") && !classify_has("accuracy.test"));
    CHECK(!classify_has("accuracy.train.accuracy") && !classify_has("accuracy.test.accuracy.low"));
    CHECK(!classify_has("serving.load_ms.n") && !classify_has("serving.load_ms.nx"));
    CHECK(!classify_has("train.loss"));
}

TEST(the_nearest_key)
{
    static const char *const pair[][2] = {{"storage.trained", "; did you mean 'storage.trainable'?"},
                                          {"accuracy.test.acuracy", "; did you mean 'accuracy.test.accuracy'?"},
                                          {"accuracy.validation.mc", "; did you mean 'accuracy.validation.mcc'?"},
                                          {"x", ""}};
    for (size_t i = 0; i < PB_COUNT(pair); i++) {
        char *near = pb_value_key_near(pb_task_find("classify"), pair[i][0]);
        CHECK_TEXT(near, pair[i][1]);
        free(near);
    }
}

static void put_curve(void)
{
    pb_result r;
    pb_result_init(&r);
    pb_result_put(&r, PB_TRAIN, 8, 0.5, "train.loss");
    pb_result_put(&r, PB_TEST, -1, 0.5, "accuracy.test.%s", "a metric of a plugin");
    pb_result_free(&r);
}

static void put_unknown(void)
{
    pb_result r;
    pb_result_init(&r);
    pb_result_put(&r, -1, -1, 0, "storage.%s", "unlisted");
}

static void put_curve_of_run(void)
{
    pb_result r;
    pb_result_init(&r);
    pb_result_put(&r, PB_TRAIN, -1, 0.5, "train.loss");
}

TEST(no_value_is_stored_under_another_key)
{
    void (*const refused[])(void) = {put_unknown, put_curve_of_run};
    char *said;
    CHECK_INT(status_of(put_curve, &said), 0);
    free(said);
    for (size_t i = 0; i < PB_COUNT(refused); i++) {
        int status = status_of(refused[i], &said);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        CHECK(strstr(said, "value_keys.c does not have the key"));
        free(said);
    }
}
