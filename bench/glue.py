#!/usr/bin/env python3
"""glue: pairs of sentences, and tags of words, in peftbench beside transformers and PEFT, with the same examples and
settings.

    DIR/bin/python bench/glue.py --data FOLDER [--train 256] [--test 250] [--epochs 3] [--scale 1]
                                 [--tasks mrpc rte stsb wnut17]

FOLDER is PEFTBENCH_DATA, with the folders mrpc, rte, stsb and wnut17; DIR is a virtual environment with
tests/parity/requirements.txt.  For each task, examples are drawn once and written to files that both
sides read.  full, lora (r 8, alpha 16, query and value), bitfit and head are trained with three seeds:
AdamW, batches of 16, 6 % warm-up, linear decay, weight decay 0.01, clip 1, dropout 0.1, and
the learning rates below times --scale; nothing is chosen on validation but the epoch, on both sides.  The table has the mean over the seeds, with the 95 %
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


def read_tags(path):
    """[words, none, tags], so that a sentence is drawn as a pair is."""
    sentences = [[]]
    with open(path, encoding="utf-8") as f:
        for word, _, tag in (line.strip().partition("\t") for line in f):
            if tag:
                sentences[-1].append((word, tag))
            elif sentences[-1]:
                sentences.append([])
    return [[tuple(w for w, _ in s), None, [t for _, t in s]] for s in sentences if s]


TASKS = {"mrpc": (read_mrpc, "mrpc/msr_paraphrase_train.txt", "mrpc/msr_paraphrase_test.txt", "f1"),
         "rte": (read_rte, "rte/rte_dev.tsv", "rte/rte_test.tsv", "accuracy"),
         "stsb": (read_stsb, "stsb/sts-train.csv", "stsb/sts-test.csv", "spearman"),
         "wnut17": (read_tags, "wnut17/wnut17train.conll", "wnut17/emerging.test.annotated", "entity-f1")}


def draw(args, task, folder):
    """Writes the splits as CSV files and returns them."""
    read, train, test, _ = TASKS[task]
    rng = random.Random(0)
    known = list({(a, b): [a, b, answer] for a, b, answer in read(args.data / train)}.values())  # each text once
    rng.shuffle(known)
    hidden = read(args.data / test)
    rng.shuffle(hidden)
    used = {(a, b) for a, b, _ in known[:args.train + args.test]}
    splits = {"train": known[:args.train], "validation": known[args.train:args.train + args.test],
              "test": [r for r in hidden if (r[0], r[1]) not in used][:args.test]}
    for name, rows in splits.items():
        with open(folder / f"{name}.{extension(task)}", "w", encoding="utf-8", newline="") as f:
            if task == "wnut17":
                f.write("\n\n".join("\n".join(f"{w}\t{t}" for w, t in zip(words, tags)) for words, _, tags in rows) + "\n")
            else:
                csv.writer(f, lineterminator="\n").writerows([["one", "two", "answer"], *rows])
    return splits


def answers_of(task, splits):
    """The number of each class or tag, in the order of their names; None for a regression."""
    if task == "stsb":
        return None
    said = [r[2] for rows in splits.values() for r in rows]
    return {name: i for i, name in enumerate(sorted({t for tags in said for t in tags} if task == "wnut17" else set(said)))}


def extension(task):
    return "conll" if task == "wnut17" else "csv"


# ---- peftbench ------------------------------------------------------------------------------------------

def ours(args, task, folder, splits):
    """{row: [score of each seed]}"""
    metric = "f1" if TASKS[task][3] == "entity-f1" else TASKS[task][3]
    columns = "text = one, two\nlabel = answer\n"
    kinds = {"stsb": f"kind = regression\n{columns}", "wnut17": "kind = tag\nformat = conll\n"}
    settings = kinds.get(task, f"kind = classify\n{columns}")
    classes = answers_of(task, splits)
    settings += f"classes = {', '.join(classes)}\n" if classes else ""
    settings += "positive = 1\n" if task == "mrpc" else ""
    files = "".join(f"{name} = {name}.{extension(task)}\n" for name in splits)
    ini = (f"[experiment]\ntask = mine\nmodel = {args.model.resolve()}\nmethods = {', '.join(ROWS)}\nseeds = 0, 1, 2\n"
           f"baseline = full\njobs = 2\n\n[task mine]\n{settings}{files}metric = {metric}\n\n[train]\n"
           f"epochs = {args.epochs}\nbatch = {BATCH}\n\n[method lora]\nrank = 8\nalpha = 16\ntargets = attn.q attn.v\n")
    for row, rate in ROWS.items():
        ini += f"\n[train {row}]\nlr = {rate * args.scale}\n"
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

def encode_tags(tokenizer, rows, numbers):
    """The first piece of a word has its tag; -100, which the loss leaves out, for the others."""
    ids = tokenizer([list(r[0]) for r in rows], is_split_into_words=True, truncation=True, max_length=128)
    items = []
    for i, (_, _, tags) in enumerate(rows):
        words = ids.word_ids(i)
        labels = [-100 if w is None or (k and words[k - 1] == w) else numbers[tags[w]] for k, w in enumerate(words)]
        items.append({"input_ids": ids["input_ids"][i], "attention_mask": ids["attention_mask"][i], "labels": labels})
    return items


def encode_pairs(tokenizer, rows, numbers):
    ids = tokenizer([r[0] for r in rows], [r[1] for r in rows], truncation=True, max_length=128)
    return [{"input_ids": ids["input_ids"][i], "token_type_ids": ids["token_type_ids"][i],
             "attention_mask": ids["attention_mask"][i],
             "labels": numbers[rows[i][2]] if numbers else float(rows[i][2])} for i in range(len(rows))]


def collate(tokenizer, items):
    """A padded batch; the tags of padding are -100."""
    import torch
    batch = tokenizer.pad([{k: v for k, v in x.items() if k != "labels"} for x in items], return_tensors="pt")
    labels, longest = [x["labels"] for x in items], batch["input_ids"].shape[1]
    if isinstance(labels[0], list):
        labels = [x + [-100] * (longest - len(x)) for x in labels]
    batch["labels"] = torch.tensor(labels)
    return batch


def predict(model, tokenizer, items):
    import torch
    model.eval()
    out = []
    with torch.inference_mode():
        for i in range(0, len(items), 32):
            batch = collate(tokenizer, items[i:i + 32])
            batch.pop("labels")
            logits = model(**batch).logits
            out += logits[:, 0].tolist() if logits.shape[1] == 1 else logits.argmax(-1).tolist()
    return out


def score_tags(rows, items, said, numbers):
    """F1 of entities (seqeval).  A word that was cut counts as O, as in peftbench."""
    import seqeval.metrics
    names, guess = list(numbers), []
    for (_, _, tags), item, row in zip(rows, items, said):
        read = [names[k] for k, label in zip(row, item["labels"]) if label != -100]
        guess.append(read + ["O"] * (len(tags) - len(read)))
    return float(seqeval.metrics.f1_score([tags for _, _, tags in rows], guess))


def score(metric, rows, items, said, numbers):
    import scipy.stats
    import sklearn.metrics
    if metric == "entity-f1":
        return score_tags(rows, items, said, numbers)
    wanted = [x["labels"] for x in items]
    if metric == "spearman":
        return float(scipy.stats.spearmanr(wanted, said).statistic)
    return float(sklearn.metrics.f1_score(wanted, said) if metric == "f1" else
                 sklearn.metrics.accuracy_score(wanted, said))


def new_model(args, row, task, numbers):
    tags = task == "wnut17"
    return peers.attach(peers.load(args, classes=len(numbers) if numbers else 1, dropout=0.1, tokens=tags), row, tags)


def train_theirs(args, task, row, seed, splits, encoded, tokenizer):
    """The score on test after the epoch that is best on validation."""
    import torch
    import transformers
    torch.manual_seed(seed)
    numbers = answers_of(task, splits)
    model = new_model(args, row, task, numbers)
    optimizer, trainable = peers.adamw(args, model, ROWS[row] * args.scale)
    steps = args.epochs * -(-len(splits["train"]) // BATCH)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, round(0.06 * steps), steps)
    rng, best = random.Random(seed), (float("-inf"), None)

    def reached(split):
        said = predict(model, tokenizer, encoded[split])
        return score(TASKS[task][3], splits[split], encoded[split], said, numbers)

    for _ in range(args.epochs):
        model.train()
        items = rng.sample(encoded["train"], len(encoded["train"]))
        for i in range(0, len(items), BATCH):
            peers.step(model, optimizer, trainable, collate(tokenizer, items[i:i + BATCH]), 1)
            schedule.step()
        here = reached("validation")
        if here > best[0]:
            best = (here, reached("test"))
    return best[1]


def theirs(args, task, splits):
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    encode = encode_tags if task == "wnut17" else encode_pairs
    encoded = {name: encode(tokenizer, rows, answers_of(task, splits)) for name, rows in splits.items()}
    return {row: [train_theirs(args, task, row, seed, splits, encoded, tokenizer) for seed in SEEDS] for row in ROWS}


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
    p.add_argument("--scale", type=float, default=1)
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
