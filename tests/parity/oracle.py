"""oracle: transformers and PEFT as the measure of our models; shared by the scripts beside it.

Names.  A parameter has our name in every file these scripts write:

    embeddings.word_embeddings.weight              embed.word
    embeddings.position_embeddings.weight          embed.position
    embeddings.token_type_embeddings.weight        embed.type
    embeddings.LayerNorm.{weight,bias}             embed.norm.{weight,bias}
    encoder.layer.L.attention.self.query           layer.L.attn.q      (key: k, value: v)
    encoder.layer.L.attention.output.dense         layer.L.attn.o
    encoder.layer.L.attention.output.LayerNorm     layer.L.attn.norm
    encoder.layer.L.intermediate.dense             layer.L.mlp.up
    encoder.layer.L.output.dense                   layer.L.mlp.down
    encoder.layer.L.output.LayerNorm               layer.L.mlp.norm
    pooler.dense                                   pool
    classifier                                     head

    SITE.lora_A.default.weight [r,in]              SITE.lora.A
    SITE.lora_B.default.weight [out,r]             SITE.lora.B
    SITE.lora_magnitude_vector.default.weight      SITE.lora.m [1,out]
    SITE.ia3_l.default [out,1] or [1,in]           SITE.ia3.l [1,n]
    prompt_encoder.default.embedding.weight:
      prompt tuning [p,C]                          prompt.embed
      prefix [p,2LC], columns 2l C .. (2l+1) C     layer.l.attn.prefix.k [p,C]
                      and (2l+1) C .. (2l+2) C     layer.l.attn.prefix.v [p,C]
      prefix with an MLP [p,C]                     prefix.embed
    prompt_encoder.default.transform.0             prefix.mlp.{weight,bias}  [m,C], [1,m]
    prompt_encoder.default.transform.2 [2LC,m]:
      rows 2l C .. (2l+1) C                        layer.l.attn.prefix.k.{weight,bias}
      and (2l+1) C .. (2l+2) C                     layer.l.attn.prefix.v.{weight,bias}

What PEFT 0.21.2 does with soft prompts on BERT (read in its source, confirmed by these runs):
- prefix: the pairs are put before each layer's keys and values; the text's positions start at
  p, not at 0; [CLS] stays row 0 and is what the pooler reads.
- prompt: [prompts; word embeddings], positions 0.. over both, token type 0 for all; the pooler
  reads row 0, which is now the first soft prompt; [CLS] is row p.
"""

import re
import warnings

import numpy as np
import torch
import transformers
from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model
from transformers import BertConfig, BertForSequenceClassification

# transformers about its own names; PEFT about a composition
warnings.filterwarnings("ignore", category=FutureWarning)
warnings.filterwarnings("ignore", message="You are trying to modify a model with PEFT")

CLASSES = 3
LENGTH = 3  # soft tokens of prefix and prompt
MIDDLE = 8  # hidden size of the prefix's MLP

FEED_FORWARD = r".*encoder\.layer\.\d+\.output\.dense"
KEY_VALUE = r".*attention\.self\.(key|value)"


def lora_config(**more):
    return LoraConfig(task_type=TaskType.SEQ_CLS, r=4, lora_alpha=8, lora_dropout=0.0,
                      target_modules=["query", "value"], **more)


def prefix_config(**more):
    return PrefixTuningConfig(task_type=TaskType.SEQ_CLS, num_virtual_tokens=LENGTH, **more)


# By the name of the case: how PEFT is told, how the parity program is told.
METHODS = {
    "full": (None, "full"),
    "lora": (lora_config, "lora:rank=4,alpha=8"),
    "rslora": (lambda: lora_config(use_rslora=True), "lora:rank=4,alpha=8,rslora=yes"),
    "dora": (lambda: lora_config(use_dora=True), "lora:rank=4,alpha=8,dora=yes"),
    "ia3": (lambda: IA3Config(task_type=TaskType.SEQ_CLS, feedforward_modules=FEED_FORWARD,
                              target_modules=f"({KEY_VALUE}|{FEED_FORWARD})"),
            "ia3:targets=attn.k attn.v mlp.down"),
    "prefix": (prefix_config, f"prefix:length={LENGTH}"),
    "prefix-mlp": (lambda: prefix_config(prefix_projection=True, encoder_hidden_size=MIDDLE),
                   f"prefix:length={LENGTH},mlp=yes,hidden={MIDDLE}"),
    "prompt": (lambda: PromptTuningConfig(task_type=TaskType.SEQ_CLS, num_virtual_tokens=LENGTH),
               f"prompt:length={LENGTH},pool=first"),
    "lora+prefix": (prefix_config, f"lora:rank=4,alpha=8+prefix:length={LENGTH}"),
}

# How far from zero (or, for IA3 and DoRA's magnitudes, from one) the added values lie.
SPREAD = {"lora": 0.3, "rslora": 0.3, "dora": 0.3, "ia3": 0.3, "prefix": 0.5, "prefix-mlp": 0.5, "prompt": 0.3,
          "lora+prefix": 0.3}


# ---- names -------------------------------------------------------------------------------------

PLACES = [
    (r"^embeddings\.word_embeddings\.weight$", r"embed.word"),
    (r"^embeddings\.position_embeddings\.weight$", r"embed.position"),
    (r"^embeddings\.token_type_embeddings\.weight$", r"embed.type"),
    (r"^embeddings\.LayerNorm\.", r"embed.norm."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.", r"layer.\1.attn.norm."),
    (r"^encoder\.layer\.(\d+)\.output\.LayerNorm\.", r"layer.\1.mlp.norm."),
    (r"^encoder\.layer\.(\d+)\.attention\.self\.query\.", r"layer.\1.attn.q."),
    (r"^encoder\.layer\.(\d+)\.attention\.self\.key\.", r"layer.\1.attn.k."),
    (r"^encoder\.layer\.(\d+)\.attention\.self\.value\.", r"layer.\1.attn.v."),
    (r"^encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"layer.\1.attn.o."),
    (r"^encoder\.layer\.(\d+)\.intermediate\.dense\.", r"layer.\1.mlp.up."),
    (r"^encoder\.layer\.(\d+)\.output\.dense\.", r"layer.\1.mlp.down."),
    (r"^pooler\.dense\.", r"pool."),
    (r"^classifier\.", r"head."),
    (r"\.lora_(A|B)\.default\.weight$", r".lora.\1"),
    (r"\.lora_magnitude_vector\.default\.weight$", r".lora.m"),
    (r"\.ia3_l\.default$", r".ia3.l"),
]


def plain(name):
    """The name inside the bare encoder: without what PEFT and the classifier wrap around it."""
    name = re.sub(r"^base_model\.(model\.)?", "", name)
    name = name.replace("base_layer.", "").replace("modules_to_save.default.", "")
    return re.sub(r"^bert\.", "", name)


def prefix_parts(name, x, layers, whole):
    """A tensor of the prompt encoder under our names; what belongs to a layer is cut out."""
    if name == "embedding.weight" and not whole:
        return [("prefix.embed", x)]
    if name.startswith("transform.0."):
        return [("prefix.mlp." + name.split(".")[-1], x)]
    tail = "" if whole else "." + name.split(".")[-1]
    pieces = np.split(x, 2 * layers, axis=0 if tail == ".weight" else 1)
    return [(f"layer.{i // 2}.attn.prefix.{'kv'[i % 2]}{tail}", p) for i, p in enumerate(pieces)]


def ours(case, name, x, layers):
    """[(our name, 2-D array)] of one tensor of the reference."""
    x = np.asarray(x.detach().double())
    if name.startswith("prompt_encoder.default."):
        name, x = name[len("prompt_encoder.default."):], np.atleast_2d(x)
        return [("prompt.embed", x)] if case == "prompt" else prefix_parts(name, x, layers, case != "prefix-mlp")
    name = plain(name)
    for pattern, place in PLACES:
        name = re.sub(pattern, place, name)
    return [(name, x.reshape(1, -1) if x.ndim == 1 or name.endswith(".ia3.l") else x)]


# ---- models ------------------------------------------------------------------------------------

def load_base(folder, classes):
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = BertConfig.from_pretrained(folder, num_labels=classes, hidden_dropout_prob=0.0,
                                        attention_probs_dropout_prob=0.0)
    return BertForSequenceClassification.from_pretrained(
        folder, config=config, attn_implementation="eager", dtype=torch.float32)


def wrap(model, case):
    """The model as PEFT trains it; a composition is PEFT around PEFT."""
    make = METHODS[case][0]
    if case == "lora+prefix":
        inner = get_peft_model(model, lora_config())
        lora = [p for n, p in inner.named_parameters() if "lora_" in n]
        wrapped = get_peft_model(inner.base_model.model, make())
        for p in lora:
            p.requires_grad_(True)
        return wrapped
    return get_peft_model(model, make()) if make else model


def is_fresh(name):
    """What PEFT adds has the adapter's name, "default"."""
    return "classifier" in name or ".default" in name


def randomise(model, case, seed, scale, near=None):
    """Values for what is not in the checkpoint: far enough from an identity that every
    gradient says something, and exact in 32 bits.  `near` has the mean of tensors by a part of their name."""
    near = {"ia3_l": 1, "magnitude": 1} | (near or {})
    rng = np.random.default_rng([seed, *case.encode()])
    for name, p in model.named_parameters():
        if not (p.requires_grad and is_fresh(name)):
            continue
        x = rng.standard_normal(tuple(p.shape)) * scale * SPREAD.get(case, 0.3) + sum(x for part, x in near.items() if part in name)
        p.data.copy_(torch.from_numpy(x.astype(np.float32)))


def reference(folder, case, seed, scale=1.0, classes=CLASSES):
    """The model in double, in evaluation mode (no dropout)."""
    model = wrap(load_base(folder, classes), case)
    randomise(model, case, seed, scale)
    return model.double().eval()


def padded(sequences, pad=0):
    ids = np.full((len(sequences), max(map(len, sequences))), pad, np.int64)
    mask = np.zeros_like(ids)
    for i, s in enumerate(sequences):
        ids[i, :len(s)], mask[i, :len(s)] = s, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


class Answer:
    """What the reference says about one batch, under our names."""

    def __init__(self, model, case, sequences, labels, types=None):
        self.case, self.layers = case, model.config.num_hidden_layers
        ids, mask = padded(sequences)
        segments = {"token_type_ids": padded(types)[0]} if types else {}
        out = model(input_ids=ids, attention_mask=mask, labels=torch.tensor(labels), **segments)
        out.loss.backward()
        self.logits = out.logits.detach().numpy()
        self.loss = float(out.loss.detach())
        self.fresh, self.gradient = {}, {}
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            if is_fresh(name):
                self.fresh.update(ours(case, name, p, self.layers))
            g = p.grad if p.grad is not None else torch.zeros_like(p)
            self.gradient.update(ours(case, name, g, self.layers))
