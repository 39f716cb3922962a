#!/usr/bin/env python3
"""make_lapack: decompositions by SciPy, for tests/numeric/test_lapack.c.

    DIR/bin/python tests/parity/make_lapack.py > tests/golden/lapack.txt

Blocks of `NAME ROWS COLS` with their values, a row a line.  `svd`, `qr`, `eigen`, `solve` and `cholesky` begin a case:
the matrix.  The blocks behind it are what lapack.h promises of it, under the names of its arguments.
"""
import numpy as np
from scipy import linalg

rng = np.random.default_rng(19)


def say(name, x):
    x = np.atleast_2d(x)
    print(name, *x.shape)
    for row in x:
        print(*(repr(float(v)) for v in row))


def signs(rows):
    """-1 for each row whose element of the largest magnitude is negative."""
    return np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])


def exact(*shape):
    """Values that a float holds exactly."""
    return rng.integers(-512, 513, shape) / 256


for rows, cols in [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1), (1, 1), (12, 7)]:
    x = exact(rows, cols)
    u, s, vt = linalg.svd(x, full_matrices=False, lapack_driver="gesvd")
    down = signs(vt)
    say("svd", x), say("u", u * down), say("s", s), say("vt", vt * down[:, None])
    q, r = linalg.qr(x, mode="economic")
    down = np.sign(np.diag(r))
    say("qr", x), say("q", q * down), say("r", r * down[:, None])
for n in (1, 2, 5, 9):
    x = exact(n, n)
    x = (x + x.T) / 2
    values, vectors = linalg.eigh(x, driver="ev")
    values, vectors = values[::-1], vectors.T[::-1]
    say("eigen", x), say("values", values), say("vectors", vectors * signs(vectors)[:, None])
    a, b = exact(n, n) + 3 * np.eye(n), exact(n, 3)
    say("solve", a), say("b", b), say("x", linalg.solve(a, b))
    x = exact(n, n)
    x = x @ x.T + np.eye(n)
    say("cholesky", x), say("lower", linalg.cholesky(x, lower=True))
