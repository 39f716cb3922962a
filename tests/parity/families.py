"""families: tiny random checkpoints of every family, as transformers saves them.

The sizes are odd on purpose, and norms and biases are random too, so that nothing that is left out
or exchanged goes unseen.
"""

import pathlib

import torch
import transformers as tf

HEADS = 4
VOCAB = 97


def _rope(**more):
    return {"rope_theta": 10000.0, "rope_type": "default", **more}


BERT = dict(vocab_size=VOCAB, hidden_size=20, num_hidden_layers=3, num_attention_heads=HEADS, intermediate_size=41,
            max_position_embeddings=64, type_vocab_size=2)
DISTIL = dict(vocab_size=VOCAB, dim=20, n_layers=3, n_heads=HEADS, hidden_dim=41, max_position_embeddings=64)
GPT2 = dict(vocab_size=VOCAB, n_embd=20, n_layer=3, n_head=HEADS, n_positions=64, bos_token_id=1, eos_token_id=2)
LLAMA = dict(vocab_size=VOCAB, hidden_size=24, num_hidden_layers=3, num_attention_heads=HEADS, num_key_value_heads=2,
             intermediate_size=41, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)

# name: (class of the configuration, its settings, class of the model)
MODELS = {
    "bert": ("BertConfig", BERT, "BertForSequenceClassification"),
    "bert-masked": ("BertConfig", BERT, "BertForMaskedLM"),
    "roberta": ("RobertaConfig", BERT, "RobertaForSequenceClassification"),
    "roberta-masked": ("RobertaConfig", BERT, "RobertaForMaskedLM"),
    "distilbert": ("DistilBertConfig", DISTIL, "DistilBertForSequenceClassification"),
    "distilbert-masked": ("DistilBertConfig", DISTIL, "DistilBertForMaskedLM"),
    "gpt2": ("GPT2Config", GPT2, "GPT2LMHeadModel"),
    "gpt2-classes": ("GPT2Config", dict(GPT2, pad_token_id=0), "GPT2ForSequenceClassification"),
    "gpt2-inner": ("GPT2Config", dict(GPT2, n_inner=33), "GPT2LMHeadModel"),
    "gpt2-by-layer": ("GPT2Config", dict(GPT2, scale_attn_by_inverse_layer_idx=True), "GPT2LMHeadModel"),
    "llama": ("LlamaConfig", LLAMA, "LlamaForCausalLM"),
    "llama-classes": ("LlamaConfig", dict(LLAMA, pad_token_id=0), "LlamaForSequenceClassification"),
    "llama-tied": ("LlamaConfig", dict(LLAMA, tie_word_embeddings=True), "LlamaForCausalLM"),
    "llama-biases": ("LlamaConfig", dict(LLAMA, attention_bias=True, mlp_bias=True), "LlamaForCausalLM"),
    "llama-head-dim": ("LlamaConfig", dict(LLAMA, head_dim=10), "LlamaForCausalLM"),
    "llama-3": ("LlamaConfig", dict(LLAMA, rope_parameters=_rope(**LLAMA3)), "LlamaForCausalLM"),
    "llama-yarn": ("LlamaConfig", dict(LLAMA, rope_parameters=_rope(rope_type="yarn", factor=4.0, beta_fast=4.0,
                                                                    original_max_position_embeddings=16)), "LlamaForCausalLM"),
    "llama-linear": ("LlamaConfig", dict(LLAMA, rope_parameters=_rope(rope_type="linear", factor=2.5)), "LlamaForCausalLM"),
    "bert-choices": ("BertConfig", BERT, "BertForMultipleChoice"),
    "roberta-choices": ("RobertaConfig", BERT, "RobertaForMultipleChoice"),
    "distilbert-choices": ("DistilBertConfig", DISTIL, "DistilBertForMultipleChoice"),
    "bert-tokens": ("BertConfig", BERT, "BertForTokenClassification"),
    "roberta-tokens": ("RobertaConfig", BERT, "RobertaForTokenClassification"),
    "distilbert-tokens": ("DistilBertConfig", DISTIL, "DistilBertForTokenClassification"),
    "gpt2-tokens": ("GPT2Config", GPT2, "GPT2ForTokenClassification"),
    "llama-tokens": ("LlamaConfig", LLAMA, "LlamaForTokenClassification"),
    "qwen3-tokens": ("Qwen3Config", dict(LLAMA, head_dim=8), "Qwen3ForTokenClassification"),
    "qwen2": ("Qwen2Config", LLAMA, "Qwen2ForCausalLM"),
    "qwen3": ("Qwen3Config", dict(LLAMA, head_dim=8), "Qwen3ForCausalLM"),
    "mistral": ("MistralConfig", dict(LLAMA, sliding_window=None), "MistralForCausalLM"),
}


def make(name):
    """The model `name`, in double-free 32 bits, with weights that make logits of order one."""
    config_class, settings, model_class = MODELS[name]
    config = getattr(tf, config_class)(**settings, **({"num_labels": 3} if model_class.endswith("Classification") else {}))
    config._attn_implementation = "eager"
    model = getattr(tf, model_class)(config)
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    for key, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        norm = p.dim() == 1 and key.endswith("weight")
        p.data = 1 + 0.2 * noise if norm else noise * (0.3 if p.dim() == 1 else 0.25)
    model.tie_weights()
    return model.eval()


def save(name, folder, **how):
    folder = pathlib.Path(folder)
    model = make(name)
    model.save_pretrained(folder, **how)
    return model


def sequences(seed=5, count=12, longest=40):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.linspace(1, longest, count).long()
    return [torch.randint(3, VOCAB, (int(n),), generator=generator).tolist() for n in lengths]


def is_choices(name):
    return MODELS[name][2].endswith("MultipleChoice")


def inputs(name, longest=40):
    """Sequences; for multiple choice questions with two of them as choices, of one length, so that there is no padding."""
    texts = sequences(longest=longest)
    pairs = [(a, b, min(len(a), len(b))) for a, b in zip(texts[::2], texts[1::2])]
    return [[a[:n], b[:n]] for a, b, n in pairs] if is_choices(name) else texts
