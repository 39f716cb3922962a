#!/usr/bin/env python3
"""make_retention: retention and geometry as transformers and NumPy compute them.

    DIR/bin/python tests/parity/make_retention.py         writes tests/golden/retention/

models.txt: for each committed model, and the same with some weights changed (`tuned`), the loss on text.txt in bits for
each byte (a decoder) or each masked token (an encoder), the drift KL(base || tuned) in nats, and the linear CKA of the
last hidden states; for the decoder also the geometry of the change.
matrices.txt: linear CKA, effective rank and leading share of matrices whose elements are given by `element`.
"""
import math
import pathlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

MODELS = pathlib.Path("models")  # of the folder in which the script runs, the root of the repository
OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "retention"
TEXTS = (OUT / "text.txt").read_text(encoding="utf-8").splitlines()
WINDOW = 32


# ---- definitions -----------------------------------------------------------------------------------------------


def linear_cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return np.linalg.norm(y.T @ x) ** 2 / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def effective_rank(d, least=0.0):
    s = np.linalg.svd(d, compute_uv=False)
    p = s[s > least] / s[s > least].sum()
    return math.exp(-(p * np.log(p)).sum())


def leading_share(d, w, k):
    u, _, vt = np.linalg.svd(w, full_matrices=False)
    return (np.linalg.norm(u[:, :k].T @ d) ** 2 + np.linalg.norm(d @ vt[:k].T) ** 2) / (2 * np.linalg.norm(d) ** 2)


# ---- matrices --------------------------------------------------------------------------------------------------


def element(number, rows, cols):
    i, j = np.mgrid[:rows, :cols].astype(float)
    return np.sin(number + 0.7 * i + 1.3 * j + 0.11 * i * j).astype(np.float32).astype(float)


def matrices():
    for n, p, q in [(40, 6, 6), (40, 6, 9), (700, 12, 5)]:
        yield f"cka {n} {p} {q} {linear_cka(element(1, n, p) + 3, element(2, n, q)):.15g}"
        x = element(1, n, p)
        yield f"near {n} {p} {p} {linear_cka(x + 3, x + 3 + 0.25 * element(2, n, p)):.15g}"
    for rows, cols in [(12, 7), (7, 12), (30, 30)]:
        yield f"rank {rows} {cols} 0 {effective_rank(element(3, rows, cols)):.15g}"
        k = (min(rows, cols) + 9) // 10 + 1
        yield f"share {rows} {cols} {k} {leading_share(element(3, rows, cols), element(4, rows, cols), k):.15g}"


# ---- models ----------------------------------------------------------------------------------------------------


def tune(model, layers, down, query, value):
    """Scales two weights and adds a matrix of rank 1 to a third."""
    with torch.no_grad():
        down(layers[1]).weight *= 1.25
        query(layers[2]).weight *= 0.5
        w = value(layers[0]).weight
        i, j = torch.arange(w.shape[0]).double(), torch.arange(w.shape[1]).double()
        w += (0.02 * torch.sin(1 + i)[:, None] * torch.cos(2 + j)[None, :]).float().double()
    return model


def rolling_windows(ids, first, most):
    """Inputs and predicted ids, as lm-evaluation-harness makes them for a context of one token."""
    done = 0
    while done < len(ids):
        end = min(len(ids), done + most)
        start = end - most if done else 0
        inputs = ([first] + ids)[start:end]
        yield inputs, ids[done:end]
        done = end


def pieces(ids, tokenizer, most):
    for at in range(0, len(ids), most - 2):
        part = ids[at : at + most - 2]
        yield [tokenizer.convert_tokens_to_ids("[CLS]")] + part + [tokenizer.convert_tokens_to_ids("[SEP]")]


def run(model, ids):
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True)
    return torch.log_softmax(out.logits[0].double(), -1), out.hidden_states[-1][0].double().numpy()


def compare(parts, base, tuned):
    """Sums of the losses and of the divergences over parts (inputs, rows, targets, inputs and rows of the states)."""
    loss, drift, states = [0.0, 0.0], 0.0, ([], [])
    for inputs, rows, targets, plain, state_rows in parts:
        logs = [run(m, inputs)[0][rows] for m in (base, tuned)]
        for k in range(2):
            loss[k] -= logs[k][range(len(rows)), targets].sum().item()
            states[k].append(run((base, tuned)[k], plain)[1][state_rows])
        drift += (logs[0].exp() * (logs[0] - logs[1])).sum().item()
    return loss, drift, linear_cka(*map(np.concatenate, states))


def decoder():
    path = MODELS / "pico-decoder"
    tokenizer = AutoTokenizer.from_pretrained(path)
    base, tuned = (AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64).eval() for _ in range(2))
    tune(tuned, tuned.model.layers, lambda l: l.mlp.down_proj, lambda l: l.self_attn.q_proj, lambda l: l.self_attn.v_proj)
    parts, count = [], 0
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        count += len(ids)
        for inputs, targets in rolling_windows(ids, tokenizer.bos_token_id, WINDOW):
            rows = list(range(len(inputs) - len(targets), len(inputs)))
            parts.append((inputs, rows, targets, inputs, rows))
    loss, drift, cka = compare(parts, base, tuned)
    size = sum(len(t.encode()) for t in TEXTS) * math.log(2)
    yield f"pico-decoder {loss[0] / size:.15g} {loss[1] / size:.15g} {drift / count:.15g} {cka:.15g}"
    yield from geometry(base, tuned)


def geometry(base, tuned):
    before, after = (dict(m.named_parameters()) for m in (base, tuned))
    change = square = 0.0
    ranks, shares = [], []
    for name, p in before.items():
        w, d = p.detach().double().numpy(), (after[name].detach() - p.detach()).double().numpy()
        square += np.linalg.norm(w) ** 2
        change += np.linalg.norm(d) ** 2
        if "layers" in name and d.ndim == 2 and d.any():
            most = max(d.shape)
            rounding = 2.0**-23 * (np.linalg.norm(w + d) + math.sqrt(most) * np.linalg.norm(d))
            ranks.append(effective_rank(d, rounding))
            shares.append(leading_share(d, w, (min(d.shape) + 9) // 10))
    yield f"geometry {math.sqrt(change / square):.15g} {len(ranks)} {np.mean(ranks):.15g} {np.mean(shares):.15g}"


def encoder():
    path = MODELS / "pico-encoder"
    tokenizer = AutoTokenizer.from_pretrained(path)
    base, tuned = (AutoModelForMaskedLM.from_pretrained(path, dtype=torch.float64).eval() for _ in range(2))
    tune(tuned, tuned.bert.encoder.layer, lambda l: l.output.dense, lambda l: l.attention.self.query,
         lambda l: l.attention.self.value)
    mask, parts, count = tokenizer.convert_tokens_to_ids("[MASK]"), [], 0
    for text in TEXTS:
        for ids in pieces(tokenizer(text, add_special_tokens=False).input_ids, tokenizer, WINDOW):
            rows = [i for i in range(1, len(ids) - 1) if (i - 1) % 7 == 3]
            masked = [mask if i in rows else x for i, x in enumerate(ids)]
            parts.append((masked, rows, [ids[i] for i in rows], ids, list(range(1, len(ids) - 1))))
            count += len(rows)
    loss, drift, cka = compare(parts, base, tuned)
    size = count * math.log(2)
    yield f"pico-encoder {loss[0] / size:.15g} {loss[1] / size:.15g} {drift / count:.15g} {cka:.15g}"


OUT.mkdir(exist_ok=True)
(OUT / "matrices.txt").write_text("".join(f"{line}\n" for line in matrices()))
(OUT / "models.txt").write_text("".join(f"{line}\n" for part in (decoder(), encoder()) for line in part))
