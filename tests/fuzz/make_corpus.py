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


def place(kind, name):
    (HERE / "corpus" / kind).mkdir(parents=True, exist_ok=True)
    return HERE / "corpus" / kind / name


def write_gguf(arch):
    w = gguf.GGUFWriter(str(place("gguf", arch)), arch)
    w.add_block_count(1), w.add_embedding_length(8), w.add_feed_forward_length(8), w.add_head_count(2), w.add_context_length(16)
    pieces = arch == "llama"
    tokens = ["<unk>", "<s>", "</s>", "a", "b", "ab", "<0x0A>"] if pieces else ["a", "b", "ab", "\u0120"]
    w.add_tokenizer_model("llama" if pieces else "gpt2")
    w.add_token_list(tokens)
    w.add_token_types([2, 3, 3, 1, 1, 1, 6] if pieces else [1, 1, 1, 1])
    if pieces:
        w.add_token_scores([0.0, 0.0, 0.0, -3.0, -4.0, -1.0, 0.0])
        kind = gguf.GGMLQuantizationType.Q4_0
        w.add_tensor("blk.0.attn_q.weight", np.ones((8, 8), np.float16))
        w.add_tensor("output.weight", gguf.quants.quantize(np.ones((2, 32), np.float32), kind), raw_dtype=kind)
    else:
        w.add_tokenizer_pre("gpt-2")
        w.add_token_merges(["a b"])
    w.add_tensor("token_embd.weight", np.ones((len(tokens), 8), np.float32))
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()


def main():
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.bfloat16)}, str(place("safetensors", "two")), {"format": "pt"})
    save_file({"h": torch.ones(2, dtype=torch.float16), "s": torch.tensor(1.0), "i": torch.tensor([1])}, str(place("safetensors", "kinds")))
    torch.save(make_torch.tensors(), place("torch", "values"))
    place("torch", "one").write_bytes(make_torch.archive(make_torch.by_hand(), {"0": bytes(8)}))
    for name, (config, settings, model) in families.MODELS.items():
        text = getattr(transformers, config)(**settings).to_json_string()
        place("config", name).write_text(json.dumps({**json.loads(text), "architectures": [model]}))
    write_gguf("llama")
    write_gguf("gpt2")
    for name, (tokenizer, own) in check_tokenizers.recipes().items():
        special = own.special_tokens if name in check_tokenizers.OWN else ["<unk>", "<s>"]
        trainer = trainers.BpeTrainer(vocab_size=40, special_tokens=special, show_progress=False)
        tokenizer.train_from_iterator(["the cat sat on a mat", "it's 12 o'clock"], trainer)
        place("tokenizer", name).write_text(tokenizer.to_str())


if __name__ == "__main__":
    main()
