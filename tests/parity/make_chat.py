#!/usr/bin/env python3
"""make_chat: what transformers makes of conversations by the templates of tests/golden/chat.

    make_chat.py        writes tests/golden/chat/rendered.jsonl and tests/golden/chat/tokens.jsonl

A line of rendered.jsonl is one rendering: the template's file, the variables, and the text with what its
{% generation %} blocks mark, in bytes, or that the template refuses.  A line of tokens.jsonl is one conversation of a
tokenizer of tests/golden/bpe: its ids and transformers' assistant mask.  The mask must also come out without the
blocks, from the prefixes of the conversation.
"""

import json
import pathlib

import transformers
from transformers.utils.chat_template_utils import render_jinja_template

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

USER = {"role": "user", "content": "  What is a film noir?\n"}
ANSWER = {"role": "assistant", "content": "A dark film, \"très\" stylish.\n\nMade in the 1940s. 😀 "}
CONVERSATIONS = {
    "one user": [USER],
    "one turn": [USER, ANSWER],
    "two turns": [USER, ANSWER, {"role": "user", "content": "And a good one?"}, {"role": "assistant", "content": "Laura"}],
    "system": [{"role": "system", "content": "Be short."}, USER, ANSWER, {"role": "user", "content": "Why?\u3000"}],
    "wrong order": [USER, {"role": "user", "content": "Again"}],
    "unknown role": [{"role": "judge", "content": "So be it"}, {"role": "user", "content": ""}],
    "thoughts": [USER, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYes"}, USER,
                 {"role": "assistant", "content": "<think>\nwell\n</think>\n\nNo"}],
}


def bytes_of(text, index):
    return len(text[:index].encode())


def render(template, messages, **variables):
    """The text and the marks in bytes, or None if the template refuses."""
    try:
        texts, marks = render_jinja_template([messages], chat_template=template, return_assistant_tokens_mask=True, **variables)
    except Exception as error:  # noqa: BLE001 - a template raises what it likes
        return {"refused": type(error).__name__}
    return {"text": texts[0], "marks": [[bytes_of(texts[0], i) for i in pair] for pair in marks[0]]}


def write_rendered():
    with open(GOLDEN / "chat" / "rendered.jsonl", "w", encoding="utf-8") as out:
        for path in sorted((GOLDEN / "chat").glob("*.jinja")):
            template = path.read_text(encoding="utf-8")
            for name, messages in CONVERSATIONS.items():
                for prompt in (False, True):
                    variables = {**TOKENS, "add_generation_prompt": prompt}
                    result = render(template, messages, **variables)
                    row = {"template": path.name, "case": name,
                           "variables": {"messages": messages, "tools": None, "documents": None, **variables}, **result}
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")


# Tokenizers whose special tokens the templates write, with those that bos_token and eos_token are there.
GPT = {"bos_token": "<|end|>", "eos_token": "<|end|>"}
PAIRS = [(tokenizer, GPT, template) for tokenizer in ("gpt2", "llama3", "qwen2", "smollm")
         for template in ("chatml", "llama3", "gemma", "phi3", "qwen", "smollm", "deepseek", "plain")]
PAIRS += [(tokenizer, TOKENS, template) for tokenizer in ("llama", "metaspace")
          for template in ("llama2", "mistral", "zephyr", "deepseek")]


def write_tokens():
    with open(GOLDEN / "chat" / "tokens.jsonl", "w", encoding="utf-8") as out:
        for folder, special, name in PAIRS:
            tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(GOLDEN / "bpe" / folder / "tokenizer.json"), **special)
            template = (GOLDEN / "chat" / f"{name}.jinja").read_text(encoding="utf-8")
            for case in ("one turn", "two turns"):
                encoded = tokenizer.apply_chat_template(CONVERSATIONS[case], chat_template=template, return_dict=True,
                                                        return_assistant_tokens_mask=True)
                row = {"tokenizer": folder, "template": f"{name}.jinja", "special": special, "messages": CONVERSATIONS[case],
                       "ids": encoded["input_ids"], "mask": encoded["assistant_masks"]}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    write_rendered()
    write_tokens()
