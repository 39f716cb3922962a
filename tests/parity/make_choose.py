#!/usr/bin/env python3
"""make_choose: what transformers, PEFT and lm-evaluation-harness say about multiple choice.

    DIR/bin/python tests/parity/make_choose.py             writes tests/golden/choose/

Needs models/pico-decoder, and lm_eval and datasets beside tests/parity/requirements.txt.  Writes

    NAME/                 a tiny model ..ForMultipleChoice with logits.jsonl: questions with 2 to 4 choices, the logit of
                          each in double, and the loss of one of them; and an adapter that PEFT saved on the tiny BERT
    questions.jsonl       questions of our own
    likelihoods.jsonl     of each, by models/pico-decoder behind the prompt of arc_easy and behind that of openbookqa: the
                          log-likelihoods of its choices, acc and acc_norm
"""

import json
import pathlib
import random

import peft
import torch
import transformers

import families
import make_goldens

ROOT = make_goldens.GOLDEN.parent.parent
OUT = make_goldens.GOLDEN / "choose"
NAMES = ["bert-choices", "roberta-choices", "distilbert-choices"]


# ---- transformers and PEFT ------------------------------------------------------------------------

def questions(types):
    """Ids and token types of the choices of each question; those of one question have one length, as there is no padding."""
    rng = random.Random(5)
    for choices in (2, 3, 4, 4):
        length = rng.randint(5, 17)
        yield [{"input_ids": [rng.randrange(3, families.VOCAB) for _ in range(length)],
                **({"token_type_ids": [int(k >= length // 2) for k in range(length)]} if types else {})}
               for _ in range(choices)]


def write(path, model, types):
    lines = []
    for number, choices in enumerate(questions(types)):
        given = {key: torch.tensor([[c[key] for c in choices]]) for key in choices[0]}
        label = number % len(choices)
        with torch.no_grad():
            said = model(**given, labels=torch.tensor([label]))
        lines.append(json.dumps({"choices": choices, "label": label, "loss": float(f"{said.loss.item():.9g}"),
                                 "logits": [float(f"{x:.9g}") for x in said.logits[0].tolist()]}))
    path.write_text("\n".join(lines) + "\n")


def write_models():
    for kind in families.BERT, families.DISTIL:
        kind.update({k: 1 for k in ("num_hidden_layers", "n_layers") if k in kind}, vocab_size=31)
    families.VOCAB = 31
    for name in NAMES:
        types = not name.startswith("distilbert")
        model = families.save(name, OUT / name)
        write(OUT / name / "logits.jsonl", model.double(), types)
    torch.manual_seed(7)
    tuned = peft.get_peft_model(families.make(NAMES[0]), peft.LoraConfig(
        r=3, lora_alpha=5, target_modules=["query", "value"], init_lora_weights=False, modules_to_save=["classifier"]))
    with torch.no_grad():
        for key, p in tuned.named_parameters():
            if "classifier" in key and p.requires_grad:
                p += 0.3 * torch.randn(p.shape)
    place = OUT / NAMES[0] / "lora"
    tuned.save_pretrained(place)
    (place / "README.md").unlink(missing_ok=True)
    write(place / "logits.jsonl", tuned.eval().double(), True)


# ---- lm-evaluation-harness ------------------------------------------------------------------------

OWN = [
    ("Which film was the longest of the three?", ["the first one", "the second one, which never ended", "the last"], 1),
    ("The actor is", ["good", "a very good actor in a bad film", "bad"], 0),
    ("What does a viewer do at the end of a dull film?", ["He sleeps.", "He claps.", "He writes a letter.", "He laughs."], 0),
    ("A comedy makes people", ["laugh", "weep", "leave"], 0),
    ("Is \"naïve\" written with ï?", ["yes", "no"], 0),
    ("Where is the café?", ["près de l'église", "in the city", "nowhere", "日本", "😀 there"], 1),
    ("How many acts has the play?\nCount them.", ["two", "three", "12,000"], 2),
    ("The director of the film was", ["an old man", "a young woman of great talent", "nobody"], 1),
    ("Which word is the shortest?", ["a", "an", "any", "many", "manly"], 0),
    ("The story is about a girl who", ["finds a dog", "finds a very large number of dogs and cats", "sleeps"], 0),
    ("Two words, which of them is longer?", ["cinematography", "film"], 0),
    ("The music was", ["loud.", "Loud!", " loud", "so quiet that nobody in the room heard it"], 3),
    ("What is the year of the film?", ["1999", "2001: a space odyssey", "1,984"], 0),
    ("The end of the film is", ["the end", "The end.", "not the end"], 2),
]
PROMPTS = {"arc-easy": "Question: {{question}}\nAnswer:", "openbookqa": "{{question}}"}


def write_questions():
    lines = [json.dumps({"question": q, "choices": c, "answer": a}, ensure_ascii=False) for q, c, a in OWN]
    (OUT / "questions.jsonl").write_text("\n".join(lines) + "\n")


def scored(model, prompt, file, limit=None):
    """What the harness says of each question: the log-likelihoods of its choices, acc and acc_norm."""
    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    task = ConfigurableTask(config={
        "task": "own", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(file)}}, "test_split": "test",
        "output_type": "multiple_choice", "doc_to_text": prompt, "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{answer}}", "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]})
    got = lm_eval.simple_evaluate(model=model, tasks=[task], log_samples=True, bootstrap_iters=0, limit=limit)
    for s in sorted(got["samples"]["own"], key=lambda s: s["doc_id"]):
        yield {"scores": [float(f"{r[0]:.9g}") for r in s["filtered_resps"]], "acc": int(s["acc"]), "acc_norm": int(s["acc_norm"])}


def harness_model(folder):
    from lm_eval.models.huggingface import HFLM
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(pathlib.Path(folder) / "tokenizer.json"))
    tokenizer.pad_token = tokenizer.eos_token = tokenizer.convert_ids_to_tokens(0)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return HFLM(pretrained=network, tokenizer=tokenizer, batch_size=4, device="cpu", add_bos_token=False)


def write_likelihoods():
    model = harness_model(ROOT / "models" / "pico-decoder")
    lines = [json.dumps({"task": name} | line) for name, prompt in PROMPTS.items()
             for line in scored(model, prompt, OUT / "questions.jsonl")]
    (OUT / "likelihoods.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    transformers.logging.disable_progress_bar()
    OUT.mkdir(parents=True, exist_ok=True)
    write_models()
    write_questions()
    write_likelihoods()
