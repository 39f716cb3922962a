#!/usr/bin/env python3
"""check_tokenizers: ids and decoded text here and in the tokenizers library, on 100,000 lines.

    check_tokenizers.py PEFTBENCH TEXTS.txt[.xz] [--goldens]

Trains a small vocabulary for each recipe that published models use on the first lines of TEXTS, then
compares on real lines, random Unicode and strings made to break things.  --goldens writes what
`make test` checks: tests/golden/bpe/.  Exit code 1 if one line differs.
"""

import json
import lzma
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SIGN = "\u2581"
VOCAB = 420 if "--goldens" in sys.argv else 1500


def byte_level(pre, normalizer=None, **model):
    t = Tokenizer(models.BPE(**model))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    if normalizer:
        t.normalizer = normalizer
    return t, trainers.BpeTrainer(vocab_size=VOCAB, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                  special_tokens=["<|end|>", "<|im_start|>"])


def sentence_piece(fallback):
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=fallback, fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend(SIGN), normalizers.Replace(" ", SIGN)])
    t.decoder = decoders.Sequence([decoders.Replace(SIGN, " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{i:02X}>" for i in range(256)] if fallback else [])
    return t, trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=special, show_progress=False, max_token_length=12)


def recipes():
    level, sequence = pre_tokenizers.ByteLevel, pre_tokenizers.Sequence
    split = lambda r: pre_tokenizers.Split(Regex(r), "isolated")
    metaspace, trainer = sentence_piece(True)
    metaspace.normalizer = None
    metaspace.pre_tokenizer = pre_tokenizers.Metaspace(SIGN, "first")
    metaspace.decoder = decoders.Metaspace(SIGN, "first")
    return {
        "gpt2": byte_level(level(add_prefix_space=False)),
        "roberta": byte_level(level(add_prefix_space=True)),
        "llama3": byte_level(sequence([split(LLAMA3), level(add_prefix_space=False, use_regex=False)]), ignore_merges=True),
        "qwen2": byte_level(sequence([split(QWEN), level(add_prefix_space=False, use_regex=False)]), normalizers.NFC()),
        "smollm": byte_level(sequence([pre_tokenizers.Digits(individual_digits=True), level(add_prefix_space=False)])),
        "llama": sentence_piece(True),
        "no-fallback": sentence_piece(False),
        "metaspace": (metaspace, trainer),
    }


def texts(path):
    opened = lzma.open(path, "rt") if path.endswith(".xz") else open(path)
    with opened as f:
        return f.read(30_000_000).replace("<br />", "\n").replace(". ", ".\n").split("\n")[:70000]



def strange(count, seed=11):
    rng = random.Random(seed)
    pools = [(0x20, 0x7E), (0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0x1100, 0x11FF),
             (0x2000, 0x206F), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xACFF), (0x1F300, 0x1F64F), (9, 13)]
    hard = ["", " ", "  ", "\t", "\n\n", " \r\n ", "a" * 300, " " * 200, "'s't're'LL", "1234567 89 0.5e-3", "<|end|>x<|im_start|>",
            "e\u0301\u0301", "\u00e9", "\u2581a \u2581", "\u0000", "\ufeffx", "<0x0A>", "<s></s>", "\u00a0 \u00a0", "ab" * 5000]
    for i in range(count):
        if i < len(hard):
            yield hard[i]
            continue
        low, high = rng.choice(pools)
        chars = [chr(rng.randint(*rng.choice(pools) if rng.random() < 0.2 else (low, high))) for _ in range(rng.randint(0, 60))]
        yield "".join(c if rng.random() < 0.85 else rng.choice(" '\n.,0") for c in chars)


def ours(program, folder, lines, *how):
    run = subprocess.run([program, "tokenize", "--model", str(folder), *how], input="".join(json.dumps(x) + "\n" for x in lines),
                         capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"exit {run.returncode}: {run.stderr}")
    return [json.loads(x) for x in run.stdout.split("\n")[:-1]]


def check(program, name, tokenizer, lines, folder):
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    reference = [tokenizer.encode(x).ids for x in lines]
    got = [x["ids"] for x in ours(program, folder, lines, "--json")]
    wrong = [i for i, (a, b) in enumerate(zip(got, reference, strict=True)) if a != b]
    some = reference[:20000] + reference[-20000:]
    back = ours(program, folder, some, "--decode", "--plain")
    lost = [i for i, (a, b) in enumerate(zip(back, some, strict=True)) if a != tokenizer.decode(b)]
    print(f"{'ok    ' if not wrong and not lost else 'FAILED'} {name:12} {len(lines)} lines, {len(wrong)} differ; "
          f"{len(some)} decoded, {len(lost)} differ", flush=True)
    for i in wrong[:3]:
        print("   ", ascii(lines[i])[:100], got[i][:12], reference[i][:12])
    for i in lost[:3]:
        print("   ", some[i][:12], ascii(back[i])[:60], ascii(tokenizer.decode(some[i]))[:60])
    return not wrong and not lost


def write_goldens(name, tokenizer, lines):
    folder = pathlib.Path(__file__).parent.parent / "golden" / "bpe" / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    with open(folder / "texts.jsonl", "w") as f:
        for x in lines:
            ids = tokenizer.encode(x).ids
            f.write(json.dumps({"text": x, "ids": ids, "back": tokenizer.decode(ids)}) + "\n")


def main():
    program, real = sys.argv[1], texts(sys.argv[2])
    lines = real + list(strange(100000 - len(real)))
    good = []
    with tempfile.TemporaryDirectory() as place:
        for name, (tokenizer, trainer) in recipes().items():
            tokenizer.train_from_iterator(real[:3000], trainer)
            if name in ("llama3", "llama"):
                first = "<|end|>" if name == "llama3" else "<s>"
                tokenizer.post_processor = processors.TemplateProcessing(
                    single=f"{first} $A", special_tokens=[(first, tokenizer.token_to_id(first))])
            if name == "roberta":
                tokenizer.post_processor = processors.RobertaProcessing(("<|im_start|>", 1), ("<|end|>", 0))
            tokenizer.add_tokens([AddedToken("film noir", normalized=True)])
            if "--goldens" in sys.argv:
                write_goldens(name, tokenizer, real[:3] + [x for x in strange(19 + 40) if len(x) < 400][:59])
                continue
            good.append(check(program, name, tokenizer, lines, pathlib.Path(place) / name))
    print(f"tokenizers: {sum(good)} passed, {len(good) - sum(good)} failed")
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
