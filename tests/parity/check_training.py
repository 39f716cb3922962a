#!/usr/bin/env python3
"""check_training: logits, loss, gradients and twenty steps of training in 64 bits, held against what PEFT has computed.

    check_training.py PEFTBENCH TEST..     the double builds of tests/train/test_peft.c and tests/train/test_sparse.c

The tests compare with the goldens of make_training.py and make_sparse.py, which check_goldens.py makes anew.  Exit code 1
if a test fails.
"""

import re
import subprocess
import sys

import numpy as np
import summary

COLUMNS = ("logits", "loss", "gradients", "20 steps")
CASE = re.compile(r"  (\S+) +largest difference: logits (\S+), loss (\S+), gradients (\S+), after 20 steps (\S+)")
BAR = 1e-8  # TOLERANCE of the tests


def main():
    methods, good, largest = summary.Methods(sys.argv[1]), [], []
    for test in sys.argv[2:]:
        run = subprocess.run([test], text=True, capture_output=True, check=False)
        print(run.stdout + run.stderr, end="")
        cases = CASE.findall(run.stdout)
        for name, *numbers in cases:
            numbers = np.nan_to_num([float(x) for x in numbers], nan=np.inf)
            summary.tell_method(methods.of(name), dict(zip(COLUMNS, numbers)))
            largest.append(max(numbers))
            good.append(bool(largest[-1] <= BAR))
        if run.returncode or not cases:
            good.append(False)
    summary.finish("training", good, max(largest, default=None))


if __name__ == "__main__":
    main()
