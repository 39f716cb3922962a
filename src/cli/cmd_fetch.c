/* cmd_fetch: a model or data set from a hub or a URL. */
#include "cli/cmd.h"
#include "cli/fetch.h"

static int fetch(const pb_args *a)
{
    return pb_fetch(a->word[0], a->out, a->quiet);
}

const pb_command pb_cmd_fetch = {
    .name = "fetch",
    .words = "NAME",
    .least = 1,
    .most = 1,
    .options = "out quiet",
    .help =
        "obtain a model (org/name), a data set (datasets/org/name) or a file (URL); it can be gone on with\n"
        "NAME may end in @revision and :file.  Files land in --out, else in models/NAME or data/NAME, with their\n"
        "SHA-256 in SHA256SUMS.  HF_ENDPOINT names another hub than huggingface.co, HF_TOKEN is for gated models.\n",
    .run = fetch,
};
