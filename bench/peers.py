#!/usr/bin/env python3
"""peers: the times of PyTorch and PEFT for the same work as peftbench, on this machine.

    python3 -m venv DIR && DIR/bin/pip install -r tests/parity/requirements.txt
    DIR/bin/python bench/peers.py                                  the table (about 5 minutes)
    DIR/bin/python bench/peers.py --items train-full-32x32 infer-1x32 --repeat 5
    DIR/bin/python bench/peers.py --sst2 FOLDER --json peers.json  with epochs of SST-2
    DIR/bin/python bench/peers.py --compile                        with torch.compile (minutes)
    DIR/bin/python bench/peers.py --ours build/bench/bench_engine  peftbench beside them, and ratios
    DIR/bin/python bench/peers.py --ours .. --language FILE.gguf   a language model of 135M parameters
    DIR/bin/python bench/peers.py --ours .. --texts FILE[.xz]      tokenizers, on one thread
    DIR/bin/python bench/peers.py --train full --lr 1e-4 --epochs 3 --seed 0 1 2 --sst2 FOLDER
    DIR/bin/python bench/peers.py --train lora --lr 1e-3 --epochs 3 --seed 0 1 2 --sst2 FOLDER

FOLDER holds train.txt, dev.txt and test.txt of `label text` lines; --model names the Hugging
Face folder (models/minilm).  Only ratios within one run are comparable, because machines differ.

Two settings of the peer, with --threads threads each (2):
  installed  as pip installs it;
  tuned      MKL told that this CPU may use its AVX-512 kernels (on AMD it takes AVX2 unless a
             preloaded mkl_serv_intel_cpu_true() returns 1; compiled here with cc to a temporary
             file), AdamW with fused=True, and malloc that keeps its memory (MALLOC_TOP_PAD_,
             MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_)
             and in huge pages (GLIBC_TUNABLES=glibc.malloc.hugetlb=1).
Each item runs in processes of its own, one a setting, so that peak RSS (getrusage) belongs to the item.
They warm up and then take turns, run by run, so that a busy moment of the machine hits all alike.

A training step: zero_grad, forward, backward, clip of the gradient's norm at 1 (--clip 0: none),
AdamW.  fp32, the attention that transformers chooses (SDPA), dropout 0 (--dropout) when timing.
`head` trains the classifier alone; LoRA has r 8 on query and value; prefix and prompt have 20
tokens.  An epoch of SST-2 is timed on --share of its batches (1 = all) and scaled up.

--train: AdamW, batches of 32 in random order (--order grouped: of similar length), lr with 6 %
warm-up and linear decay, weight decay 0.01 on all that trains, clip 1, dropout 0.1 (hidden and
attention, as BERT is published), LoRA r 8 alpha 16 on query and value; accuracy on dev.txt after
each epoch and on test.txt at the end, always of the last epoch: nothing is chosen.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from texts import prepare_texts

MODES = ("installed", "tuned")
OURS = ("peftbench", "nf4")  # nf4: on a frozen base in 4 bits
SHIM = "int mkl_serv_intel_cpu_true(void);\nint mkl_serv_intel_cpu_true(void) { return 1; }\n"
LARGE = str(1 << 30)  # bytes that malloc may keep or ask for at once
BATCH = 32
MAX_TOKENS = 128
EPOCHS_OF = ("random", "grouped")

TRAIN = ["full", "lora", "head", "bitfit", "ia3", "prefix", "prompt"]
ITEMS = (["gemm"] + [f"train-{m}-32x32" for m in TRAIN] + [f"train-{m}-32x128" for m in TRAIN]
         + ["infer-1x32", "infer-32x128", "infer-lora-1x32", "infer-lora-32x128", "start"])
LANGUAGE = ["lm-infer-4x128", "lm-lora-4x128", "lm-start"]
TEXTS = [f"tokenize-{kind}-{what}" for kind in ("wordpiece", "bytes", "sentencepiece") for what in ("lines", "long")]
GOAL = {"lm-infer-4x128": (2.0, 1.1), "lm-lora-4x128": (2.0, 1.1)}  # installed, tuned; tokenizers: 1
DEFAULT = ["gemm", "train-full-32x32", "train-lora-32x32", "train-head-32x32", "train-full-32x128",
           "train-lora-32x128", "infer-1x32", "infer-lora-1x32", "infer-32x128", "start"]


# ---- in the child: models ---------------------------------------------------------------------------
# Libraries are imported where they are first used: `start` times the imports too.

def load(args, classes=2, dropout=0.0, tokens=False):
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = transformers.BertConfig.from_pretrained(
        args.model, num_labels=classes, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    kind = transformers.BertForTokenClassification if tokens else transformers.BertForSequenceClassification
    return kind.from_pretrained(args.model, config=config, dtype=torch.float32)


def peft_config(method, tokens=False):
    import peft
    task = peft.TaskType.TOKEN_CLS if tokens else peft.TaskType.SEQ_CLS
    if method == "lora":
        return peft.LoraConfig(task_type=task, r=8, lora_alpha=16, lora_dropout=0.0,
                               target_modules=["query", "value"])
    if method == "ia3":
        down = r".*encoder\.layer\.\d+\.output\.dense"
        return peft.IA3Config(task_type=task, target_modules=rf"(.*attention\.self\.(key|value)|{down})",
                              feedforward_modules=down)
    if method == "prefix":
        return peft.PrefixTuningConfig(task_type=task, num_virtual_tokens=20)
    return peft.PromptTuningConfig(task_type=task, num_virtual_tokens=20)


def attach(model, method, tokens=False):
    """The model with only the method's parameters and the classifier trainable."""
    if method == "full":
        return model
    if method in ("head", "bitfit"):
        for name, p in model.named_parameters():
            p.requires_grad_("classifier" in name or (method == "bitfit" and name.endswith("bias")))
        return model
    import peft
    return peft.get_peft_model(model, peft_config(method, tokens))


def adamw(args, model, lr):
    import torch
    trainable = [p for p in model.parameters() if p.requires_grad]
    fused = {"fused": True} if args.mode == "tuned" else {}
    return torch.optim.AdamW(trainable, lr=lr, weight_decay=0.01, **fused), trainable


def step(model, optimizer, trainable, batch, clip):
    import torch
    optimizer.zero_grad(set_to_none=True)
    loss = model(**batch).loss
    loss.backward()
    if clip:
        torch.nn.utils.clip_grad_norm_(trainable, clip)
    optimizer.step()
    return loss


def made_up(rows, tokens):
    """A batch without padding; what the ids are does not matter for time."""
    import torch
    g = torch.Generator().manual_seed(1)
    return {"input_ids": torch.randint(1000, 20000, (rows, tokens), generator=g),
            "attention_mask": torch.ones(rows, tokens, dtype=torch.long),
            "labels": torch.arange(rows) % 2}


# ---- in the child: items ------------------------------------------------------------------------------

def repeat(args, work, warmup=3):
    """Says READY when warm; then each line on stdin asks for one run, whose milliseconds are the answer."""
    for _ in range(warmup):
        work()
    print("READY", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print(1e3 * (time.perf_counter() - start), flush=True)


def shape_of(item):
    rows, tokens = item.split("-")[-1].split("x")
    return int(rows), int(tokens)


def time_train(args, item):
    model = attach(load(args, dropout=args.dropout), item.split("-")[1]).train()
    optimizer, trainable = adamw(args, model, 1e-5)
    batch = made_up(*shape_of(item))
    repeat(args, lambda: step(model, optimizer, trainable, batch, args.clip))
    return {"trainable": sum(p.numel() for p in trainable)}


def time_infer(args, item):
    import torch
    model = load(args)
    if "lora" in item:
        model = attach(model, "lora")
    model.eval()
    batch = made_up(*shape_of(item))
    del batch["labels"]
    first = 0.0
    with torch.inference_mode():
        if "compiled" in item:
            import torch._inductor.config
            torch._inductor.config.freezing = True
            model = torch.compile(model)
            start = time.perf_counter()
            model(**batch)
            first = time.perf_counter() - start
        repeat(args, lambda: model(**batch), warmup=5)
    return {"compile_s": first}


# ---- in the child: a language model of SmolLM2-135M's shapes, its weights at random --------------------

def language_model(args):
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    config = transformers.LlamaConfig(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=1e5, tie_word_embeddings=True,
        use_cache=False)
    return transformers.LlamaForCausalLM(config).float()


def time_language(args, item):
    import torch
    if item == "lm-start":
        return start_language(args)
    model, kind = language_model(args), item.split("-")[1]
    rows, tokens = shape_of(item)
    batch = {"input_ids": made_up(rows, tokens)["input_ids"]}
    if kind == "infer":
        with torch.inference_mode():
            repeat(args, lambda: model.eval()(**batch))
        return {}
    import peft
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=0.0,
                                                       target_modules=["q_proj", "v_proj"])).train()
    optimizer, trainable = adamw(args, model, 1e-5)
    batch["labels"] = batch["input_ids"]
    repeat(args, lambda: step(model, optimizer, trainable, batch, args.clip))
    return {}


def start_language(args):
    """From the file on disk to logits; the parent holds the clock."""
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    path = pathlib.Path(args.language)
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    with torch.inference_mode():
        model.eval()(input_ids=made_up(1, 32)["input_ids"])
    return {}


# ---- in the child: tokenizers ---------------------------------------------------------------------------

def time_tokenizer(args, item):
    """encode_batch_fast makes no offsets; TOKENIZERS_PARALLELISM is off."""
    from tokenizers import Tokenizer
    _, kind, what = item.split("-")
    tokenizer = Tokenizer.from_file(f"{args.folder}/{kind}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    texts = pathlib.Path(f"{args.folder}/{what}.txt").read_text().split("\n")[:-1]
    tokens = sum(len(e.ids) for e in tokenizer.encode_batch_fast(texts))
    repeat(args, lambda: tokenizer.encode_batch_fast(texts), warmup=1)
    return {"tokens": tokens}


def time_gemm(args, item):
    """GFLOP/s of [1024,384] x [384,1536], the products of a batch of 32 x 32."""
    import torch
    torch.set_num_threads(args.threads)
    a, b = torch.rand(1024, 384), torch.rand(384, 1536)
    seconds = []
    for _ in range(220):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return {"gflops": [2 * 1024 * 384 * 1536 / s / 1e9 for s in seconds[20:]]}


def start_up(args, item):
    """What a user does who wants one answer; the parent holds the clock."""
    import torch
    from tokenizers import Tokenizer
    model = load(args).eval()
    ids = Tokenizer.from_file(f"{args.model}/tokenizer.json")
    ids.no_padding()
    ids = ids.encode("a gentle , funny film .").ids
    with torch.inference_mode():
        return {"logits": model(input_ids=torch.tensor([ids])).logits.tolist()}


def time_epoch(args, item):
    order = item.split("-")[-1]
    model = attach(load(args, dropout=args.dropout), item.split("-")[1]).train()
    optimizer, trainable = adamw(args, model, 1e-5)
    rows = read_sst2(args)["train"]
    batches = make_batches(rows, order, random.Random(1))
    chosen = batches[::max(1, round(1 / args.share))]
    for batch in chosen[:2]:
        step(model, optimizer, trainable, collate(batch), args.clip)
    start = time.perf_counter()
    for batch in chosen:
        step(model, optimizer, trainable, collate(batch), args.clip)
    seconds = time.perf_counter() - start
    real = sum(len(ids) for b in chosen for _, ids in b)
    computed = sum(len(b) * max(len(ids) for _, ids in b) for b in chosen)
    return {"s": [seconds * len(batches) / len(chosen)], "padding": computed / real, "batches": len(chosen)}


def run_item(args, item):
    kind = item.split("-")[0]
    work = {"gemm": time_gemm, "train": time_train, "infer": time_infer, "start": start_up,
            "epoch": time_epoch, "lm": time_language, "tokenize": time_tokenizer}[kind]
    out = work(args, item)
    out["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("RESULT " + json.dumps(out), flush=True)


# ---- SST-2 ----------------------------------------------------------------------------------------------

def read_sst2(args):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(f"{args.model}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    splits = {}
    for split, file in (("train", "train"), ("validation", "dev"), ("test", "test")):
        lines = (pathlib.Path(args.sst2) / f"{file}.txt").read_text().splitlines()
        pairs = [line.split(" ", 1) for line in lines]
        ids = tokenizer.encode_batch([text for _, text in pairs])
        splits[split] = [(int(label), e.ids) for (label, _), e in zip(pairs, ids)]
    return splits


def make_batches(rows, order, rng):
    """Batches of 32; grouped: neighbours in length, with ties and the batches in random order."""
    rows = list(rows)
    rng.shuffle(rows)
    if order == "grouped":
        rows.sort(key=lambda r: len(r[1]))
    batches = [rows[i:i + BATCH] for i in range(0, len(rows), BATCH)]
    rng.shuffle(batches)
    return batches


def collate(rows):
    import torch
    width = max(len(ids) for _, ids in rows)
    return {"input_ids": torch.tensor([ids + [0] * (width - len(ids)) for _, ids in rows]),
            "attention_mask": torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for _, ids in rows]),
            "labels": torch.tensor([label for label, _ in rows])}


def accuracy(model, rows):
    import torch
    model.eval()
    right = 0
    with torch.inference_mode():
        for batch in make_batches(rows, "grouped", random.Random(0)):
            batch = collate(batch)
            labels = batch.pop("labels")
            right += int((model(**batch).logits.argmax(1) == labels).sum())
    return right / len(rows)


def train(args):
    import torch
    import transformers
    seed, splits = args.seed[0], read_sst2(args)
    torch.manual_seed(seed)
    model = attach(load(args, dropout=args.dropout), args.train)
    optimizer, trainable = adamw(args, model, args.lr)
    per_epoch = len(make_batches(splits["train"], args.order, random.Random(0)))
    steps = args.epochs * per_epoch
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, round(0.06 * steps), steps)
    curve, rng, start = [], random.Random(seed), time.perf_counter()
    for epoch in range(args.epochs):
        model.train()
        for batch in make_batches(splits["train"], args.order, rng):
            step(model, optimizer, trainable, collate(batch), args.clip)
            schedule.step()
        curve.append(accuracy(model, splits["validation"]))
        print(f"  seed {seed}, epoch {epoch + 1}: validation {100 * curve[-1]:.2f} %, "
              f"{time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    out = {"seed": seed, "validation": curve, "test": accuracy(model, splits["test"]),
           "seconds": time.perf_counter() - start}
    print("RESULT " + json.dumps(out), flush=True)


# ---- the parent -------------------------------------------------------------------------------------------

def environment(mode, threads, shim):
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
           "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    if mode == "tuned":
        env.update({"LD_PRELOAD": shim, "MALLOC_TOP_PAD_": LARGE, "MALLOC_TRIM_THRESHOLD_": LARGE,
                    "MALLOC_MMAP_THRESHOLD_": LARGE, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"})
    return env


def compile_shim(folder):
    source, library = f"{folder}/shim.c", f"{folder}/shim.so"
    pathlib.Path(source).write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


def command_of(mode, args, item):
    if mode in OURS:
        file = f"{args.sst2}/train.txt" if args.sst2 else None
        model = args.language if item.startswith("lm-") else args.model
        if item.startswith("tokenize"):
            _, kind, what = item.split("-")
            model, file = f"{args.folder}/{kind}", f"{args.folder}/{what}.txt"
        if mode == "nf4":
            item = item.replace("-4x", "-nf4-4x")
        return [args.ours, model, item] + ([file] if file else [])
    return command_for_child(mode, args, ["--child", item])


def command_for_child(mode, args, more):
    command = [sys.executable, "-W", "ignore", os.path.abspath(__file__), "--mode", mode,
               "--model", args.model, "--threads", str(args.threads), "--folder", str(args.folder),
               "--dropout", str(args.dropout), "--clip", str(args.clip), "--share", str(args.share)]
    for name in ("sst2", "language", "texts"):
        command += [f"--{name}", getattr(args, name)] if getattr(args, name) else []
    return command + more


class Child:
    """A process that answers each line with a run's milliseconds."""

    def __init__(self, mode, args, shim, command):
        env = environment(mode, args.threads, shim)
        self.start, self.what = time.perf_counter(), command
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_for(self, word):
        """What stands behind `word` on the next line that begins with it; None: the output ended first."""
        return next((line[len(word):] for line in self.process.stdout if line.startswith(word)), None)

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def finish(self):
        self.process.stdin.close()
        result = self.wait_for("RESULT ")
        wall = time.perf_counter() - self.start
        if self.process.wait() or result is None:
            sys.exit(f"peers: {' '.join(self.what)} ended with {self.process.returncode}")
        return {**json.loads(result), "wall_s": wall}


def child(mode, args, shim, more):
    return Child(mode, args, shim, command_for_child(mode, args, more)).finish()


def by_turns(args, item, modes, shim):
    """--repeat runs of each, one after the other; fewer when they take more than a minute."""
    children = [Child(mode, args, shim, command_of(mode, args, item)) for mode in modes]
    for c in children:
        c.wait_for("READY")
    runs, end = [], time.perf_counter() + 60
    while len(runs) < args.repeat and (len(runs) < 3 or time.perf_counter() < end):
        runs.append([c.run() for c in children])
    return [{**c.finish(), "ms": list(ms)} for c, ms in zip(children, zip(*runs))]


def one_by_one(args, item, modes, shim):
    """Items that are a process each: the first only warms the page cache."""
    out = []
    for mode in modes:
        times = 4 if item.endswith("start") else 1
        runs = [Child(mode, args, shim, command_of(mode, args, item)).finish() for _ in range(times)][times > 1:]
        out.append({**runs[0], "s": [r["wall_s"] for r in runs]} if times > 1 else runs[0])
        out[-1].pop("ms", None)
    return out


def measure(args, item, modes, shim):
    single = item == "gemm" or item.endswith("start") or item.startswith("epoch")
    rows = []
    for mode, out in zip(modes, (one_by_one if single else by_turns)(args, item, modes, shim)):
        unit = next(u for u in ("ms", "s", "gflops") if u in out)
        runs = out.pop(unit)
        rows.append({"item": item, "mode": mode, "unit": unit, "median": statistics.median(runs),
                     "best": max(runs) if unit == "gflops" else min(runs), "runs": runs, **out})
    return rows


def show(row):
    notes = [f"{row[k]:{f}} {text}" for k, f, text in
             (("trainable", ",", "trainable"), ("padding", ".2f", "computed tokens a real one"),
              ("compile_s", ".1f", "s to compile")) if row.get(k)]
    unit = {"gflops": "GFLOP/s"}.get(row["unit"], row["unit"])
    print(f"{row['item']:24} {row['mode']:10} {row['median']:10.2f} {row['best']:10.2f} {unit:8}"
          f"{len(row['runs']):5} {row['rss_mb']:8.0f}   {', '.join(notes)}", flush=True)


def table(args, shim):
    items = list(args.items or DEFAULT)
    if args.sst2 and not args.items:
        items += [f"epoch-full-{order}" for order in EPOCHS_OF]
    if not args.items:
        items = (LANGUAGE if args.language else []) + (TEXTS if args.texts else []) or items
    if args.compile:
        items += ["infer-compiled-1x32", "infer-compiled-32x128"]
    print(f"{'item':24} {'setting':10} {'median':>10} {'best':>10} {'':8}{'runs':>5} {'RSS MB':>8}")
    rows = []
    for item in items:
        peers = args.modes[-1:] if item.startswith("tokenize") else args.modes
        ours = [] if not args.ours or item.startswith("infer-compiled") else ["peftbench"]
        if ours and item.startswith("lm-") and item != "lm-start":
            ours += ["nf4"]
        found = {r["mode"]: r for r in measure(args, item, peers + ours, shim)}
        rows += found.values()
        for row in found.values():
            show(row)
        goal = GOAL.get(item)
        for m in peers if ours else []:
            best, median = (found[m][k] / found["peftbench"][k] for k in ("best", "median"))
            want = f", to reach {goal[MODES.index(m)]}" if goal else ", to reach 1" if item in TEXTS else ""
            print(f"{'':24} / peftbench: {m} {median:.2f} (best {best:.2f}{want}; RSS "
                  f"{found['peftbench']['rss_mb'] / found[m]['rss_mb']:.2f})", flush=True)
        if "nf4" in found:
            best, median, weights = (found["nf4"][k] / found["peftbench"][k] for k in ("best", "median", "weights_mb"))
            print(f"{'':24} nf4 / fp32: {median:.2f} (best {best:.2f}, to reach 1.15; weights {weights:.2f}, to reach 0.25)")
    for mode in args.modes + (["peftbench"] if args.ours else []):
        found = {r["item"]: r["median"] for r in rows if r["mode"] == mode}
        for shape in ("1x32", "32x128"):
            if f"infer-{shape}" in found and f"infer-lora-{shape}" in found:
                ratio = found[f"infer-lora-{shape}"] / found[f"infer-{shape}"]
                print(f"{'LoRA unmerged / base ' + shape:24} {mode:10} {ratio:10.2f}")
    return {"items": rows}


def training(args, shim):
    runs = []
    for seed in args.seed:
        more = ["--train", args.train, "--lr", str(args.lr), "--epochs", str(args.epochs),
                "--seed", str(seed), "--order", args.order]
        runs.append(child(args.modes[-1], args, shim, more))
        print(f"{args.train} lr {args.lr:g} seed {seed}: validation {100 * runs[-1]['validation'][-1]:.2f} %, "
              f"test {100 * runs[-1]['test']:.2f} %, {runs[-1]['seconds']:.0f} s", flush=True)
    means = [100 * statistics.mean(x) for x in ([r["validation"][-1] for r in runs], [r["test"] for r in runs])]
    print(f"{args.train} lr {args.lr:g}, mean of {len(runs)}: validation {means[0]:.2f} %, test {means[1]:.2f} %")
    return {"train": args.train, "lr": args.lr, "epochs": args.epochs, "order": args.order,
            "dropout": args.dropout, "runs": runs}


def about(args):
    from importlib.metadata import version
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line),
               platform.processor())
    return {"cpu": cpu, "threads": args.threads, "clip": args.clip, "dropout": args.dropout,
            "versions": {p: version(p) for p in ("torch", "transformers", "peft")}}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="models/minilm")
    p.add_argument("--sst2")
    p.add_argument("--json")
    p.add_argument("--ours", help="build/bench/bench_engine: peftbench's times beside the peers'")
    p.add_argument("--language", help="SmolLM2's GGUF: a language model instead")
    p.add_argument("--texts", help="real text: tokenizers instead (with --language, for its tokenizer)")
    p.add_argument("--items", nargs="+", metavar="ITEM", help="of: " + " ".join(ITEMS)
                   + " epoch-METHOD-random epoch-METHOD-grouped infer-compiled-ROWSxTOKENS")
    p.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=15)
    p.add_argument("--clip", type=float, default=1.0)
    p.add_argument("--share", type=float, default=0.25)
    p.add_argument("--dropout", type=float, help="0 when timing, 0.1 with --train")
    p.add_argument("--compile", action="store_true")
    p.add_argument("--train", choices=TRAIN)
    p.add_argument("--lr", type=float, default=1e-4)
    p.add_argument("--epochs", type=int, default=3)
    p.add_argument("--seed", type=int, nargs="+", default=[0])
    p.add_argument("--order", choices=EPOCHS_OF, default="random")
    p.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)   # both set by the parent
    p.add_argument("--child", help=argparse.SUPPRESS)
    p.add_argument("--folder", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.dropout is None:
        args.dropout = 0.1 if args.train else 0.0
    if not os.path.exists(f"{args.model}/model.safetensors"):
        p.error(f"{args.model}: no model.safetensors; --model wants a Hugging Face folder")
    if not args.sst2 and (args.train or any(i.startswith("epoch") for i in args.items or [])):
        p.error("SST-2 is needed: --sst2 FOLDER")
    return args


def main():
    args = arguments()
    if args.mode:
        return train(args) if args.train else run_item(args, args.child)
    with tempfile.TemporaryDirectory() as folder:
        shim, args.folder = compile_shim(folder), folder
        if args.texts:
            prepare_texts(args)
        result = training(args, shim) if args.train else table(args, shim)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({**about(args), **result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
