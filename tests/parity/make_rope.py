#!/usr/bin/env python3
"""make_rope: what transformers makes of a config.json's rotary positions, into tests/golden/rope.jsonl.

A line is {"rope": rope_parameters, "positions": max_position_embeddings, "frequency": [..], "scale": x}; and, where a
GGUF can say the same, its keys behind "llama.": "gguf": {..}, and the divisors in its rope_freqs.weight: "divisors".
"""

import json
import pathlib

import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "rope.jsonl"
HEAD, POSITIONS = 16, 512
S = "rope.scaling."
DIVISORS = [1.0, 1.0, 1.25, 1.5, 2.0, 4.0, 8.0, 8.0]
LINES = [  # rope_parameters, keys of a GGUF
    (dict(rope_type="default"), {}),
    (dict(rope_type="default"), {S + "type": "none", S + "factor": 4.0}),
    (dict(rope_type="linear", factor=2.5), {S + "type": "linear", S + "factor": 2.5}),
    (dict(rope_type="linear", factor=2.5), {S + "factor": 2.5}),
    (dict(rope_type="linear", factor=4.0), {"rope.scale_linear": 4.0}),
    (dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64), None),
    (dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128),
     {S + "type": "yarn", S + "factor": 4.0, S + "original_context_length": 128.0, S + "yarn_ext_factor": 1.0}),
    (dict(rope_type="yarn", factor=16.0, original_max_position_embeddings=32, beta_fast=8.0, beta_slow=2.0, attention_factor=0.7),
     None),
    (dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=128, beta_fast=16.0, beta_slow=0.5,
          attention_factor=1.25 * 1.1386294361119891),
     {S + "type": "yarn", S + "factor": 4.0, S + "original_context_length": 128.0, S + "yarn_beta_fast": 16.0,
      S + "yarn_beta_slow": 0.5, S + "attn_factor": 1.25}),
    (dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=64, mscale=1.0, mscale_all_dim=0.8), None),
    (dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=64, truncate=False), None),
    (dict(rope_type="longrope", short_factor=DIVISORS, long_factor=DIVISORS, attention_factor=1.0,
          original_max_position_embeddings=POSITIONS), {}),
    (dict(rope_type="longrope", short_factor=DIVISORS, long_factor=DIVISORS, original_max_position_embeddings=64), None),
]


def main():
    with open(GOLDEN, "w") as f:
        for rope, keys in LINES:
            rope = dict(rope, rope_theta=5000.0)
            config = transformers.LlamaConfig(hidden_size=4 * HEAD, num_attention_heads=4, max_position_embeddings=POSITIONS,
                                              rope_parameters=dict(rope))
            if rope["rope_type"] == "default":
                frequency, scale = 1 / rope["rope_theta"] ** (torch.arange(0, HEAD, 2).float() / HEAD), 1.0
            else:
                frequency, scale = ROPE_INIT_FUNCTIONS[rope["rope_type"]](config, "cpu")
            line = {"rope": rope, "positions": POSITIONS, "frequency": [float(f"{x:.9g}") for x in frequency.tolist()], "scale": scale}
            if keys is not None:
                line |= {"gguf": {"rope.freq_base": 5000.0, **keys}, "divisors": rope.get("short_factor", [])}
            f.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
