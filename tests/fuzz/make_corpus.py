#!/usr/bin/env python3
"""make_corpus: small well-formed files for the fuzzers to start from, into tests/fuzz/corpus/."""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import trainers

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "parity"))
import check_tokenizers  # noqa: E402
import make_torch  # noqa: E402
import families  # noqa: E402
import piece_tokenizers  # noqa: E402


def place(kind, name):
    (HERE / "corpus" / kind).mkdir(parents=True, exist_ok=True)
    return HERE / "corpus" / kind / name


def write_gguf(arch):
    w = gguf.GGUFWriter(str(place("gguf", arch)), arch)
    w.add_block_count(1), w.add_embedding_length(8), w.add_feed_forward_length(8), w.add_head_count(2), w.add_context_length(16)
    pieces = arch == "llama"
    tokens = ["<unk>", "<s>", "</s>", "a", "b", "ab", "<0x0A>"] if pieces else ["a", "b", "ab", "\u0120"]
    w.add_key_length(4), w.add_value_length(4), w.add_rope_dimension_count(4)
    w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR if pieces else gguf.RopeScalingType.YARN)
    w.add_rope_scaling_factor(2.0), w.add_rope_scaling_orig_ctx_len(8), w.add_add_space_prefix(pieces)
    w.add_tokenizer_model("llama" if pieces else "gpt2")
    w.add_token_list(tokens)
    w.add_token_types([2, 3, 3, 1, 1, 1, 6] if pieces else [1, 1, 1, 1])
    if pieces:
        w.add_token_scores([0.0, 0.0, 0.0, -3.0, -4.0, -1.0, 0.0])
        kind = gguf.GGMLQuantizationType.Q4_0
        w.add_tensor("blk.0.attn_q.weight", np.ones((8, 8), np.float16))
        w.add_tensor("output.weight", gguf.quants.quantize(np.ones((2, 32), np.float32), kind), raw_dtype=kind)
        w.add_tensor("rope_freqs.weight", np.ones(2, np.float32))
    else:
        w.add_tokenizer_pre("gpt-2")
        w.add_token_merges(["a b"])
    w.add_tensor("token_embd.weight", np.ones((len(tokens), 8), np.float32))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def write_blocks(name, size):
    """A matrix of one row, of this type."""
    w = gguf.GGUFWriter(str(place("gguf", name)), "llama")
    w.add_block_count(1), w.add_embedding_length(8), w.add_head_count(2), w.add_context_length(16)
    block = np.arange(size, dtype=np.uint8).reshape(1, size)
    w.add_tensor("token_embd.weight", block, raw_dtype=gguf.GGMLQuantizationType[name])
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def main():
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, str(place("safetensors", "two")), {"format": "pt"})
    save_file({"h": torch.ones(2, dtype=torch.float16), "s": torch.tensor(1.0), "i": torch.tensor([1])}, str(place("safetensors", "kinds")))
    torch.save(make_torch.tensors(), place("torch", "values"))
    place("torch", "one").write_bytes(make_torch.archive(make_torch.by_hand(), {"0": bytes(8)}))
    for name, (config, settings, model) in families.MODELS.items():
        text = getattr(transformers, config)(**settings).to_json_string()
        place("config", name).write_text(json.dumps({**json.loads(text), "architectures": [model]}))
    for arch in "llama", "gpt2", "qwen2":
        write_gguf(arch)
    for name, size in {"Q5_0": 22, "Q5_1": 24, "Q2_K": 84, "Q3_K": 110, "Q5_K": 176}.items():
        write_blocks(name, size)
    for name, (tokenizer, own) in check_tokenizers.recipes().items():
        special = own.special_tokens if name in check_tokenizers.OWN else ["<unk>", "<s>"]
        trainer = trainers.BpeTrainer(vocab_size=40, special_tokens=special, show_progress=False)
        tokenizer.train_from_iterator(["the cat sat on a mat", "it's 12 o'clock"], trainer)
        place("tokenizer", name).write_text(tokenizer.to_str())
    few = piece_tokenizers.charsmap({"\u00e9": "e", "e\u0301": "e", "\ufb01": "fi", "\n": " "})
    for name, (tokenizer, trainer, change) in piece_tokenizers.recipes().items():
        trainer.vocab_size = 60
        tokenizer.train_from_iterator(["the cat sat on a mat", "it's 12 o'clock"], trainer)
        told = json.loads(tokenizer.to_str())
        if change:
            change(told)
        if name == "t5":
            told["normalizer"]["normalizers"][0]["precompiled_charsmap"] = few
        place("tokenizer", name).write_text(json.dumps(told))


if __name__ == "__main__":
    main()
