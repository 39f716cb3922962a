#!/usr/bin/env python3
"""make_lst: ladder side tuning (Sung et al. 2022, arXiv:2206.06522) beside the tiny models, made of transformers' layers.

Writes tests/golden/lst-bert.txt and lst-llama.txt in the format of make_goldens.py.  The blocks of the side network are a
BertLayer and a LlamaDecoderLayer of a smaller configuration; the ladders, the gates and the sum are PyTorch.  A decoder's
labels are the next tokens, -1 after the last.  Everything is computed in double, without dropout, each text alone.
"""

import pathlib

import numpy as np
import torch
import transformers
from torch.nn import Linear, Parameter
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

import oracle
from make_goldens import GOLDEN, SEED, TEXTS, TINY, block, plain_tokenizer

TEMPERATURE = 0.1
LLAMA = GOLDEN / "families" / "llama-3"


class Side(torch.nn.Module):
    """s_l = Block_l(mu_l D_l h_l + (1 - mu_l) s_{l-1}), y = h_L + U s_L; `layers` are those that have a block."""

    def __init__(self, width, small, layers, blocks, norm):
        super().__init__()
        self.layers = layers
        self.first, self.up, self.norm = Linear(width, small), Linear(small, width), norm
        self.down = torch.nn.ModuleList([Linear(width, small) for _ in blocks])
        self.alpha = torch.nn.ParameterList([Parameter(torch.zeros(1)) for _ in blocks])
        self.block = torch.nn.ModuleList(blocks)

    def forward(self, hidden, how):
        s = self.first(hidden[self.layers[0]])
        for i, l in enumerate(self.layers):
            mu = torch.sigmoid(self.alpha[i] / TEMPERATURE)
            s = self.block[i](mu * self.down[i](hidden[l + 1]) + (1 - mu) * s, **how)
            s = s[0] if isinstance(s, tuple) else s
        return hidden[-1] + self.up(self.norm(s) if self.norm else s)


PLACES = {"attention.self.query": "attn.q", "attention.self.key": "attn.k", "attention.self.value": "attn.v",
          "attention.output.dense": "attn.o", "attention.output.LayerNorm": "attn.norm",
          "intermediate.dense": "mlp.up", "output.dense": "mlp.down", "output.LayerNorm": "mlp.norm",
          "self_attn.q_proj": "attn.q", "self_attn.k_proj": "attn.k", "self_attn.v_proj": "attn.v",
          "self_attn.o_proj": "attn.o", "input_layernorm": "attn.norm", "mlp.gate_proj": "mlp.gate",
          "mlp.up_proj": "mlp.up", "mlp.down_proj": "mlp.down", "post_attention_layernorm": "mlp.norm"}


def ours(name, layers):
    """Our name of a tensor of the side network."""
    part, *rest = name.split(".")
    if part in ("first", "up", "norm"):
        return f"lst.{name}"
    rest, at = rest[1:], f"layer.{layers[int(rest[0])]}.layer.lst."
    if part == "block":
        return at + PLACES[".".join(rest[:-1])] + "." + rest[-1]
    return at + ".".join([part, *rest])


def randomise(side, rng):
    for name, p in side.named_parameters():
        gain = "norm" in name.lower() and name.endswith("weight")
        scale = 0.1 if name.startswith("alpha") else 0.3 if p.dim() == 1 else 1 / p.shape[1] ** 0.5
        x = rng.standard_normal(tuple(p.shape)) * scale + gain
        p.data = torch.from_numpy(x.astype(np.float32)).double()


def write(name, side, sequences, labels, answer, head):
    """`answer`: from a text's ids to its logits, one row for each label of the text but -1."""
    logits = torch.cat([answer(torch.tensor([ids])) for ids in sequences])
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([l for l in labels if l >= 0]))
    loss.backward()
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, labels))}\n")
    tensors = [(ours(n, side.layers), p) for n, p in side.named_parameters()] + head
    lines += [block("tensor", n, p.detach().numpy()) for n, p in tensors]
    lines += [block("tensor", "logits", logits.detach().numpy()), block("tensor", "loss", float(loss.detach()))]
    lines += [block("grad", n, p.grad.numpy()) for n, p in tensors]
    (GOLDEN / f"{name}.txt").write_text("".join(lines))
    print(f"{name + '.txt':22} loss {float(loss.detach()):.6f}, {sum(p.numel() for p in side.parameters())} elements")


def write_bert():
    model = oracle.load_base(TINY, oracle.CLASSES).double().eval()
    rng = np.random.default_rng([SEED, 1])
    for p in model.parameters():
        p.requires_grad_(False)
    for p in model.classifier.parameters():
        p.data = torch.from_numpy((rng.standard_normal(tuple(p.shape)) * 0.3).astype(np.float32)).double()
        p.requires_grad_(True)
    small = transformers.BertConfig.from_dict({**model.config.to_dict(), "hidden_size": 4, "intermediate_size": 8})
    small._attn_implementation = "eager"
    side = Side(16, 4, [0, 1], [BertLayer(small) for _ in range(2)], None).double().eval()
    randomise(side, rng)

    def answer(ids):
        hidden = model.bert(ids, output_hidden_states=True).hidden_states
        return model.classifier(model.bert.pooler(side(hidden, {})))

    sequences = [plain_tokenizer().encode(text).ids for text, _ in TEXTS]
    head = [("head.weight", model.classifier.weight), ("head.bias", model.classifier.bias)]
    write("lst-bert", side, sequences, [label for _, label in TEXTS], answer, head)


class Rotary(torch.nn.Module):
    """LlamaRotaryEmbedding with angles in 32 bits, and their cosines and sines in double instead of 32 bits."""

    def __init__(self, frequency, scale):
        super().__init__()
        self.frequency, self.scale = frequency.float(), scale

    def forward(self, x, position_ids):
        angle = (position_ids.float()[..., None] * self.frequency).double().repeat(1, 1, 2)
        return angle.cos() * self.scale, angle.sin() * self.scale


def rms_norm(norm, x):
    """LlamaRMSNorm.forward, which computes in 32 bits, in double."""
    return norm.weight * x * torch.rsqrt((x * x).mean(-1, keepdim=True) + norm.variance_epsilon)


def smaller_heads(turn, count):
    """The rotation of heads with fewer pairs: the same frequencies, evenly chosen."""
    chosen = [turn.frequency[i * len(turn.frequency) // count] for i in range(count)]
    return Rotary(torch.stack(chosen), turn.scale)


def write_llama():
    model = transformers.LlamaForCausalLM.from_pretrained(LLAMA, dtype=torch.float32, attn_implementation="sdpa")
    turn = model.model.rotary_emb
    model.model.rotary_emb = Rotary(turn.inv_freq, turn.attention_scaling)
    model = model.double().eval()
    for p in model.parameters():
        p.requires_grad_(False)
    small = transformers.LlamaConfig.from_dict({
        **model.config.to_dict(), "hidden_size": 8, "intermediate_size": 14, "num_key_value_heads": 4,
        "head_dim": 2})
    small._attn_implementation = "sdpa"
    layers = [LlamaDecoderLayer(small, i) for i in range(2)]
    side = Side(24, 8, [0, 2], layers, LlamaRMSNorm(8, small.rms_norm_eps)).double().eval()
    randomise(side, np.random.default_rng([SEED, 2]))
    turn = smaller_heads(model.model.rotary_emb, small.head_dim // 2)

    def answer(ids):
        hidden = []
        hooks = [model.model.layers[0].register_forward_pre_hook(lambda m, x: hidden.append(x[0]))]
        hooks += [m.register_forward_hook(lambda m, x, y: hidden.append(y[0] if isinstance(y, tuple) else y))
                  for m in model.model.layers]
        model.model(ids)
        for hook in hooks:
            hook.remove()
        n = ids.shape[1]
        position = torch.arange(n)[None]
        mask = torch.full((n, n), float("-inf"), dtype=torch.double).triu(1)[None, None]
        how = dict(attention_mask=mask, position_embeddings=turn(hidden[0], position))
        return model.lm_head(model.model.norm(side(hidden, how)))[0, :-1]

    rng = np.random.default_rng([SEED, 3])
    sequences = [rng.integers(3, 97, size=n).tolist() for n in (7, 2, 12)]
    write("lst-llama", side, sequences, [t for s in sequences for t in [*s[1:], -1]], answer, [])


def elements_of_t5_base(r=8, d=768, f=3072, side_layers=9):
    """What trains in the paper's T5-base: RMSNorms, no biases but those of the ladders and of U, two relative biases."""
    s, f = d // r, f // r
    attention, mlp, norm, ladder = 4 * s * s, 2 * s * f, s, d * s + s
    encoder = side_layers * (attention + mlp + 2 * norm + ladder)
    decoder = side_layers * (2 * attention + mlp + 3 * norm + ladder)
    gates, first, relative = 2 * 12, 2 * ladder, 2 * (32 * 12 + norm)
    return encoder + decoder + gates + first + relative + s * d + d


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    LlamaRMSNorm.forward = rms_norm
    write_bert()
    write_llama()
    count = elements_of_t5_base()
    print(f"T5-base: {count} elements, {100 * count / 222903552:.2f} % of 222903552; the paper has 1.74 %")


if __name__ == "__main__":
    main()
