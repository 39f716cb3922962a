#!/usr/bin/env python3
"""check_choose: questions with choices, by a language model here and in lm-evaluation-harness, one by one.

    check_choose.py PEFTBENCH FILE.gguf FOLDER [QUESTIONS]

FOLDER is PEFTBENCH_DATA, with the folder choice; 200 of the test questions of ARC-Easy and of OpenBookQA are asked
of the model as it is, with the prompts of the harness's tasks.  Needs lm_eval and datasets beside requirements.txt.
transformers reads the same file through the gguf package, dequantised to 32 bits.  One line a task: the questions, the
worst difference of a log-likelihood, acc and acc_norm on both sides, and the questions of which one of them differs.
Exit code 1 if there is one, unless the difference of its two best choices is within that of the log-likelihoods.
"""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import torch
import transformers

from check_generate import tokenizer_there
from make_choose import PROMPTS, ROOT, scored

FILES = {"arc-easy": "choice/ARC-Easy-test.jsonl", "openbookqa": "choice/openbookqa-test.jsonl"}
BAR = 2e-3  # of a log-likelihood, a sum over some dozen tokens


def ours(program, model, data, task, limit, place):
    """[(line of the file, log-likelihoods of its choices)], acc and acc_norm"""
    ini, db = place / f"{task}.ini", place / f"{task}.db"
    ini.write_text(f"[experiment]\ntask = {task}\nmodel = {model}\nmethods = zero-shot\nseeds = 0\ntiming_rounds = 0\n"
                   f"\n[task {task}]\nscore_limit = {limit}\n")
    subprocess.run([program, "run", ini, "--db", db, "--quiet"], check=True, stdout=subprocess.DEVNULL, cwd=ROOT,
                   env=dict(os.environ, PEFTBENCH_DATA=str(data)))
    with sqlite3.connect(db) as c:
        scores = c.execute("SELECT e.line, s.numbers FROM statistic s JOIN run r ON r.id = s.run JOIN example e "
                           "ON e.data = r.data AND e.split = s.split AND e.example = s.example "
                           "WHERE s.split = 'test' AND s.metric = 'choice_score' ORDER BY e.line").fetchall()
        got = dict(c.execute("SELECT key, value FROM v_result WHERE split = 'test'").fetchall())
    return [(line, json.loads(x)) for line, x in scores], got["accuracy.test.acc"], got["accuracy.test.acc_norm"]


def harness(model):
    from lm_eval.models.huggingface import HFLM
    network = transformers.AutoModelForCausalLM.from_pretrained(model.parent, gguf_file=model.name, dtype=torch.float32)
    return HFLM(pretrained=network, tokenizer=tokenizer_there(model), batch_size=16, device="cpu", add_bos_token=False)


def best(scores):
    """The number of the best choice, and by how much it is the best."""
    first = max(range(len(scores)), key=lambda k: scores[k])
    return first, scores[first] - max(x for k, x in enumerate(scores) if k != first)


def compare(task, questions, here, there):
    (mine, acc, norm), bad, worst = here, [], 0
    for (line, scores), their in zip(mine, there):
        q = questions[line]
        assert len(scores) == len(their["scores"]) == len(q["choices"])
        far = max(abs(a - b) for a, b in zip(scores, their["scores"]))
        worst = max(worst, far)
        normalised = [x / len(choice) for x, choice in zip(scores, q["choices"])]
        for key, x in (("acc", scores), ("acc_norm", normalised)):
            said, margin = best(x)
            if (said == q["answer"]) != their[key] and margin > 2 * far:
                bad.append((line, key))
    n = len(mine)
    theirs = [sum(t[key] for t in there) / n for key in ("acc", "acc_norm")]
    print(f"{task}: {n} questions, worst difference of a log-likelihood {worst:.1e}; acc {acc:.3f}, there {theirs[0]:.3f}; "
          f"acc_norm {norm:.3f}, there {theirs[1]:.3f}; {len(bad)} questions differ {bad[:5]}", flush=True)
    return not bad and worst < BAR


def main():
    program, model, data = (pathlib.Path(x).resolve() for x in sys.argv[1:4])
    limit = int(sys.argv[4]) if len(sys.argv) > 4 else 200
    transformers.logging.set_verbosity_error()
    network, good = harness(model), True
    with tempfile.TemporaryDirectory() as place:
        for task, file in FILES.items():
            here = ours(program, model, data, task, limit, pathlib.Path(place))
            lines = (data / file).read_text().splitlines()
            asked = pathlib.Path(place) / f"{task}.jsonl"
            asked.write_text("".join(lines[line - 1] + "\n" for line, _ in here[0]))
            there = list(scored(network, PROMPTS[task], asked))
            good = compare(task, {line: json.loads(lines[line - 1]) for line, _ in here[0]}, here, there) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
