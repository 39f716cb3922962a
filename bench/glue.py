#!/usr/bin/env python3
"""glue: pairs of sentences in peftbench beside transformers and PEFT, with the same examples and settings.

    DIR/bin/python bench/glue.py --data FOLDER [--train 256] [--test 250] [--epochs 3] [--tasks mrpc rte stsb]

FOLDER is PEFTBENCH_DATA, with the folders mrpc, rte and stsb; DIR is a virtual environment with
tests/parity/requirements.txt.  For each task, examples are drawn once and written to files that both
sides read.  full, lora (r 8, alpha 16, query and value), bitfit and head are trained with three seeds:
AdamW, batches of 16, 6 % warm-up, linear decay, weight decay 0.01, clip 1, dropout 0.1; nothing is
chosen on validation but the epoch, on both sides.  The table has the mean over the seeds, with the 95 %
interval of the mean over seeds (Student's t), of each side, and the difference.
"""

import argparse
import csv
import json
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import peers  # noqa: E402

ROWS = {"full": 1e-4, "lora": 1e-3, "bitfit": 1e-3, "head": 1e-3}
SEEDS = (0, 1, 2)
BATCH = 16
T_975_2 = 4.302653  # Student's t for 2 degrees of freedom


# ---- the examples: [first, second, answer] --------------------------------------------------------------

def read_mrpc(path):
    with open(path, encoding="utf-8-sig") as f:
        rows = [line.rstrip("\n").split("\t") for line in f][1:]
    return [[r[3], r[4], r[0]] for r in rows]


def read_rte(path):
    with open(path, encoding="utf-8", newline="") as f:
        return [[r["text"], r["hypothesis"], r["label"]] for r in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE)]


def read_stsb(path):
    with open(path, encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    return [[r[5], r[6], r[4]] for r in rows]


TASKS = {"mrpc": (read_mrpc, "mrpc/msr_paraphrase_train.txt", "mrpc/msr_paraphrase_test.txt", "f1"),
         "rte": (read_rte, "rte/rte_dev.tsv", "rte/rte_test.tsv", "accuracy"),
         "stsb": (read_stsb, "stsb/sts-train.csv", "stsb/sts-test.csv", "spearman")}


def draw(args, task, folder):
    """Writes the splits as CSV files and returns them."""
    read, train, test, _ = TASKS[task]
    rng = random.Random(0)
    known = read(args.data / train)
    rng.shuffle(known)
    hidden = read(args.data / test)
    rng.shuffle(hidden)
    used = {(a, b) for a, b, _ in known[:args.train + args.test]}
    splits = {"train": known[:args.train], "validation": known[args.train:args.train + args.test],
              "test": [r for r in hidden if (r[0], r[1]) not in used][:args.test]}
    for name, rows in splits.items():
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as f:
            csv.writer(f, lineterminator="\n").writerows([["one", "two", "answer"], *rows])
    return splits


# ---- peftbench ------------------------------------------------------------------------------------------

def ours(args, task, folder, splits):
    """{row: [score of each seed]}"""
    kind = "regression" if task == "stsb" else "classify"
    metric = TASKS[task][3]
    classes = sorted({r[2] for s in splits.values() for r in s})
    labels = "" if kind == "regression" else f"classes = {', '.join(classes)}\n"
    extra = "positive = 1\n" if metric == "f1" else ""
    methods = ", ".join(ROWS)
    ini = (f"[experiment]\ntask = pairs\nmodel = {args.model.resolve()}\nmethods = {methods}\nseeds = 0, 1, 2\n"
           f"baseline = full\njobs = 2\n\n[task pairs]\nkind = {kind}\ntrain = train.csv\nvalidation = validation.csv\n"
           f"test = test.csv\ntext = one, two\nlabel = answer\n{labels}metric = {metric}\n{extra}\n[train]\n"
           f"epochs = {args.epochs}\nbatch = {BATCH}\n\n[method lora]\nrank = 8\nalpha = 16\ntargets = attn.q attn.v\n")
    for row, rate in ROWS.items():
        ini += f"\n[train {row}]\nlr = {rate}\n"
    (folder / "glue.ini").write_text(ini)
    (folder / "glue.db").unlink(missing_ok=True)
    subprocess.run([args.peftbench.resolve(), "run", "glue.ini", "--db", "glue.db", "--no-timing", "--quiet"],
                   cwd=folder, check=True, stdout=subprocess.DEVNULL)
    query = (f"SELECT json_group_array(json_array(row, value)) FROM (SELECT row, value FROM v_result WHERE split = 'test' "
             f"AND key = 'accuracy.test.{metric}' ORDER BY row, seed)")
    out = subprocess.run(["sqlite3", folder / "glue.db", query], check=True, capture_output=True, text=True).stdout
    scores = {row: [] for row in ROWS}
    for row, value in json.loads(out):
        scores[row].append(value)
    return scores


# ---- transformers and PEFT ------------------------------------------------------------------------------

def encode(tokenizer, rows, number):
    ids = tokenizer([r[0] for r in rows], [r[1] for r in rows], truncation=True, max_length=128)
    names = None if number else {name: i for i, name in enumerate(sorted({r[2] for r in rows}))}
    return [{"input_ids": ids["input_ids"][i], "token_type_ids": ids["token_type_ids"][i],
             "attention_mask": ids["attention_mask"][i],
             "labels": float(rows[i][2]) if number else names[rows[i][2]]} for i in range(len(rows))]


def predict(model, tokenizer, rows):
    import torch
    model.eval()
    out = []
    with torch.inference_mode():
        for i in range(0, len(rows), 32):
            batch = tokenizer.pad(rows[i:i + 32], return_tensors="pt")
            batch.pop("labels")
            logits = model(**batch).logits
            out += logits[:, 0].tolist() if logits.shape[1] == 1 else logits.argmax(1).tolist()
    return out


def score(metric, wanted, said):
    import scipy.stats
    import sklearn.metrics
    if metric == "spearman":
        return float(scipy.stats.spearmanr(wanted, said).statistic)
    return float(sklearn.metrics.f1_score(wanted, said) if metric == "f1" else
                 sklearn.metrics.accuracy_score(wanted, said))


def train_theirs(args, row, seed, splits, metric, tokenizer):
    import torch
    import transformers
    number = metric == "spearman"
    torch.manual_seed(seed)
    model = peers.load(args, classes=1 if number else 2, dropout=0.1)
    if number:  # as peftbench starts: at the mean of the training answers
        model.classifier.bias.data.fill_(sum(r["labels"] for r in splits["train"]) / len(splits["train"]))
    model = peers.attach(model, row)
    optimizer, trainable = peers.adamw(args, model, ROWS[row])
    steps = args.epochs * -(-len(splits["train"]) // BATCH)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, round(0.06 * steps), steps)
    rng, best = random.Random(seed), (float("-inf"), None)
    for _ in range(args.epochs):
        model.train()
        rows = rng.sample(splits["train"], len(splits["train"]))
        for i in range(0, len(rows), BATCH):
            batch = tokenizer.pad(rows[i:i + BATCH], return_tensors="pt")
            if number:
                batch["labels"] = batch["labels"].float()
            peers.step(model, optimizer, trainable, batch, 1)
            schedule.step()
        wanted = {s: [r["labels"] for r in splits[s]] for s in ("validation", "test")}
        here = score(metric, wanted["validation"], predict(model, tokenizer, splits["validation"]))
        if here > best[0]:
            best = (here, score(metric, wanted["test"], predict(model, tokenizer, splits["test"])))
    return best[1]


def theirs(args, task, splits):
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    metric = TASKS[task][3]
    encoded = {name: encode(tokenizer, rows, task == "stsb") for name, rows in splits.items()}
    return {row: [train_theirs(args, row, seed, encoded, metric, tokenizer) for seed in SEEDS] for row in ROWS}


# ---- the table ------------------------------------------------------------------------------------------

def interval(x):
    mean = sum(x) / len(x)
    variance = sum((v - mean) ** 2 for v in x) / (len(x) - 1)
    return mean, T_975_2 * (variance / len(x)) ** 0.5


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--data", type=pathlib.Path, required=True)
    p.add_argument("--model", type=pathlib.Path, default=pathlib.Path("models/minilm"))
    p.add_argument("--peftbench", type=pathlib.Path, default=pathlib.Path("build/peftbench"))
    p.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    for name, value in (("train", 256), ("test", 250), ("epochs", 3), ("threads", 2)):
        p.add_argument(f"--{name}", type=int, default=value)
    args = p.parse_args()
    args.mode = "installed"
    print("| task | metric | row | peftbench | transformers, PEFT | difference |\n|---|---|---|---:|---:|---:|")
    for task in args.tasks:
        folder = pathlib.Path("build/glue") / task
        folder.mkdir(parents=True, exist_ok=True)
        splits = draw(args, task, folder)
        a, b = ours(args, task, folder, splits), theirs(args, task, splits)
        for row in ROWS:
            (x, dx), (y, dy) = interval(a[row]), interval(b[row])
            print(f"| {task} | {TASKS[task][3]} | {row} | {x:.3f} ±{dx:.3f} | {y:.3f} ±{dy:.3f} | {x - y:+.3f} |", flush=True)


if __name__ == "__main__":
    main()
