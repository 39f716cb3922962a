#!/usr/bin/env python3
"""check_chat: chat templates here and in transformers.

    check_chat.py JINJA [FILE.gguf]     JINJA: build/tests/parity/jinja

Every template that is found renders the conversations of make_chat.py: those of tests/golden/chat, the one in the GGUF,
those of the installed packages (files *.jinja that loop over messages, and chat_template in tokenizer_config.json), and
random templates, which are held against jinja2 as transformers sets it up.  A template may be refused, by name, but what
is rendered must be the same text with the same marks.  Exit code 1 if one differs.
"""

import json
import pathlib
import random
import subprocess
import sys
import sysconfig
import warnings

import make_chat
import summary

GOLDEN = make_chat.GOLDEN / "chat"


def templates(gguf_file):
    for path in sorted(GOLDEN.glob("*.jinja")):
        yield path.name, path.read_text(encoding="utf-8")
    for path in sorted(pathlib.Path(sysconfig.get_path("purelib")).rglob("*.jinja")):
        text = path.read_text(encoding="utf-8")
        if "messages" in text:
            yield str(path.relative_to(sysconfig.get_path("purelib"))), text
    for path in sorted(pathlib.Path(sysconfig.get_path("purelib")).rglob("tokenizer_config.json")):
        text = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
        if isinstance(text, str):
            yield str(path), text
    if gguf_file:
        import gguf
        field = gguf.GGUFReader(gguf_file).get_field("tokenizer.chat_template")
        yield pathlib.Path(gguf_file).name, bytes(field.parts[field.data[0]]).decode()


# ---- random templates ------------------------------------------------------------------------------------------------

class Maker:
    """Templates from a grammar of expressions, tags and white space."""

    ATOMS = ["n", "f", "s", "messages", "d", "z", "u", "m", "'x'", "'a b'", "1", "2", "0", "3.5", "true", "none", "[]",
             "[1, 2]", "{'a': 1}", "messages[0].role", "messages[1]['content']", "loop.index", "ns.a", "(1,)"]
    FILTERS = ["trim", "length", "tojson", "list", "first", "last", "string", "reverse | list", "lower", "upper", "title",
               "capitalize", "items | list", "int", "default(1)", "default(2, true)", "join", "join(',')", "replace('a', 'b')"]
    TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean",
             "true", "false", "odd", "even"]
    MEMBERS = ["role", "content", "a", "strip()", "lstrip()", "upper()", "split()", "split(' ')", "split(',', 1)", "title()",
               "get('b')", "get('q', 1)", "items() | list", "keys() | list", "startswith('a')", "endswith('d')", "replace('a', 'x')"]
    INDICES = ["0", "-1", "1", "n", "'role'", "'b'", ":1", "1:", "::-1", "-2:", ":-1:2"]

    def __init__(self, seed):
        self.r = random.Random(seed)

    def expression(self, depth):
        r = self.r
        if depth <= 0:
            return r.choice(self.ATOMS)
        x, y = self.expression(depth - 1 - r.randrange(2)), self.expression(depth - 1 - r.randrange(2))
        return r.choice([
            f"({x})", f"{x} {r.choice('+-*%~')} {y}", f"{x} // {y}", f"{x} {r.choice(['==', '!=', '<', '<=', 'in', 'not in'])} {y}",
            f"{x} {r.choice(['and', 'or'])} {y}", f"not {x}", f"{x} if {y} else {x}", f"{x} | {r.choice(self.FILTERS)}",
            f"{x} is {r.choice(['', 'not '])}{r.choice(self.TESTS)}", f"{x}[{r.choice(self.INDICES)}]",
            f"{x}.{r.choice(self.MEMBERS)}", f"[{x}, {y}]", f"({x}, {y})", f"{{'k': {x}}}", f"{x} | map(attribute='role') | list",
            f"{x} | selectattr('role', 'equalto', 'user') | list", f"{x} | map('trim') | list", f"f1({x})", f"-{x}",
            f"{x} is {r.choice(['eq', 'in', 'gt'])} {r.choice(self.ATOMS)}"])

    def tag(self, inside):
        return "{%" + self.r.choice(["", "", "-", "+"]) + f" {inside} " + self.r.choice(["", "", "-", "+"]) + "%}"

    def body(self, depth):
        r, out = self.r, ""
        for _ in range(r.randrange(1, 4)):
            x = self.expression(2)
            out += r.choice(["", "", " ", "\n", "\n  ", "x", "\n\n", " y\n"])
            kind = r.randrange(8) if depth > 0 else 0
            if kind < 3:
                out += r.choice(["{{ %s }}", "{{- (%s) | tojson -}}", "{{ (%s) | tojson }}"]) % self.expression(r.randrange(4))
            elif kind == 3:
                out += self.tag("if " + x) + self.body(depth - 1) + self.tag("else") + self.body(depth - 1) + self.tag("endif")
            elif kind == 4:
                out += self.tag("for m in " + x) + self.body(depth - 1) + self.tag("endfor")
            elif kind == 5:
                out += self.tag(f"set {r.choice(['u', 'ns.a', 'm'])} = {x}")
            elif kind == 6:
                out += self.tag("set u") + self.body(depth - 1) + self.tag("endset")
            else:
                out += self.tag("macro f1(u, v=2)") + self.body(depth - 1) + self.tag("endmacro")
        return out

    def template(self):
        return "{% set ns = namespace(a=1) %}{% macro f1(u, v=2) %}{{ u }}{% endmacro %}" + self.body(3)


# ---- both ------------------------------------------------------------------------------------------------------------

VALUES = {"n": 7, "f": 0.1, "s": "ab cd,ef", "z": None, "d": {"b": 1, "a": {"c": [1, 2.5, None, True]}}}


def cases(gguf_file, count):
    for name, text in templates(gguf_file):
        for messages in make_chat.CONVERSATIONS.values():
            for prompt in (False, True):
                yield name, text, messages, {**make_chat.TOKENS, "add_generation_prompt": prompt}
    maker = Maker(0)
    for i in range(count):
        yield f"random {i}", maker.template(), make_chat.CONVERSATIONS["system"], {**VALUES, "add_generation_prompt": False}


def main():
    program, gguf_file = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    warnings.simplefilter("ignore", SyntaxWarning)  # jinja2 compiles templates to Python
    all_cases = list(cases(gguf_file, 500))
    lines = "".join(json.dumps({"template": text, "variables": {"messages": messages, "tools": None, "documents": None, **variables}})
                    + "\n" for _, text, messages, variables in all_cases)
    answers = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    count, shown = {}, set()
    for (name, text, messages, variables), line in zip(all_cases, answers, strict=True):
        ours, theirs = json.loads(line), make_chat.render(text, messages, **variables)
        kind = "random templates" if name.startswith("random") else name
        got = "refused" if "error" in ours else "the same"
        if "text" in ours and {k: ours[k] for k in ("text", "marks")} != theirs:
            got = "different"
            print(f"{name}: {theirs} there, {ours} here")
        if "error" in ours and "text" in theirs:
            got = "refused here only"
            if kind != "random templates" and (kind, ours["error"]) not in shown:
                shown.add((kind, ours["error"]))
                print(f"{kind}: {ours['error']}")
        count.setdefault(kind, {}).setdefault(got, 0)
        count[kind][got] += 1
    for kind, counts in count.items():
        print(f"{kind}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    named = {"the same": "passed", "different": "failed"}
    summary.finish("chat", [named.get(what, "refused") for counts in count.values() for what, n in counts.items() for _ in range(n)])


if __name__ == "__main__":
    main()
