#!/usr/bin/env python3
"""make_goldens: a tiny BERT and what transformers, PEFT and tokenizers say about it.

    python3 -m venv DIR && DIR/bin/pip install -r tests/parity/requirements.txt
    DIR/bin/python tests/parity/make_goldens.py            writes tests/golden/

Writes tiny-bert/ (config.json, model.safetensors, tokenizer.json: random weights of our own),
bert*.txt and tokenizer.jsonl.  The weights come from NumPy's PCG64 and a fixed seed, so a
second run writes the same bytes up to the last digits of the reference's arithmetic.

A golden is text: `ids SEQUENCE id id ...`, `labels l l ...`, then, each followed by its values,
eight a line: `tensor NAME ROWS COLS` (values that the checkpoint lacks; `logits`; `loss`) and
`grad NAME ROWS COLS`.  Names: see oracle.py.  Everything is computed in double, without dropout.
The sequences go in padded and masked, which equals running each by itself.
"""

import json
import pathlib

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer

import oracle

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
TINY = GOLDEN / "tiny-bert"
SEED = 20240

WIDTH, LAYERS, HEADS, INNER, POSITIONS, TYPES = 16, 2, 2, 32, 64, 2


# ---- the tokenizer -----------------------------------------------------------------------------

WORDS = """the a an of to and in is it was not no but very film movie good bad great poor plot actor
scene story love hate like dull fun never again watch time cafe naive resume uber strasse istanbul
hello world test token unit new york state one two three""".split()
PIECES = """##s ##ed ##ing ##er ##est ##ly ##ness ##able ##un ##ful ##less ##ise ##ation ##th ##nt
##ll ##ve ##re ##12 ##00 ##ss ##tion""".split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«»¿¡–—“”‘’…€£°§·、。「」！"
OTHERS = "ßıæøłđ" "αβγδεσςω" "абвгдийя" "中文日本語人大" "のアカ" "한ᄒ" "ก" "😀🙂👍" "½²™"

# Beyond the vocabulary: each kind of added token once.
ADDED = [
    {"content": "[SOFT]", "special": True, "normalized": False},
    {"content": "<Keep Me>", "special": False, "normalized": False},
    {"content": "Naïve-Token", "special": False, "normalized": True},
    {"content": "<left>", "special": False, "normalized": False, "lstrip": True},
    {"content": "<right>", "special": True, "normalized": False, "rstrip": True},
    {"content": "solo", "special": False, "normalized": False, "single_word": True},
]


def vocabulary():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += list(LETTERS) + ["##" + c for c in LETTERS] + list(MARKS) + list(OTHERS)
    tokens += ["##" + c for c in "ßıσςий"] + ["##ᅡ", "##ᆫ"] + WORDS + PIECES
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def added_token(number, token):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, **flags, **token}


def tokenizer_json(vocab):
    special = [added_token(i, {"content": t}) for t, i in list(vocab.items())[:5]]
    more = [added_token(len(vocab) + i, t) for i, t in enumerate(ADDED)]

    def template(*parts):
        return [{"Sequence": {"id": p, "type_id": t}} if p in "AB" else {"SpecialToken": {"id": p, "type_id": t}}
                for p, t in parts]

    single = [("[CLS]", 0), ("A", 0), ("[SEP]", 0)]
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 12, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": None,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": special + more,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": template(*single),
            "pair": template(*single, ("B", 1), ("[SEP]", 1)),
            "special_tokens": {t: {"id": t, "ids": [vocab[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab},
    }


# ---- the model ---------------------------------------------------------------------------------

def config_json(vocab_size):
    return {"architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1, "hidden_size": WIDTH, "initializer_range": 0.02,
            "intermediate_size": INNER, "layer_norm_eps": 1e-12, "max_position_embeddings": POSITIONS,
            "model_type": "bert", "num_attention_heads": HEADS, "num_hidden_layers": LAYERS,
            "pad_token_id": 0, "position_embedding_type": "absolute", "type_vocab_size": TYPES,
            "use_cache": True, "vocab_size": vocab_size}


def shapes(vocab_size):
    yield "embeddings.word_embeddings.weight", (vocab_size, WIDTH)
    yield "embeddings.position_embeddings.weight", (POSITIONS, WIDTH)
    yield "embeddings.token_type_embeddings.weight", (TYPES, WIDTH)
    linear = [("attention.self.query", WIDTH, WIDTH), ("attention.self.key", WIDTH, WIDTH),
              ("attention.self.value", WIDTH, WIDTH), ("attention.output.dense", WIDTH, WIDTH),
              ("intermediate.dense", INNER, WIDTH), ("output.dense", WIDTH, INNER)]
    matrices = [(f"encoder.layer.{l}.{n}", o, i) for l in range(LAYERS) for n, o, i in linear]
    for name, rows, cols in matrices + [("pooler.dense", WIDTH, WIDTH)]:
        yield name + ".weight", (rows, cols)
        yield name + ".bias", (rows,)
    for name in ["embeddings"] + [f"encoder.layer.{l}.{n}" for l in range(LAYERS)
                                  for n in ("attention.output", "output")]:
        yield name + ".LayerNorm.weight", (WIDTH,)
        yield name + ".LayerNorm.bias", (WIDTH,)


def weights(vocab_size):
    """Larger than a fresh BERT's, so that attention is not flat and biases and gains matter."""
    rng = np.random.default_rng(SEED)
    out = {"embeddings.position_ids": np.arange(POSITIONS, dtype=np.int64)[None]}
    for name, shape in shapes(vocab_size):
        gain = name.endswith("LayerNorm.weight")
        scale = 0.2 if gain or name.endswith("bias") else 0.5 if "embeddings" in name else 1.2 / shape[1] ** 0.5
        out[name] = (rng.standard_normal(shape) * scale + gain).astype(np.float32)
    return out


def write_json(path, value, indent):
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def make_tiny():
    TINY.mkdir(parents=True, exist_ok=True)
    vocab = vocabulary()
    size = len(vocab) + len(ADDED)
    write_json(TINY / "tokenizer.json", tokenizer_json(vocab), 1)
    write_json(TINY / "config.json", config_json(size), 2)
    save_file(weights(size), TINY / "model.safetensors", {"format": "pt"})
    (TINY / "model.safetensors").chmod(0o644)


# ---- goldens of the model -----------------------------------------------------------------------

TEXTS = [("the film is very good", 2), ("dull plot , poor actors and no story at all .", 0),
         ("never again !", 0), ("one two three : it was a test of the new york cafe", 1), ("fun", 2)]
CASES = {"bert": "full", "bert-lora": "lora", "bert-rslora": "rslora", "bert-dora": "dora", "bert-ia3": "ia3",
         "bert-prefix": "prefix", "bert-prefix-mlp": "prefix-mlp", "bert-prompt": "prompt"}


def plain_tokenizer():
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def block(kind, name, x):
    x = np.atleast_2d(x)
    values = ["%.9g" % v for v in x.ravel()]
    rows = [" ".join(values[i:i + 8]) for i in range(0, len(values), 8)]
    return "\n".join([f"{kind} {name} {x.shape[0]} {x.shape[1]}", *rows, ""])


def write_golden(name, case):
    tokenizer = plain_tokenizer()
    sequences = [tokenizer.encode(text).ids for text, _ in TEXTS]
    labels = [label for _, label in TEXTS]
    model = oracle.reference(TINY, case, SEED)
    answer = oracle.Answer(model, case, sequences, labels)
    lines = [f"ids {i} {' '.join(map(str, s))}\n" for i, s in enumerate(sequences)]
    lines.append(f"labels {' '.join(map(str, labels))}\n")
    lines += [block("tensor", n, x) for n, x in answer.fresh.items()]
    lines += [block("tensor", "logits", answer.logits), block("tensor", "loss", answer.loss)]
    lines += [block("grad", n, x) for n, x in answer.gradient.items()]
    (GOLDEN / f"{name}.txt").write_text("".join(lines))
    norms = [np.linalg.norm(g) for n, g in answer.gradient.items() if not n.endswith("attn.k.bias")]
    print(f"{name + '.txt':22} loss {answer.loss:.6f}, {len(norms)} gradients, norms {min(norms):.2g}..{max(norms):.2g}")


# ---- goldens of the tokenizer --------------------------------------------------------------------

LINES = [
    "", " ", "\t", "\n", "\r\n", "   ", "a", "A", ".", "...", "the film", "The FILM", "the  film", " the film ",
    "the\tfilm\nis\rgood", "the\u00a0film", "the\u2003film\u3000is", "the\u200bfilm", "the\u2028film\u2029good",
    "the\ufefffilm", "\ufeffthe", "the\u0000film", "\u0000", "\ufffd", "the\ufffdfilm", "\u0001the\u0002 \u007ffilm\u0085is",
    "the\u00adfilm", "\ue000the", "\U000f0000the", "the\u2060film", "\u200ethe\u200f film", "the\u000bfilm\u000cis\u001cgood",
    "not good.", "don't", "it's a test, isn't it?", "actors' stories", "no-one", "hello--world", "a.b.c", "$5.00", "100%",
    "5+5=10", "<a>", "a^b`c|d~e", "#test @world", "(good)[bad]{fun}", "\"good\" 'bad'", "“good” ‘bad’", "good…", "¿good? ¡bad!",
    "a–b—c", "a·b", "°C §1 €5 £5", "2½", "x²", "film™", "a_b", "a\\b/c", "、。「good」！", "،؛؟", "‐‑‒―", "‽",
    "café", "cafe\u0301", "CAFÉ", "naïve", "résumé", "RÉSUMÉ", "über", "Über", "u\u0308ber", "Ångström", "\u212bngstrom",
    "e\u0301\u0300\u0302", "\u0301", "a\u0301 \u0301b", "\u0300the", "ñ ç ü ö ä", "ﬁlm", "ﬂ", "ǆ", "Ǆ", "Ŀ",
    "straße", "STRASSE", "STRAẞE", "ẞ", "İstanbul", "ISTANBUL", "istanbul", "ıstanbul", "Iİıi", "i\u0307", "I\u0307",
    "ΑΒΓ", "αβγ", "ΣΑΣ", "σας", "ς", "ΟΔΟΣ", "Σ", "ΑΣ.", "ά", "Ώ", "ᾳ", "ᾼ", "ΐ",
    "абв", "АБВ", "й", "и\u0306", "Й", "ё", "я", "Łódź", "łód", "đ Đ", "øØ", "æÆ", "ĳ Ĳ", "ŉ", "Œ",
    "中文", "日本語", "日本語のテスト", "the中film", "中 文", "人大a中", "アカ", "ア\u3099", "ガ", "が", "ｶ", "ＡＢＣ", "，", "㍿", "々", "〇",
    "한", "한국", "\u1112\u1161\u11ab", "힣", "ᄒ", "ก", "กำ", "สวัสดี", "नमस्ते", "ा", "עִבְרִית", "العَرَبِيَّة", "\u0640",
    "\U00020000", "\U0002a6d6中", "\uf900", "\U0002f800", "\u3400", "\u4dbf\u4dc0", "\u9fff", "㐀",
    "😀", "😀😀", "the😀film", "🙂👍", "👍🏽", "👨\u200d👩\u200d👧", "❤\ufe0f", "🇩🇪", "1\ufe0f\u20e3", "☺", "𝒜", "𝐀𝐁", "①", "Ⅷ", "ⓐ",
    "[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[cls]", "[CLS] the film [SEP]", "the[MASK]film", "[ MASK ]", "[MASK][MASK]", "[MASK",
    "[SOFT]", "the [SOFT] film", "the[SOFT]film", "[soft]", "<Keep Me>", "a<Keep Me>b", "<keep me>", "<Keep  Me>",
    "Naïve-Token", "naive-token", "NAIVE-TOKEN", "aNaïve-Tokenb", "nai\u0308ve-token", "naïve - token", "the naïve-token film",
    "the <left> film", "the   <left>film", "<left>", "a<left> b", "  <left>  ", "the <right> film", "the<right>   film", "<right>", "\t<right>\n a",
    "solo", "a solo film", "Solo", "solos", "asolo", "solo,", "solo-solo", "(solo)", "solo_", "2solo", "ésolo", "solo 中solo",
    "<left><right>", "<right> <left>", "[SOFT]<Keep Me>[SOFT]", "[CLS]solo[SEP]",
    "unlovable", "loveliness", "watching", "watched", "tokenisation", "greatest", "fulfil", "zzz", "the€film", "1200", "3.14159", "2024-01-31",
    "a" * 99, "a" * 100, "a" * 101, "b" * 100 + " " + "b" * 101, "é" * 100, "é" * 101, "e\u0301" * 51, "e\u0301" * 101, "ab" * 60 + ".", "." * 120,
    "中" * 120, "😀" * 101, "ß" * 100, "한" * 34, "한" * 33, "thefilmisgood", "filmfilm", "xфy", "aж", "жa", "ж", "the ж film", "a\u4e2d\u0301b",
]


def random_lines(count):
    """Seeded mixtures of everything above: order, neighbours and white space vary."""
    rng = np.random.default_rng(SEED + 1)
    atoms = [t for t in LINES if 0 < len(t) < 14] + ["\u0301", "\u200d", "\u00a0", "İ", "ß", "Σ", "中", "😀", "\ufffd", "\t"]
    for _ in range(count):
        pick = rng.choice(len(atoms), size=rng.integers(2, 9))
        glue = rng.choice(3, size=len(pick))
        yield "".join(atoms[i] + (" ", "", "  ")[g] for i, g in zip(pick, glue))


def write_tokenizer_golden():
    tokenizer = plain_tokenizer()
    lines = list(dict.fromkeys(LINES)) + list(random_lines(40))
    with open(GOLDEN / "tokenizer.jsonl", "w") as out:
        for i, text in enumerate(lines):
            special = i % 3 == 0
            ids = tokenizer.encode(text, add_special_tokens=special).ids
            out.write(json.dumps({"text": text, "special": special, "ids": ids}) + "\n")
    print(f"tokenizer.jsonl        {len(lines)} lines, vocabulary {tokenizer.get_vocab_size()}")


def main():
    make_tiny()
    write_tokenizer_golden()
    for name, case in CASES.items():
        write_golden(name, case)


if __name__ == "__main__":
    main()
