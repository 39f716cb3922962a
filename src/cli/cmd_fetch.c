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
    .help = "download a model (org/name), a data set (datasets/org/name) or a file (URL)\n\n"
            "NAME may end with @revision and :file, or :folder of a data set.  Files are written to --out, by default\n"
            "models/NAME or data/NAME, and their SHA-256 to SHA256SUMS.  An interrupted download continues when the\n"
            "command is run again.  HF_ENDPOINT selects a hub other than huggingface.co, and HF_TOKEN gives access to\n"
            "gated models.\n",
    .run = fetch,
};
