#!/usr/bin/env python3
"""make_continuations: what transformers' generate makes of the tiny decoders of tests/golden/families.

Writes NAME/continuations.jsonl there: {"how": settings as [decode] writes them, "ids": the prompt, "added": [..],
"score": the sum of log-probabilities of what was added, under the model itself; beam search and penalties only}.  In double, so that rounding decides nothing.
"""

import json

import torch
import transformers

import families
from make_families import GOLDEN

NAMES = "gpt2", "llama-3", "qwen3"
MAX_NEW = 14
HOW = [
    ("strategy=greedy", {}),
    ("strategy=greedy no_repeat=2", dict(no_repeat_ngram_size=2)),
    ("strategy=beam beams=4", dict(num_beams=4)),
    ("strategy=beam beams=4 length_penalty=0.8 no_repeat=3", dict(num_beams=4, length_penalty=0.8, no_repeat_ngram_size=3)),
    ("strategy=beam beams=4 length_penalty=1.2 no_repeat=3", dict(num_beams=4, length_penalty=1.2, no_repeat_ngram_size=3)),
    ("strategy=beam beams=2 length_penalty=-0.5 no_repeat=1", dict(num_beams=2, length_penalty=-0.5, no_repeat_ngram_size=1)),
    ("strategy=greedy repetition_penalty=1.3", dict(repetition_penalty=1.3)),
    ("strategy=greedy repetition_penalty=0.7 no_repeat=2", dict(repetition_penalty=0.7, no_repeat_ngram_size=2)),
    ("strategy=beam beams=3 repetition_penalty=1.2", dict(num_beams=3, repetition_penalty=1.2)),
]


def generate(model, ids, more):
    """The tokens added, and their log-probability: that of the beam search, or, where a penalty is in it, the model's."""
    with torch.no_grad():
        out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
                             max_new_tokens=MAX_NEW, pad_token_id=0, return_dict_in_generate=True, output_scores=True, **more)
    added = out.sequences[0, len(ids):].tolist()
    if "repetition_penalty" in more:
        with torch.no_grad():
            logits = model(torch.tensor([ids + added])).logits[0, len(ids) - 1:-1].log_softmax(-1)
        return added, float(logits.gather(1, torch.tensor(added)[:, None]).sum())
    if "num_beams" not in more:
        return added, None
    return added, float(out.sequences_scores[0]) * len(added) ** more.get("length_penalty", 1.0)


def main():
    transformers.logging.disable_progress_bar()
    families.VOCAB = 31
    for name in NAMES:
        model = transformers.AutoModelForCausalLM.from_pretrained(GOLDEN / name, dtype=torch.float64).eval()
        with open(GOLDEN / name / "continuations.jsonl", "w") as f:
            for how, more in HOW:
                for ids in families.sequences(seed=11, count=5, longest=14):
                    added, score = generate(model, ids, more)
                    line = {"how": f"{how} max_new={MAX_NEW}", "ids": ids, "added": added}
                    f.write(json.dumps(line if score is None else {**line, "score": float(f"{score:.7g}")}) + "\n")


if __name__ == "__main__":
    main()
