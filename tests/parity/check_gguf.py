#!/usr/bin/env python3
"""check_gguf: tiny GGUF files of every type of number and kind of network, here and in transformers.

    check_gguf.py PEFTBENCH
    check_gguf.py --goldens         writes what `make test` checks: tests/golden/gguf/

The gguf package writes random numbers in each type (Q4_K and Q6_K, which it can only read, as random
blocks); transformers reads the file through the same package, dequantised to 32 bits.  One line a
file: the worst difference of a logit relative to the largest.  Exit code 1 if one is above 1e-4.
"""

import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np
import torch
import transformers

import families
import summary
from check_models import BAR, ours, theirs, worst

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
NETWORKS = {"llama": TYPES, "qwen2": ["F16", "Q8_0"], "qwen3": ["F16", "Q8_0"], "gpt2": ["F16", "Q8_0"]}
WIDTH, INNER, LAYERS = 256, 512, 2
POSITIONS = {"gpt2": 1024}  # which transformers takes a GPT-2 to have
HEADS = {"qwen3": (2, 1)}  # of queries and of keys; transformers takes a Qwen3's heads to be 128 wide
RNG = np.random.default_rng(12)


def blocks(rows, cols, name):
    """Random bits of a K type; its 16-bit scales are small numbers."""
    size = {"Q2_K": 84, "Q3_K": 110, "Q4_K": 144, "Q5_K": 176, "Q6_K": 210}[name]
    x = RNG.integers(0, 256, (rows, cols // 256, size), dtype=np.uint8)
    scales = {"Q2_K": {80: 6e-3, 82: 3e-3}, "Q3_K": {108: 1e-3}, "Q4_K": {0: 3e-4, 2: 2e-3}, "Q5_K": {0: 2e-4, 2: 2e-3},
              "Q6_K": {208: 6e-5}}[name]
    for at, scale in scales.items():
        x[:, :, at:at + 2] = (RNG.uniform(0.5, 1, (rows, cols // 256, 1)) * scale).astype(np.float16).view(np.uint8)
    return x.reshape(rows, -1)


def add(writer, name, rows, cols, kind):
    kind = kind if cols > 1 else "F32"
    if cols == 1:  # a norm's gain, or a bias
        gain = "norm.weight" in name
        writer.add_tensor(name, (gain + 0.2 * RNG.standard_normal(rows)).astype(np.float32))
        return
    number = gguf.GGMLQuantizationType[kind]
    if kind.endswith("_K"):
        writer.add_tensor(name, blocks(rows, cols, kind), raw_dtype=number)
        return
    x = (RNG.standard_normal((rows, cols)) * (1.5 / cols**0.5)).astype(np.float32)
    if kind in ("F32", "F16"):
        writer.add_tensor(name, x.astype(np.float16 if kind == "F16" else np.float32))
    else:
        writer.add_tensor(name, gguf.quants.quantize(x, number), raw_dtype=number)


def llama_tensors(network):
    """(name, rows, columns) of a layer; columns 1: a vector."""
    heads, groups = HEADS.get(network, (4, 2))
    keys = WIDTH // heads * groups
    yield from [("attn_norm.weight", WIDTH, 1), ("ffn_norm.weight", WIDTH, 1), ("attn_q.weight", WIDTH, WIDTH),
                ("attn_k.weight", keys, WIDTH), ("attn_v.weight", keys, WIDTH), ("attn_output.weight", WIDTH, WIDTH),
                ("ffn_gate.weight", INNER, WIDTH), ("ffn_up.weight", INNER, WIDTH), ("ffn_down.weight", WIDTH, INNER)]
    if network == "qwen2":
        yield from [("attn_q.bias", WIDTH, 1), ("attn_k.bias", keys, 1), ("attn_v.bias", keys, 1)]
    if network == "qwen3":
        yield from [("attn_q_norm.weight", WIDTH // heads, 1), ("attn_k_norm.weight", WIDTH // heads, 1)]


def gpt2_tensors():
    shapes = {"attn_qkv": (3 * WIDTH, WIDTH), "attn_output": (WIDTH, WIDTH), "ffn_up": (4 * WIDTH, WIDTH),
              "ffn_down": (WIDTH, 4 * WIDTH)}
    for name, (rows, cols) in shapes.items():
        yield from [(name + ".weight", rows, cols), (name + ".bias", rows, 1)]
    for name in ("attn_norm", "ffn_norm"):
        yield from [(name + ".weight", WIDTH, 1), (name + ".bias", WIDTH, 1)]


def write(path, network, kind):
    gpt2 = network == "gpt2"
    heads, groups = HEADS.get(network, (4, 2))
    w = gguf.GGUFWriter(path, network)
    w.add_block_count(LAYERS)
    w.add_context_length(POSITIONS.get(network, 64))
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(4 * WIDTH if gpt2 else INNER)
    w.add_head_count(heads)
    w.add_vocab_size(families.VOCAB)
    if gpt2:
        w.add_layer_norm_eps(1e-5)
    else:
        w.add_head_count_kv(groups)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_freq_base(5000.0)
        w.add_key_length(WIDTH // heads)
        w.add_value_length(WIDTH // heads)
    w.add_token_list([f"t{i}".encode() for i in range(families.VOCAB)])
    add(w, "token_embd.weight", families.VOCAB, WIDTH, kind)
    if gpt2:
        add(w, "position_embd.weight", POSITIONS[network], WIDTH, "F32")
        add(w, "output_norm.bias", WIDTH, 1, kind)
    add(w, "output_norm.weight", WIDTH, 1, kind)
    add(w, "output.weight", families.VOCAB, WIDTH, kind)
    for layer in range(LAYERS):
        for name, rows, cols in gpt2_tensors() if gpt2 else llama_tensors(network):
            add(w, f"blk.{layer}.{name}", rows, cols, kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def check(program, place, network, kind):
    path = place / f"{network}-{kind}.gguf"
    write(path, network, kind)
    model = transformers.AutoModelForCausalLM.from_pretrained(place, gguf_file=path.name, dtype=torch.float32,
                                                              attn_implementation="eager").eval()
    error = worst(ours(program, path, families.sequences()), theirs(model, families.sequences()))
    print(f"{'ok    ' if error < BAR else 'FAILED'} {network:8} {kind:6} {error:.1e}", flush=True)
    return error


GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
MIXED = {"token_embd": "Q8_0", "output": "F16", "attn_q": "Q4_0", "attn_k": "Q4_1", "attn_v": "BF16", "attn_output": "F32",
         "ffn_gate": "Q8_0", "ffn_up": "Q4_0", "ffn_down": "Q4_1"}
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>{% endfor %}"


def write_tiny(path):
    """A Llama of 32 columns with the vocabulary of tests/golden/bpe/gpt2; a type a matrix."""
    told = json.loads((GOLDEN / "bpe" / "gpt2" / "tokenizer.json").read_text())
    number = dict(told["model"]["vocab"]) | {t["content"]: t["id"] for t in told["added_tokens"]}
    special = {t["content"]: 3 if t["special"] else 4 for t in told["added_tokens"]}
    tokens = sorted(number, key=number.get)
    w = gguf.GGUFWriter(path, "llama")
    for add_number, value in ((w.add_block_count, 1), (w.add_context_length, 64), (w.add_embedding_length, 32),
                              (w.add_feed_forward_length, 64), (w.add_head_count, 4), (w.add_head_count_kv, 2),
                              (w.add_layer_norm_rms_eps, 1e-5), (w.add_vocab_size, len(tokens))):
        add_number(value)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list([t.encode() for t in tokens])
    w.add_token_types([special.get(t, 1) for t in tokens])
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in told["model"]["merges"]])
    w.add_eos_token_id(number["<|end|>"])
    w.add_chat_template(TEMPLATE)
    for name, rows, cols in [("token_embd.weight", len(tokens), 32), ("output.weight", len(tokens), 32),
                             ("output_norm.weight", 32, 1), ("blk.0.attn_norm.weight", 32, 1), ("blk.0.ffn_norm.weight", 32, 1),
                             ("blk.0.attn_q.weight", 32, 32), ("blk.0.attn_k.weight", 16, 32), ("blk.0.attn_v.weight", 16, 32),
                             ("blk.0.attn_output.weight", 32, 32), ("blk.0.ffn_gate.weight", 64, 32),
                             ("blk.0.ffn_up.weight", 64, 32), ("blk.0.ffn_down.weight", 32, 64)]:
        add(w, name, rows, cols, MIXED.get(name.split(".")[-2]))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_goldens():
    folder = GOLDEN / "gguf"
    folder.mkdir(exist_ok=True)
    with open(folder / "blocks.jsonl", "w") as f:
        for kind in TYPES[3:]:
            number = gguf.GGMLQuantizationType[kind]
            x = blocks(1, 256, kind) if kind.endswith("K") else gguf.quants.quantize(
                RNG.standard_normal((1, 32)).astype(np.float32), number)
            f.write(json.dumps({"type": kind, "bytes": x.ravel().tolist(),
                                "values": [float(f"{v:.9g}") for v in gguf.quants.dequantize(x, number).ravel()]}) + "\n")
    write_tiny(folder / "tiny.gguf")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file="tiny.gguf", dtype=torch.float32,
                                                              attn_implementation="eager").eval()
    sequences = families.sequences(count=3, longest=6)
    with open(folder / "logits.jsonl", "w") as f:
        for ids, logits in zip(sequences, theirs(model.double(), sequences)):
            f.write(json.dumps({"ids": ids, "logits": [[float(f"{x:.7g}") for x in row] for row in logits.tolist()]}) + "\n")


def main():
    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    if sys.argv[1] == "--goldens":
        write_goldens()
        return
    with tempfile.TemporaryDirectory() as place:
        errors = [check(sys.argv[1], pathlib.Path(place), n, kind) for n, kinds in NETWORKS.items() for kind in kinds]
    summary.finish("gguf", [e < BAR for e in errors], max(errors))


if __name__ == "__main__":
    main()
