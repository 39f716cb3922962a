#!/usr/bin/env python3
"""compressors: bits per byte of held-out text by compressors and n-gram models, as a baseline for language models.

    python3 -m venv DIR && DIR/bin/pip install -r tests/parity/requirements.txt
    DIR/bin/python bench/compressors.py TOKENIZER --train build/corpus/reviews.txt \\
        --heldout build/corpus/reviews.heldout.txt              (a few minutes, 4 GB for 65 MB of text)
    ... --skip xz                     one of the rows that take long
    ... --check                       do the n-gram models' probabilities add up to 1?

TOKENIZER is a folder with the tokenizer.json of the model that will be compared.  A document is a
line.  Every row is measured over the same bytes, those of the held-out files including line ends:

  xz alone       the held-out files as one text through xz -9e
  xz increment   what xz -9e takes for training text and held-out files together, less what it takes for
                 the training text; the dictionary is as large as both, so all of it can be copied from
  5-gram tokens  over the tokenizer's tokens
  5-gram words   over words with the space before them, marks and spaces; what occurs once or never
                 in the training text is spelled as bytes

  model          the decoder in the folder TOKENIZER by transformers, each document in windows of 256 tokens

The n-gram models are interpolated with modified Kneser-Ney smoothing (Chen and Goodman 1999: three
discounts an order, from the counts of counts) down to the uniform distribution.  They are trained on
the training text only, see no more than the line, and predict each line's end, which pays for the
line break.
"""

import argparse
import collections
import json
import lzma
import math
import pathlib
import re
import time

import numpy

ORDER = 5
WINDOW = 256
ROWS = ("xz", "tokens", "words", "model")


# ---- Kneser-Ney ----------------------------------------------------------------------------------------
# A text is one array of tokens in which END stands between documents, at the front and at the back.
# No n-gram crosses a document: END may be its first token (the document's start) or its last (its end).

class KneserNey:
    def __init__(self, tokens, vocabulary, order=ORDER):
        """tokens [N] of values < vocabulary; END = vocabulary."""
        self.end, self.order, self.values = vocabulary, order, vocabulary + 1
        self.keys = [None]    # per order: the sorted n-grams, each as (place of its first n-1 tokens, token)
        counts, inner = [None], []
        ids = tokens.astype(numpy.int64)
        counts.append(numpy.bincount(ids, minlength=self.values))
        self.keys.append(numpy.arange(self.values))
        begins_with_end = [None, numpy.zeros(self.values, bool)]
        for n in range(2, order + 1):
            at = self.places(tokens, ids, n)
            key = ids[at] * self.values + tokens[at + n - 1]
            unique, first, inverse, count = numpy.unique(key, return_index=True, return_inverse=True, return_counts=True)
            # The n-gram less its first token gains one left neighbour.
            inner.append(numpy.bincount(ids[at[first] + 1], minlength=len(self.keys[n - 1])))
            begins_with_end.append(tokens[at[first]] == self.end)
            self.keys.append(unique)
            counts.append(count)
            ids = numpy.full(len(tokens), -1)
            ids[at] = inverse
        # Below the highest order an n-gram counts once a left neighbour; a document's start has none.
        adjusted = [None] + [numpy.where(b, c, i) for b, c, i in zip(begins_with_end[1:], counts[1:], inner)] + counts[-1:]
        self.smoothed = [None] + [self.smooth(n, adjusted[n]) for n in range(1, order + 1)]

    def places(self, tokens, ids, n):
        """Where an n-gram begins whose first n-1 tokens have an id: inside there is no END."""
        ok = ids[:len(tokens) - n + 1] >= 0
        if n > 2:
            ok = ok & (tokens[n - 2:len(tokens) - 1] != self.end)
        return numpy.flatnonzero(ok)

    def smooth(self, n, count):
        """(share [n-grams], rest [contexts]): p(w|context) = share + rest * p(w|shorter context)."""
        context = self.keys[n] // self.values if n > 1 else numpy.zeros(self.values, numpy.int64)
        size = len(self.keys[n - 1]) if n > 1 else 1
        discount = self.discounts(count)[numpy.minimum(count, 3)]
        total = numpy.bincount(context, count, size)
        kept = numpy.bincount(context, discount, size)
        with numpy.errstate(invalid="ignore", divide="ignore"):
            rest = numpy.where(total > 0, kept / total, 1)
            share = numpy.where(count > 0, (count - discount) / total[context], 0)
        return share, rest

    @staticmethod
    def discounts(count):
        """Of n-grams that occur 0, 1, 2, 3 or more times."""
        times = [int((count == k).sum()) for k in range(5)]
        if all(times[1:]):
            y = times[1] / (times[1] + 2 * times[2])
            found = [k - (k + 1) * y * times[k + 1] / times[k] for k in (1, 2, 3)]
            if all(0 < d < k + 1 for k, d in enumerate(found)):
                return numpy.array([0, *found])
        return numpy.array([0, 0.5, 1, 1.5])    # too few different n-grams to say, as among single tokens

    def probabilities(self, tokens):
        """p of each token of [N] but the first."""
        share, rest = self.smoothed[1]
        p = share[tokens[1:]] + rest[0] / self.values
        ids = tokens.astype(numpy.int64)    # of the (n-1)-gram that begins at each place; -1: unseen
        for n in range(2, self.order + 1):
            at = self.places(tokens, ids, n)
            key = ids[at] * self.values + tokens[at + n - 1]
            found = numpy.minimum(numpy.searchsorted(self.keys[n], key), len(self.keys[n]) - 1)
            seen = self.keys[n][found] == key
            share, rest = self.smoothed[n]
            of = at + n - 2                 # the n-gram's last token, counted from the second of the text
            p[of] = numpy.where(seen, share[found], 0) + rest[ids[at]] * p[of]
            ids = numpy.full(len(tokens), -1)
            ids[at[seen]] = found[seen]
        return p


def check_sums(model, tokens, contexts=5):
    """How far the probabilities of all tokens after some contexts are from adding up to 1."""
    worst, rng = 0.0, numpy.random.default_rng(1)
    starts = numpy.flatnonzero(tokens[:-ORDER] == model.end)
    for start in rng.choice(starts, contexts):
        for length in range(ORDER):
            before = tokens[start:start + 1 + length]
            if (before[1:] == model.end).any():
                continue
            rows = numpy.column_stack([numpy.tile(before, (model.values, 1)), numpy.arange(model.values)])
            p = model.probabilities(rows.ravel())[length::len(before) + 1]
            worst = max(worst, abs(p.sum() - 1))
    return worst


# ---- texts as tokens -----------------------------------------------------------------------------------

def lines_of(paths):
    return [line for path in paths for line in path.read_bytes().decode().removesuffix("\n").split("\n")]


class Tokens:
    def __init__(self, folder, _train):
        from tokenizers import Tokenizer
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.size = self.tokenizer.get_vocab_size()

    def of(self, lines):
        out = [[self.size]]
        for at in range(0, len(lines), 1000):
            for line, e in zip(lines[at:at + 1000], self.tokenizer.encode_batch_fast(lines[at:at + 1000], add_special_tokens=False)):
                if at == 0 and self.tokenizer.decode(e.ids).strip() != line.strip():
                    raise SystemExit(f"the tokenizer loses something of: {line[:200]}")
                out.append(numpy.array(e.ids + [self.size], numpy.int32))
        return numpy.concatenate(out).astype(numpy.int32)


class Words:
    PIECE = re.compile(r" ?\w+| ?[^\w\s]+|\s")

    def __init__(self, _folder, train):
        count = collections.Counter(piece for line in train for piece in self.PIECE.findall(line))
        often = sorted(piece for piece, n in count.items() if n > 1)
        self.id = {piece: 256 + i for i, piece in enumerate(often)}
        self.size = 256 + len(often)

    def of(self, lines):
        out = [self.size]
        for line in lines:
            pieces = self.PIECE.findall(line)
            assert sum(map(len, pieces)) == len(line)
            for piece in pieces:
                known = self.id.get(piece)
                out.extend([known] if known is not None else piece.encode())
            out.append(self.size)
        return numpy.array(out, numpy.int32)


# ---- rows ----------------------------------------------------------------------------------------------

def xz(data):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": max(64 << 20, len(data))}]
    return len(lzma.compress(data, filters=filters))


def xz_rows(args):
    """(row, which text, its bytes, bits, notes) of the held-out files as one text."""
    train, held = (b"".join(path.read_bytes() for path in paths) for paths in (args.train, args.heldout))
    which = args.heldout[0].name if len(args.heldout) == 1 else "all"
    yield "xz alone", which, len(held), 8 * xz(held), {}
    yield "xz increment", which, len(held), 8 * (xz(train + held) - xz(train)), {}


def ngram_rows(args, name, kind):
    """The same of each held-out file, and of all."""
    lines = lines_of(args.train)
    coder = kind(args.tokenizer, lines)
    tokens = coder.of(lines)
    del lines
    model = KneserNey(tokens, coder.size)
    about = {"vocabulary": coder.size, "train_tokens": len(tokens), "ngrams": [len(k) for k in model.keys[1:]]}
    all_bytes = all_bits = 0
    for path in args.heldout:
        held, size = coder.of(lines_of([path])), path.stat().st_size
        bits = float(-numpy.log2(model.probabilities(held)).sum())
        notes = {"tokens": len(held) - 1}
        if args.check:
            notes["sums_off_by"] = float(check_sums(model, held))
        yield f"{ORDER}-gram {name}", path.name, size, bits, notes
        all_bytes, all_bits = all_bytes + size, all_bits + bits
    yield f"{ORDER}-gram {name}", "all", all_bytes, all_bits, about


def model_rows(args):
    """Each token behind what stands before it in its window, and the end of each document."""
    import torch
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(args.tokenizer, dtype=torch.float32).eval()
    end, coder = model.config.eos_token_id, Tokens(args.tokenizer, [])
    for path in args.heldout:
        nats, asked = 0.0, 0
        for line in lines_of([path]):
            ids = torch.tensor([end, *coder.of([line])[1:-1].tolist(), end])
            for at in range(0, len(ids) - 1, WINDOW):
                window = ids[None, at:at + WINDOW + 1]
                with torch.no_grad():
                    share = model(window[:, :-1]).logits[0].log_softmax(-1)
                nats -= float(share.gather(1, window[0, 1:, None]).sum())
                asked += window.shape[1] - 1
        yield "model", path.name, path.stat().st_size, nats / math.log(2), {"tokens": asked}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tokenizer", type=pathlib.Path, metavar="TOKENIZER")
    p.add_argument("--train", type=pathlib.Path, nargs="+", required=True)
    p.add_argument("--heldout", type=pathlib.Path, nargs="+", required=True)
    p.add_argument("--skip", choices=ROWS, nargs="+", default=[])
    p.add_argument("--check", action="store_true")
    p.add_argument("--json", type=pathlib.Path)
    args = p.parse_args()
    rows = {"xz": lambda: xz_rows(args), "tokens": lambda: ngram_rows(args, "tokens", Tokens),
            "words": lambda: ngram_rows(args, "words", Words), "model": lambda: model_rows(args)}
    out = []
    for name in (r for r in ROWS if r not in args.skip):
        start = time.time()
        for row, which, size, bits, about in rows[name]():
            out.append({"row": row, "heldout": which, "bytes": size, "bits_per_byte": bits / size, **about})
            notes = "; ".join(f"{key} {value}" for key, value in about.items())
            print(f"{row:14} {which:24} {size:8} bytes  {bits / size:.3f} bits per byte  {notes}", flush=True)
        print(f"  ({time.time() - start:.0f} s)", flush=True)
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
