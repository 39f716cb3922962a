#!/usr/bin/env python3
"""make_labels: what PyTorch, transformers and scikit-learn say of sets of labels and of weighted classes.

    DIR/bin/python tests/parity/make_labels.py         writes tests/golden/labels/

metrics.jsonl has the labels of texts, predicted probabilities and scikit-learn's metrics.  losses.jsonl has logits, what
they should be, and loss and gradient in double: of torch.nn.CrossEntropyLoss with weights and label smoothing, or of
torch.nn.BCEWithLogitsLoss.  bert.txt is the tiny BERT of make_goldens.py as transformers trains it with
problem_type = multi_label_classification; llama.txt is a tiny Llama, with one output, which has no bias.
"""
import json
import warnings

import numpy as np
import torch
import transformers
from sklearn.metrics import accuracy_score, average_precision_score, f1_score

import make_goldens
import oracle

OUT = make_goldens.GOLDEN / "labels"
CLASSES = 4


# ---- metrics

def say(truth, probability):
    truth, predicted = np.array(truth, int), (np.array(probability) > 0.5).astype(int)
    occur = truth.any(axis=0)  # average precision is undefined for the others
    f1 = lambda average: float(f1_score(truth, predicted, average=average, zero_division=0))
    return json.dumps({
        "label": truth.tolist(), "probability": np.array(probability).tolist(),
        "micro_f1": f1("micro"), "macro_f1": f1("macro"), "weighted_f1": f1("weighted"), "samples_f1": f1("samples"),
        "subset_accuracy": float(accuracy_score(truth, predicted)),
        "map": float(average_precision_score(truth[:, occur], np.array(probability)[:, occur], average="macro"))
        if occur.any() else 0.0,
    })


def write_metrics():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(7)
    lines = []
    for n, labels, share in [(30, 3, 0.4), (50, 6, 0.2), (12, 2, 0.6), (40, 5, 0.1)]:
        truth = rng.random((n, labels)) < share
        lines.append(say(truth, np.clip(0.35 + 0.4 * truth + 0.3 * rng.standard_normal((n, labels)), 0, 1)))
    truth = rng.random((40, 4)) < 0.3
    lines.append(say(truth, np.round(np.clip(0.3 + 0.4 * truth + 0.3 * rng.standard_normal((40, 4)), 0, 1), 1)))  # ties, 0.5
    truth[:, 2] = False
    lines.append(say(truth, np.full((40, 4), 0.25)))  # a label that does not occur, equal probabilities, none predicted
    truth[1:, 0] = False
    truth[0, 0] = True
    lines.append(say(truth, rng.random((40, 4))))  # a label of one text
    lines.append(say([[0, 0, 0]] * 4, rng.random((4, 3))))  # no labels at all
    lines.append(say([[1, 0, 1], [0, 1, 1]], [[0.9, 0.1, 0.8], [0.2, 0.7, 0.6]]))  # all right
    (OUT / "metrics.jsonl").write_text("\n".join(lines) + "\n")


# ---- losses

def write_losses():
    rng = np.random.default_rng(9)
    lines = []
    for rows, classes, weighted, smoothing in [(6, 3, True, 0.0), (6, 3, False, 0.1), (9, 5, True, 0.1),
                                               (4, 2, True, 0.3), (1, 4, True, 0.2)]:
        x = torch.tensor(np.float32(3 * rng.standard_normal((rows, classes))), dtype=torch.double, requires_grad=True)
        weight = torch.tensor(np.float32(rng.uniform(0.25, 4, classes) if weighted else np.ones(classes)), dtype=torch.double)
        label = torch.tensor(rng.integers(0, classes, rows))
        loss = torch.nn.CrossEntropyLoss(weight=weight, label_smoothing=smoothing)(x, label)
        loss.backward()
        lines.append({"kind": "classes", "x": x.tolist(), "label": label.tolist(), "weight": weight.tolist(),
                      "smoothing": smoothing, "loss": loss.item(), "gradient": x.grad.tolist()})
    for rows, labels, scale in [(5, 4, 2), (3, 2, 30), (1, 7, 1)]:
        x = torch.tensor(np.float32(scale * rng.standard_normal((rows, labels))), dtype=torch.double, requires_grad=True)
        y = torch.tensor(rng.integers(0, 2, (rows, labels)), dtype=torch.double)
        loss = torch.nn.BCEWithLogitsLoss()(x, y)
        loss.backward()
        lines.append({"kind": "labels", "x": x.tolist(), "y": y.tolist(), "loss": loss.item(), "gradient": x.grad.tolist()})
    (OUT / "losses.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


# ---- heads

def write_model(path, sequences, labels, answer):
    block = make_goldens.block
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, labels))}\n")
    lines += [block("tensor", n, x) for n, x in answer.fresh.items()]
    lines += [block("tensor", "logits", answer.logits), block("tensor", "loss", answer.loss)]
    lines += [block("grad", n, x) for n, x in answer.gradient.items()]
    path.write_text("".join(lines))


def write_bert():
    tokenizer = make_goldens.plain_tokenizer()
    sequences = [tokenizer.encode(text).ids for text, _ in make_goldens.TEXTS]
    model = oracle.reference(make_goldens.TINY, "full", make_goldens.SEED, classes=CLASSES)
    model.config.problem_type = "multi_label_classification"
    sets = [[float((i + k) % 3 == 0) for k in range(CLASSES)] for i in range(len(sequences))]
    answer = oracle.Answer(model, "full", sequences, sets)
    bits = [sum(int(y) << k for k, y in enumerate(s)) for s in sets]  # bit k: label k
    write_model(OUT / "bert.txt", sequences, bits, answer)


class LlamaAnswer:
    """What a tiny Llama with one output says about texts, each by itself; only the head trains."""

    def __init__(self, model, sequences, labels):
        logits = torch.cat([model(input_ids=torch.tensor([s])).logits for s in sequences])
        loss = torch.nn.functional.mse_loss(logits.squeeze(-1), torch.tensor(labels, dtype=torch.double))
        loss.backward()
        self.fresh = {"head.weight": model.score.weight.detach().numpy()}
        self.logits, self.loss = logits.detach().numpy(), float(loss.detach())
        self.gradient = {"head.weight": model.score.weight.grad.numpy()}


def write_llama():
    folder = make_goldens.GOLDEN / "families" / "llama-3"
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=1)
    model = transformers.LlamaForSequenceClassification.from_pretrained(
        folder, config=config, attn_implementation="eager", dtype=torch.float32)
    x = np.random.default_rng(3).standard_normal(tuple(model.score.weight.shape)) * 0.3
    model.score.weight.data.copy_(torch.from_numpy(x.astype(np.float32)))
    model = model.double().eval()
    for name, p in model.named_parameters():
        p.requires_grad_(name == "score.weight")
    rng = np.random.default_rng(4)
    sequences = [[int(t) for t in rng.integers(3, config.vocab_size, n)] for n in (5, 9, 1, 4)]
    labels = [2, -1, 0, 5]
    padded, mask = oracle.padded(sequences, config.pad_token_id or 0)
    model.config.pad_token_id = config.pad_token_id or 0
    answer = LlamaAnswer(model, sequences, labels)
    out = model(input_ids=padded, attention_mask=mask, labels=torch.tensor(labels, dtype=torch.double))
    assert model.config.problem_type == "regression"  # its loss of one padded batch; norms are in 32 bits
    assert abs(float(out.loss) - answer.loss) < 1e-6, (float(out.loss), answer.loss)
    write_model(OUT / "llama.txt", sequences, labels, answer)


def main():
    OUT.mkdir(exist_ok=True)
    write_metrics()
    write_losses()
    write_bert()
    write_llama()


if __name__ == "__main__":
    main()
