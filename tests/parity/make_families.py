#!/usr/bin/env python3
"""make_families: tiny checkpoints of other families and what transformers says about them.

Writes tests/golden/families/NAME/ (config.json, model.safetensors: random weights of our own) and
logits.jsonl: {"ids": [..], "logits": [[..]]}, in double; and an adapter that PEFT saved on it with
what PEFT says.  See families.py.
"""

import json
import pathlib

import peft
import torch
import transformers

import check_adapters
import families

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "families"
ADAPTERS = {"roberta": "lora patterns", "gpt2": "ia3", "llama-3": "lora rslora", "distilbert-masked": None, "qwen3": None}


def write(path, model, sequences):
    with open(path, "w") as f:
        for ids, logits in zip(sequences, check_adapters.theirs(model, sequences)):
            f.write(json.dumps({"ids": ids, "logits": [[float(f"{x:.9g}") for x in row] for row in logits.tolist()]}) + "\n")


def main():
    transformers.logging.disable_progress_bar()
    for kind in families.BERT, families.DISTIL, families.GPT2, families.LLAMA:
        kind.update({k: 2 for k in ("num_hidden_layers", "n_layers", "n_layer") if k in kind}, vocab_size=31)
    families.VOCAB = 31
    sequences = families.sequences(count=4, longest=17)
    for name, adapter in ADAPTERS.items():
        folder = GOLDEN / name
        model = families.save(name, folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        write(folder / "logits.jsonl", model.double(), sequences)
        if adapter:
            tuned = check_adapters.make(name, adapter)
            tuned.save_pretrained(folder / "adapter")
            (folder / "adapter" / "README.md").unlink(missing_ok=True)
            write(folder / "adapter" / "logits.jsonl", tuned.double(), sequences)


if __name__ == "__main__":
    main()
