#!/usr/bin/env python3
"""check_metrics: the metrics of generated text here, in sacreBLEU and in the E2E challenge's evaluation.

    check_metrics.py METRICS [TEXT]...    METRICS is build/tests/parity/metrics
    check_metrics.py --goldens            writes what `make test` checks: tests/golden/metrics/expected.jsonl

E2E_METRICS names a checkout of github.com/tuetschek/e2e-metrics (1b9c4d8), whose tokenizer needs Java; the goldens
need it, and the comparison leaves bleu-e2e, nist, rouge-l and cider out where it is not set.  Compared are our own
hypotheses of tests/golden/metrics and, if PEFTBENCH_DATA has e2e/, one reference of each of its test
examples against the others; and the Treebank words of 20,000 sentences of each TEXT (.txt or .txt.xz) and of all
E2E's texts, of which 99 % have to be equal.  The last numbers of texts are those of lm-evaluation-harness (make_answers.py).
Exact match, distinct-n and the slot errors have no program to be compared with: what is here follows their papers a second
time.  Exit code 1 if a value differs by more than 1e-9 of itself.
"""

import contextlib
import io
import json
import logging
import lzma
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unicodedata

import sacrebleu.metrics

import make_answers
import summary

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "metrics"
# Lines and the most references of each: whole, one reference each, few, one (with and without a match), no word.
PARTS = [(0, 999, 9), (0, 999, 1), (0, 4, 9), (2, 3, 9), (1, 2, 9), (21, 22, 9), (34, 35, 9), (36, 37, 9), (60, 999, 2)]
BAR = 1e-9


def result(metric, value, each=None, signature=None):
    return {"metric": metric, "signature": signature, "value": value, "each": each}


# ---- sacreBLEU --------------------------------------------------------------------------------------------


def sacre(corpus):
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    hypotheses = [x["hypothesis"] for x in corpus]
    most = max(len(x["references"]) for x in corpus)
    columns = [[(x["references"] + [None] * most)[k] for x in corpus] for k in range(most)]
    for name, metric in ("bleu", sacrebleu.metrics.BLEU()), ("chrf", sacrebleu.metrics.CHRF()), \
                        ("chrf++", sacrebleu.metrics.CHRF(word_order=2)):
        value = metric.corpus_score(hypotheses, columns).score
        signature = str(metric.get_signature())
        yield result(name, value, [metric.sentence_score(x["hypothesis"], x["references"]).score for x in corpus], signature)


# ---- the E2E challenge ---------------------------------------------------------------------------------------


def mteval(corpus):
    from metrics.pymteval import BLEUScore, NISTScore
    bleu, nist, each = BLEUScore(), NISTScore(), []
    for x in corpus:
        bleu.append(x["hypothesis"], x["references"])
        nist.append(x["hypothesis"], x["references"])
        one = BLEUScore()
        one.append(x["hypothesis"], x["references"])
        each.append(one.score())
    yield result("bleu-e2e", bleu.score(), each)
    try:
        yield result("nist", nist.score())
    except ZeroDivisionError:  # no n-gram of some n: undefined there, that term is 0 here
        pass


def coco(corpus):
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
    references = {i: [{"caption": r} for r in x["references"]] for i, x in enumerate(corpus)}
    hypotheses = {i: [{"caption": x["hypothesis"]}] for i, x in enumerate(corpus)}
    references, hypotheses = PTBTokenizer().tokenize(references), PTBTokenizer().tokenize(hypotheses)
    for name, metric in ("rouge-l", Rouge()), ("cider", Cider()):
        value, each = metric.compute_score(references, hypotheses)
        yield result(name, float(value), [float(x) for x in each])


# ---- papers --------------------------------------------------------------------------------------------------


def exact_match(corpus):
    each = [float(x["hypothesis"].strip() in [r.strip() for r in x["references"]]) for x in corpus]
    return result("exact-match", sum(each) / len(each), each)


def answers(corpus):
    """With the pattern {number}."""
    def last(text):
        return make_answers.number(make_answers.flexible(text))
    said = [last(x["hypothesis"]) for x in corpus]
    match = [float(a is not None and a in map(last, x["references"])) for a, x in zip(said, corpus)]
    missing = [float(a is None) for a in said]
    return [result(name, sum(each) / len(each), each) for name, each in (("answer-match", match), ("no-answer", missing))]


def distinct(corpus, n):
    tokenizer = sacrebleu.metrics.BLEU().tokenizer
    words = [tokenizer(x["hypothesis"].rstrip()).split() for x in corpus]
    grams = {tuple(w[i:i + n]) for w in words for i in range(len(w) - n + 1)}
    total = sum(map(len, words))
    return result(f"distinct-{n}", len(grams) / total if total else None)


def words_of(text):
    """Letters and digits in a row, with a stop or comma between two digits; other signs alone; no punctuation."""
    text, out, inside = text.lower(), [], False
    for i, c in enumerate(text):
        major = unicodedata.category(c)[0]
        between = c in ".," and text[i - 1:i].isdecimal() and text[i + 1:i + 2].isdecimal()
        if major in "LMN" or between:
            out = out[:-1] + [out[-1] + c] if inside else out + [c]
        elif major == "S":
            out.append(c)
        inside = major in "LMN" or between
    return tuple(out)


def slots_of(source):
    pairs = re.findall(r"\s*([^\[\],]+)\[([^\]]*)\]", source) if "[" in source else [p.split(":", 1) for p in source.split("|")]
    return [((a.strip() + "[" + v.strip() + "]").lower(), words_of(v)) for a, v in pairs]


def forms_of(path):
    forms = {}
    for line in path.read_text().splitlines() if path else []:
        found = re.match(r"([^\[:|#]+)\[([^\]]*)\]:(.*)$", line)
        if found:
            key = (found[1].strip() + "[" + found[2].strip() + "]").lower()
            forms.setdefault(key, []).extend(words_of(f) for f in found[3].split("|"))
    return forms


def slot_counts(own, said, text):
    """Missing slots and wrong values of one text."""
    def places(words):
        return [range(i, i + len(words)) for i in range(len(text) - len(words) + 1) if text[i:i + len(words)] == words]
    taken, missing, wrong, i = set(), 0, set(), 0
    for key, value in own:
        found = [p for words in {value, *said.get(key, ())} for p in places(words)]
        missing += not found
        taken.update(k for p in found for k in p)
    every = {words for all_words in said.values() for words in all_words} - {("yes",), ("no",)}
    while i < len(text):
        here = [w for w in every if text[i:i + len(w)] == w and not taken & set(range(i, i + len(w)))]
        longest = max(here, key=len, default=())
        wrong |= {longest} - {()}
        i += len(longest) or 1
    return missing, len(wrong)


def slot_errors(corpus, path):
    forms, said = forms_of(path), {}
    for x in corpus:
        for key, value in slots_of(x["source"]):
            said[key] = {value, *forms.get(key, ())}
    own = [slots_of(x["source"]) for x in corpus]
    counts = [slot_counts(s, said, words_of(x["hypothesis"])) for s, x in zip(own, corpus)]
    total = sum(map(len, own))
    yield result("slot-error", sum(map(sum, counts)) / total, [sum(c) / len(s) for c, s in zip(counts, own)])
    yield result("slot-missing", sum(c[0] for c in counts) / total, [c[0] / len(s) for c, s in zip(counts, own)])


# ---- comparison ------------------------------------------------------------------------------------------------


def theirs(corpus, forms):
    found = list(sacre(corpus))
    if "E2E_METRICS" in os.environ:
        sys.path.insert(0, os.environ["E2E_METRICS"])
        found += [*mteval(corpus), *coco(corpus)]
    return found + [exact_match(corpus), distinct(corpus, 1), distinct(corpus, 2), *slot_errors(corpus, forms)]


def part(corpus, first, last, references):
    return [{**x, "references": x["references"][:references]} for x in corpus[first:last]]


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_goldens():
    if "E2E_METRICS" not in os.environ:
        sys.exit("check_metrics: the goldens need E2E_METRICS, a checkout of the E2E challenge's evaluation")
    corpus = read(GOLDEN / "corpus.jsonl")
    with open(GOLDEN / "expected.jsonl", "w") as out:
        for where in PARTS:
            for r in theirs(part(corpus, *where), GOLDEN / "forms.txt"):
                out.write(json.dumps({"part": where, **r}) + "\n")


def ours(program, corpus, forms):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as f:
        f.writelines(json.dumps(x) + "\n" for x in corpus)
        f.flush()
        lines = subprocess.run([program, f.name, *([forms] if forms else [])], capture_output=True, text=True, check=True).stdout
    return {x["metric"]: x for x in map(json.loads, lines.splitlines())}


def far(a, b):
    """The difference relative to b."""
    if a is None or b is None:
        return 0.0 if a == b else math.inf
    return abs(a - b) / (abs(b) or 1) if math.isfinite(a) else math.inf


def compare(name, program, corpus, forms):
    """For each metric whether it is equal, and the difference."""
    found, mine = [], ours(program, corpus, forms)
    for r in [*theirs(corpus, forms), *answers(corpus)]:
        m = mine[r["metric"]]
        apart = far(m["value"], r["value"])
        each = [far(a, b) for a, b in zip(m["each"], r["each"], strict=True)] if r["each"] else []
        differ = sum(x > BAR for x in each)
        found.append((apart <= BAR and differ == 0 and r["signature"] in (None, m["signature"]), max([apart, *each])))
        value = "undefined" if r["value"] is None else f"{r['value']:.10f}"
        print(f"{name}: {r['metric']:12} {value}, here {apart:.1e} from it; {differ} of {len(each)} examples differ", flush=True)
    return found


def e2e_test(path):
    """The first reference of each source of E2E's test set against its others."""
    grouped = {}
    for line in path.read_text().splitlines():
        source, text = line.split("||", 1)
        grouped.setdefault(source, []).append(text.strip())
    return [{"source": s, "hypothesis": r[0], "references": r[1:]} for s, r in grouped.items() if len(r) > 1]


def sentences_of(path):
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt") as f:
        return re.split(r"\s*(?:\n|<br />)\s*|(?<=[.!?]) (?=[A-Z])", f.read(4_000_000).strip())[:20000]


def compare_words(name, program, lines):
    """The tokenizer there looks into the line that follows, so that a full stop may differ by that alone."""
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
    lines = [x for x in lines if x]
    there = [x[0] for x in PTBTokenizer().tokenize({i: [{"caption": x}] for i, x in enumerate(lines)}).values()]
    here = subprocess.run([program, "--treebank"], input="".join(x + "\n" for x in lines), capture_output=True, text=True,
                          check=True).stdout.split("\n")[:-1]
    equal = sum(a == b for a, b in zip(here, there, strict=True))
    print(f"{name}: Treebank words of {equal} of {len(lines)} lines equal", flush=True)
    return equal >= 0.99 * len(lines)


def check_words(program, data, texts):
    sys.path.insert(0, os.environ["E2E_METRICS"])
    found = sorted((data / "e2e").glob("*.txt"))
    e2e = sorted({line.split("||", 1)[1].strip() for path in found for line in path.read_text().splitlines()})
    named = [("e2e", e2e)] if e2e else []
    return [compare_words(name, program, lines) for name, lines in named + [(t.name, sentences_of(t)) for t in texts]]


def main():
    if sys.argv[1] == "--goldens":
        write_goldens()
        return
    words, corpus = [], read(GOLDEN / "corpus.jsonl")
    with contextlib.redirect_stderr(io.StringIO()):
        found = compare("ours", sys.argv[1], corpus, GOLDEN / "forms.txt")
        data = pathlib.Path(os.environ.get("PEFTBENCH_DATA", "."))
        if (data / "e2e").exists():
            found += compare("e2e", sys.argv[1], e2e_test(data / "e2e" / "test.txt"), None)
        if "E2E_METRICS" in os.environ:
            words = check_words(sys.argv[1], data, map(pathlib.Path, sys.argv[2:]))
    summary.finish("metrics", [good for good, _ in found] + words, max(apart for _, apart in found))


if __name__ == "__main__":
    main()
