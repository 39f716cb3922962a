#!/usr/bin/env python3
"""check_minilm: holds a program of ours against transformers, PEFT and tokenizers on a real model.

    DIR/bin/pip install -r tests/parity/requirements.txt
    DIR/bin/python tests/parity/check_minilm.py build/parity models/minilm --sst2 FOLDER

`make parity` does both.  The program (parity.c) is run in two ways:

    PROGRAM MODEL_DIR METHODS IN.safetensors OUT.safetensors
        IN:  I32 `ids` [T], `offset` [S+1], `label` [S]; F32 `param.NAME` [rows,cols]
        OUT: F32 `logits` [S,classes], `loss` [1,1], `grad.NAME` [rows,cols]
    PROGRAM tokenize MODEL_DIR
        a JSON string a line in, a JSON array of ids (with [CLS] and [SEP]) a line out

Logits, loss and every gradient must agree with the reference, computed in double, within
--tolerance: |ours - reference| / |reference|, Euclidean norm of each tensor.  One tensor has a
gradient that is exactly zero, the bias of attn.k (it moves all scores of a query alike): it is
measured by the norm of the gradient of attn.k's weight.  Ids must be equal.

--tokens N does the tokenizer on N lines only; --sweep asks about every assigned code point (in
groups of 8) and lists those with other ids; --cases names some of the methods.
"""

import argparse
import json
import pathlib
import random
import subprocess
import tempfile
import unicodedata

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

import make_goldens
import oracle
import summary

SENTENCES = [
    "A gentle, funny film that never once talks down to its audience.",
    "No.",
    "The plot is thin, the jokes are older than the actors, and the ending was visible from the first scene on.",
    "It opens on Friday.",
    "I expected nothing and still came away disappointed; two hours of car chases cannot hide that nobody wrote a story "
    "for these people, though the photography of the coast at dawn is, I have to admit, extraordinary.",
    "Not bad at all!",
    "The delivery came on Tuesday between nine and eleven, as announced, and the box was intact.",
    "Café naïveté: überraschend gut.",
]
LABELS = [2, 1, 0, 1, 0, 2, 1, 2]
SEED = 7


class Report:
    def __init__(self, tolerance):
        self.tolerance, self.results, self.worst = tolerance, [], 0

    def tell(self, good, text):
        self.results.append(bool(good))
        print(f"{'ok  ' if good else 'FAIL'} {text}", flush=True)


# ---- the model -----------------------------------------------------------------------------------

def write_batch(path, sequences, labels, fresh):
    arrays = {"ids": np.concatenate(sequences), "offset": np.cumsum([0] + [len(s) for s in sequences]),
              "label": np.array(labels)}
    arrays = {k: v.astype(np.int32) for k, v in arrays.items()}
    arrays.update({f"param.{n}": np.ascontiguousarray(x, np.float32) for n, x in fresh.items()})
    save_file(arrays, path)


def distance(got, want, scale=None):
    if got is None or got.size != want.size:
        return float("inf")
    far = np.linalg.norm(got.astype(np.float64).ravel() - want.ravel())
    size = np.linalg.norm(want) if scale is None else scale
    if not np.isfinite(far):  # NaN would be found in no comparison
        return float("inf")
    return far / size if size > 0 else (0.0 if far == 0 else float("inf"))


def distances(out, answer):
    """[(distance, name)], the worst first."""
    found = [(distance(out.get("logits"), answer.logits), "logits"),
             (distance(out.get("loss"), np.array(answer.loss)), "loss")]
    for name, g in answer.gradient.items():
        scale = None
        if name.endswith("attn.k.bias"):
            scale = np.linalg.norm(answer.gradient[name.replace("bias", "weight")])
        found.append((distance(out.get(f"grad.{name}"), g, scale), f"grad {name}"))
    extra = {k[5:] for k in out if k.startswith("grad.")} - set(answer.gradient)
    return sorted(found + [(float("inf"), f"{n}: trains here only") for n in extra], reverse=True)


def check_case(args, report, case, sequences):
    model = oracle.reference(args.model, case, SEED, scale=0.2)
    answer = oracle.Answer(model, case, sequences, LABELS)
    with tempfile.TemporaryDirectory() as folder:
        given, result = f"{folder}/in.safetensors", f"{folder}/out.safetensors"
        write_batch(given, sequences, LABELS, answer.fresh)
        run = subprocess.run([args.program, args.model, oracle.METHODS[case][1], given, result])
        if run.returncode:
            return report.tell(False, f"{case}: the program ended with {run.returncode}")
        worst = distances(load_file(result), answer)
    good = worst[0][0] <= report.tolerance
    report.worst = max(report.worst, worst[0][0])
    text = ", ".join(f"{name} {d:.1e}" for d, name in worst[:2 if good else 8])
    report.tell(good, f"{case}: logits, loss, {len(answer.gradient)} gradients; worst: {text}")


def check_model(args, report):
    tokenizer = plain_tokenizer(f"{args.model}/tokenizer.json")
    sequences = [tokenizer.encode(t).ids for t in SENTENCES]
    for case in args.cases:
        check_case(args, report, case, sequences)


# ---- the tokenizer ---------------------------------------------------------------------------------

def plain_tokenizer(path):
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def lines_of(args):
    lines = list(make_goldens.LINES) + list(make_goldens.random_lines(500))
    for path in sorted(pathlib.Path(args.sst2).glob("*.txt")) if args.sst2 else []:
        lines += [row.split(" ", 1)[1] for row in path.read_text().splitlines()]
    if args.tokens < len(lines):
        lines = random.Random(SEED).sample(lines, args.tokens)
    return lines


def ask(program, folder, lines):
    """Ids of each line by the program; None where it did not answer."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([program, "tokenize", str(folder)], input=text.encode(), stdout=subprocess.PIPE)
    answers = [json.loads(a) for a in run.stdout.splitlines()]
    return answers + [None] * (len(lines) - len(answers)), run.returncode


def differing(program, folder, lines):
    tokenizer = plain_tokenizer(pathlib.Path(folder) / "tokenizer.json")
    want = [e.ids for e in tokenizer.encode_batch(lines)]
    got, status = ask(program, folder, lines)
    return status, [(line, g, w) for line, g, w in zip(lines, got, want) if g != w]


def check_lines(report, what, program, folder, lines):
    status, wrong = differing(program, folder, lines)
    for line, got, want in wrong[:5]:
        print(f"     {line!r}\n       ours {got}\n       want {want}")
    report.tell(not wrong and not status, f"tokenizer, {what}: {len(lines)} lines, {len(wrong)} differ"
                + (f", exit {status}" if status else ""))


def variant(source, folder, **settings):
    """A copy of a tokenizer with other settings of its normalizer."""
    data = json.loads((pathlib.Path(source) / "tokenizer.json").read_text())
    data["normalizer"].update(settings)
    (pathlib.Path(folder) / "tokenizer.json").write_text(json.dumps(data))


VARIANTS = [{"lowercase": False}, {"lowercase": False, "strip_accents": True}, {"strip_accents": False},
            {"clean_text": False}, {"handle_chinese_chars": False}]


def check_tokenizer(args, report):
    lines = lines_of(args)
    check_lines(report, pathlib.Path(args.model).name, args.program, args.model, lines)
    check_lines(report, "tiny-bert", args.program, make_goldens.TINY, lines)
    for settings in VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            variant(args.model, folder, **settings)
            check_lines(report, json.dumps(settings)[1:-1], args.program, folder, lines)


def sweep(args, report):
    assigned = [c for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    groups = [assigned[i:i + 8] for i in range(0, len(assigned), 8)]
    text = {"".join(f"a{chr(c)}b " for c in g): g for g in groups}
    suspects = [c for line, _, _ in differing(args.program, args.model, list(text))[1] for c in text[line]]
    wrong = differing(args.program, args.model, [f"a{chr(c)}b" for c in suspects])[1]
    for line, got, want in wrong[:40]:
        c = line[1]
        print(f"     U+{ord(c):04X} {unicodedata.category(c)} {unicodedata.name(c, '?')}: ours {got}, want {want}")
    report.tell(not wrong, f"tokenizer, every assigned code point: {len(assigned)}, {len(wrong)} differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--sst2", help="a folder of `label text` lines, *.txt")
    parser.add_argument("--cases", nargs="*", default=list(oracle.METHODS), choices=list(oracle.METHODS))
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--tokens", type=int, default=1 << 30)
    parser.add_argument("--sweep", action="store_true")
    args = parser.parse_args()
    args.program = str(pathlib.Path(args.program).resolve())
    torch.set_num_threads(2)
    report = Report(args.tolerance)
    check_tokenizer(args, report)
    if args.sweep:
        sweep(args, report)
    check_model(args, report)
    summary.finish("minilm", report.results, report.worst)


if __name__ == "__main__":
    main()
