#!/usr/bin/env python3
"""check_generate: greedy continuations of a GGUF here and in transformers, token by token.

    check_generate.py PEFTBENCH FILE.gguf [TOKENS]

transformers reads the same file through the gguf package, dequantised to 32 bits.  The ids of the
prompts are compared as well; transformers leaves out that `smollm` cuts digits first, so its tokenizer
gets that back before.  Exit code 1 if one differs.
"""

import json
import pathlib
import subprocess
import sys

import torch
import transformers
from tokenizers import pre_tokenizers

PROMPTS = [
    "Gravity is", "The capital of France is", "Once upon a time", "def fibonacci(n):", "Water boils at 100 degrees",
    "In 1969, the first", "My favourite recipe:\n\n1. Take", "Dear Sir or Madam,", "The three laws of", "A cat and a dog",
    "SELECT name FROM", "To be, or not to be", "She opened the door and", "The GDP of Germany in 2019 was", "Q: What is 7 x 8?\nA:",
    "Les enfants jouent", "Plants need light because", "The meaning of life", "int main(void) {", "It was raining, so",
]


def ids_there(path):
    t = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    backend = t.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                     pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return [backend.encode(p).ids for p in PROMPTS]


def main():
    transformers.logging.disable_progress_bar()
    program, path, tokens = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 64
    load = dict(pretrained_model_name_or_path=path.parent, gguf_file=path.name)
    model = transformers.AutoModelForCausalLM.from_pretrained(**load, dtype=torch.float32, attn_implementation="eager").eval()
    lines = "".join(json.dumps(p) + "\n" for p in PROMPTS)
    ids = [json.loads(x)["ids"] for x in subprocess.run([program, "tokenize", "--json", "--model", str(path)], input=lines,
                                                        capture_output=True, text=True, check=True).stdout.splitlines()]
    equal = sum(a == b for a, b in zip(ids, ids_there(path), strict=True))
    print(f"ids of prompts: {equal} of {len(PROMPTS)} equal", flush=True)
    run = subprocess.run([program, "generate", "--ids", "--max-new", str(tokens), "--model", str(path)], text=True, check=True,
                         input="".join(json.dumps(i) + "\n" for i in ids), capture_output=True)
    same = 0
    for prompt, prompt_ids, line in zip(PROMPTS, ids, run.stdout.splitlines(), strict=True):
        with torch.no_grad():
            out = model.generate(torch.tensor([prompt_ids]), attention_mask=torch.ones(1, len(prompt_ids), dtype=torch.long),
                                 max_new_tokens=tokens, do_sample=False, pad_token_id=0)
        theirs, ours = out[0, len(prompt_ids):].tolist(), json.loads(line)["ids"]
        same += ours == theirs
        if ours != theirs:
            print(f"differs: {prompt!r} from token {next(i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b)}")
    print(f"greedy continuations of {tokens} tokens: {same} of {len(PROMPTS)} equal")
    sys.exit(not same == equal == len(PROMPTS))


if __name__ == "__main__":
    main()
