#!/usr/bin/env python3
"""make_adapters: adapters that PEFT saved on the checkpoints of tests/golden, and what PEFT says when it loads them.

    make_adapters.py [NAME ..]      by default all

Writes tests/golden/adapters/NAME/: adapter_config.json, adapter_model.safetensors or .bin (random values of our own), `base` (the
folder of the checkpoint) and logits.jsonl: {"ids": [..], "logits": [[..]]}. tests/model/test_adapter.c reads them.
"""

import functools
import json
import pathlib
import shutil
import sys

import peft
import torch
import transformers

import check_adapters

TESTS = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = TESTS / "golden"
OUT = GOLDEN / "adapters"
IDS = [[5, 9, 7], [3, 12, 5, 8, 20]]
LLAMA, GPT2, ROBERTA, BERT = "families/llama-3", "families/gpt2", "families/roberta", "tiny-bert"
CLASSES = {LLAMA: transformers.LlamaForCausalLM, GPT2: transformers.GPT2LMHeadModel,
           ROBERTA: transformers.RobertaForSequenceClassification, BERT: transformers.BertForSequenceClassification}
ADAPTERS = {
    "pissa": (LLAMA, dict(init_lora_weights="pissa", target_modules=["q_proj", "down_proj"])),
    "pissa-conv1d": (GPT2, dict(init_lora_weights="pissa", alpha_pattern={"c_attn": 9})),
    "olora": (LLAMA, dict(init_lora_weights="olora", target_modules=["v_proj", "up_proj"])),
    "lora-bias": (LLAMA, dict(lora_bias=True, use_rslora=True, layers_to_transform=1)),
    "head-and-embed": (LLAMA, dict(target_modules=["q_proj", "lm_head", "embed_tokens"], use_dora=True)),
    "tokens": (LLAMA, dict(trainable_token_indices={"embed_tokens": [5, 6], "lm_head": [7]})),
    "resized": (LLAMA, dict(target_modules=r".*\.1\..*q_proj")),
    "tied-saved": (GPT2, dict(modules_to_save=["wte"])),
    "tied-embed": (GPT2, dict(target_modules=["mlp.c_fc", "wte"])),
    "tied-tokens": (GPT2, dict(trainable_token_indices=[5, 12], exclude_modules=["h.0.attn.c_attn"])),
    "saved-conv1d": (GPT2, dict(modules_to_save=["h.1.attn.c_proj"], bias="lora_only")),
    "bias-all": (ROBERTA, dict(bias="all")),
    "pickled": (LLAMA, dict(target_modules=["o_proj"])),
    "all-linear": (BERT, dict(target_modules="all-linear")),
    "osf": (LLAMA, peft.OSFConfig, dict(effective_rank=0.75, target_modules=["q_proj", "down_proj"])),
    "tinylora": (LLAMA, peft.TinyLoraConfig, dict(r=2, u=5, weight_tying=0.5, target_modules=["q_proj", "down_proj"])),
    "randlora": (BERT, peft.RandLoraConfig, dict(r=3, randlora_alpha=6, target_modules=["query", "output.dense"])),
    "unilora": (BERT, peft.UniLoraConfig, dict(r=2, theta_d_length=25, save_indices=True, target_modules=["query", "intermediate.dense"])),
    "deft": (BERT, peft.DeftConfig, dict(r=3, target_modules=["query", "intermediate.dense"])),
    "fourierft": (BERT, peft.FourierFTConfig, dict(n_frequency=30, n_frequency_pattern={"value": 20}, scaling=40.0, random_loc_seed=5,
                                                   target_modules=["query", "value", "intermediate.dense"])),
    "fourierft-conv1d": (GPT2, peft.FourierFTConfig, dict(n_frequency=30, target_modules=["c_attn", "mlp.c_proj"])),
    "waveft": (LLAMA, peft.WaveFTConfig, dict(n_frequency=30, target_modules=["k_proj", "up_proj"])),
    "waveft-conv1d": (GPT2, peft.WaveFTConfig, dict(n_frequency=40, n_frequency_pattern={"c_fc": 7}, target_modules=["c_attn", "mlp.c_fc"])),
    "tokens-alone": (LLAMA, peft.TrainableTokensConfig, dict(token_indices=[5, 9, 3])),
    "adaption-prompt": (LLAMA, peft.AdaptionPromptConfig, dict(adapter_len=3, adapter_layers=2)),
    "cpt": (LLAMA, peft.CPTConfig, dict(cpt_token_ids=[5, 9, 3, 7], cpt_mask=[1] * 4, cpt_tokens_type_mask=[1, 2, 3, 4])),
    "cartridge": (LLAMA, peft.CartridgeConfig, dict(num_virtual_tokens=4, num_frozen_tokens=1)),
    "multitask": (LLAMA, peft.MultitaskPromptTuningConfig, dict(num_virtual_tokens=4, num_ranks=2)),
}


def open_base(folder, name):
    torch.manual_seed(3)
    more = dict(num_labels=3) if folder == BERT else {}
    model = CLASSES[folder].from_pretrained(GOLDEN / folder, attn_implementation="eager", dtype=torch.float32, **more)
    if name == "resized":
        model.resize_token_embeddings(model.config.vocab_size + 2, mean_resizing=False)
    return model.eval()


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in sys.argv[1:] or ADAPTERS:
        folder, *kind, settings = ADAPTERS[name]
        config = kind[0] if kind else functools.partial(peft.LoraConfig, r=2, lora_alpha=3)
        shutil.rmtree(OUT / name, ignore_errors=True)
        task = "SEQ_CLS" if folder in (ROBERTA, BERT) else "CAUSAL_LM"
        torch.manual_seed(7)
        model = peft.get_peft_model(open_base(folder, name), config(task_type=task, **settings))
        for p in (p for p in model.parameters() if p.requires_grad):
            p.data = p.data + 0.1 * torch.randn(p.shape)
        model.save_pretrained(OUT / name, safe_serialization=name != "pickled")
        (OUT / name / "README.md").unlink(missing_ok=True)
        config = OUT / name / "adapter_config.json"
        members = json.loads(config.read_text())
        members["base_model_name_or_path"] = None
        for key in ("target_modules", "exclude_modules"):  # sets, which Python writes in any order
            if isinstance(members.get(key), list):
                members[key] = sorted(members[key])
        config.write_text(json.dumps(members, indent=1, sort_keys=True) + "\n")
        (OUT / name / "base").write_text(folder + "\n")
        loaded = peft.PeftModel.from_pretrained(open_base(folder, name), OUT / name).eval().double()
        with open(OUT / name / "logits.jsonl", "w") as f:
            for ids, logits in zip(IDS, check_adapters.theirs(loaded, IDS)):
                rows = [[float(f"{x:.9g}") for x in row] for row in logits.tolist()]
                f.write(json.dumps({"ids": ids, "logits": rows}) + "\n")


if __name__ == "__main__":
    main()
