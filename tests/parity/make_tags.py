#!/usr/bin/env python3
"""make_tags: what transformers, PEFT and seqeval say about the classes of tokens.

    DIR/bin/python tests/parity/make_tags.py               writes tests/golden/tags/

Needs tests/golden/tiny-bert and bpe/ (make_goldens.py, check_tokenizers.py) and models/pico-*.  Writes

    NAME/                 a tiny model ..ForTokenClassification with logits.jsonl, and adapters that PEFT saved on it
                          (TOKEN_CLS) with theirs; see families.py
    bert.txt, lora.txt    the golden format of make_goldens.py: loss and gradients of the tiny BERT, where a label belongs
                          to each position, -1 for none
    words.jsonl           sentences that are split into words: their ids and the word of each id, as with
                          is_split_into_words=True
    seqeval.jsonl         sequences of tags and what seqeval 1.2.2 makes of them in its default mode
"""

import json
import random
import warnings

import numpy as np
import seqeval.metrics
import torch
import transformers
from peft import TaskType
from transformers import PreTrainedTokenizerFast

import check_adapters
import families
import make_families
import make_goldens
import oracle

ROOT = make_goldens.GOLDEN.parent.parent
OUT = make_goldens.GOLDEN / "tags"
ADAPTERS = {"bert-tokens": ["lora all", "prompt"], "gpt2-tokens": ["ia3"], "llama-tokens": ["prefix"]}


# ---- models -----------------------------------------------------------------------------------

def write_models():
    for kind in families.BERT, families.DISTIL, families.GPT2, families.LLAMA:
        kind.update({k: 1 for k in ("num_hidden_layers", "n_layers", "n_layer") if k in kind}, vocab_size=31)
    families.VOCAB = 31
    sequences = families.sequences(count=4, longest=17)
    for name, adapters in ADAPTERS.items():
        folder = OUT / name
        model = families.save(name, folder)
        make_families.write(folder / "logits.jsonl", model.double(), sequences)
        for kind in adapters:
            place = folder / kind.split()[0]
            tuned = check_adapters.make(name, kind)
            tuned.save_pretrained(place)
            (place / "README.md").unlink(missing_ok=True)
            make_families.write(place / "logits.jsonl", tuned.double(), sequences)


# ---- loss and gradients -------------------------------------------------------------------------

def load_base(folder, classes):
    config = transformers.BertConfig.from_pretrained(folder, num_labels=classes, hidden_dropout_prob=0.0,
                                                     attention_probs_dropout_prob=0.0)
    return transformers.BertForTokenClassification.from_pretrained(
        folder, config=config, attn_implementation="eager", dtype=torch.float32)


def labels_of(sequences):
    """The first and the last token are special, and some other pieces have no label either."""
    rng = random.Random(3)
    return [[-1] + [rng.randrange(oracle.CLASSES) if rng.random() < 0.6 else -1 for _ in s[1:-1]] + [-1] for s in sequences]


def write_gradients():
    tokenizer = make_goldens.plain_tokenizer()
    sequences = [tokenizer.encode(text).ids for text, _ in make_goldens.TEXTS]
    labels = labels_of(sequences)
    padded = [[x if x >= 0 else -100 for x in row] + [-100] * (max(map(len, labels)) - len(row)) for row in labels]
    oracle.load_base = load_base
    lora = oracle.METHODS["lora"][0]
    oracle.METHODS["lora"] = (lambda: setattr(c := lora(), "task_type", TaskType.TOKEN_CLS) or c, oracle.METHODS["lora"][1])
    for name, case in {"bert": "full", "lora": "lora"}.items():
        model = oracle.reference(make_goldens.TINY, case, make_goldens.SEED)
        answer = oracle.Answer(model, case, sequences, padded)
        lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
        lines.append(f"labels {' '.join(str(x) for row in labels for x in row)}\n")
        block = make_goldens.block
        lines += [block("tensor", n, x) for n, x in answer.fresh.items()]
        read = [answer.logits[i, k] for i, row in enumerate(labels) for k, x in enumerate(row) if x >= 0]
        lines += [block("tensor", "logits", np.array(read)), block("tensor", "loss", answer.loss)]
        lines += [block("grad", n, x) for n, x in answer.gradient.items()]
        (OUT / f"{name}.txt").write_text("".join(lines))


# ---- words --------------------------------------------------------------------------------------

SENTENCES = [["The", "film", "is", "unlovable", "."], ["@paulwalk", "It", "'s", "the", "view", "from", "Café", "naïve"],
             ["中文", "日本", "12,000", "$", "😀", "don't", "e-mail"], ["a b", "New  York", " lead", "trail "],
             ["\u200d", "word", "\u00ad", "\ufe0f"], ["[SEP]", "<s>", "solo", "</s>"], ["x"]]
# The folder, and whether transformers needs add_prefix_space for words (GPT-2 and RoBERTa).
TOKENIZERS = {"tests/golden/tiny-bert": False, "models/pico-encoder": False, "models/pico-decoder": None,
              "tests/golden/bpe/roberta": True, "tests/golden/bpe/gpt2": True, "tests/golden/bpe/llama": False,
              "tests/golden/bpe/metaspace": False, "tests/golden/bpe/qwen2": False, "tests/golden/bpe/smollm": False,
              "tests/golden/pieces/t5": False}


def write_words():
    lines = []
    for folder, spaced in TOKENIZERS.items():
        fast = PreTrainedTokenizerFast(tokenizer_file=str(ROOT / folder / "tokenizer.json"))
        state = json.loads(fast.backend_tokenizer.pre_tokenizer.__getstate__()) if fast.backend_tokenizer.pre_tokenizer else {}
        bytes_alone = state.get("type") == "ByteLevel"
        assert spaced is None or spaced == bytes_alone, (folder, state)
        if bytes_alone:
            fast.backend_tokenizer.pre_tokenizer.add_prefix_space = True
        fast.backend_tokenizer.no_truncation()
        fast.backend_tokenizer.no_padding()
        for words in SENTENCES:
            got = fast(words, is_split_into_words=True)
            lines.append(json.dumps({"tokenizer": folder, "words": words, "ids": got["input_ids"],
                                     "of": [-1 if w is None else w for w in got.word_ids()]}))
    (OUT / "words.jsonl").write_text("\n".join(lines) + "\n")


# ---- seqeval ------------------------------------------------------------------------------------

def scored(truth, guess):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of no entities
        m = seqeval.metrics
        return json.dumps({"gold": [" ".join(s) for s in truth], "predicted": [" ".join(s) for s in guess],
                           "f1": float(m.f1_score(truth, guess)), "precision": float(m.precision_score(truth, guess)),
                           "recall": float(m.recall_score(truth, guess)), "accuracy": float(m.accuracy_score(truth, guess))})


def write_seqeval():
    rng = random.Random(11)
    lines = []
    for letters in ("BI", "BIES", "I"):
        tags = ["O"] + [f"{c}-{t}" for c in letters for t in ("PER", "LOC", "group-x")]
        for count, same in [(1, 0.5), (5, 0.9), (20, 0.7), (20, 0.0)]:
            truth = [[rng.choice(tags) for _ in range(rng.randint(1, 9))] for _ in range(count)]
            guess = [[t if rng.random() < same else rng.choice(tags) for t in s] for s in truth]
            lines.append(scored(truth, guess))  # most of these sequences are not valid ones
    lines.append(scored([["O", "O"], ["O"]], [["O", "O"], ["O"]]))
    lines.append(scored([["O", "O"], ["B-A"]], [["O", "O"], ["O"]]))
    lines.append(scored([["O", "O"], ["O"]], [["O", "I-A"], ["O"]]))
    lines.append(scored([["B", "I", "O", "I"]], [["B", "I", "O", "B"]]))
    (OUT / "seqeval.jsonl").write_text("\n".join(lines) + "\n")


def main():
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    OUT.mkdir(exist_ok=True)
    write_gradients()
    write_words()
    write_seqeval()
    write_models()


if __name__ == "__main__":
    main()
