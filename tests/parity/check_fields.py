#!/usr/bin/env python3
"""check_fields: the table of src/model/adapter_fields.c held against the dataclasses of the installed PEFT.

    check_fields.py

Every field of every type that is read here must stand in the table with PEFT's default, and the table must hold
no field that PEFT has not; the default targets of src/model/adapter_targets.c must be PEFT's.  With a new version
of PEFT this names the rows to be added, changed or removed.  Exit code 1 if one differs.
"""

import dataclasses
import enum
import json
import pathlib
import re

import peft
import summary
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.utils import constants

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "model"
ROW = re.compile(r'^    \{"([^"]*)", "([^"]*)", "([^"]*)", "((?:[^"\\]|\\.)*)", (READ|HARMLESS|REFUSED|DECLARED)\}', re.M)
UNREAD = {"ADAMSS", "FROD", "POLY", "SHADOW", "XLORA"}
CONFIGS = {kind.value: config for kind, config in PEFT_TYPE_TO_CONFIG_MAPPING.items() if kind.value not in UNREAD}
MAPPINGS = {"LORA": constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING,
            "ADALORA": constants.TRANSFORMERS_MODELS_TO_ADALORA_TARGET_MODULES_MAPPING,
            "IA3": constants.TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
            "IA3 feedforward": constants.TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
            "LN_TUNING": constants.TRANSFORMERS_MODELS_TO_LNTUNING_TARGET_MODULES_MAPPING}
FAMILIES = ["bert", "roberta", "distilbert", "gpt2", "llama", "mistral", "qwen2", "qwen3"]
TARGET = re.compile(r'^    \{"([^"]*)", "([^"]*)", "([^"]*)"\}', re.M)


def plain(value):
    """A default as JSON would hold it."""
    if isinstance(value, enum.Enum):
        return value.value
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value


def theirs(config):
    out = {}
    for f in dataclasses.fields(config):
        default = f.default if f.default is not dataclasses.MISSING else f.default_factory()
        out[f.name] = plain(default)
    return out


def ours(rows, kind, config):
    """The fields of a type; some types lack one of those of all types."""
    has = {f.name for f in dataclasses.fields(config)}
    return {key: json.loads(preset.replace('\\"', '"')) for types, key, _, preset, _ in rows
            if (types == "*" and key in has) or kind in types.split()}


def compare(label, left, right):
    """Prints each name at which the two dictionaries differ; for each name whether they are equal."""
    good = []
    for name in sorted(set(left) | set(right)):
        a, b = left.get(name, "absent"), right.get(name, "absent")
        good.append(type(a) is type(b) and a == b)
        if not good[-1]:
            print(f"FAILED  {label}: {name}: here {a!r}, PEFT {b!r}")
    return good


def main():
    rows = ROW.findall((SOURCE / "adapter_fields.c").read_text())
    good = []
    for kind, config in CONFIGS.items():
        good += compare(kind, ours(rows, kind, config), theirs(config))
    text = (SOURCE / "adapter_targets.c").read_text() if (SOURCE / "adapter_targets.c").exists() else ""
    targets = TARGET.findall(text)
    for kind, mapping in MAPPINGS.items() if text else []:
        here = {family: names.split() for k, families, names in targets if k == kind for family in families.split()}
        good += compare(f"targets of {kind}", here, {f: mapping[f] for f in FAMILIES if f in mapping})
    print(f"{len(rows)} rows held against PEFT {peft.__version__}")
    summary.finish("fields", good)


if __name__ == "__main__":
    main()
