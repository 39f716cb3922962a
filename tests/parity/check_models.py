#!/usr/bin/env python3
"""check_models: logits of tiny checkpoints of every family here and in transformers.

    check_models.py PEFTBENCH [NAME ..]

One line a model: the worst difference relative to the largest logit.  Each sequence runs by itself,
without padding, in eager attention.  Exit code 1 if a model differs by more than 1e-4.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers

import families
import summary
import variants

BAR = 1e-4


def ours(program, model, sequences, *more):
    run = subprocess.run([program, "logits", "--ids", "--model", str(model), *map(str, more)], text=True,
                         input="".join(json.dumps(s) + "\n" for s in sequences), capture_output=True)
    if run.returncode:
        raise RuntimeError(f"exit {run.returncode}: {run.stderr.strip()}")
    return [torch.tensor(json.loads(line)["logits"], dtype=torch.float64) for line in run.stdout.splitlines()]


@torch.no_grad()
def theirs(model, sequences):
    """The logits of each sequence, or of the choices of each question, a row for each position that has some."""
    every = [model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits for ids in (torch.tensor([s]) for s in sequences)]
    return [logits[0].double().reshape(-1, logits.shape[-1]) for logits in every]


def worst(a, b):
    """NaN, which no comparison would see, is infinite."""
    return float(torch.stack([(x - y).abs().max() / y.abs().max() for x, y in zip(a, b, strict=True)]).nan_to_num(torch.inf).max())


def worst_of_choices(a, b):
    """A question has few logits, which may all be near zero: the largest of all questions is the scale."""
    return worst(*([torch.cat([x.reshape(-1) for x in logits])] for logits in (a, b)))


def check(program, label, folder, model, sequences=None, distance=worst):
    """The largest difference; infinite if there are no logits."""
    sequences = sequences or families.sequences()
    try:
        error = distance(ours(program, folder, sequences), theirs(model, sequences))
    except (RuntimeError, ValueError) as problem:
        print(f"FAILED {label:24} {problem}")
        return float("inf")
    print(f"{'ok    ' if error < BAR else 'FAILED'} {label:24} {error:.1e}", flush=True)
    return error


def refuses(program, label, folder):
    """What transformers would draw at random is an error here."""
    try:
        ours(program, folder, [[7]])
    except RuntimeError as problem:
        print(f"ok     {label:24} {problem}")
        return "no tensor" in str(problem)
    print(f"FAILED {label:24} is not refused")
    return False


def main():
    transformers.logging.disable_progress_bar()
    program, wanted = sys.argv[1], sys.argv[2:] or families.MODELS
    errors, refused = [], []
    with tempfile.TemporaryDirectory() as place:
        for name in wanted:
            folder = pathlib.Path(place) / name
            errors.append(check(program, name, folder, families.save(name, folder), families.inputs(name),
                                worst_of_choices if families.is_choices(name) else worst))
        if not sys.argv[2:]:
            folder = pathlib.Path(place) / "sharded"
            errors.append(check(program, "llama, sharded", folder, families.save("llama", folder, max_shard_size="20KB")))
            folder = pathlib.Path(place) / "bf16"
            families.make("llama").bfloat16().save_pretrained(folder)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
            errors.append(check(program, "llama, bfloat16", folder, model.eval()))
        for name in variants.VARIANTS if not sys.argv[2:] else []:
            folder = pathlib.Path(place) / name
            model = variants.save(name, folder)
            if model:
                errors.append(check(program, name, folder, model, variants.sequences(name)))
            else:
                refused.append("refused" if refuses(program, name, folder) else "failed")
    summary.finish("models", [e < BAR for e in errors] + refused, max(errors))


if __name__ == "__main__":
    main()
