"""piece_tokenizers: recipes of tokenizers other than BPE, and of the steps around them, for check_tokenizers.py.

Each is a tokenizer, its trainer and what is changed in the trained file (None: nothing).
"""

import base64
import struct
import unicodedata

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIGN = "\u2581"
BYTES = [f"<0x{i:02X}>" for i in range(256)]


def charsmap(rules):
    """A map of texts as SentencePiece writes it: the trie as a double array, then the texts."""
    texts, value, trie = b"", {}, {}
    for source, target in rules.items():
        if target not in value:
            value[target] = len(texts)
            texts += target.encode() + b"\0"
        node = trie
        for byte in source.encode():
            node = node.setdefault(byte, {})
        node[0] = value[target]  # no byte of a source is 0
    unit, taken = {0: 0}, {0}

    def place(at, node):
        base = next(b for b in range(1, 1 << 20) if not any(b ^ c in taken for c in node))
        taken.update(base ^ c for c in node)
        unit[at] |= (at ^ base) << 10 | (0 in node) << 8
        for c, child in node.items():
            unit[base ^ c] = child | 1 << 31 if c == 0 else c
        for c, child in node.items():
            if c:
                place(base ^ c, child)

    place(0, trie)
    size = max(unit) + 256
    data = struct.pack(f"<{size + 1}I", 4 * size, *(unit.get(i, 0) for i in range(size)))
    return base64.b64encode(data + texts).decode()


def rules():
    """Compatibility forms of some ranges, controls away, blanks to one kind, and a letter with its mark as one."""
    some = [chr(c) for low, high in ((0xA0, 0x17F), (0x2000, 0x206F), (0x2100, 0x214F), (0xFB00, 0xFB06), (0xFF01, 0xFF5E))
            for c in range(low, high + 1)]
    changed = {c: unicodedata.normalize("NFKC", c) for c in some if unicodedata.normalize("NFKC", c) != c}
    marked = {unicodedata.normalize("NFD", c): c for c in "\u00e9\u00e4\u00c5\u00f1"}
    return changed | marked | {"\n": " ", "\t": " ", "\r": " ", "\x07": "", "\x1b": "", "\u200b": " ", "\ufeff": ""}


def unigram(normalizer, pre, special=("<unk>", "<pad>", "</s>"), vocab=400, unk="<unk>"):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer = normalizer, pre
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", list(special).index("</s>"))])
    return t, trainers.UnigramTrainer(vocab_size=vocab, special_tokens=list(special), unk_token=unk, show_progress=False)


def with_charsmap(told):
    told["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Precompiled", "precompiled_charsmap": charsmap(rules())},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}


def with_byte_fallback(told):
    told["model"]["byte_fallback"] = True


def wordlevel(pre, normalizer=None):
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.pre_tokenizer = pre
    if normalizer:
        t.normalizer = normalizer
    t.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    return t, trainers.WordLevelTrainer(vocab_size=300, special_tokens=["[UNK]", "[PAD]"], show_progress=False), None


def bytes_and_bpe():
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(SIGN, "always", split=False)
    t.decoder = decoders.Metaspace(SIGN, "always", split=False)
    return t, trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", *BYTES], show_progress=False, max_token_length=12), None


def recipes():
    sequence, split = pre_tokenizers.Sequence, pre_tokenizers.Split
    n, metaspace = normalizers, pre_tokenizers.Metaspace
    whole = unigram(None, metaspace(SIGN, "first", split=False), ["<unk>", "</s>", *BYTES], 600)
    whole[0].decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(SIGN, "first", split=False)])
    bare = n.Sequence([n.Strip(), n.NFD(), n.StripAccents(), n.Lowercase()])
    return {
        "t5": (*unigram(n.NFKC(), metaspace(SIGN, "always")), with_charsmap),
        "xlm-roberta": (*unigram(n.Sequence([n.Nmt(), n.NFKC(), n.Replace(Regex(" {2,}"), " ")]),
                                 sequence([pre_tokenizers.WhitespaceSplit(), metaspace(SIGN, "always")])), None),
        "albert": (*unigram(n.Sequence([n.Replace("``", '"'), n.NFKD(), n.StripAccents(), n.Lowercase(), n.Prepend("x")]),
                            metaspace(SIGN, "never")), None),
        "whole": (*whole, with_byte_fallback),
        "metaspace-whole": bytes_and_bpe(),
        "whitespace": wordlevel(pre_tokenizers.Whitespace(), bare),
        "digits": wordlevel(sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"),
                                      pre_tokenizers.Digits(False)])),
        "punctuation": wordlevel(sequence([pre_tokenizers.Punctuation("merged_with_previous"), split(" ", "removed")])),
        "split-next": wordlevel(split(Regex(r"\W"), "merged_with_next")),
        "split-previous": wordlevel(split(Regex(r"\s|[^\w\s]"), "merged_with_previous"), n.Replace(Regex(r"(\d)\1+|[aeiou](?=x)"), "#")),
        "split-words": wordlevel(split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True)),
        "split-runs": wordlevel(split(Regex(r"[\s,.]"), "contiguous", invert=True), n.Strip(left=True, right=False)),
        "split-before": wordlevel(split(Regex(r"(?=[A-Z\d])|\s"), "isolated")),
    }
