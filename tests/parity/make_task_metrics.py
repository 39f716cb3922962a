#!/usr/bin/env python3
"""make_task_metrics: what scikit-learn says of predicted classes, for tests/train/test_task_metrics.c.

    DIR/bin/python tests/parity/make_task_metrics.py > tests/golden/metrics/classes.jsonl
"""
import json
import warnings

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

warnings.simplefilter("ignore")  # of classes that do not occur
rng = np.random.default_rng(11)


def say(classes, positive, label, predicted):
    label, predicted = [int(x) for x in label], [int(x) for x in predicted]
    one = {"pos_label": positive} if classes == 2 else {"labels": [positive], "average": "macro"}  # binary F1 of a class
    f1 = lambda **kind: float(f1_score(label, predicted, zero_division=0, **kind))
    print(json.dumps({
        "classes": classes, "positive": positive, "label": label, "predicted": predicted,
        "accuracy": float(accuracy_score(label, predicted)), "macro_f1": f1(average="macro"),
        "weighted_f1": f1(average="weighted"),
        "mcc": float(matthews_corrcoef(label, predicted)),
        "f1": f1(**one),
    }))


def draw(classes, n, right, shares=None):
    label = rng.choice(classes, n, p=shares)
    return label, np.where(rng.random(n) < right, label, rng.choice(classes, n))


for classes, n, right in [(2, 40, 0.7), (2, 7, 0.2), (3, 60, 0.6), (5, 33, 0.9), (12, 50, 0.5)]:
    say(classes, classes - 1, *draw(classes, n, right))
say(3, 1, *draw(3, 50, 0.5, [0.9, 0.08, 0.02]))  # unbalanced
say(4, 3, *draw(3, 30, 0.5))  # a class that does not occur
say(2, 1, [0, 0, 1, 1], [0, 0, 0, 0])  # a class that is never predicted
say(2, 1, [0, 0, 0], [0, 0, 0])  # one class only
say(2, 0, [0, 1, 0, 1], [1, 0, 1, 0])  # all wrong
