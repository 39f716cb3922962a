#!/usr/bin/env python3
"""make_regression: what transformers and PEFT say about a tiny BERT with one output, and SciPy about its predictions.

    DIR/bin/python tests/parity/make_regression.py         writes tests/golden/regression/

The models are those of make_goldens.py with num_labels = 1, which transformers trains by the mean squared error; their
`labels` are numbers.  A line of numbers.jsonl has targets, predictions and what SciPy and NumPy make of them.
"""
import json
import warnings

import numpy as np
from scipy import stats

import make_goldens
import oracle

OUT = make_goldens.GOLDEN / "regression"
CASES = {"bert": "full", "bert-lora": "lora"}
TARGETS = [2, -1, 0, 5, 3]


def write_model(name, case):
    tokenizer = make_goldens.plain_tokenizer()
    sequences = [tokenizer.encode(text).ids for text, _ in make_goldens.TEXTS]
    model = oracle.reference(make_goldens.TINY, case, make_goldens.SEED, classes=1)
    answer = oracle.Answer(model, case, sequences, [float(x) for x in TARGETS])
    assert model.config.problem_type == "regression"
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, TARGETS))}\n")
    block = make_goldens.block
    lines += [block("tensor", n, x) for n, x in answer.fresh.items()]
    lines += [block("tensor", "logits", answer.logits), block("tensor", "loss", answer.loss)]
    lines += [block("grad", n, x) for n, x in answer.gradient.items()]
    (OUT / f"{name}.txt").write_text("".join(lines))


def numbers(target, value):
    target, value = [float(x) for x in target], [float(x) for x in value]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constant input
        pearson, spearman = stats.pearsonr(target, value)[0], stats.spearmanr(target, value)[0]
    rmse = np.sqrt(np.mean((np.array(value) - np.array(target)) ** 2))
    known = lambda x: None if np.isnan(x) else float(x)
    return json.dumps({"target": target, "value": value, "pearson": known(pearson), "spearman": known(spearman),
                       "rmse": float(rmse)})


def write_numbers():
    rng = np.random.default_rng(5)
    lines = []
    for n, noise in [(2, 1), (10, 0.1), (40, 1), (100, 5)]:
        x = rng.uniform(0, 5, n)
        lines.append(numbers(x, x + noise * rng.standard_normal(n)))
    x = np.round(rng.uniform(0, 5, 50) * 2) / 2  # ties in both
    lines.append(numbers(x, np.round(x + rng.standard_normal(50))))
    lines.append(numbers(1e6 + x, 1e6 - x + rng.standard_normal(50)))  # a large mean
    lines.append(numbers(x, np.exp(x)))  # the same order
    lines.append(numbers(x, np.full(50, 0.1)))  # equal predictions: SciPy has no correlation
    lines.append(numbers(np.full(7, 2.7), x[:7]))
    (OUT / "numbers.jsonl").write_text("\n".join(lines) + "\n")


def main():
    OUT.mkdir(exist_ok=True)
    for name, case in CASES.items():
        write_model(name, case)
    write_numbers()


if __name__ == "__main__":
    main()
