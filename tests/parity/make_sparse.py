#!/usr/bin/env python3
"""make_sparse: PEFT's sparse adapters, for tests/train/test_sparse.c.

    DIR/bin/python tests/parity/make_sparse.py      writes tests/golden/sparse/NAME.txt

The texts and the training are those of make_training.py.  Blocks: `places SITE`, the flat positions row*in+column in
ascending order; `start NAME`, `grad NAME` and `after NAME`, the values in that order, or those of the head, at the start,
their gradients there, and the values after 20 steps; `tensor logits` and `tensor loss` of the start.  SHiRA's positions are
random, those of Super-tuning are of the largest weights.  Everything is computed in double, on tests/golden/tiny-bert.
"""

import numpy as np
import peft
import torch

import make_goldens
import make_training
import oracle

OUT = make_goldens.GOLDEN / "sparse"
TARGETS = ["query", "value"]

CASES = {
    "shira": lambda: peft.ShiraConfig(task_type="SEQ_CLS", r=2, target_modules=TARGETS, random_seed=7),
    "supertuning": lambda: peft.SupertuningConfig(task_type="SEQ_CLS", sparsity=0.9, target_modules=TARGETS),
}


def site(module):
    """encoder.layer.0.attention.self.query -> layer.0.attn.q"""
    parts = module.split(".")
    return f"layer.{parts[parts.index('layer') + 1]}.attn.{parts[-1][0]}"


def flat_places(module, name):
    if name == "shira":
        rows, columns = module.shira_indices["default"].long()
        return rows * module.in_features + columns
    return module.supertuning_indices["default"].long()


def tensors(model, name):
    """(our name, parameter, order of its elements or None) of all that trains; the places of each site."""
    found, places = [], []
    values = "shira_weight" if name == "shira" else "supertuning_values"
    for path, module in model.named_modules():
        if hasattr(module, values):
            order = torch.argsort(flat_places(module, name))
            places.append((site(path), flat_places(module, name)[order]))
            found.append((site(path), getattr(module, values)["default"], order))
    for path, p in model.named_parameters():
        if p.requires_grad and "classifier" in path:
            found.append(("head." + path.split(".")[-1], p, None))
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == sum(p.numel() for _, p, _ in found)
    return found, places


def blocks(kind, found, of):
    return [make_training.block(kind, n, of(p) if order is None else of(p)[order]) for n, p, order in found]


def write(name, config):
    sequences, labels = make_training.texts()
    ids, mask = oracle.padded(sequences)
    batch = dict(input_ids=ids, attention_mask=mask, labels=torch.tensor(labels))
    torch.manual_seed(make_training.SEED)
    model = peft.get_peft_model(oracle.load_base(make_goldens.TINY, oracle.CLASSES), config())
    model.eval().double()
    found, places = tensors(model, name)
    rng = np.random.default_rng(make_training.SEED)  # torch's numbers have other last bits on other processors
    for _, p, _ in found:
        p.data.copy_(torch.from_numpy((0.3 * rng.standard_normal(p.shape)).astype(np.float32)))
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, labels))}\n")
    lines += [make_training.block("places", n, x) for n, x in places]
    lines += blocks("start", found, lambda p: p.detach())
    optimizer = torch.optim.AdamW([p for _, p, _ in found], lr=make_training.RATE, weight_decay=0)
    for step in range(make_training.STEPS):
        optimizer.zero_grad()
        out = model(**batch)
        out.loss.backward()
        if step == 0:
            lines += [make_training.block("tensor", "logits", out.logits.detach()),
                      make_training.block("tensor", "loss", out.loss.detach())]
            lines += blocks("grad", found, lambda p: p.grad)
        optimizer.step()
    lines += blocks("after", found, lambda p: p.detach())
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.txt").write_text("".join(lines))
    print(f"{name:12} loss at the end {float(out.loss.detach()):.6f}, {len(found)} tensors")


if __name__ == "__main__":
    for case, config in CASES.items():
        write(case, config)
