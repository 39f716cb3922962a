/* What pretraining must not see is found, however it is spelled, and ordinary likeness is not. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "train/decontamination.h"

static bool hits(const char *excluded, const char *text)
{
    pb_decontamination *o = pb_decontamination_new();
    pb_decontamination_add(o, excluded);
    bool hit = pb_decontamination_hits(o, text);
    pb_decontamination_free(o);
    return hit;
}

TEST(eight_words_in_a_row_hit)
{
    const char *sentence = "one two three four five six seven eight nine ten";
    CHECK(hits(sentence, sentence));
    CHECK(hits(sentence, "zero two three four five six seven eight nine zero"));
    CHECK(!hits(sentence, "two three four five six seven eight zero nine ten one"));
    CHECK(!hits(sentence, ""));
    CHECK(!hits("", sentence));
}

TEST(case_and_punctuation_do_not_matter)
{
    CHECK(hits("the film, well-made & \"short\": a joy (twice) .", "THE FILM WELL MADE SHORT A JOY TWICE"));
    CHECK(hits("eine \u00dcbung im Sehen ist nie zu fr\u00fch", "Eine \u00fcbung im sehen: ist nie zu FR\u00dcH!"));
    CHECK(!hits("the film well made short a joy twice", "the film well mad eshort a joy twice"));
}

TEST(treebank_tokens_equal_ordinary_text)
{
    const char *tokens = "it 's a film that does n't bore -lrb- or ca n't -rrb- and wo n't end";
    CHECK(hits(tokens, "It\u2019s a film that doesn't bore"));
    CHECK(hits(tokens, "a film that doesn\u2019t bore (or can't"));
    CHECK(hits("they do n't know what is not n't here", "They DON'T know what is not n't here"));
    CHECK(!hits("they do n't know what is not here", "they don'tx know what is not here"));
}

TEST(a_short_text_counts_whole)
{
    CHECK(hits("a gentle , funny little film", "It is a gentle, funny little film, I think."));
    CHECK(!hits("a gentle , funny little film", "a gentle, funny, and little film"));
    CHECK(!hits("a funny little film", "It is a funny little film, I think."));
    CHECK(!hits("a very gentle and funny film again", "a very gentle and funny film"));
}

TEST(bytes_that_are_no_text_part_words)
{
    CHECK(hits("one two three four five", "one\xff two\xc3 three\x80"
                                          "four\xe2\x80 five"));
    CHECK(!hits("one two three four five", "one two three four fi\xff"
                                           "ve"));
}

TEST(the_set_grows_and_counts_each_once)
{
    pb_decontamination *o = pb_decontamination_new();
    char text[200];
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < 5000; i++) {
            snprintf(text, sizeof text, "a b c d e f g %d h", i);
            pb_decontamination_add(o, text);
        }
    CHECK_INT(pb_decontamination_count(o), 10000);
    CHECK(pb_decontamination_hits(o, "a b c d e f g 4999"));
    CHECK(pb_decontamination_hits(o, "b c d e f g 0 h"));
    CHECK(!pb_decontamination_hits(o, "a b c d e f g 5000"));
    pb_decontamination_free(o);
}

TEST(files_give_fields_without_labels)
{
    char path[] = "/tmp/peftbench-overlap-XXXXXX";
    int file = mkstemp(path);
    if (!CHECK(file >= 0))
        return;
    static const char lines[] = "0 an odd and silent film\n"
                                "name : Blue Spice | area : centre||Blue Spice is there .\n"
                                "no tab before\tfive words after the tab\n"
                                "2001 nights in a row";
    CHECK_INT(write(file, lines, sizeof lines - 1), sizeof lines - 1);
    close(file);
    pb_decontamination *o = pb_decontamination_new();
    CHECK_INT(pb_decontamination_add_file(o, path), 0);
    CHECK_INT(pb_decontamination_count(o), 3);
    CHECK(pb_decontamination_hits(o, "Such an odd and silent film."));
    CHECK(pb_decontamination_hits(o, "name: Blue Spice, area: centre"));
    CHECK(pb_decontamination_hits(o, "five words after the tab"));
    CHECK(!pb_decontamination_hits(o, "tab before five words"));
    unlink(path);
    CHECK_INT(pb_decontamination_add_file(o, path), -1);
    CHECK(strstr(pb_error_text(), path));
    pb_error_clear();
    pb_decontamination_free(o);
}
