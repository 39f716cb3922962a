#!/usr/bin/env python3
"""check_goldens: the scripts that make the goldens of training still make those that are committed.

    check_goldens.py

Runs them in a copy of tests/parity and tests/golden, with the kernels of an old processor, so that a golden which depends
on the processor is found on any, and compares what they write: words are the same, and numbers differ by at most 1e-9 of
the largest of their line, or 1e-7 in the adapters, which are in 32 bits.  A line that is zero but for rounding, such as a
gradient that cancels, differs by 1e-15 of the largest number of its file.  Exit code 1 if a script fails or a file differs.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import summary
from safetensors.numpy import load_file

TESTS = pathlib.Path(__file__).resolve().parent.parent
SCRIPTS = {"make_training": ["training"], "make_sparse": ["sparse"], "make_optimizers": ["optimizers"],
           "make_lst": ["lst-bert.txt", "lst-llama.txt"], "make_lapack": ["lapack.txt"],
           "make_retention": ["retention/models.txt", "retention/matrices.txt"]}  # and what they write
TO_STDOUT = {"make_lapack"}


def largest(line):
    """The largest absolute number of a line; 0 if it has none."""
    numbers = []
    for word in line.split():
        try:
            numbers.append(abs(float(word)))
        except ValueError:
            pass
    return max((x for x in numbers if np.isfinite(x)), default=0)


def apart(a, b, least):
    """How far two lines are apart, relative to the largest number, or to `least`; infinite if they differ in more than
    numbers."""
    if a == b:
        return 0
    x, y = a.split(), b.split()
    try:
        return np.max([abs(float(v) - float(w)) for v, w in zip(x, y, strict=True) if v != w]) / max(largest(a), least)
    except (ValueError, ZeroDivisionError):
        return np.inf


def difference(a, b):
    """The largest difference of two files, relative to what is allowed."""
    if a.suffix == ".safetensors":
        x, y = load_file(a), load_file(b)
        same = {k: x[k].shape for k in x} == {k: y[k].shape for k in y}
        return np.max([np.abs(x[k] - y[k]).max() / np.abs(x[k]).max() for k in x]) / 1e-7 if same else np.inf
    x, y = a.read_text().splitlines(), b.read_text().splitlines()
    least = 1e-6 * max(map(largest, x), default=0)
    return np.max([apart(v, w, least) for v, w in zip(x, y)]) / 1e-9 if len(x) == len(y) else np.inf


def files(place):
    return sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]


def check(script, place):
    """How far each file differs, relative to what is allowed; infinite if the script fails."""
    for written in SCRIPTS[script]:  # so that a script which writes nothing is found
        old = place / "golden" / written
        shutil.rmtree(old) if old.is_dir() else old.unlink()
        (old.parent if old.suffix else old).mkdir(exist_ok=True)
    command = [sys.executable, place / "parity" / f"{script}.py"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if script in TO_STDOUT:
        (place / "golden" / SCRIPTS[script][0]).write_text(run.stdout)
    if run.returncode:
        print(f"FAILED  {script}: {run.stderr.strip().splitlines()[-1]}")
        return [np.inf]
    found = []
    for written in SCRIPTS[script]:
        for golden in files(TESTS / "golden" / written):
            other = place / golden.relative_to(TESTS)
            d = difference(golden, other) if other.is_file() else np.inf
            found.append(d)
            if not d <= 1:
                print(f"FAILED  {script}: {golden.relative_to(TESTS)}: {d:.1e} times what is allowed")
    print(f"{'ok     ' if all(d <= 1 for d in found) else 'FAILED '} {script}", flush=True)
    return found


def main():
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "default"}
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        for part in ("parity", "golden"):
            shutil.copytree(TESTS / part, place / part)
        apart = [d for script in SCRIPTS for d in check(script, place)]
    summary.finish("goldens", [d <= 1 for d in apart])


if __name__ == "__main__":
    main()
