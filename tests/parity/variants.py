"""variants: checkpoints that say one thing in config.json and another in their files, or that leave things out.

Each is a tiny model, saved by transformers and then changed.  What transformers computes when it loads the folder is
right; where it would draw a tensor at random, the folder is to be refused.
"""

import json
import pathlib

import torch
import transformers as tf
from safetensors.torch import load_file, save_file

V = 13
BERT = dict(vocab_size=V, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=12,
            max_position_embeddings=24, type_vocab_size=2)
DISTIL = dict(vocab_size=V, dim=8, n_layers=1, n_heads=2, hidden_dim=12, max_position_embeddings=24)
GPT2 = dict(vocab_size=V, n_embd=8, n_layer=1, n_head=2, n_positions=24, bos_token_id=1, eos_token_id=2)
LLAMA = dict(vocab_size=V, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
             intermediate_size=12, max_position_embeddings=24, bos_token_id=1, eos_token_id=2)
MANY = dict(LLAMA, hidden_size=32, num_attention_heads=16)

# name: (family, class of the model, settings, changes to config.json (None: without the field), tensors added, dropped)
VARIANTS = {
    "pad-is-end": ("Llama", "ForSequenceClassification", dict(LLAMA, pad_token_id=2), {}, {}, ()),
    "pad-gpt2": ("GPT2", "ForSequenceClassification", dict(GPT2, pad_token_id=5), {}, {}, ()),
    "pad-absent": ("Qwen2", "ForSequenceClassification", LLAMA, {"pad_token_id": None}, {}, ()),
    "tied-own-head": ("Llama", "ForCausalLM", LLAMA, {"tie_word_embeddings": True}, {}, ()),
    "tied-own-head-gpt2": ("GPT2", "LMHeadModel", GPT2, {}, {"lm_head.weight": (V, 8)}, ()),
    "untied-gpt2": ("GPT2", "LMHeadModel", GPT2, {"tie_word_embeddings": False}, {"lm_head.weight": (V, 8)}, ()),
    "untied-bert": ("Bert", "ForMaskedLM", BERT, {"tie_word_embeddings": False},
                    {"cls.predictions.decoder.weight": (V, 8), "cls.predictions.decoder.bias": (V,)}, ()),
    "tied-two-biases": ("Bert", "ForMaskedLM", BERT, {},
                        {"cls.predictions.decoder.weight": (V, 8), "cls.predictions.decoder.bias": (V,)}, ()),
    "untied-roberta": ("Roberta", "ForMaskedLM", BERT, {"tie_word_embeddings": False},
                       {"lm_head.decoder.weight": (V, 8), "lm_head.decoder.bias": (V,)}, ()),
    "untied-distilbert": ("DistilBert", "ForMaskedLM", DISTIL, {"tie_word_embeddings": False},
                          {"vocab_projector.weight": (V, 8)}, ()),
    "tied-head-alone": ("Llama", "ForCausalLM", dict(LLAMA, tie_word_embeddings=True), {}, {"lm_head.weight": (V, 8)},
                        ("model.embed_tokens.weight",)),
    "tied-head-alone-bert": ("Bert", "ForMaskedLM", BERT, {}, {"cls.predictions.decoder.weight": (V, 8)},
                             ("bert.embeddings.word_embeddings.weight",)),
    "keys-by-default": ("Mistral", "ForCausalLM", dict(MANY, num_key_value_heads=8), {"num_key_value_heads": None}, {}, ()),
    "relu-roberta": ("Roberta", "ForMaskedLM", dict(BERT, hidden_act="relu"), {}, {}, ()),
    "no-head": ("Llama", "ForCausalLM", LLAMA, {}, {}, ("lm_head.weight",)),
    "no-decoder-bias": ("Bert", "ForMaskedLM", BERT, {"tie_word_embeddings": False},
                        {"cls.predictions.decoder.weight": (V, 8)}, ()),
}
REFUSED = {"no-head", "no-decoder-bias"}


def save(name, folder):
    """Writes the variant, and returns the model that transformers makes of it (None: it would draw tensors)."""
    family, head, settings, changes, added, dropped = VARIANTS[name]
    folder = pathlib.Path(folder)
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    model = getattr(tf, family + head)(getattr(tf, family + "Config")(**settings))
    for key, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        p.data = 1 + 0.2 * noise if p.dim() == 1 and key.endswith("weight") else 0.4 * noise
    model.tie_weights()
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    tensors = load_file(folder / "model.safetensors")
    tensors |= {key: torch.randn(shape, generator=generator) for key, shape in added.items()}
    save_file({k: t for k, t in tensors.items() if k not in dropped}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text()) | changes
    config = {k: v for k, v in config.items() if not (k in changes and v is None)}
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    loaded, info = type(model).from_pretrained(folder, output_loading_info=True, dtype=torch.float32,
                                               attn_implementation="eager")
    assert bool(info["missing_keys"]) == (name in REFUSED), (name, info)
    return None if info["missing_keys"] else loaded.eval()


def sequences(name):
    """Texts of every length that matters; those of classifiers also end in the padding token, or hold nothing else."""
    generator = torch.Generator().manual_seed(3)
    texts = [torch.randint(6, V, (n,), generator=generator).tolist() for n in (1, 2, 5, 11, 16)]
    pad = VARIANTS[name][2].get("pad_token_id", 2)
    return texts if not name.startswith("pad") else texts + [[7, 8, pad], [7, pad, 8, pad, pad], [pad], [pad, pad], [pad, 9]]
