#!/usr/bin/env python3
"""check_adapters: adapters that PEFT saved, read here.

    check_adapters.py PEFTBENCH [MODEL ..]

For tiny models of four families and every kind of adapter: PEFT makes one with random tensors and
saves it; its logits are compared with `peftbench logits --adapter`, and --merged where that can be.
A line a pair; a kind that the program refuses with a message is `refused`, not failed.
Exit code 1 if one differs by more than 1e-4.
"""

import pathlib
import sys
import tempfile
import warnings

import peft
import torch
import transformers

import families
from check_models import BAR, ours, worst

LINEAR = {
    "bert": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
    "roberta": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}
NORMS = {"bert": ["LayerNorm"], "roberta": ["LayerNorm"], "gpt2": ["ln_1", "ln_2", "ln_f"],
         "llama": ["input_layernorm", "post_attention_layernorm", "norm"]}
SAVED = {"bert": "word_embeddings", "roberta": "word_embeddings", "gpt2": "wpe", "llama": "norm"}


def configs(family):
    """name: the configuration without its task_type."""
    lora = dict(r=3, lora_alpha=5)
    every, first = LINEAR[family], LINEAR[family][0]
    soft = dict(num_virtual_tokens=4)
    return {
        "lora": peft.LoraConfig(**lora),
        "lora all": peft.LoraConfig(**lora, target_modules=every),
        "lora rslora": peft.LoraConfig(**lora, target_modules=every, use_rslora=True),
        "lora dora": peft.LoraConfig(**lora, target_modules=every, use_dora=True),
        "lora patterns": peft.LoraConfig(**lora, target_modules=every, rank_pattern={first: 5, r".*\.1\..*": 2},
                                         alpha_pattern={every[-1]: 7}),
        "lora layers": peft.LoraConfig(**lora, target_modules=every, layers_to_transform=[0, 2]),
        "lora saved": peft.LoraConfig(**lora, modules_to_save=[SAVED[family]]),
        "ia3": peft.IA3Config(),
        "prefix": peft.PrefixTuningConfig(**soft),
        "prefix mlp": peft.PrefixTuningConfig(**soft, prefix_projection=True, encoder_hidden_size=7),
        "prompt": peft.PromptTuningConfig(**soft),
        "p-tuning": peft.PromptEncoderConfig(**soft, encoder_hidden_size=9),
        "ln": peft.LNTuningConfig(target_modules=NORMS[family]),
        "loha": peft.LoHaConfig(r=3, alpha=5, target_modules=every),
        "lokr": peft.LoKrConfig(r=3, alpha=5, target_modules=every),
        "vera": peft.VeraConfig(r=5, target_modules=[first]),
        "oft": peft.OFTConfig(oft_block_size=4, target_modules=[first]),
        "adalora": peft.AdaLoraConfig(init_r=4, target_r=2, total_step=10, target_modules=every),
    }


def make(name, kind):
    base = families.make(name)
    config = configs(name.split("-")[0])[kind]
    config.task_type = "CAUSAL_LM" if "Causal" in type(base).__name__ or "LMHead" in type(base).__name__ else "SEQ_CLS"
    torch.manual_seed(7)
    model = peft.get_peft_model(base, config).eval()
    for p in (p for p in model.parameters() if p.requires_grad):
        p.data = p.data + 0.1 * torch.randn(p.shape)
    return model


@torch.no_grad()
def theirs(model, sequences):
    """A prompt's own rows are not the text's."""
    out = []
    for s in sequences:
        logits = model(input_ids=torch.tensor([s]), attention_mask=torch.ones(1, len(s), dtype=torch.long)).logits[0]
        logits = logits.double().reshape(-1, logits.shape[-1])
        out.append(logits[-len(s):] if len(logits) > len(s) else logits)
    return out


def check(program, name, kind, place):
    label = f"{name:16} {kind:14}"
    base, adapter = place / name, place / f"{name}-{kind}"
    try:
        model = make(name, kind)
    except TypeError as problem:  # PEFT knows no Conv1D there
        print(f"skipped {label} {str(problem)[:60]}")
        return "skipped"
    model.save_pretrained(adapter)
    reference = theirs(model, families.sequences())
    errors = []
    for more in ([], ["--merged"]):
        try:
            errors.append(worst(ours(program, base, families.sequences(), "--adapter", adapter, *more), reference))
        except RuntimeError as problem:
            if more and "cannot be folded" in str(problem):
                continue
            print(f"{'refused' if 'exit 2' in str(problem) else 'FAILED '} {label} {problem}", flush=True)
            return "refused" if "exit 2" in str(problem) else "failed"
    good = max(errors) < BAR
    print(f"{'ok     ' if good else 'FAILED '} {label} {' '.join(f'{e:.1e}' for e in errors)}", flush=True)
    return "passed" if good else "failed"


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    names = sys.argv[2:] or ["bert", "roberta", "gpt2", "gpt2-classes", "llama", "llama-classes"]
    results = []
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            families.save(name, pathlib.Path(place) / name)
            results += [check(sys.argv[1], name, kind, pathlib.Path(place)) for kind in configs(name.split("-")[0])]
    print("adapters:", ", ".join(f"{results.count(r)} {r}" for r in ("passed", "refused", "skipped", "failed")))
    sys.exit("failed" in results)


if __name__ == "__main__":
    main()
