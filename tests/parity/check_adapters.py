#!/usr/bin/env python3
"""check_adapters: adapters that PEFT saved, read here.

    check_adapters.py PEFTBENCH [MODEL[=KIND] ..]

For tiny models of eight families and every kind of adapter (or those whose name begins with KIND): PEFT makes one with random tensors, saves it
and loads it again on the same base; its logits are compared with `peftbench logits --adapter`, and
--merged where that can be. A line a pair; a kind that the program refuses with a message is `refused`,
not failed. Exit code 1 if one differs by more than 1e-4.
"""

import pathlib
import sys
import tempfile
import warnings

import peft
import torch
import transformers

import families
import summary
from check_models import BAR, ours, worst
from make_training import exact_decompositions

LINEAR = {
    "bert": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
    "roberta": ["query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense"],
    "distilbert": ["q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}
NORMS = {"bert": ["LayerNorm"], "roberta": ["LayerNorm"], "distilbert": ["sa_layer_norm", "output_layer_norm"],
         "gpt2": ["ln_1", "ln_2", "ln_f"],
         "llama": ["input_layernorm", "post_attention_layernorm", "norm"]}
SAVED = {"bert": "word_embeddings", "roberta": "word_embeddings", "distilbert": "position_embeddings",
         "gpt2": "wpe", "llama": "norm"}


EMBED = {"bert": "word_embeddings", "roberta": "word_embeddings", "distilbert": "word_embeddings", "gpt2": "wte",
         "llama": "embed_tokens"}
OUTPUT = {"bert": "decoder", "roberta": "decoder", "distilbert": "vocab_projector",
          "gpt2": "lm_head", "llama": "lm_head"}
POOL = {"bert": "pooler.dense", "roberta": "attention.output.dense", "distilbert": "ffn.lin2",
        "gpt2": "mlp.c_fc", "llama": "mlp"}
STACK = {"bert": "layer", "roberta": "layer", "distilbert": "layer", "gpt2": "h", "llama": "layers"}
for table in (LINEAR, NORMS, SAVED, EMBED, OUTPUT, POOL, STACK):  # those that share Llama's names
    table |= {family: table["llama"] for family in ("qwen2", "qwen3")}


def usual(family):
    """Where PEFT knows no modules of a family, they are named."""
    return dict(r=3, lora_alpha=5, **(dict(target_modules=["q_lin", "v_lin"]) if family == "distilbert" else {}))


def common(family, language):
    """Settings of LoRA that change more than the projections of the layers."""
    lora = usual(family)
    first, embed, every = LINEAR[family][0], EMBED[family], LINEAR[family]
    out = {
        "pissa": dict(init_lora_weights="pissa", target_modules=every),
        "pissa dora": dict(init_lora_weights="pissa", use_dora=True),
        "pissa rslora": dict(init_lora_weights="pissa", use_rslora=True, rank_pattern={first: 2}),
        "pissa iterated": dict(init_lora_weights="pissa_niter_4"),
        "olora": dict(init_lora_weights="olora", target_modules=every),
        "mica": dict(init_lora_weights="mica"),
        "gaussian": dict(init_lora_weights="gaussian"),
        "orthogonal": dict(init_lora_weights="orthogonal", r=4),
        "bias lora_only": dict(bias="lora_only"),
        "bias all": dict(bias="all"),
        "lora_bias": dict(lora_bias=True, use_rslora=True),
        "all-linear": dict(target_modules="all-linear"),
        "all-linear dora": dict(target_modules="all-linear", use_dora=True),
        "regex": dict(target_modules=rf".*\.1\..*({'|'.join(every)})"),
        "excluded": dict(target_modules=every, exclude_modules=[every[-1], first]),
        "excluded regex": dict(target_modules=every, exclude_modules=rf".*\.0\..*{first}"),
        "layers one": dict(target_modules=every, layers_to_transform=1),
        "layers pattern": dict(target_modules=every, layers_to_transform=[0, 2],
                               layers_pattern=STACK[family]),
        "embed": dict(target_modules=[first, embed]),
        "embed dora": dict(target_modules=[first, embed], use_dora=True),
        "embed alone": dict(target_modules=[embed]),
        "saved embed": dict(modules_to_save=[embed]),
        "saved layers": dict(target_modules=[first], modules_to_save=[POOL[family]]),
        "tokens": dict(trainable_token_indices=[5, 9, 3]),
        "tokens dict": dict(trainable_token_indices={embed: [7]}),
        "resized": dict(),
        "pickled": dict(target_modules=every),
        "replicated": dict(layer_replication=[[0, 2], [1, 3]]),
        "alora": dict(alora_invocation_tokens=[5, 6]),
    }
    if language:
        head = OUTPUT[family]
        out.update({
            "head": dict(target_modules=[first, head]),
            "head dora": dict(target_modules=[first, head], use_dora=True),
            "head alone": dict(target_modules=[head]),
            "head pissa": dict(target_modules=[first, head], init_lora_weights="pissa"),
            "head lora_bias": dict(target_modules=[first, head], lora_bias=True),
            "head and embed": dict(target_modules=[first, head, embed]),
            "saved head": dict(modules_to_save=[head]),
            "saved both": dict(modules_to_save=[head, embed]),
            "saved tied": dict(modules_to_save=[embed], ensure_weight_tying=True),
            "embed tied": dict(target_modules=[first, embed], ensure_weight_tying=True),
            "tokens both": dict(trainable_token_indices={embed: [7, 2], head: [7, 2]}),
            "tokens apart": dict(trainable_token_indices={embed: [7, 2], head: [2]}),
            "tokens head": dict(trainable_token_indices={head: [2]}),
            "resized saved": dict(modules_to_save=[embed]),
        })
    return {"lora " + name: peft.LoraConfig(**{**lora, **settings}) for name, settings in out.items()}


def configs(name):
    """name: the configuration without its task_type."""
    family = name.split("-")[0]
    every = plain(family) if family in NORMS else {}
    language = not families.MODELS[name][2].endswith("Classification")
    return {**every, **common(family, language)} if family in POOL else every


def plain(family):
    lora = dict(r=3, lora_alpha=5)
    every, first = LINEAR[family], LINEAR[family][0]
    soft = dict(num_virtual_tokens=4)
    return {
        "lora": peft.LoraConfig(**usual(family)),
        "lora all": peft.LoraConfig(**lora, target_modules=every),
        "lora rslora": peft.LoraConfig(**lora, target_modules=every, use_rslora=True),
        "lora dora": peft.LoraConfig(**lora, target_modules=every, use_dora=True),
        "lora patterns": peft.LoraConfig(**lora, target_modules=every, rank_pattern={r".*\.1\..*": 2, first: 5},
                                         alpha_pattern={every[-1]: 7}),
        "lora patterns moved": peft.LoraConfig(**lora, target_modules=every, rank_pattern={first: 5, r".*\.1\..*": 2}),
        "lora layers": peft.LoraConfig(**lora, target_modules=every, layers_to_transform=[0, 2]),
        "lora saved": peft.LoraConfig(**usual(family), modules_to_save=[SAVED[family]]),
        "ia3": peft.IA3Config(),
        "prefix": peft.PrefixTuningConfig(**soft),
        "prefix mlp": peft.PrefixTuningConfig(**soft, prefix_projection=True, encoder_hidden_size=7),
        "cartridge": peft.CartridgeConfig(**soft),
        "cartridge free": peft.CartridgeConfig(**soft, num_frozen_tokens=0),
        "prompt": peft.PromptTuningConfig(**soft),
        "multitask": peft.MultitaskPromptTuningConfig(**soft, num_ranks=2),
        "multitask two": peft.MultitaskPromptTuningConfig(**soft, num_tasks=2),
        "p-tuning": peft.PromptEncoderConfig(**soft, encoder_hidden_size=9),
        "ln": peft.LNTuningConfig(target_modules=NORMS[family]),
        "loha": peft.LoHaConfig(r=3, alpha=5, target_modules=every),
        "lokr": peft.LoKrConfig(r=3, alpha=5, target_modules=every),
        "vera": peft.VeraConfig(r=5, target_modules=[first]),
        "oft": peft.OFTConfig(oft_block_size=4, target_modules=[first]),
        "lora converted": peft.LoraConfig(**lora, target_modules=every, init_lora_weights="pissa"),
        "ia3 more": peft.IA3Config(target_modules=every, feedforward_modules=every[-2:]),
        "ia3 regex": peft.IA3Config(target_modules=rf".*({'|'.join(every)})", feedforward_modules=rf".*{every[-1]}"),
        "ln default": peft.LNTuningConfig(),
        "adalora left": peft.AdaLoraConfig(init_r=4, target_r=2, total_step=10, target_modules=every, orth_reg_weight=0.5),
        "adalora": peft.AdaLoraConfig(init_r=4, target_r=2, total_step=10, target_modules=every),
    } | more_types(every, first, [first] if family == "gpt2" else every[:4])


def more_types(every, first, square):
    """The types of PEFT that came after LoRA, with all projections where their sizes allow it."""
    one, all_, even = (dict(target_modules=names) for names in ([first], every, square))
    return {
        "adaption prompt": peft.AdaptionPromptConfig(adapter_len=3, adapter_layers=2),
        "beft": peft.BeftConfig(**all_),
        "boft": peft.BOFTConfig(boft_block_size=4, **even),
        "c3a": peft.C3AConfig(block_size=4, **even),
        "c3a one": peft.C3AConfig(block_size=10, **one),
        "deft": peft.DeftConfig(r=3, **all_),
        "deft alpha": peft.DeftConfig(r=3, alpha=6, **one),
        "deft para": peft.DeftConfig(r=3, para=True, **all_),
        "delora": peft.DeloraConfig(r=3, delora_lambda=5, **all_),
        "delora patterns": peft.DeloraConfig(r=3, rank_pattern={first: 2}, lambda_pattern={first: 7}, **all_),
        # With PEFT's scaling of 150 the changes of all matrices reach six times the largest weight, and half a bit of the weights
        # moves the logits of single texts by 2e-4 in 64 bits.
        "fourierft": peft.FourierFTConfig(n_frequency=30, scaling=40.0, **all_),
        "fourierft seed": peft.FourierFTConfig(n_frequency=30, scaling=40.0, random_loc_seed=5, **one),
        "fourierft pattern": peft.FourierFTConfig(n_frequency=30, scaling=40.0, n_frequency_pattern={first: 20}, **all_),
        "glora": peft.GloraConfig(r=3, **all_),
        "glora others": peft.GloraConfig(r=3, config_A_B="vector", config_C="vector", config_D_E="vector", **all_),
        "gralora": peft.GraloraConfig(r=4, alpha=6, gralora_k=2, **even),
        "gralora hybrid": peft.GraloraConfig(r=4, alpha=6, gralora_k=2, hybrid_r=2, **even),
        "hira": peft.HiraConfig(r=3, **all_),
        "hira pattern": peft.HiraConfig(r=3, rank_pattern={first: 2}, **all_),
        "hra": peft.HRAConfig(r=4, **all_),
        "hra odd": peft.HRAConfig(r=3, **all_),
        "hra gs": peft.HRAConfig(r=4, apply_GS=True, **one),
        "lily": peft.LilyConfig(r=3, num_B=2, **one),
        "loha patterns": peft.LoHaConfig(r=3, alpha=5, rank_pattern={first: 2}, alpha_pattern={first: 7}, **all_),
        "lokr full": peft.LoKrConfig(r=64, alpha=5, **all_),
        "lokr both": peft.LoKrConfig(r=2, alpha=5, decompose_both=True, decompose_factor=4, **all_),
        "lokr factor": peft.LoKrConfig(r=2, alpha=5, decompose_factor=2, **all_),
        "miss": peft.MissConfig(r=4, **all_),
        "miss odd": peft.MissConfig(r=5, **all_),
        "miss bat": peft.MissConfig(r=4, init_weights="bat", **one),
        "miss mini": peft.MissConfig(r=4, mini_r=2, init_weights="mini", **one),
        "oft exact": peft.OFTConfig(oft_block_size=4, use_cayley_neumann=False, **all_),
        "oft shared": peft.OFTConfig(oft_block_size=4, block_share=True, **all_),
        "oft coft": peft.OFTConfig(oft_block_size=4, coft=True, **one),
        "oft r": peft.OFTConfig(r=2, oft_block_size=0, **one),
        "osf": peft.OSFConfig(**all_),
        "osf share": peft.OSFConfig(effective_rank=0.7, **all_),
        "osf rank": peft.OSFConfig(effective_rank=6, **one),
        "peanut": peft.PeanutConfig(r=3, **all_),
        "peanut deep": peft.PeanutConfig(r=3, depth=1, act_fn="gelu", scaling=2.0, **one),
        "psoft": peft.PsoftConfig(r=4, psoft_alpha=4, **one),
        "pvera": peft.PveraConfig(r=4, **one),
        "randlora": peft.RandLoraConfig(r=4, randlora_alpha=8, **all_),
        "randlora sparse": peft.RandLoraConfig(r=3, randlora_alpha=9, sparse=True, **one),
        "randlora unsaved": peft.RandLoraConfig(r=3, save_projection=False, **one),
        "road": peft.RoadConfig(group_size=4, **even),
        "road 2": peft.RoadConfig(group_size=4, variant="road_2", **even),
        "road 4": peft.RoadConfig(group_size=4, variant="road_4", **even),
        "shira": peft.ShiraConfig(r=2, **all_),
        "supertuning": peft.SupertuningConfig(sparsity=0.93, **all_),
        "supertuning bottom": peft.SupertuningConfig(sparsity=0.9, select_top=False, **one),
        "supertuning supra": peft.SupertuningConfig(sparsity=0.9, r=2, lora_alpha=3, **one),
        "tinylora": peft.TinyLoraConfig(r=2, u=5, **one),
        "tinylora tied": peft.TinyLoraConfig(r=2, u=5, weight_tying=0.4, **all_),
        "tinylora one": peft.TinyLoraConfig(r=3, u=2, weight_tying=1.0, **all_),
        "tinylora all": peft.TinyLoraConfig(r=2, u=3, target_modules="all-linear"),
        "tinylora unsaved": peft.TinyLoraConfig(r=2, u=5, save_projection=False, **one),
        "tokens alone": peft.TrainableTokensConfig(token_indices=[5, 9]),
        "unilora": peft.UniLoraConfig(r=2, theta_d_length=24, **one),
        "unilora indices": peft.UniLoraConfig(r=2, theta_d_length=25, save_indices=True, **all_),
        "vblora": peft.VBLoRAConfig(r=2, num_vectors=16, vector_length=4, topk=2, **even),
        "vblora topk": peft.VBLoRAConfig(r=2, num_vectors=16, vector_length=4, save_only_topk_weights=True, **one),
        "vera all": peft.VeraConfig(r=5, **all_),
        "vera unsaved": peft.VeraConfig(r=5, save_projection=False, **one),
        "waveft": peft.WaveFTConfig(n_frequency=30, **all_),
        "waveft pattern": peft.WaveFTConfig(n_frequency=30, n_frequency_pattern={first: 20}, random_loc_seed=5, **all_),
        "waveft db2": peft.WaveFTConfig(n_frequency=30, wavelet_family="db2", **one),
        "waveft direct": peft.WaveFTConfig(n_frequency=30, use_idwt=False, **one),
        "waveft proportional": peft.WaveFTConfig(n_frequency=30, proportional_parameters=True, **all_),
    }


def widen(base, kind):
    """Some rows are about a vocabulary that grew; torch draws the new rows, so that two calls draw the same."""
    if "resized" in kind:
        torch.manual_seed(11)
        base.resize_token_embeddings(families.VOCAB + 4, mean_resizing=False)
    return base


def make(name, kind, base=None):
    base = widen(base or families.make(name), kind)
    config = configs(name)[kind]
    class_name = type(base).__name__
    config.task_type = "CAUSAL_LM" if "Causal" in class_name or "LMHead" in class_name else \
        "SEQ_CLS" if "Sequence" in class_name else "TOKEN_CLS" if "Token" in class_name else None
    torch.manual_seed(7)
    model = peft.get_peft_model(base, config).eval()
    for p in (p for p in model.parameters() if p.requires_grad):
        p.data = p.data + 0.1 * torch.randn(p.shape)
    if kind == "adalora left":  # the triplets that its last step of training has left
        for name, p in model.model.named_parameters() if hasattr(model, "model") else model.named_parameters():
            if ".lora_E." in name:
                part = torch.rand(p.shape[0]) < 0.6
                part[0] = True
                config.rank_pattern = (config.rank_pattern or {}) | {name: part.tolist()}
                p.data[~part] = 0
    return model


def save(model, kind, folder):
    """As PEFT saves it; one kind is made plain LoRA of twice the rank."""
    if kind != "lora converted":
        return model.save_pretrained(folder, safe_serialization="pickled" not in kind)
    begun = folder.parent / (folder.name + "-begun")
    torch.manual_seed(7)
    start = peft.get_peft_model(type(model.get_base_model()).from_pretrained(folder.parent / folder.name.split("=")[0]),
                                peft.LoraConfig(**{**model.peft_config["default"].to_dict(), "init_lora_weights": "pissa"}))
    start.peft_config["default"].init_lora_weights = True
    start.save_pretrained(begun)
    return model.save_pretrained(folder, path_initial_model_for_weight_conversion=begun)


def load(name, kind, folder, place):
    """PEFT decomposes the base anew for starts such as PiSSA's."""
    base = getattr(transformers, families.MODELS[name][2]).from_pretrained(place / name, attn_implementation="eager")
    with exact_decompositions():
        return peft.PeftModel.from_pretrained(widen(base.eval(), kind), folder).eval()


@torch.no_grad()
def theirs(model, sequences):
    """A prompt's own rows are not the text's."""
    out = []
    kind = model.active_peft_config.peft_type if hasattr(model, "active_peft_config") else None
    task = dict(task_ids=torch.tensor([0])) if kind == "MULTITASK_PROMPT_TUNING" else {}
    for s in sequences:
        mask = torch.ones(1, len(s), dtype=torch.long)
        logits = model(input_ids=torch.tensor([s]), attention_mask=mask, **task).logits[0]
        logits = logits.double().reshape(-1, logits.shape[-1])
        out.append(logits[-len(s):] if len(logits) > len(s) else logits)
    return out


def check(program, methods, name, kind, place):
    label = f"{name:16} {kind:20}"
    base, adapter = place / name, place / f"{name}={kind}"
    try:
        fresh = getattr(transformers, families.MODELS[name][2]).from_pretrained(base, attn_implementation="eager")
        with exact_decompositions():
            model = make(name, kind, fresh.eval())
        save(model, kind, adapter)
        reference = theirs(model, families.sequences())
    except (TypeError, ValueError, RuntimeError, LookupError) as problem:  # PEFT cannot do that there
        print(f"skipped {label} {str(problem)[:90]!r}")
        return "skipped"
    try:
        loaded = theirs(load(name, kind, adapter, place), families.sequences())
        apart = worst(loaded, reference)
        if apart > BAR:
            print(f"        {label} PEFT loads another model than it saved: {apart:.1e}")
        reference = loaded
    except (RuntimeError, KeyError) as problem:
        print(f"        {label} PEFT cannot load it: {str(problem)[:60]!r}")
    errors = []
    for more in ([], ["--merged"]):
        try:
            errors.append(worst(ours(program, base, families.sequences(), "--adapter", adapter, *more), reference))
        except RuntimeError as problem:
            if more and "cannot be merged into" in str(problem):
                continue
            print(f"{'refused' if 'exit 2' in str(problem) else 'FAILED '} {label} {problem}", flush=True)
            return "refused" if "exit 2" in str(problem) else "failed"
    good = max(errors) < BAR
    method = methods.of(kind, configs(name)[kind].peft_type.value)
    WORST[method] = max(WORST.get(method, 0), *errors)
    print(f"{'ok     ' if good else 'FAILED '} {label} {' '.join(f'{e:.1e}' for e in errors)}", flush=True)
    return "passed" if good else "failed"


WORST = {}  # by the method


def main():
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    names = sys.argv[2:] or ["bert", "roberta", "gpt2", "gpt2-classes", "llama", "llama-classes", "llama-tied",
                             "bert-masked", "roberta-masked", "distilbert", "distilbert-masked", "qwen2", "qwen3",
                             "bert-tokens", "gpt2-tokens", "llama-tokens"]
    results, methods = [], summary.Methods(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            name, _, begins = name.partition("=")
            families.save(name, pathlib.Path(place) / name)
            results += [check(sys.argv[1], methods, name, kind, pathlib.Path(place)) for kind in configs(name)
                        if kind.startswith(begins)]
    for method, error in sorted(WORST.items()):
        summary.tell_method(method, {"read": error})
    summary.finish("adapters", results, max(WORST.values(), default=None))


if __name__ == "__main__":
    main()
