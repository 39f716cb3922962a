"""summary: how the parts of `make parity` end; summary.awk makes its tables of these lines.

    PART: N passed, N failed, N refused, N skipped[, worst X]      the last line of a part
    method NAME: COLUMN X[, COLUMN X]..                            the worst differences of a method of PEFT
"""

import collections
import json
import re
import subprocess
import sys

RESULTS = ("passed", "failed", "refused", "skipped")


def finish(part, results, worst=None):
    """Prints the count of the results, each one of RESULTS or whether a check has passed, and ends the program.  Its exit
    code is 1 if one has failed, and if none has passed, since nothing was compared then."""
    count = collections.Counter({True: "passed", False: "failed"}.get(r, r) for r in results)
    assert set(count) <= set(RESULTS), count
    print(f"{part}: " + ", ".join(f"{count[r]} {r}" for r in RESULTS) + (f", worst {worst:.1e}" if worst is not None else ""))
    sys.exit(count["failed"] > 0 or count["passed"] == 0)


def tell_method(name, columns):
    """Prints differences of a method, a dictionary by the columns of the table."""
    print(f"method {name}: " + ", ".join(f"{column} {difference:.1e}" for column, difference in columns.items()))


class Methods:
    """The methods and presets that the program lists, with PEFT's type of each."""

    def __init__(self, program):
        lines = subprocess.run([program, "list", "--json"], text=True, capture_output=True, check=True).stdout.splitlines()
        self.types = {m["method"]: m.get("peft") for m in map(json.loads, lines) if "method" in m}

    def of(self, case, kind=None):
        """The method that a case such as `lora dora`, `lora:dora` or `lokr-both` is of: its last word that is listed (with
        PEFT's type `kind`, if one is given), else the first method of this type, else the case's first word."""
        words = re.split("[ :]", case)
        named = [name for word in words for name in (word.rsplit("-", 1)[0], word)
                 if name in self.types and kind in (None, self.types[name])]
        if named:
            return named[-1]
        return next((name for name, its in self.types.items() if kind and its == kind), words[0])
