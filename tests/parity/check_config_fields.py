#!/usr/bin/env python3
"""check_config_fields: the tables of src/model/model_fields.c held against the classes of the installed transformers.

    check_config_fields.py

Every field of the configuration of every family, and of GenerationConfig, must stand in its table; where the table
names a default it must be transformers'; and what transformers writes by itself must be accepted as it is.  With a
new version of transformers this names the rows to be added or changed.  Exit code 1 if one differs.
"""

import json
import pathlib
import re

import summary
import transformers as tf

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "model" / "model_fields.c"
ROW = re.compile(r'^    \{"([^"]*)", "([^"]*)", "([^"]*)", (NULL|"(?:[^"\\]|\\.)*"), (READ|HARMLESS|REFUSED)\}', re.M)
FAMILIES = {"bert": "Bert", "roberta": "Roberta", "distilbert": "DistilBert", "gpt2": "GPT2", "llama": "Llama",
            "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
KIND = {"int": int, "number": (int, float), "bool": bool, "text": str, "list": (list, tuple), "object": dict,
        "null": type(None)}


def table(name):
    text = SOURCE.read_text()
    part = text[text.index(f"static const pb_field {name}[]"):]
    return ROW.findall(part[:part.index("\n};")])


def is_kind(value, kinds):
    return any(isinstance(value, KIND[k]) and not (k in ("int", "number") and isinstance(value, bool))
               for k in kinds.split("|"))


def compare(label, rows, theirs):
    good = []
    for key, value in theirs.items():
        if key.startswith("_"):  # a remark
            continue
        row = next((r for r in rows if r[1] == key and (r[0] == "*" or label in r[0].split())), None)
        preset = json.loads(json.loads(row[3])) if row and row[3] != "NULL" else None
        problem = ("is not in the table" if not row else
                   f"is {value!r}, want {row[2]}" if not is_kind(value, row[2]) else
                   f"has the default {value!r}, the table says {preset!r}"
                   if row[3] != "NULL" and value is not None and value != preset else
                   f"is refused at its default {value!r}" if row[4] == "REFUSED" and value is not None and value != preset
                   else None)
        good.append(not problem)
        if problem:
            print(f"FAILED  {label}: {key} {problem}")
    return good


def main():
    config, generation = table("config"), table("generation")
    good = []
    for name, c in FAMILIES.items():
        good += compare(name, config, json.loads(getattr(tf, c + "Config")().to_json_string(use_diff=False)) |
                        {"transformers_version": None})
    g = tf.GenerationConfig()
    defaults = g._get_default_generation_params()
    good += compare("generation", generation, {k: defaults.get(k, v) for k, v in g.to_dict().items()} |
                    {"transformers_version": None})
    print(f"{len(config)} rows of config.json and {len(generation)} of generation_config.json held against "
          f"transformers {tf.__version__}")
    summary.finish("config_fields", good)


if __name__ == "__main__":
    main()
