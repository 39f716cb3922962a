#!/usr/bin/env python3
"""check_stories: a llama2.c checkpoint here and in transformers, and the stories that it tells.

    check_stories.py PEFTBENCH FILE.bin TOKENS.bin

The file is read once more by numpy, and its network built as transformers' Llama: logits of random
tokens and greedy continuations are compared.  Ids of texts are compared with the rule of llama2.c,
the best-scored pair first.  Exit code 1 if anything differs.
"""

import json
import struct
import subprocess
import sys

import numpy as np
import torch
import transformers

import families
import summary
from check_models import BAR, ours, theirs, worst

PROMPTS = ["Once upon a time", "Lily and Ben went to the", "The little dog was", "One day, a big", "Tom had a red ball.",
           "\u00e9t\u00e9 \u4e2d 12 \U0001f600"]


def network(path):
    raw = open(path, "rb").read()
    width, inner, layers, heads, groups, vocab, positions = struct.unpack("7i", raw[:28])
    numbers, at = np.frombuffer(raw, np.float32, offset=28), 0

    def take(*shape):
        nonlocal at
        at += int(np.prod(shape))
        return torch.tensor(numbers[at - int(np.prod(shape)):at].reshape(shape))

    def halves(w, n):  # pairs that lie beside each other there are half a head apart here
        return w.view(n, -1, 2, width).transpose(1, 2).reshape(-1, width)

    size = width // heads
    words = take(abs(vocab), width)
    parts = {name: take(layers, *shape) for name, shape in {
        "input_layernorm": (width,), "self_attn.q_proj": (width, width), "self_attn.k_proj": (groups * size, width),
        "self_attn.v_proj": (groups * size, width), "self_attn.o_proj": (width, width), "post_attention_layernorm": (width,),
        "mlp.gate_proj": (inner, width), "mlp.down_proj": (width, inner), "mlp.up_proj": (inner, width)}.items()}
    config = transformers.LlamaConfig(vocab_size=abs(vocab), hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
                                      num_attention_heads=heads, num_key_value_heads=groups, max_position_embeddings=positions,
                                      rms_norm_eps=1e-5, tie_word_embeddings=vocab > 0, attn_implementation="eager",
                                      bos_token_id=1, eos_token_id=2)
    model = transformers.LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": words, "model.norm.weight": take(width), "lm_head.weight": words}
    take(2, positions, size // 2)
    if vocab < 0:
        state["lm_head.weight"] = take(-vocab, width)
    for name, x in parts.items():
        n = {"self_attn.q_proj": heads, "self_attn.k_proj": groups}.get(name)
        for i in range(layers):
            state[f"model.layers.{i}.{name}.weight"] = halves(x[i], n) if n else x[i]
    model.load_state_dict(state)
    return model.eval()


def read_tokens(path):
    raw, at, out = open(path, "rb").read(), 4, []
    while at < len(raw):
        score, size = struct.unpack("fi", raw[at:at + 8])
        out.append((raw[at + 8:at + 8 + size], score))
        at += 8 + size
    return out


def encode(tokens, text):
    """llama2.c's: characters, bytes where there is none, then the best-scored pair again and again."""
    number = {}
    for i, (t, _) in enumerate(tokens):
        number.setdefault(t, i)
    ids = [1] + ([number[b" "]] if text else [])
    for c in text:
        b = c.encode()
        ids += [number[b]] if b in number else [x + 3 for x in b]
    while True:
        best, where = -1e10, None
        for i in range(len(ids) - 1):
            pair = number.get(tokens[ids[i]][0] + tokens[ids[i + 1]][0])
            if pair is not None and tokens[pair][1] > best:
                best, where = tokens[pair][1], (i, pair)
        if where is None:
            return ids
        ids[where[0]:where[0] + 2] = [where[1]]


def call(program, command, path, lines, *more):
    run = subprocess.run([program, command, "--model", path, *more], input="".join(json.dumps(x) + "\n" for x in lines),
                         text=True, capture_output=True, check=True)
    return [json.loads(x) for x in run.stdout.splitlines()]


def main():
    program, path, tokens = sys.argv[1:]
    model, vocabulary, good = network(path), read_tokens(tokens), []
    sequences = [[min(i, len(vocabulary) - 1) for i in s] for s in families.sequences(count=8, longest=200)]
    error = worst(ours(program, path, sequences), theirs(model, sequences))
    good.append(error < BAR)
    print(f"{'ok    ' if good[-1] else 'FAILED'} llama2.c logits {error:.1e}")
    want = [encode(vocabulary, p) for p in PROMPTS]
    got = [x["ids"] for x in call(program, "tokenize", path, PROMPTS, "--json")]
    good.append(got == want)
    print(f"{'ok    ' if good[-1] else 'FAILED'} llama2.c ids of {len(PROMPTS)} texts")
    stories = call(program, "generate", path, want, "--ids", "--max-new", "100")
    for prompt, ids, story in zip(PROMPTS, want, stories, strict=True):
        with torch.no_grad():
            out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), max_new_tokens=100,
                                 do_sample=False, pad_token_id=0)[0, len(ids):].tolist()
        good.append(out == story["ids"])
        print(f"{'ok    ' if good[-1] else 'FAILED'} {prompt}|{' '.join(story['text'].split())}")
    summary.finish("stories", good, error)


if __name__ == "__main__":
    main()
