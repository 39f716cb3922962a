#!/usr/bin/env python3
"""check_generate: continuations here and in transformers, greedy and by beam search, token by token.

    check_generate.py PEFTBENCH                         of tiny decoders, as their generation_config.json says
    check_generate.py PEFTBENCH FILE.gguf [TOKENS]      of a GGUF as well; 64, half as many in beam searches

transformers reads the same file through the gguf package, dequantised to 32 bits.  The ids of the
prompts are compared as well; transformers leaves out that `smollm` cuts digits first, so its tokenizer
gets that back before.  Exit code 1 if one differs.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from tokenizers import pre_tokenizers

import families
import summary

PROMPTS = [
    "Gravity is", "The capital of France is", "Once upon a time", "def fibonacci(n):", "Water boils at 100 degrees",
    "In 1969, the first", "My favourite recipe:\n\n1. Take", "Dear Sir or Madam,", "The three laws of", "A cat and a dog",
    "SELECT name FROM", "To be, or not to be", "She opened the door and", "The GDP of Germany in 2019 was", "Q: What is 7 x 8?\nA:",
    "Les enfants jouent", "Plants need light because", "The meaning of life", "int main(void) {", "It was raining, so",
]

WAYS = [
    ("greedy", [], {}),
    ("greedy, no 3 tokens twice", ["--no-repeat", "3"], dict(no_repeat_ngram_size=3)),
    ("4 beams, length penalty 0.8, no 3 tokens twice", ["--beams", "4", "--length-penalty", "0.8", "--no-repeat", "3"],
     dict(num_beams=4, length_penalty=0.8, no_repeat_ngram_size=3)),
    ("4 beams, length penalty 1.2, no 3 tokens twice", ["--beams", "4", "--length-penalty", "1.2", "--no-repeat", "3"],
     dict(num_beams=4, length_penalty=1.2, no_repeat_ngram_size=3)),
]


# What generation_config.json may say; END is replaced by a token that the greedy continuation has.
GENERATION = [
    {"eos_token_id": 2}, {"eos_token_id": [2, "END"]}, {"eos_token_id": ["END", 2, 5]}, {}, {"eos_token_id": None},
    {"eos_token_id": 2, "repetition_penalty": 1.3}, {"eos_token_id": 2, "repetition_penalty": 0.8, "no_repeat_ngram_size": 3},
    {"eos_token_id": 2, "num_beams": 3}, {"eos_token_id": [2, "END"], "num_beams": 3, "repetition_penalty": 1.1},
    {"eos_token_id": 2, "num_beams": 4, "length_penalty": 0.5, "no_repeat_ngram_size": 2},
    {"eos_token_id": 2, "temperature": 0.6, "top_p": 0.9, "top_k": 20},
    {"eos_token_id": 2, "max_new_tokens": 5},
]


def as_the_file_says(program, name, place):
    """Whether each of the generation_config.json gives the same tokens."""
    folder = pathlib.Path(place) / name
    families.save(name, folder)
    file, ids = folder / "generation_config.json", families.sequences(seed=21, count=3, longest=20)
    file.write_text('{"eos_token_id": 2}')
    ends, same = [c[min(3, len(c) - 1)] for c in here(program, folder, ids, ["--max-new", "20"])], []
    for said in GENERATION:
        text = json.dumps(said)
        equal = True
        for prompt, end in zip(ids, ends):
            file.write_text(text.replace('"END"', str(end)))
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
            more = {} if "max_new_tokens" in said else {"max_new_tokens": 20}
            with torch.no_grad():
                out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                                     pad_token_id=0, **more)[0, len(prompt):].tolist()
            options = [] if "max_new_tokens" in said else ["--max-new", "20"]
            equal = agree(text, here(program, folder, [prompt], options)[0], out) and equal
        same.append(equal)
    print(f"{name}: {sum(same)} of {len(GENERATION)} generation_config.json equal, {len(ids)} prompts each", flush=True)
    return same


def tokenizer_there(path):
    t = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    backend = t.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                     pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return t


def here(program, path, ids, options):
    run = subprocess.run([program, "generate", "--ids", "--model", str(path), *options], text=True, check=True,
                         input="".join(json.dumps(i) + "\n" for i in ids), capture_output=True)
    return [json.loads(line)["ids"] for line in run.stdout.splitlines()]


def there(model, ids, tokens, settings):
    with torch.no_grad():
        out = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                             max_new_tokens=tokens, do_sample=False, pad_token_id=0, **settings)
    return out[0, len(ids):].tolist()


def agree(prompt, ours, theirs):
    if ours != theirs:
        first = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        print(f"differs: {prompt!r} from token {first}")
    return ours == theirs


def of_a_gguf(program, path, tokens):
    """Whether the ids of each prompt are equal, then its continuations in each of WAYS."""
    load = dict(pretrained_model_name_or_path=path.parent, gguf_file=path.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(**load, dtype=torch.float32, attn_implementation="eager").eval()
    lines = "".join(json.dumps(p) + "\n" for p in PROMPTS)
    ids = [json.loads(x)["ids"] for x in subprocess.run([program, "tokenize", "--json", "--model", str(path)], input=lines,
                                                        capture_output=True, text=True, check=True).stdout.splitlines()]
    backend = tokenizer_there(path).backend_tokenizer
    good = [a == backend.encode(p).ids for a, p in zip(ids, PROMPTS, strict=True)]
    print(f"ids of prompts: {sum(good)} of {len(PROMPTS)} equal", flush=True)
    for name, options, settings in WAYS:
        most = tokens // 2 if "num_beams" in settings else tokens
        ours = here(program, path, ids, ["--max-new", str(most), *options])
        same = [agree(*x) for x in zip(PROMPTS, ours, (there(model, i, most, settings) for i in ids), strict=True)]
        print(f"{name}, {most} tokens: {sum(same)} of {len(PROMPTS)} equal", flush=True)
        good += same
    return good


def main():
    transformers.logging.disable_progress_bar()
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as place:
        good = [same for name in ("gpt2", "llama", "qwen3") for same in as_the_file_says(program, name, place)]
    if len(sys.argv) > 2:
        good += of_a_gguf(program, pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 64)
    summary.finish("generate", good)


if __name__ == "__main__":
    main()
