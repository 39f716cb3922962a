#!/usr/bin/env python3
"""make_parquet: small Parquet files and their rows as JSON Lines.

    pip install pyarrow; make_parquet.py        writes tests/golden/parquet/NAME.parquet and NAME.jsonl

Both versions of pages, with and without compression and dictionary, several row groups, nulls, a column
of classes as Hugging Face describes it, and columns that are left out.  The rows are pyarrow's own reading.
"""

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "parquet"
CASES = {
    "snappy": {},
    "plain": dict(compression="none", use_dictionary=False),
    "version2": dict(data_page_version="2.0", row_group_size=7),
    "pages": dict(data_page_size=64, write_batch_size=4, compression="snappy", use_dictionary=["word"]),
}
FEATURES = {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}, "text": {"dtype": "string", "_type": "Value"}}


def table():
    n = 20
    columns = {
        "text": pa.array([f"film {i}: \"caf\u00e9\"\n{'very ' * (i % 5)}fine" for i in range(n)]),
        "label": pa.array([i % 2 for i in range(n - 1)] + [-1], pa.int64()),
        "word": pa.array([None if i % 6 == 4 else ["one", "two", ""][i % 3] for i in range(n)]),
        "small": pa.array([None if i % 7 == 3 else i * 1000 - 5000 for i in range(n)], pa.int32()),
        "real": pa.array([i / 7 for i in range(n)], pa.float64()),
        "half": pa.array([None if i % 4 == 0 else i / 8 for i in range(n)], pa.float32()),
        "flag": pa.array([None if i == 9 else i % 3 == 0 for i in range(n)]),
        "always": pa.array([i > 11 for i in range(n)]),
        "list": pa.array([[i, i + 1] for i in range(n)]),
        "pair": pa.array([{"a": i, "b": "x"} for i in range(n)]),
    }
    fields = [pa.field(name, x.type, nullable=name not in ("text", "always")) for name, x in columns.items()]
    about = {"huggingface": json.dumps({"info": {"features": FEATURES}})}
    return pa.Table.from_arrays(list(columns.values()), schema=pa.schema(fields, metadata=about))


def row(values):
    names = FEATURES["label"]["names"]
    values = {k: v for k, v in values.items() if k not in ("list", "pair")}
    values["label"] = names[values["label"]] if values["label"] >= 0 else values["label"]
    return json.dumps(values)


def main():
    GOLDEN.mkdir(exist_ok=True)
    for name, how in CASES.items():
        path = GOLDEN / f"{name}.parquet"
        pq.write_table(table(), path, **how)
        (GOLDEN / f"{name}.jsonl").write_text("".join(row(r) + "\n" for r in pq.read_table(path).to_pylist()))


if __name__ == "__main__":
    main()
