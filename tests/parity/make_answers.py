#!/usr/bin/env python3
"""make_answers: what the filters of lm-evaluation-harness's task gsm8k find in texts, for tests/train/test_answer.c.

    DIR/bin/python tests/parity/make_answers.py > tests/golden/metrics/answers.jsonl

Its strict-match takes the first match of one expression, its flexible-extract the last of another; its exact_match then
removes what `ignored` lists from both texts and compares them.  `number` is the text as a decimal number.
"""
import json
import re
from decimal import Decimal

STRICT, FLEXIBLE = r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)"
IGNORED = [r",", r"\$", r"(?s).*#### ", r"\.$"]

TEXTS = [
    "#### 18", "He has 3 + 4 = 7.\n#### 7", "#### 1,000", "#### -5", "#### 3.50", "#### 18.", "#### 18.0", "#### $18", "####18",
    "##### 12", "#### 12 apples", "#### 007", "#### .5", "#### 0", "#### -0", "#### ...", "#### ,", "#### -", "####  9",
    "#### 1\n#### 2", "The answer is 18.", "The answer is $18.", "It costs $1,234.56 in all.", "-3 degrees", "from 3-4 to 5-6",
    "50% of them", "no number here", "", "So there are 12 ... and that is all", "1. One\n2. Two\n3", "x=5;y=6", "1/2", "3.14.15",
    "$", "$$", "$5", "He paid 5$", "-$5", "Total: 1,000,000", "Question: 7?\n#### 42\nQuestion: 8", "12,", "about 5 or 6.", "− 7",
    "１２", "#### 1e3", "2^10 = 1024", "#### 1000.50", "1.0 and 2.00", "3:45", "(18)", "**18**", "\\boxed{18}",
    "#### 123456789012345678901234567890",
]


OTHERS = ["18", "1000", "5", "12", "7", "0.5", "-5", "1,000,000"]


def ignored(text):
    for expression in IGNORED:
        text = re.sub(expression, "", text)
    return text.lower()


def strict(text):
    match = re.search(STRICT, text)
    return match and match.group(1)


def flexible(text):
    matches = ["".join(match) for match in re.findall(FLEXIBLE, text)]
    return matches[-1] if matches else None


def number(text):
    """None of None, and of a text that is no number."""
    plain = re.sub(r"\.$", "", text or "").replace(",", "").replace("$", "")
    return str(Decimal(plain).normalize() + 0) if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", plain, re.ASCII) else None


def main():
    for text in TEXTS:
        found = {"strict": strict(text), "flexible": flexible(text)}
        value = {kind: number(x) for kind, x in found.items()}
        print(json.dumps({"text": text, **found, **{
            f"{kind}_equal": [i for i, other in enumerate(OTHERS) if found[kind] is not None and ignored(found[kind]) == ignored(other)]
            for kind in found}, **{
            f"{kind}_number": [i for i, other in enumerate(OTHERS) if value[kind] is not None
                               and Decimal(value[kind]) == Decimal(number(other))] for kind in found},
            **{f"{kind}_none": value[kind] is None for kind in found}}))


if __name__ == "__main__":
    main()
