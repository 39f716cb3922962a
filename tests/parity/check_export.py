#!/usr/bin/env python3
"""check_export: what is trained here, exported, loaded by PEFT and transformers.

    check_export.py PEFTBENCH [MODEL ..]

On tiny random models: an experiment trains every method that PEFT knows, and others that can be merged, for a few
steps.  Each run is exported as an adapter, as a merged model and as a LoRA of full rank, where that can be; logits of
PEFT's and transformers' reading are compared with `peftbench logits`.  Models for multiple choice are trained on
questions with choices, with a few methods.  Exit code 1 if one differs by more than 1e-4.

Both sides compute in 32 bits, and what differs is rounding, which single sequences enlarge: on one of the Llama's, this
program is several times as far from the result in 64 bits as PEFT is, with LoRA as with FourierFT of a pattern, while the
medians of the sequences are alike.  In 64 bits they are equal: tests/train/test_peft.c, `fourierft-pattern`.  Changes as
large as those of DeLoRA with its lambda of 15, or of RandLoRA of rank 4 with its alpha of 640, enlarge it to 2e-4 in one
sequence, so that they are smaller here.
"""

import json
import os
import re
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import warnings

import peft
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import check_adapters
import check_models
import families
import summary
from check_models import BAR, ours, worst, worst_of_choices
from families import is_choices

WORDS = "good fine great nice fun bad poor dull awful sad film plot actor scene the a of and was is".split()
EXPERIMENT = """[experiment]
task = tiny
model = {model}
methods = lora, lora:all, lora:dora, lora-ga, adalora, ia3, prefix, prefix:mlp, prompt, layernorm, full, bitfit,
	lora+ia3, said, shira, supertuning, eva, dylora, pissa, milora, olora, mica, corda{more}
seeds = 0
timing_rounds = 0

[train]
epochs = 2
batch = 8
lr = 1e-2

[method lora:all]
rank = 3
targets = *
rank_pattern = mlp.*=2
rslora = yes

[method lora:dora]
rank = 3
targets = *
dora = yes

[method adalora]
rank = 4
target_rank = 2
targets = *

[method prompt]
length = 4
pool = first

[method prefix]
length = 3

[method supertuning]
share = 0.05

{settings}
[method prefix:mlp]
length = 3
mlp = yes
hidden = 9
"""
# Methods that PEFT has, beside those above, with settings for matrices [20,20]; after a colon another case of one.
MORE = {
    "boft": "size = 4\nfactors = 1",
    "c3a": "size = 4",
    "c3a:parts": "size = 0\nparts = 2",
    "cartridge": "length = 3",
    "deft": "rank = 3\ntargets = *",
    "delora": "rank = 3\nlambda = 2\ntargets = *\nrank_pattern = mlp.*=2\nlambda_pattern = attn.o=3",
    "fourierft": "places = 30\nplaces_pattern = mlp.*=20\nscale = 5\ntargets = *",
    "fourierft:most": "places = 1000\nplaces_pattern = mlp.*=100000",  # more than there are
    "glora": "rank = 3\ntargets = *",
    "gralora": "rank = 4\nparts = 2",
    "hira": "rank = 3\ntargets = *",
    "hira:pattern": "rank = 3\ntargets = *\nrank_pattern = mlp.*=2",
    "hra": "rank = 4\ntargets = *",
    "loha": "rank = 3\ntargets = *\nrank_pattern = mlp.*=2\nalpha_pattern = attn.o=7",
    "lokr": "rank = 2\ntargets = *",
    "lokr:both": "rank = 2\nfactor = 4\nboth = yes",
    "lopt": "pool = first",
    "miss": "rank = 4\ntargets = *",
    "mpt": "pool = first\nlength = 4",
    "osf": "share = 0.3\ntargets = *",
    "oft:exact": "neumann = no\nblocks = 0\nsize = 4",
    "p-tuning": "pool = first\nlength = 4",
    "p-tuning:mlp": "pool = first\nlength = 4\nencoder = mlp\nhidden = 9",
    "peanut": "rank = 3\ntargets = *",
    "peanut:deep": "rank = 3\ndepth = 2\nact = gelu\nscale = 2",
    "randlora": "rank = 4\nalpha = 80\ntargets = *",
    "residual-prompt": "pool = first",
    "road": "group = 4",
    "road:2": "group = 4\nvariant = 2",
    "road:4": "group = 4\nvariant = 4",
    "tinylora": "u = 5\ntie = 0.4\ntargets = *",
    "waveft": "places = 30\ntargets = *",
    "unilora": "dimension = 50\ntargets = *",
    "vblora": "length = 4",
    "vera": "rank = 5\ntargets = *",
    "pvera": "rank = 5\ntargets = *",
}
CHOICES = """[experiment]
task = tiny
model = {model}
methods = lora, lora:all, ia3, prefix, layernorm, full, bitfit, vera
seeds = 0
timing_rounds = 0

[train]
epochs = 2
batch = 8
lr = 1e-2

[method lora:all]
rank = 3
targets = *
dora = yes
"""
CHOICES_TASK = """[task]
kind = choose
train = tiny/all.jsonl
validation = tiny/validation.jsonl
test = tiny/test.jsonl
answer_as = index
"""
TASK = """[task]
kind = classify
train = tiny/all.tsv
validation = tiny/validation.tsv
test = tiny/test.tsv
classes = good, bad, none
"""


def tokenizer(folder, pairs):
    t = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(["<unk>"] + [chr(97 + i) for i in range(26)] + ["\u0120"])},
                             merges=[], unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pairs:
        t.post_processor = processors.TemplateProcessing(single="<unk> $A", pair="<unk> $A <unk> $B:1",
                                                         special_tokens=[("<unk>", 0)])
    t.save(str(folder / "tokenizer.json"))


def write_choices(place):
    generator = torch.Generator().manual_seed(3)
    for split, count in (("all", 48), ("validation", 24), ("test", 24)):
        lines = []
        for i in range(count):
            words = [WORDS[int(k)] for k in torch.randint(0, len(WORDS), (5 + i % 3,), generator=generator)]
            choices = [f"{word} {n}" for n, word in enumerate(words[:2 + i % 3])]
            lines.append(json.dumps({"question": f"{' '.join(words)} {split} {i}", "choices": choices,
                                     "answer": i % len(choices)}))
        (place / "data" / "tiny" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (place / "tasks" / "tiny.ini").write_text(CHOICES_TASK)


def write_task(place):
    generator = torch.Generator().manual_seed(3)
    for split, count in (("all", 48), ("validation", 24), ("test", 24)):
        rows = []
        for i in range(count):
            words = [WORDS[int(k)] for k in torch.randint(0, len(WORDS), (3 + i % 7,), generator=generator)]
            rows.append(f"{' '.join(words)} {split[0] * (i % 5 + 1)}{chr(97 + i % 26)}\t{('good', 'bad', 'none')[i % 3]}")
        (place / "data" / "tiny" / f"{split}.tsv").write_text("text\tlabel\n" + "\n".join(rows) + "\n")
    (place / "tasks" / "tiny.ini").write_text(TASK)


def experiment(program, base):
    """Beside the methods above, all that the program lists with a type of PEFT."""
    lines = subprocess.run([program, "list", "--json"], text=True, capture_output=True, check=True).stdout.splitlines()
    listed = [json.loads(line) for line in lines]
    known = re.search(r"methods = (.*?)\n\w", EXPERIMENT, re.S)[1]
    known = {word.strip(" ,\n\t").split(":")[0] for word in known.replace("{more}", "").split(",")}
    more = [m["method"] for m in listed if m.get("peft") and m["method"] not in known and
            m["method"] not in ("sparse", "skeleton")]
    more += [name for name in MORE if ":" in name]
    settings = "".join(f"[method {name}]\n{MORE[name]}\n\n" for name in more if name in MORE)
    return EXPERIMENT.format(model=base, more="".join(f",\n\t{name}" for name in more), settings=settings)


def call(program, place, *args):
    run = subprocess.run([program, *map(str, args)], cwd=place, text=True, capture_output=True)
    return run.returncode, (run.stderr or run.stdout).strip().splitlines()


def load(name, folder):
    size = {} if is_choices(name) else {"num_labels": 3, "ignore_mismatched_sizes": True}
    return getattr(transformers, families.MODELS[name][2]).from_pretrained(folder, attn_implementation="eager", **size).eval()


def load_merged(name, folder):
    auto = transformers.AutoModelForMultipleChoice if is_choices(name) else transformers.AutoModelForSequenceClassification
    return auto.from_pretrained(folder, attn_implementation="eager").eval()


def read(model, name, sequences):
    return (check_models if is_choices(name) else check_adapters).theirs(model, sequences)


def apart(name, a, b):
    return (worst_of_choices if is_choices(name) else worst)(a, b)


def check(program, methods, place, base, name, run, row):
    adapter, merged, label = place / f"out-{run}", place / f"merged-{run}", f"{name:16} {row:12}"
    sequences, results = families.inputs(name, longest=30), []
    code, message = call(program, place, "export", run, adapter)
    if code:
        results.append(("refused" if code == 2 else "failed", f"adapter: {message[-1]}"))
    else:
        reading = peft.PeftModel.from_pretrained(load(name, base), adapter).eval()
        try:
            error = apart(name, ours(program, base, sequences, "--adapter", adapter), read(reading, name, sequences))
            results.append(judged("adapter", error))
            WORST[methods.of(row)] = max(WORST.get(methods.of(row), 0), error)
        except ValueError as problem:  # a prefix on a DistilBERT: PEFT itself cannot
            results.append(("skipped", f"adapter: PEFT: {problem}"))
    code, message = call(program, place, "export", "--merged", run, merged)
    if code:
        results.append(("refused" if code == 2 else "failed", f"merged: {message[-1]}"))
    else:
        error = apart(name, ours(program, merged, sequences), read(load_merged(name, merged), name, sequences))
        results.append(judged("merged", error))
    # any method that can be merged, as a LoRA of full rank (and with PEFT's lora_bias, where biases change)
    code, message = call(program, place, "export", "--rank", 64, run, place / f"rank-{run}")
    if code:
        results.append(("refused" if code == 2 else "failed", f"rank 64: {message[-1]}"))
    else:
        reading = peft.PeftModel.from_pretrained(load(name, base), place / f"rank-{run}").eval()
        said = read(reading, name, sequences)
        error = apart(name, ours(program, base, sequences, "--adapter", place / f"rank-{run}"), said)
        if merged.exists():  # not if the method adds a bias that the base has not
            error = max(error, apart(name, ours(program, merged, sequences), said))
        results.append(judged("rank 64", error))
    for result, text in results:
        print(f"{result:7} {label} {text[:150]}", flush=True)
    return [r for r, _ in results]


ERRORS = []
WORST = {}  # by method: the largest difference of PEFT's reading of its adapter


def judged(what, error):
    ERRORS.append(error)
    return "passed" if error < BAR else "failed", f"{what} {error:.1e}"


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    program, results = os.path.abspath(sys.argv[1]), []
    methods = summary.Methods(program)
    for name in sys.argv[2:] or ["bert", "roberta", "distilbert", "gpt2-classes", "llama-classes", "bert-choices",
                                 "roberta-choices", "distilbert-choices"]:
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            base = place / "base"
            families.save(name, base)
            tokenizer(base, is_choices(name))
            (place / "tasks").mkdir()
            (place / "data" / "tiny").mkdir(parents=True)
            write_choices(place) if is_choices(name) else write_task(place)
            (place / "tiny.ini").write_text(CHOICES.format(model=base) if is_choices(name) else experiment(program, base))
            code, message = call(program, place, "run", "tiny.ini", "--quiet")
            if code:
                print(f"failed  {name}: run: {' '.join(message[-3:])}")
                results.append("failed")
                continue
            rows = sqlite3.connect(place / "results" / "peftbench.db").execute("SELECT id, row FROM finished").fetchall()
            for run, row in rows:
                results += check(program, methods, place, base, name, run, row)
    for method, error in sorted(WORST.items()):
        summary.tell_method(method, {"exported": error})
    summary.finish("export", results, max(ERRORS, default=None))


if __name__ == "__main__":
    main()
