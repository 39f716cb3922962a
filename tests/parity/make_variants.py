#!/usr/bin/env python3
"""make_variants: the checkpoints of variants.py, each in tests/golden/variants/NAME, with what transformers computes of
them in logits.jsonl: {"ids": [..], "logits": [[..]]}, in double.  Those that are to be refused have none."""

import pathlib

import transformers

import make_families
import variants

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "variants"


def main():
    transformers.logging.disable_progress_bar()
    for name in variants.VARIANTS:
        folder = GOLDEN / name
        folder.mkdir(parents=True, exist_ok=True)
        model = variants.save(name, folder)
        if model:
            make_families.write(folder / "logits.jsonl", model.double(), variants.sequences(name))


if __name__ == "__main__":
    main()
