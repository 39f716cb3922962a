#!/usr/bin/env python3
"""make_torch: files that torch.save wrote, and what torch reads from them.

Writes tests/golden/torch/: values.bin with values.jsonl ({"name", "shape", "values"} a tensor); files that are to be
refused (NAME.bin, made here by torch or by hand); and gpt2/, the golden checkpoint of that name in two shards.
"""

import io
import json
import pathlib
import pickle
import shutil
import zipfile

import torch
from safetensors.torch import load_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"
HERE = GOLDEN / "torch"


class Call:
    """A pickle that runs a command where it is loaded carelessly."""

    def __reduce__(self):
        import os
        return os.system, ("echo it ran",)


def tensors():
    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
    return {"plain": whole, "transposed": whole.t(), "rows": whole[1:3], "column": whole[:, 2], "scalar": torch.tensor(1.5),
            "empty": torch.zeros(0, 3), "double": torch.tensor([1 / 3, -2.0], dtype=torch.float64),
            "half": torch.tensor([0.1, 65504.0], dtype=torch.float16), "bf16": torch.tensor([0.1, 3e38], dtype=torch.bfloat16),
            "parameter": torch.nn.Parameter(torch.tensor([[1.0, 2.0]])), "cube": torch.arange(8.0).reshape(2, 2, 2).permute(2, 0, 1)}


def archive(pickled, entries, order=b"little", method=zipfile.ZIP_STORED):
    """A file as torch.save writes it, around any pickle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr("archive/data.pkl", pickled)
        z.writestr("archive/byteorder", order)
        for name, data in entries.items():
            z.writestr(f"archive/data/{name}", data)
    return out.getvalue()


def by_hand(size=(2,), stride=(1,), offset=0, count=2, hooks=")R"):
    """A pickle of one tensor 'a' with these arguments, in the storage '0' of `count` floats."""
    def integer(n):
        return b"J" + int(n).to_bytes(4, "little", signed=True)

    def text(s):
        return b"X" + len(s).to_bytes(4, "little") + s.encode()

    def sizes(list_):
        return b"(" + b"".join(map(integer, list_)) + b"t"

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(count) + b"tQ"
    return (b"\x80\x02}" + text("a") + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(offset) + sizes(size) +
            sizes(stride) + b"\x89ccollections\nOrderedDict\n" + hooks.encode() + b"tRs.")


def refused():
    two = bytes(8)
    old = io.BytesIO()
    torch.save({"a": torch.ones(2)}, old, _use_new_zipfile_serialization=False)
    negated = io.BytesIO()
    torch.save({"a": torch._neg_view(torch.ones(2))}, negated)
    views, table = io.BytesIO(), torch.ones(256, 2)
    torch.save({str(i): table[:, 0] for i in range(40)}, views)
    nested = io.BytesIO()
    torch.save({"model": {"a": torch.ones(2)}}, nested)
    return {
        "old": old.getvalue(), "nested": nested.getvalue(), "call": archive(pickle.dumps({"a": Call()}, 2), {}),
        "protocol": archive(pickle.dumps({}, 4), {}), "list": archive(b"\x80\x02].", {}),
        "no-storage": archive(by_hand(), {}), "short-storage": archive(by_hand(), {"0": two[:4]}),
        "far": archive(by_hand(offset=1), {"0": two}), "stride": archive(by_hand(size=(2, 2), stride=(2, 1)), {"0": two}),
        "repeated": archive(by_hand(size=(1000, 2), stride=(0, 1)), {"0": two}),
        "negative": archive(by_hand(stride=(-1,), offset=1), {"0": two}),
        "big-endian": archive(by_hand(), {"0": two}, b"big"),
        "packed": archive(by_hand(), {"0": two}, method=zipfile.ZIP_DEFLATED),
        "twice": archive(by_hand()[:-1] + by_hand()[3:], {"0": two}), "cut": archive(by_hand()[:-1], {"0": two}),
        "negated": negated.getvalue(),
        "one-column": archive(by_hand(size=(2, 1, 1), stride=(2**31 - 1, 1, 2**31 - 1)), {"0": two}),
        "integer-key": archive(b"\x80\x02}K\x01Ns.", {}), "views": views.getvalue(),
    }


def shards():
    folder = HERE / "gpt2"
    folder.mkdir(exist_ok=True)
    shutil.copy(GOLDEN / "families" / "gpt2" / "config.json", folder)
    all_of_it = load_file(GOLDEN / "families" / "gpt2" / "model.safetensors")
    names, index = sorted(all_of_it), {}
    for i, part in enumerate((names[::2], names[1::2]), 1):
        file = f"pytorch_model-{i:05d}-of-00002.bin"
        torch.save({n: all_of_it[n] for n in part}, folder / file)
        index |= {n: file for n in part}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}) + "\n")


def main():
    HERE.mkdir(exist_ok=True)
    torch.save(tensors(), HERE / "values.bin")
    read = torch.load(HERE / "values.bin", weights_only=True)
    with open(HERE / "values.jsonl", "w") as f:
        for name, t in read.items():
            values = [float(f"{x:.9g}") for x in t.detach().double().flatten().tolist()]
            f.write(json.dumps({"name": name, "shape": list(t.shape), "values": values}) + "\n")
    for name, content in refused().items():
        (HERE / f"{name}.bin").write_bytes(content)
    shards()


if __name__ == "__main__":
    main()
