#!/usr/bin/env python3
"""make_pairs: what transformers and PEFT make of pairs of texts.

    DIR/bin/python tests/parity/make_pairs.py              writes tests/golden/pairs/

Needs tests/golden/tiny-bert (make_goldens.py), tests/golden/bpe/roberta (make_families.py) and models/pico-encoder.

Writes small tokenizers of our own, whose post-processors the others do not have; pairs.jsonl, the ids and token types of
pairs as transformers' fast tokenizers truncate them (truncation=True, which is longest_first); and prompt.txt and
prefix.txt, the golden format of make_goldens.py with a line `types` after each line `ids`: logits, loss and gradients of
the tiny BERT, on pairs, with soft prompts in front of the text and of the keys.
"""

import json

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

import make_goldens
import oracle

ROOT = make_goldens.GOLDEN.parent.parent
PAIRS = make_goldens.GOLDEN / "pairs"

WORDS = "[UNK] [CLS] [SEP] the a film is good bad very not and it was never dull again".split()


def template(pieces):
    return [{"Sequence": {"id": p, "type_id": t}} if p in "AB" else {"SpecialToken": {"id": p, "type_id": t}}
            for p, t in pieces]


def processing(single, pair):
    used = sorted({p for p, _ in single + pair} - {"A", "B"})
    return {"type": "TemplateProcessing", "single": template(single), "pair": template(pair),
            "special_tokens": {p: {"id": p, "ids": [WORDS.index(p)], "tokens": [p]} for p in used}}


CLS, SEP = ["[CLS]", 1], ["[SEP]", 2]
OWN = {
    "bert-processing": {"type": "BertProcessing", "sep": SEP, "cls": CLS},
    "two-beginnings": processing([("[CLS]", 0), ("A", 0)], [("[CLS]", 0), ("A", 0), ("[CLS]", 1), ("B", 1)]),
    "second-first": processing([("A", 0), ("[SEP]", 0)], [("B", 1), ("[SEP]", 1), ("A", 0), ("[SEP]", 0), ("[CLS]", 2)]),
    "in-a-sequence": {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        processing([("[CLS]", 0), ("A", 0)], [("[CLS]", 0), ("A", 0), ("[SEP]", 0), ("[SEP]", 0), ("B", 0)])]},
}


def write_own():
    for name, post in OWN.items():
        added = [{"id": i, "content": w, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                  "special": True} for i, w in enumerate(WORDS[:3])]
        file = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                "pre_tokenizer": {"type": "Whitespace"}, "post_processor": post, "decoder": None,
                "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(WORDS)}, "unk_token": "[UNK]"}}
        (PAIRS / name).mkdir(parents=True, exist_ok=True)
        make_goldens.write_json(PAIRS / name / "tokenizer.json", file, 1)


# ---- pairs.jsonl -----------------------------------------------------------------------------------

TEXTS = [("the film is good", "it was never dull"), ("a film", "the film was very good and it was not bad again"),
         ("the film was very good and it was not bad again", "a film"), ("good", "bad"), ("good", "bad again"),
         ("a very very very good film", "a very very very bad film"), ("[SEP] the film", "never [CLS] again [SEP]"),
         ("", "the film is good"),  # transformers takes an empty second text for none
         ("Café, naïve!", "中文 😀 unlovable")]
LIMITS = [None, 5, 6, 7, 8, 12]
FOLDERS = ["models/pico-encoder", "tests/golden/tiny-bert", "tests/golden/bpe/roberta"]


def encode(folder, first, second, limit):
    """The ids and types; None if there is no room for the special tokens."""
    fast = PreTrainedTokenizerFast(tokenizer_file=str(ROOT / folder / "tokenizer.json"))
    special = fast.num_special_tokens_to_add(pair=True)
    if limit is not None and limit < special:
        return None
    how = {} if limit is None else {"truncation": True, "max_length": limit}
    got = fast(first, second, return_token_type_ids=True, return_attention_mask=False, **how)
    return got["input_ids"], got["token_type_ids"]


def write_pairs():
    lines = 0
    with open(PAIRS / "pairs.jsonl", "w") as out:
        for folder in FOLDERS + [f"tests/golden/pairs/{name}" for name in OWN]:
            for first, second in TEXTS:
                for limit in LIMITS:
                    got = encode(folder, first, second, limit)
                    if got:
                        out.write(json.dumps({"tokenizer": folder, "first": first, "second": second, "limit": limit or 0,
                                              "ids": got[0], "types": got[1]}, separators=(",", ":")) + "\n")
                        lines += 1
    print(f"pairs.jsonl {lines} lines")


# ---- the tiny BERT --------------------------------------------------------------------------------

MODEL_PAIRS = [("the film is very good", "never again !", 2), ("dull plot", "poor actors and no story at all .", 0),
               ("it was a test of the new york cafe", "fun", 1)]


def write_model(case):
    tokenizer = Tokenizer.from_file(str(make_goldens.TINY / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    encoded = [tokenizer.encode(a, b) for a, b, _ in MODEL_PAIRS]
    labels = [label for _, _, label in MODEL_PAIRS]
    model = oracle.reference(make_goldens.TINY, case, make_goldens.SEED)
    answer = oracle.Answer(model, case, [e.ids for e in encoded], labels, [e.type_ids for e in encoded])
    lines = []
    for i, e in enumerate(encoded):
        lines.append(f"ids {i} {' '.join(map(str, e.ids))}\n")
        lines.append(f"types {i} {' '.join(map(str, e.type_ids))}\n")
    lines.append(f"labels {' '.join(map(str, labels))}\n")
    lines += [make_goldens.block("tensor", n, x) for n, x in answer.fresh.items()]
    lines += [make_goldens.block("tensor", "logits", answer.logits), make_goldens.block("tensor", "loss", answer.loss)]
    lines += [make_goldens.block("grad", n, x) for n, x in answer.gradient.items()]
    (PAIRS / f"{case}.txt").write_text("".join(lines))
    print(f"{case}.txt loss {answer.loss:.6f}")


def main():
    write_own()
    write_pairs()
    for case in ("prompt", "prefix"):
        write_model(case)


if __name__ == "__main__":
    main()
