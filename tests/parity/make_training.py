#!/usr/bin/env python3
"""make_training: twenty steps of training with PEFT, for tests/train/test_peft.c.

    DIR/bin/python tests/parity/make_training.py [NAME ..]      writes tests/golden/training/NAME/, by default all

A folder has the adapter at its start, as PEFT saves it (random values of our own, exact in 32 bits), and training.txt: the
five texts as ids and their labels; `tensor logits` and `tensor loss` of the start; `grad NAME` of every trained tensor at
the start; `after NAME`, the tensors after 20 steps of AdamW (learning rate 1e-3, constant; no decay, no clip).  NAME is
that of the tensor in PEFT's file.  Everything is computed in double, on tests/golden/tiny-bert, without dropout.

A new method needs a line in CASES here, such as `"hra": Case(config(peft.HRAConfig, r=4))`, a row in the table `cases` of
tests/train/test_peft.c, `{.name = "hra"}`, and the folder that `make_training.py hra` writes.
"""

import contextlib
import copy
import functools
import json
import sys
from unittest import mock

import numpy as np
import peft
import torch
from peft.optimizers import create_riemannian_optimizer
from peft.tuners import c3a
from peft.tuners._buffer_dict import BufferDict
from peft.tuners.lora import LoraGAConfig, preprocess_loraga
from peft.tuners.lora.config import KasaConfig

import make_goldens
import oracle

OUT = make_goldens.GOLDEN / "training"
STEPS, RATE, SEED = 20, 1e-3, 5


class Case:
    """How PEFT wraps the model; what an adapter does between steps and adds to the loss, if it does anything; what of it
    stays; and the optimizer, by default AdamW.  The values at the start are normal with a deviation of 0.3 `scale`, and
    `near` has the mean of tensors, by a part of their name, where it is not 0.  Buffers that PEFT draws, with `drawn` in their
    name, are drawn so too: the last bits of torch's random numbers depend on the processor."""

    def __init__(self, make, after_step=None, near=None, scale=1.0, frozen=None, optimizer=None, penalty=None, drawn=None):
        self.make, self.after_step, self.near, self.scale = make, after_step, near, scale
        self.frozen, self.penalty, self.drawn = frozen, penalty, drawn
        self.optimizer = optimizer or (lambda model: adamw([p for p in model.parameters() if p.requires_grad]))

    def start(self, base, name, batch):
        model = peft.get_peft_model(base, self.make())
        oracle.randomise(model, name, SEED, self.scale, self.near)
        for n, p in model.named_parameters():
            if self.frozen and self.frozen in n:
                p.requires_grad = False
        rng = np.random.default_rng(SEED)
        for n, x in model.named_buffers():
            if self.drawn and self.drawn in n:
                x.copy_(torch.from_numpy((0.3 * rng.standard_normal(x.shape)).astype(np.float32)))
        return model


def modules_with(model, tensor):
    """PEFT's modules that have this tensor, with their names in the base model."""
    return [(n, m) for n, m in model.base_model.model.named_modules() if hasattr(m, tensor)]


class Residual(Case):
    """The start is PEFT's, from the weights, of which PEFT subtracts s B A in 32 bits; here in 64."""

    def start(self, base, name, batch):
        oracle.randomise(base, name, SEED, 1.0)
        weights = {n: p.detach().double().clone() for n, p in base.named_parameters()}
        model = peft.get_peft_model(base, self.make())
        base.double()
        for place, module in modules_with(model, "lora_A"):
            product = module.lora_B["default"].weight.double() @ module.lora_A["default"].weight.double()
            module.base_layer.weight.data = weights[f"{place}.weight"] - module.scaling["default"] * product.detach()
        return model


def decompose(weight, full_matrices=False, torch_svd=torch.linalg.svd):
    """u, s and v^T in 64 bits, with the signs of src/numeric/lapack.h."""
    assert not full_matrices or weight.shape[0] == weight.shape[1]
    u, s, vt = torch_svd(weight.double(), full_matrices=False)
    sign = vt[range(len(s)), vt.abs().argmax(dim=1)].sign()
    return u * sign, s, vt * sign[:, None]


def svd(weight, rank, last=False):
    """u s and v^T of the largest or the last singular values, in 64 bits."""
    u, s, vt = decompose(weight)
    part = slice(len(s) - rank, None) if last else slice(rank)
    return (u * s)[:, part], vt[part]


def decompose_lowrank(weight, q=6, niter=2, M=None):
    u, s, vt = decompose(weight)
    return u[:, :q], s[:q], vt[:q].T


@contextlib.contextmanager
def exact_decompositions():
    """PEFT decomposes in 32 bits, and the rounding depends on the processor (MKL_CBWR=COMPATIBLE has that of an old one);
    svd_lowrank multiplies by random numbers, whose last bits do too.  Inside, all of it is computed in 64 bits and rounded
    once, so that the start of an adapter is a function of the weights."""

    def rounding(exact):
        def rounded(x, *more, **named):
            factors = exact(x.double(), *more, **named)
            return type(factors)([factor.to(x.dtype) for factor in factors])  # with the names of its fields

        return rounded

    with mock.patch.multiple(torch.linalg, svd=rounding(decompose), qr=rounding(torch.linalg.qr)), \
            mock.patch.object(torch, "svd_lowrank", rounding(decompose_lowrank)):
        yield


class Kasa(Case):
    """PEFT truncates W in 32 bits; here in 64."""

    def start(self, base, name, batch):
        weights = {n: p.detach().double().clone() for n, p in base.named_parameters()}
        model = super().start(base, name, batch)
        base.double()
        for place, module in modules_with(model, "lora_A"):
            left, right = svd(weights[f"{place}.weight"], module.r["default"], last=True)
            truncated = weights[f"{place}.weight"] - left @ right
            assert (truncated - module.base_layer.weight).abs().max() < 1e-5
            module.base_layer.weight.data = truncated
        return model


def kasa_penalty(model):
    """As LoraModel._get_kasa_loss, which computes in 32 bits."""
    total = 0
    for _, module in modules_with(model, "lora_diag"):
        a, b, diag = (x["default"] for x in (module.lora_A, module.lora_B, module.lora_diag))
        eye, settings = torch.eye(len(diag)), model.peft_config["default"].kasa_config
        off = torch.linalg.norm(b.weight.T @ b.weight - eye) + torch.linalg.norm(a.weight @ a.weight.T - eye)
        total = total + settings.beta * (diag**2).sum() + settings.gamma * off
    return total


class Psoft(Case):
    """The fixed factors, which PEFT does not save, are computed in 64 bits, and its rotation starts at random."""

    def start(self, base, name, batch):
        model = super().start(base, name, batch)
        base.double()
        for _, module in modules_with(model, "psoft_R"):
            left, right = svd(module.base_layer.weight.detach(), module.r["default"])
            a, b = module._get_psoft_ab_cache_buffers("default")
            assert (b.double() @ a.double() * module.scaling["default"] - left @ right).abs().max() < 1e-5
            module._set_psoft_ab_cache_buffers("default", right, left / module.scaling["default"])
        return model


class Osf(Case):
    """The decomposition, of which PEFT's file has no part that stays, is made in 64 bits.  PEFT projects a gradient as
    soon as torch has it; here right before the step, so that `grad` is the gradient of the loss."""

    def __init__(self, make):
        super().__init__(make, optimizer=self.projecting)

    def projecting(self, model):
        optimizer = adamw([p for p in model.parameters() if p.requires_grad])
        step = optimizer.step

        def project_and_step():
            for p, project in self.projections:
                p.grad = project(p.grad)
            step()

        optimizer.step = project_and_step
        return optimizer

    def start(self, base, name, batch):
        model = super().start(base, name, batch)
        base.double()
        for _, module in modules_with(model, "osf_svd_params"):
            weight, kept = module.base_layer.weight.detach(), module.effective_rank["default"]
            (left, right), (low, high) = svd(weight, kept), svd(weight, min(weight.shape) - kept, last=True)
            lengths = low.norm(dim=0)
            assert (lengths - module._osf_S_low_init["default"]).abs().max() < 1e-5
            module._osf_U_low_init["default"], module._osf_V_low_init["default"] = low / lengths, high
            module._osf_S_low_init["default"] = lengths
            for stored, exact in ((module._osf_U_high, left / left.norm(dim=0)), (module._osf_V_high, right)):
                if "default" in stored:
                    stored["default"] = exact
        self.projections = [(p, hook) for p in model.parameters() for hook in (p._backward_hooks or {}).values()]
        for _, module in modules_with(model, "osf_svd_params"):
            module._detach_hooks()
        return model


class Adamss(Case):
    """One cluster, of which the names do not depend on the weights.  The fixed factor is computed in 64 bits and is not in
    the file, and its part with the bias multiplies 1."""

    def start(self, base, name, batch):
        model = super().start(base, name, batch)
        base.double()
        for _, module in modules_with(model, "adamss_newB"):
            layer = module.get_base_layer()
            both = torch.cat((layer.weight, layer.bias[:, None]), dim=1).detach()
            exact, kept = svd(both, len(module.adamss_newB["default"]))[1], module.adamss_newB["default"].double()
            assert (exact.T @ exact - kept.T @ kept).abs().max() < 1e-4
            module.adamss_newB = BufferDict(persistent=False)
            module.adamss_newB["default"], module.dtype = exact, torch.float64
        return model


class LoraGa(Case):
    """The start is PEFT's, from the gradient of these texts.  PEFT subtracts s B A from W in 32 bits; here in 64."""

    def start(self, base, name, batch):
        config = self.make()
        oracle.randomise(base, name, SEED, 1.0)
        base.double()
        weights = {n: p.detach().clone() for n, p in base.named_parameters()}
        preprocess_loraga(base, config, lambda: base(**batch).loss.backward())
        model = peft.get_peft_model(base, config)
        for place, module in model.base_model.model.named_modules():
            if hasattr(module, "lora_A"):
                for factor in (module.lora_A, module.lora_B):  # exact in 32 bits, as they are saved
                    factor["default"].weight.data = factor["default"].weight.data.float().double()
                product = module.lora_B["default"].weight @ module.lora_A["default"].weight
                module.base_layer.weight.data = weights[f"{place}.weight"] - module.scaling["default"] * product.detach()
        return model


class C3a(Case):
    """PEFT computes in 32 bits, and its gradient of x is wrong (torch.autograd.gradcheck): it correlates where it has to
    convolve.  Here its weight, made in 64 bits, multiplies x, and torch differentiates."""

    def start(self, base, name, batch):
        model = super().start(base, name, batch)
        for module in model.modules():
            if isinstance(module, c3a.layer.C3ALinear):
                module.forward = functools.partial(self.forward, module)
        return model

    @staticmethod
    def forward(module, x):
        weight = c3a.utils.get_circulant_fast(module.c3a_kernel["default"])
        return module.base_layer(x) + torch.nn.functional.linear(x, weight) / x.size(-1)


class FourierFt(Case):
    """PEFT makes the weight in 32 bits; here in 64."""

    def start(self, base, name, batch):
        model = super().start(base, name, batch)
        for _, module in modules_with(model, "fourierft_spectrum"):
            module.get_delta_weight = functools.partial(self.delta, module)
        return model

    @staticmethod
    def delta(module, adapter):
        row, column = module.indices[adapter]
        spectrum = torch.zeros(module.out_features, module.in_features, dtype=torch.double)
        spectrum[row, column] = module.fourierft_spectrum[adapter].double()
        return torch.fft.ifft2(spectrum).real * module.fourierft_scaling[adapter]


class Pvera(Case):
    """The noise e is 1 instead of random, and the divergence of the authors' code, which PEFT leaves out, is a penalty."""

    WEIGHT = 0.3

    def __init__(self, make):
        super().__init__(make, penalty=lambda model: self.WEIGHT * sum(self.divergence.values()), drawn="pvera_")

    def start(self, base, name, batch):
        model, self.divergence = super().start(base, name, batch), {}
        self.tokens = batch["attention_mask"].bool()
        for place, module in modules_with(model, "pvera_lambda_d"):
            module._reparametrize = functools.partial(self.sample, place)
        return model

    def sample(self, place, mu, logvar, adapter):
        each = -0.5 * (1 + logvar - mu**2 - logvar.exp())
        self.divergence[place] = each[self.tokens].mean()
        return mu + torch.exp(0.5 * logvar)


def config(kind, **more):
    return lambda: kind(task_type="SEQ_CLS", **(dict(target_modules=["query", "value"]) | more))


def lora(**more):
    return config(peft.LoraConfig, **(dict(r=2, lora_alpha=3) | more))


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=RATE, weight_decay=0)


def lora_plus(model):
    """PEFT's own optimizer multiplies the rate of biases too, such as that of the head."""
    fast = [p for n, p in model.named_parameters() if p.requires_grad and "lora_B" in n]
    slow = [p for n, p in model.named_parameters() if p.requires_grad and "lora_B" not in n]
    return adamw([{"params": slow}, {"params": fast, "lr": 16 * RATE}])


def riemannian(model):
    return create_riemannian_optimizer(model, torch.optim.AdamW, lr=RATE, reg=1e-2, weight_decay=0)


def adalora():
    """Three steps with the whole budget, allocations in steps 4, 6, .. 14, the final budget from step 15 on."""
    return peft.AdaLoraConfig(task_type="SEQ_CLS", init_r=3, target_r=1, lora_alpha=3, target_modules=["query", "value"],
                              tinit=3, tfinal=5, deltaT=2, total_step=STEPS, orth_reg_weight=0.3, beta1=0.8, beta2=0.7)


CASES = {
    "lora": Case(lora()),
    "rslora": Case(lora(use_rslora=True)),
    "dora": Case(lora(use_dora=True)),
    "lora-ga": LoraGa(lora(init_lora_weights="lora_ga", lora_ga_config=LoraGAConfig())),
    "lora-plus": Case(lora(), optimizer=lora_plus),
    "lora-fa": Case(lora(), frozen="lora_A"),
    "riemannian": Case(lora(), optimizer=riemannian),
    "pissa": Residual(lora(init_lora_weights="pissa")),
    "olora": Residual(lora(init_lora_weights="olora")),
    "mica": Case(lora(init_lora_weights="mica"), frozen="lora_B"),
    "kasa": Kasa(lora(kasa_config=KasaConfig(beta=0.2, gamma=0.1)), penalty=kasa_penalty),
    "tinylora": Case(config(peft.TinyLoraConfig, r=2, u=5, weight_tying=1.0), drawn="tinylora_P"),
    "psoft": Psoft(config(peft.PsoftConfig, r=3, psoft_alpha=3), near={"vector_": 1}),
    "osf": Osf(config(peft.OSFConfig, effective_rank=0.75, target_modules=["query", "intermediate.dense", "output.dense"])),
    "adamss": Adamss(config(peft.AdamssConfig, r=16, num_subspaces=1, subspace_rank=2)),
    "ia3": Case(oracle.METHODS["ia3"][0]),
    "beft": Case(lambda: peft.BeftConfig(task_type="SEQ_CLS", target_modules=["value"])),
    "hra": Case(config(peft.HRAConfig, r=4)),
    "oft": Case(config(peft.OFTConfig, oft_block_size=4)),
    "oft-exact": Case(config(peft.OFTConfig, r=2, oft_block_size=0, use_cayley_neumann=False, block_share=True)),
    "gralora": Case(config(peft.GraloraConfig, r=4, alpha=6, gralora_k=2)),
    "road": Case(config(peft.RoadConfig, group_size=4)),
    "road-2": Case(config(peft.RoadConfig, group_size=8, variant="road_2")),
    "road-4": Case(config(peft.RoadConfig, group_size=4, variant="road_4")),
    "boft": Case(config(peft.BOFTConfig, boft_block_size=4)),
    "c3a": C3a(config(peft.C3AConfig, block_size=8)),
    "fourierft": FourierFt(
        config(peft.FourierFTConfig, n_frequency=30, scaling=40.0, target_modules=["query", "intermediate.dense"])
    ),
    "fourierft-pattern": FourierFt(
        config(peft.FourierFTConfig, n_frequency=30, scaling=40.0, target_modules=["query", "intermediate.dense"],
               n_frequency_pattern={"intermediate.dense": 20})
    ),
    "waveft": Case(config(peft.WaveFTConfig, n_frequency=30, target_modules=["query", "intermediate.dense"])),
    "vera": Case(config(peft.VeraConfig, r=5, target_modules=["query", "intermediate.dense"]), drawn="vera_"),
    "pvera": Pvera(config(peft.PveraConfig, r=5, target_modules=["query", "intermediate.dense"])),
    "vblora": Case(
        config(peft.VBLoRAConfig, r=3, num_vectors=5, vector_length=8, target_modules=["query", "intermediate.dense"])
    ),
    "hira": Case(config(peft.HiraConfig, r=3)),
    "loha": Case(config(peft.LoHaConfig, r=3, alpha=6)),  # PEFT holds alpha / r in 32 bits
    "miss": Case(config(peft.MissConfig, r=5, target_modules=["query", "intermediate.dense"])),
    "bat": Case(config(peft.MissConfig, r=8, init_weights="bat", target_modules=["query", "intermediate.dense"])),
    "delora": Case(config(peft.DeloraConfig, r=3, delora_lambda=2)),
    "glora": Case(config(peft.GloraConfig, r=3)),
    "peanut": Case(config(peft.PeanutConfig, r=4, depth=2, act_fn="silu", scaling=0.5)),
    "lokr": Case(config(peft.LoKrConfig, r=1, alpha=3, target_modules=["query", "intermediate.dense"])),
    "lokr-both": Case(config(peft.LoKrConfig, r=1, alpha=2, decompose_both=True, decompose_factor=4)),
    "adalora": Case(adalora, lambda model, step: model.base_model.update_and_allocate(step)),
}


def texts():
    tokenizer = make_goldens.plain_tokenizer()
    return [tokenizer.encode(text).ids for text, _ in make_goldens.TEXTS], [label for _, label in make_goldens.TEXTS]


def trained(model):
    """What PEFT saves, by its name there, without what does not train."""
    config = model.peft_config["default"]
    kept, config.rank_pattern = getattr(config, "rank_pattern", None), None  # AdaLoRA would leave out what it has masked
    saved = peft.get_peft_model_state_dict(model)
    config.rank_pattern = kept
    if kept is None and not hasattr(type(config), "rank_pattern"):
        del config.rank_pattern
    memory = {p.untyped_storage().data_ptr() for p in model.parameters() if p.requires_grad}
    saved = {n: x for n, x in saved.items() if x.untyped_storage().data_ptr() in memory or n == "prompt_embeddings"}
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert count == sum(x.numel() for x in saved.values()), saved.keys()
    return {n: x.detach().clone() for n, x in saved.items()}


def gradients(model):
    """The gradients by the same names: for a moment they stand where the values do."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    values = [p.data for p in parameters]
    for p in parameters:
        p.data = p.grad.clone()
    named = trained(model)
    for p, x in zip(parameters, values):
        p.data = x
    return named


def block(kind, name, x):
    x = np.atleast_2d(x)
    x = x.reshape(x.shape[0], -1)
    rows = [" ".join("%.13g" % v for v in row) for row in x]
    return "\n".join([f"{kind} {name} {x.shape[0]} {x.shape[1]}", *rows, ""])


def save_start(model, folder):
    copy.deepcopy(model).float().save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "adapter_model.safetensors").chmod(0o644)
    path = folder / "adapter_config.json"
    members = json.loads(path.read_text())
    members["base_model_name_or_path"] = None
    for key, value in members.items():  # sets, which Python writes in any order
        members[key] = sorted(value) if isinstance(value, list) and key.endswith("_modules") else value
    path.write_text(json.dumps(members, indent=1, sort_keys=True) + "\n")


def write(name, case):
    sequences, labels = texts()
    ids, mask = oracle.padded(sequences)
    batch = dict(input_ids=ids, attention_mask=mask, labels=torch.tensor(labels))
    torch.manual_seed(SEED)
    with exact_decompositions():
        model = case.start(oracle.load_base(make_goldens.TINY, oracle.CLASSES), name, batch)
    save_start(model.eval(), OUT / name)
    model.double()
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, labels))}\n")
    optimizer = case.optimizer(model)
    for step in range(STEPS):
        optimizer.zero_grad()
        out = model(**batch)
        loss = out.loss + (case.penalty(model) if case.penalty else 0)
        loss.backward()
        if step == 0:
            lines += [block("tensor", "logits", out.logits.detach()), block("tensor", "loss", loss.detach())]
            lines += [block("grad", n, g) for n, g in gradients(model).items()]
        optimizer.step()
        if case.after_step:
            case.after_step(model, step)
    lines += [block("after", n, x) for n, x in trained(model).items()]
    (OUT / name / "training.txt").write_text("".join(lines))
    print(f"{name:10} loss at the end {float(loss.detach()):.6f}, {len(gradients(model))} tensors")


def main():
    for name in sys.argv[1:] or CASES:
        write(name, CASES[name])


if __name__ == "__main__":
    main()
