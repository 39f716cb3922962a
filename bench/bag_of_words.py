#!/usr/bin/env python3
"""bag_of_words: the accuracy of a linear model over words and pairs of words, as a baseline for base models.

    python3 -m venv DIR && DIR/bin/pip install -r tests/parity/requirements.txt
    DIR/bin/python bench/bag_of_words.py                                   data/sentiment (a minute)
    DIR/bin/python bench/bag_of_words.py --sst2 FOLDER --json bag.json     SST-2 too (some minutes)
    DIR/bin/python bench/bag_of_words.py --inference                       data/inference, its hypotheses alone

FOLDER holds train.txt, dev.txt and test.txt of `label text` lines.

Logistic regression with an L2 penalty over 1- and 2-grams.  Chosen by accuracy on validation,
among all combinations; of equals, the one with the strongest penalty, then the first:
  weight      how often a gram occurs, whether it occurs, or tf-idf with 1 + log(count), of length 1
  tokens      words, or words and each punctuation mark
  case        kept or lowered (where there is any)
  min_df      grams in at least 1, 2 or 3 training texts
  C           1 / penalty: 0.01 .. 1000
The choice is fitted on the training split and scored on test once.

Two kinds of chance, reported apart:
  which texts were tested   the 95 % interval of Wilson around each accuracy
  which texts were trained  the fit itself has no seed, so each of --seeds fits has a bootstrap sample
                            of the training split (as many texts, drawn with replacement), same settings:
                            their mean on test with Student's 95 % interval.  A sample misses 37 % of the
                            texts, so that mean lies lower; its width is what is to be read.
"""

import argparse
import csv
import itertools
import json
import math
import pathlib
import statistics
import time
import warnings

import numpy
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

WEIGHTS = ("count", "binary", "tf-idf")
TOKENS = {"words": r"\w+", "words and marks": r"\w+|[^\w\s]"}
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)
MIN_DF = (1, 2, 3)


# ---- data ---------------------------------------------------------------------------------------------

def read_tsv(folder, column):
    def split(name):
        with open(folder / f"{name}.tsv", newline="") as f:
            rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
        return [r[column] for r in rows], numpy.array([r["label"] for r in rows])
    return {name: split(name) for name in ("train", "validation", "test")}


def read_sst2(folder):
    def split(name):
        rows = [line.split(" ", 1) for line in (folder / f"{name}.txt").read_text().splitlines()]
        return [text for _, text in rows], numpy.array([label for label, _ in rows])
    return {"train": split("train"), "validation": split("dev"), "test": split("test")}


# ---- the model ----------------------------------------------------------------------------------------

class Grams:
    """1- and 2-grams of training texts as a sparse matrix [texts, grams]."""

    def __init__(self, weight, tokens, lower, min_df):
        self.counts = CountVectorizer(ngram_range=(1, 2), token_pattern=TOKENS[tokens], lowercase=lower,
                                      min_df=min_df, binary=weight == "binary", dtype=numpy.float64)
        self.weights = TfidfTransformer(sublinear_tf=True) if weight == "tf-idf" else None

    def fit(self, texts):
        x = self.counts.fit_transform(texts)
        return self.weights.fit_transform(x) if self.weights else x

    def of(self, texts):
        x = self.counts.transform(texts)
        return self.weights.transform(x) if self.weights else x


def fit(x, labels, c):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        return LogisticRegression(C=c, max_iter=5000).fit(x, labels)


def choose(data):
    """[(validation accuracy, grams' settings, C)], the best first."""
    texts, labels = data["train"]
    has_case = any(t != t.lower() for t in texts)
    tried = []
    for settings in itertools.product(WEIGHTS, TOKENS, (True, False) if has_case else (True,), MIN_DF):
        grams = Grams(*settings)
        x, held = grams.fit(texts), grams.of(data["validation"][0])
        for c in PENALTIES:
            accuracy = float((fit(x, labels, c).predict(held) == data["validation"][1]).mean())
            tried.append((accuracy, settings, c))
    return sorted(tried, key=lambda t: (-t[0], t[2]))


def accuracies(data, settings, c, chosen=None):
    """Accuracy on validation and test after training on the chosen training texts (all)."""
    texts, labels = data["train"]
    if chosen is not None:
        texts, labels = [texts[i] for i in chosen], labels[chosen]
    grams = Grams(*settings)
    model = fit(grams.fit(texts), labels, c)
    return [float((model.predict(grams.of(data[s][0])) == data[s][1]).mean()) for s in ("validation", "test")]


# ---- intervals ----------------------------------------------------------------------------------------

def wilson(share, n, z=1.959964):
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return middle - half, middle + half


def student(values):
    mean = statistics.fmean(values)
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return mean, mean - half, mean + half


# ---- report -------------------------------------------------------------------------------------------

def study(name, data, seeds):
    start = time.time()
    tried = choose(data)
    best, settings, c = tried[0]
    weight, tokens, lower, min_df = settings
    validation, test = accuracies(data, settings, c)
    n = len(data["train"][1])
    samples = [numpy.random.default_rng(seed).integers(0, n, n) for seed in range(seeds)]
    resampled = [accuracies(data, settings, c, chosen)[1] for chosen in samples]
    out = {"data": name, "weight": weight, "tokens": tokens, "lower": lower, "min_df": min_df, "C": c, "tried": len(tried),
           "equal": sum(t[0] == best for t in tried),
           "validation": [validation, *wilson(validation, len(data["validation"][1]))],
           "test": [test, *wilson(test, len(data["test"][1]))],
           "bootstrap": list(student(resampled)), "bootstrap_test": resampled,
           "seconds": round(time.time() - start)}
    print(f"{name}: {weight} of {tokens}, {'lower case' if lower else 'case kept'}, min_df {min_df}, C {c:g} "
          f"(best of {len(tried)}; {out['equal']} as good; {out['seconds']} s)")
    for what in ("validation", "test", "bootstrap"):
        print("  {:11} {:.1f} %  [{:.1f}, {:.1f}]".format(what, *(100 * v for v in out[what])), flush=True)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sentiment", type=pathlib.Path, default=pathlib.Path("data/sentiment"))
    p.add_argument("--inference", action="store_true")
    p.add_argument("--sst2", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--json", type=pathlib.Path)
    args = p.parse_args()
    if args.inference: # how much a hypothesis tells without its premise: chance is 1/3
        out = [study("inference, hypotheses alone", read_tsv(pathlib.Path("data/inference"), "hypothesis"), args.seeds)]
    else:
        out = [study("sentiment", read_tsv(args.sentiment, "text"), args.seeds)]
    if args.sst2:
        out.append(study("sst2", read_sst2(args.sst2), args.seeds))
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
