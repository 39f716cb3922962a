#!/usr/bin/env python3
"""decoding: tokens per second of peftbench and of transformers' generate, on the same weights and this machine.

    DIR/bin/python bench/decoding.py build/bench/bench_decode FILE.gguf             the table
    DIR/bin/python bench/decoding.py .. --items decode-1 decode-lora-1 --repeat 3

FILE is SmolLM2's GGUF.  Items: 64 greedy tokens after prompts of 32, ROWS prompts in one batch: decode-ROWS, decode-lora-ROWS
(unmerged, r 8 on query and value), decode-prefix-ROWS (20 rows), decode-bf16-ROWS (weights in bf16; transformers then
computes in bf16 as well); first: milliseconds to the first token.  refill: peftbench only, texts of mixed length, where
a finished text is replaced at once, against fixed batches.  The peer's settings, installed and tuned, are those of
peers.py; the two programs alternate run by run.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

import peers

ITEMS = ["decode-1", "decode-lora-1", "decode-prefix-1", "decode-8", "decode-bf16-1", "decode-bf16-8", "first", "refill"]
GOAL = {"decode-1": (2.5, 1.6), "decode-lora-1": (2.5, 1.6), "decode-prefix-1": (2.5, 1.6), "decode-8": (2.0, 1.5),
        "decode-bf16-1": (None, 1.5), "decode-bf16-8": (None, 1.2), "first": (1.5, 1.3)}
PROMPT, NEW = 32, 64


# ---- in the child ---------------------------------------------------------------------------------------

def load(args, kind):
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    path = pathlib.Path(args.language)
    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    if kind in ("lora", "prefix"):
        import peft
        torch.manual_seed(1)
        model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, init_lora_weights=False,
                                                           target_modules=["q_proj", "v_proj"])
                                    if kind == "lora" else peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=20))
    return model.eval()


def generate(args):
    import torch
    parts = args.child.split("-")
    kind, rows = (parts[1] if len(parts) == 3 else ""), int(parts[-1]) if len(parts) > 1 else 1
    tokens = 1 if args.child == "first" else NEW
    model, ids = load(args, kind), peers.made_up(rows, PROMPT)["input_ids"]

    def once():
        with torch.inference_mode():
            out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens,
                                 min_new_tokens=tokens, pad_token_id=0)
        assert out.shape[1] == PROMPT + tokens

    peers.repeat(args, once, warmup=2)
    print(f'RESULT {{"tokens": {rows * tokens}, "rss_mb": {peers.resource.getrusage(peers.resource.RUSAGE_SELF).ru_maxrss / 1024}}}')


# ---- the parent ------------------------------------------------------------------------------------------

def command(args, mode, item):
    if mode not in peers.MODES:
        return [args.program, args.language, item if mode == "peftbench" else mode]
    return [sys.executable, "-W", "ignore", os.path.abspath(__file__), args.program, args.language, "--child", item,
            "--threads", str(args.threads)]


def measure(args, item, modes, shim):
    """By setting: milliseconds of each run, tokens of one."""
    children = [peers.Child(m, args, shim, command(args, m, item)) for m in modes]
    for c in children:
        c.wait_for("READY")
    runs = [[c.run() for c in children] for _ in range(args.repeat)]
    return {m: (list(ms), c.finish()) for m, c, ms in zip(modes, children, zip(*runs))}


def show(item, mode, ms, result, rate):
    value, best = (statistics.median(ms), min(ms)) if item == "first" else (rate(statistics.median(ms)), rate(min(ms)))
    unit = "ms" if item == "first" else "tokens/s"
    print(f"{item:16} {mode:10} {value:9.1f} {best:9.1f} {unit:9} {len(ms):3} {result['rss_mb']:7.0f}", flush=True)


def compare(args, item, shim):
    modes = ["peftbench", "fixed"] if item == "refill" else args.modes + ["peftbench"]
    found = measure(args, item, modes, shim)
    for mode, (ms, result) in found.items():
        show(item, mode, ms, result, lambda x, n=result["tokens"]: 1000 * n / x)
    ours = statistics.median(found["peftbench"][0]) / found["peftbench"][1]["tokens"]
    for mode in modes:
        theirs = statistics.median(found[mode][0]) / found[mode][1]["tokens"]
        goal = 1.5 if item == "refill" else GOAL[item][peers.MODES.index(mode)] if mode in peers.MODES else None
        if mode != "peftbench":
            print(f"{'':16} against {mode}: {theirs / ours:.2f}{f', to reach {goal}' if goal else ''}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program", help="build/bench/bench_decode")
    p.add_argument("language", help="SmolLM2's GGUF")
    p.add_argument("--items", nargs="+", default=ITEMS, choices=ITEMS, metavar="ITEM")
    p.add_argument("--modes", nargs="+", choices=peers.MODES, default=list(peers.MODES))
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=7)
    p.add_argument("--child", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        generate(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        shim = peers.compile_shim(folder)
        print(f"{'item':16} {'setting':10} {'median':>9} {'best':>9} {'':9} {'runs':>3} {'RSS MB':>7}")
        for item in args.items:
            compare(args, item, shim)


if __name__ == "__main__":
    main()
