#!/usr/bin/env python3
"""check_tokenizers: ids, words and decoded text here and in the tokenizers library, on 130,000 lines.

    check_tokenizers.py PEFTBENCH BPE TEXTS.txt[.xz]..
    check_tokenizers.py --goldens [NAME..]

PEFTBENCH and BPE (tests/parity/bpe.c) are programs.  Trains a small vocabulary for each recipe that
published models use on the first lines of TEXTS, and for our own two kinds with our own trainer, whose
file must be the library's; then compares on real lines, random Unicode, strings made to break things
and every character.  --goldens writes what `make test` checks, tests/golden/bpe/, from the first column of
data/sentiment/train.tsv, and for the recipes of piece_tokenizers.py tests/golden/pieces/.  Exit code 1 if one
line differs.
"""

import argparse
import json
import lzma
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import piece_tokenizers
import summary
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SIGN = "\u2581"
VOCAB = 420 if "--goldens" in sys.argv else 1500
ROOT = pathlib.Path(__file__).resolve().parents[2]
FORMS = {"NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD()}
HANGUL = "\uaccc\u11a7 \u1102\u116a\u11a7\u112c a\u11a7\u0301"  # U+11A7 composes with nothing
NAMED = "[CLS] and <|endoftext|> in a text, where [MASK] is a word to learn from"
OWN = ("words", "text")  # the kinds of src/tokenizer/bpe_train.h


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


def own(special):
    t = Tokenizer(models.BPE())
    t.decoder = decoders.ByteLevel()
    return t, trainers.BpeTrainer(vocab_size=VOCAB, min_frequency=2, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def own_words():
    t, trainer = own(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.ByteLevel(use_regex=False)])
    t.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])
    return t, trainer


def own_text():
    t, trainer = own(["<|endoftext|>"])
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t, trainer


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
        "words": own_words(),
        "text": own_text(),
    }


def texts(paths):
    """At most 70,000 lines, an equal share of each file; where one is short the others give more."""
    lists = []
    for path in paths:
        with lzma.open(path, "rt") if path.endswith(".xz") else open(path) as f:
            lists.append(f.read(30_000_000).replace("<br />", "\n").replace(". ", ".\n").split("\n"))
    lines = []
    for i, some in enumerate(sorted(lists, key=len)):
        lines += some[:(70000 - len(lines)) // (len(lists) - i)]
    return lines


def agreed():
    """The characters that the library and Python's tables take alike: the library's are older (Unicode 8 in BERT's parts)."""
    bert = normalizers.BertNormalizer(handle_chinese_chars=False, lowercase=False, strip_accents=True)
    words = pre_tokenizers.BertPreTokenizer()
    for c in map(chr, range(0x110000)):
        category = unicodedata.category(c)
        if category in ("Cn", "Co", "Cs"):
            continue
        dropped = category in ("Cf", "Cc") and c not in "\t\n\r" or c == "\ufffd"
        kept = "".join(x for x in unicodedata.normalize("NFD", c) if unicodedata.category(x) != "Mn")
        normal = "" if dropped else " " if c.isspace() else kept
        mark = category[0] == "P" or c.isascii() and not c.isalnum() and c.isprintable() and c != " "
        forms = all(form.normalize_str("a" + c) == unicodedata.normalize(name, "a" + c) for name, form in FORMS.items())
        accent = (normalizers.StripAccents().normalize_str("a" + c) == "a") == (category[0] == "M")
        alike = bert.normalize_str("a" + c) == "a" + normal and mark == (len(words.pre_tokenize_str(f"a{c}b")) == 3)
        if alike and forms and accent:
            yield c


def strange(count, allowed, seed=11):
    rng = random.Random(seed)
    pools = [(0x20, 0x7E), (0x20, 0x7E), (0xA0, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0x1100, 0x11FF),
             (0x2000, 0x206F), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xACFF), (0x1F300, 0x1F64F), (9, 13)]
    hard = ["", " ", "  ", "\t", "\n\n", " \r\n ", "a" * 300, " " * 200, "'s't're'LL", "1234567 89 0.5e-3", "<|end|>x<|im_start|>",
            "e\u0301\u0301", "\u00e9", "\u2581a \u2581", "\u0000", "\ufeffx", "<0x0A>", "<s></s>", "\u00a0 \u00a0", "ab" * 5000, HANGUL]
    for i in range(count):
        if i < len(hard):
            yield hard[i]
            continue
        low, high = rng.choice(pools)
        chars = [chr(rng.randint(*rng.choice(pools) if rng.random() < 0.2 else (low, high))) for _ in range(rng.randint(0, 60))]
        text = "".join(c if rng.random() < 0.85 else rng.choice(" '\n.,0") for c in chars)
        yield "".join(c for c in text if c in allowed)


def ours(command, lines):
    run = subprocess.run([str(x) for x in command], input="".join(json.dumps(x) + "\n" for x in lines), capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"exit {run.returncode}: {run.stderr}")
    return [json.loads(x) for x in run.stdout.split("\n")[:-1]]


def differing(got, wanted):
    return [i for i, (a, b) in enumerate(zip(got, wanted, strict=True)) if a != b]


def words_of(encoding):
    return [-1 if w is None else w for w in encoding.word_ids]


def check(a, name, tokenizer, lines, folder):
    encoded = [tokenizer.encode(x) for x in lines]
    reference = [x.ids for x in encoded]
    got = [x["ids"] for x in ours([a.peftbench, "tokenize", "--json", "--model", folder], lines)]
    wrong = differing(got, reference)
    moved = differing(ours([a.bpe, "words", folder], lines), [words_of(x) for x in encoded])
    some = reference[:20000] + reference[-20000:]
    back, whole = ours([a.peftbench, "tokenize", "--decode", "--plain", "--model", folder], some), [tokenizer.decode(x) for x in some]
    lost = differing(back, whole)
    print(f"{'FAILED' if wrong or moved or lost else 'ok    '} {name:12} {len(lines)} lines: ids of {len(wrong)} differ, "
          f"words of {len(moved)}; {len(some)} decoded, {len(lost)} differ", flush=True)
    for i in wrong[:3]:
        print("   ", ascii(lines[i])[:100], got[i][:12], reference[i][:12])
    for i in lost[:3]:
        print("   ", some[i][:12], ascii(back[i])[:60], ascii(whole[i])[:60])
    return not (wrong or moved or lost)


def check_own(a, name, tokenizer, documents, folder):
    """Our trainer's file, as the library reads it, is what the library's trainer makes.  Returns it, None if it differs."""
    ours([a.bpe, "train", name, VOCAB, folder / "tokenizer.json"], documents)
    read = Tokenizer.from_file(str(folder / "tokenizer.json"))
    same = json.loads(read.to_str()) == json.loads(tokenizer.to_str())
    print(f"{'ok    ' if same else 'FAILED'} {name:12} learned from {len(documents)} documents: "
          f"{len(json.loads(read.to_str())['model']['merges'])} merges", flush=True)
    return read if same else None


def write_goldens(name, tokenizer, lines, kind="bpe"):
    folder = ROOT / "tests" / "golden" / kind / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    with open(folder / "texts.jsonl", "w") as f:
        for x in lines:
            e = tokenizer.encode(x)
            words = {"words": words_of(e)} if name in OWN or kind == "pieces" else {}
            f.write(json.dumps({"text": x, "ids": e.ids, **words, "back": tokenizer.decode(e.ids)}) + "\n")


def finish(name, tokenizer):
    if name in ("llama3", "llama"):
        first = "<|end|>" if name == "llama3" else "<s>"
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[(first, tokenizer.token_to_id(first))])
    if name == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(("<|im_start|>", 1), ("<|end|>", 0))
    tokenizer.add_tokens([AddedToken("film noir", normalized=True)])


def train_pieces(tokenizer, trainer, change, documents):
    tokenizer.train_from_iterator(documents, trainer)
    tokenizer.add_tokens([AddedToken("film noir", normalized=True), AddedToken("<ad>", special=True, rstrip=True)])
    told = json.loads(tokenizer.to_str())
    if change:
        change(told)
    return Tokenizer.from_str(json.dumps(told))


def check_pieces(a, real, lines, place):
    for name, recipe in piece_tokenizers.recipes().items():
        folder = pathlib.Path(place) / name
        folder.mkdir()
        tokenizer = train_pieces(*recipe, real[:3000])
        tokenizer.save(str(folder / "tokenizer.json"))
        yield check(a, name, tokenizer, lines, folder)


def check_all(a, real, place):
    allowed = set(agreed())
    every = sorted(allowed)
    lines = real + list(strange(100000 - len(real), allowed))
    lines += [" ".join(f"a{c}B" for c in every[i:i + 4]) for i in range(0, len(every), 4)]
    for name, (tokenizer, trainer) in recipes().items():
        folder = pathlib.Path(place) / name
        folder.mkdir()
        documents = real[::10] if name in OWN else real[:3000]
        tokenizer.train_from_iterator(documents, trainer)
        if name in OWN:
            tokenizer = check_own(a, name, tokenizer, documents, folder)
        else:
            finish(name, tokenizer)
            tokenizer.save(str(folder / "tokenizer.json"))
        yield tokenizer is not None and check(a, name, tokenizer, lines, folder)
    yield from check_pieces(a, real, lines, place)


def goldens(a):
    with open(ROOT / "data" / "sentiment" / "train.tsv") as f:
        real = [line.split("\t")[0] for line in f][1:]
    some = [x for x in strange(20 + 40, set(agreed())) if len(x) < 400 and x != HANGUL][:59]
    for name, (tokenizer, trainer) in recipes().items():
        if a.goldens and name not in a.goldens:
            continue
        lines = real[:100] + some + [NAMED] if name in OWN else real[:3] + some + [HANGUL]
        tokenizer.train_from_iterator(lines if name in OWN else real[:3000], trainer)
        if name not in OWN:
            finish(name, tokenizer)
        write_goldens(name, tokenizer, lines)
    for name, recipe in piece_tokenizers.recipes().items():
        if not a.goldens or name in a.goldens:
            write_goldens(name, train_pieces(*recipe, real[:300]), real[:8] + some + [HANGUL], "pieces")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peftbench", nargs="?")
    parser.add_argument("bpe", nargs="?")
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--goldens", nargs="*")
    a = parser.parse_args()
    if a.goldens is not None:
        return goldens(a)
    real = texts(a.texts)
    with tempfile.TemporaryDirectory() as place:
        good = list(check_all(a, real, place))
    summary.finish("tokenizers", good)


if __name__ == "__main__":
    main()
