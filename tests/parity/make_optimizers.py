#!/usr/bin/env python3
"""make_optimizers: twenty steps of each optimizer, for tests/train/test_optim.c.

    DIR/bin/python tests/parity/make_optimizers.py      writes tests/golden/optimizers/NAME.txt

All of tests/golden/tiny-bert trains in double, without dropout, but for the biases of the keys, whose gradient is rounding
noise around zero: its sign, which Lion follows, means nothing.  The texts are those of make_training.py.  A file has `ids`
and `labels`; `start NAME`, the head's tensors; `moved NAME`, four sums for each trained tensor: of the change of each element
after the 20 steps times cos(f (k + 1)), where k is the element's number and f is 1, 2, 3, 4; and `tensor loss`, the losses.

The gradients are clipped to a norm of CLIP.  The decay of the matrices that are no embedding tables is DECAY; for SGD it is
done here, as AdamW does it, since torch.optim.SGD has another.  Adafactor is that of transformers with a fixed rate.
"""

import torch
from lion_pytorch import Lion
from transformers.optimization import Adafactor

import make_goldens
import make_training
import oracle

OUT = make_goldens.GOLDEN / "optimizers"
STEPS, CLIP, DECAY = 20, 0.5, 0.1


def adafactor(groups, lr):
    return Adafactor(groups, lr=lr, scale_parameter=False, relative_step=False, warmup_init=False, beta1=None,
                     clip_threshold=1.0, decay_rate=-0.8, eps=(1e-30, 1e-3))


CASES = {  # the optimizer of groups of parameters, its rate, and whether it decays the parameters itself
    "adamw": (torch.optim.AdamW, 1e-3, True),
    "sgd": (lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.9), 0.05, False),
    "sgd-plain": (torch.optim.SGD, 0.5, False),
    "adafactor": (adafactor, 1e-2, True),
    "lion": (Lion, 1e-3, True),
}


def sums(x):
    x = x.reshape(-1)
    k = torch.arange(1, len(x) + 1, dtype=x.dtype)
    return torch.stack([(x * torch.cos(f * k)).sum() for f in range(1, 5)])


def train(model, batch, optimizer, rate, decayed):
    parameters = [p for p in model.parameters() if p.requires_grad]
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        norm = torch.sqrt(sum((p.grad ** 2).sum() for p in parameters))
        for p in parameters:
            p.grad *= min(1, CLIP / norm)
        for p in decayed:
            p.data *= 1 - rate * DECAY
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def write(name, make, rate, decays):
    sequences, labels = make_training.texts()
    ids, mask = oracle.padded(sequences)
    batch = dict(input_ids=ids, attention_mask=mask, labels=torch.tensor(labels))
    model = oracle.load_base(make_goldens.TINY, oracle.CLASSES)
    oracle.randomise(model, "full", make_training.SEED, 0.1)
    model.eval().double()
    for n, p in model.named_parameters():
        p.requires_grad = not n.endswith("key.bias")
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    matrices = [p for n, p in trained.items() if p.dim() > 1 and "embeddings" not in n]
    rest = [p for n, p in trained.items() if not (p.dim() > 1 and "embeddings" not in n)]
    start = {n: p.detach().clone() for n, p in trained.items()}
    optimizer = make([{"params": matrices, "weight_decay": DECAY if decays else 0}, {"params": rest, "weight_decay": 0}],
                     lr=rate)
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, labels))}\n")

    def blocks(kind, named):
        return [make_training.block(kind, ours, y) for n, x in named.items()
                for ours, y in [(oracle.ours("full", n, x, 2)[0][0], x.detach())]]

    lines += blocks("start", {n: x for n, x in start.items() if "classifier" in n})
    losses = train(model, batch, optimizer, rate, [] if decays else matrices)
    lines += [make_training.block("tensor", "loss", losses)]
    lines += blocks("moved", {n: sums(p.detach() - start[n]) for n, p in trained.items()})
    (OUT / f"{name}.txt").write_text("".join(lines))
    print(f"{name:10} loss {losses[0]:.4f} to {losses[-1]:.4f}, {len(trained)} tensors")


def main():
    OUT.mkdir(exist_ok=True)
    for name, case in CASES.items():
        write(name, *case)


if __name__ == "__main__":
    main()
