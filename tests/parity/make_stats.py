#!/usr/bin/env python3
"""make_stats: what SciPy and statsmodels say of distributions and tests, for tests/stats/test_stats.c.

    DIR/bin/python tests/parity/make_stats.py > tests/golden/stats/values.txt
"""
import numpy as np
from scipy import optimize, special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

rng = np.random.default_rng(7)


def say(name, arguments, value):
    print(name, *(repr(float(x)) for x in arguments), "=", *(repr(float(x)) for x in np.atleast_1d(value)))


for a, b, x in [(0.5, 0.5, 0.3), (2, 3, 0.9), (10, 0.5, 0.99), (150, 200, 0.4), (1, 1, 0.25), (40, 2.5, 0.97)]:
    say("beta", (x, a, b), special.betainc(a, b, x))
for a, x in [(0.5, 0.2), (1, 3), (7.5, 2), (30, 45), (200, 190), (3, 0.001)]:
    say("gamma", (a, x), special.gammainc(a, x))
    say("gamma_above", (a, x), special.gammaincc(a, x))
for x in (-6, -1.96, 0, 0.3, 4):
    say("normal", (x,), stats.norm.cdf(x))
for p in (1e-6, 0.025, 0.5, 0.8, 0.999):
    say("normal_quantile", (p,), stats.norm.ppf(p))
    for f in (1, 2.5, 7, 120):
        say("t_quantile", (p, f), stats.t.ppf(p, f))
for x, f in [(0.1, 1), (3.84, 1), (20, 9), (130, 100)]:
    say("chi2_above", (x, f), stats.chi2.sf(x, f))
for x, f, g in [(0.5, 2, 8), (4.1, 3, 27), (12, 1, 5)]:
    say("f_above", (x, f, g), stats.f.sf(x, f, g))
for k, n, p in [(0, 5, 0.5), (3, 10, 0.5), (70, 100, 0.66), (499, 1000, 0.5)]:
    say("binomial", (k, n, p), stats.binom.cdf(k, n, p))
for q, k in [(1, 2), (3.3, 3), (4.5, 12), (2, 30)]:
    say("range", (q, k), stats.studentized_range.cdf(q, k, np.inf))
for k in (2, 5, 14):
    say("range_quantile", (0.95, k), stats.studentized_range.ppf(0.95, k, np.inf))
for a, b in [(0, 0), (1, 9), (12, 15), (40, 70)]:
    say("mcnemar", (a, b), mcnemar([[0, a], [b, 0]], exact=True).pvalue if a + b else 1)
for n in (3, 8, 12):
    d = np.round(rng.normal(0.4, 1, n), 2)
    say("permutation", d, stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue)
for n in (1, 4, 9):
    p = np.round(rng.uniform(0, 0.2, n), 4)
    say("holm", p, multipletests(p, method="holm")[1])
for n, k in [(5, 3), (12, 4), (8, 6)]:
    x = np.round(rng.normal(0, 1, (n, k)) + np.arange(k) * 0.3, 1 if k == 4 else 3)
    chi2, p = stats.friedmanchisquare(*x.T)
    f = (n - 1) * chi2 / (n * (k - 1) - chi2)
    critical = stats.studentized_range.ppf(0.95, k, np.inf) / np.sqrt(2) * np.sqrt(k * (k + 1) / (6 * n))
    say("friedman", (n, k, *x.ravel()), (chi2, p, f, stats.f.sf(f, k - 1, (k - 1) * (n - 1)), critical))
for p in (0.01, 0.3, 0.99):
    for f in (1, 4, 50):
        say("chi2_quantile", (p, f), stats.chi2.ppf(p, f))


def two_way(x, wider=1):
    """Mean and half width of the interval of scores [seeds, examples]: docs/statistics.md."""
    s, n = x.shape
    row, column = x.mean(1, keepdims=True), x.mean(0, keepdims=True)
    ms = n * ((row - x.mean()) ** 2).sum() / max(1, s - 1)
    me = s * ((column - x.mean()) ** 2).sum() / (n - 1)
    mr = ((x - row - column + x.mean()) ** 2).sum() / max(1, s - 1) / (n - 1)
    if s == 1:
        return x.mean(), stats.t.ppf(0.975, n - 1) * np.sqrt(me / n)
    places = (np.arange(64) + 0.5) / 64
    v = np.maximum(mr / 4, ms * (s - 1) / stats.chi2.ppf(places, s - 1) + wider * (me - mr)) / s / n
    return x.mean(), optimize.brentq(lambda h: special.erf(h / np.sqrt(2 * v)).mean() - 0.95, 1e-9, 100, xtol=1e-15)


for s, n in [(1, 12), (2, 6), (3, 5), (5, 20)]:
    x = np.round(0.7 + rng.normal(0, 0.1, (s, 1)) + rng.normal(0, 0.3, (1, n)) + rng.normal(0, 0.2, (s, n)), 3)
    mean, half = two_way(x)
    say("row", (s, n, *x.ravel()), (mean, mean - half, mean + half))
for n, m, scale in [(2, 3, 0.01), (5, 5, 0.02), (10, 4, 0.3)]:
    a, b = (np.round(1.2 * np.exp(rng.normal(0, scale, k)), 4) for k in (n, m))
    both = stats.ttest_ind(np.log(a), np.log(b), equal_var=False)
    say("quotient", (n, m, *a, *b),
        (stats.gmean(a) / stats.gmean(b), *np.exp(both.confidence_interval(0.95)), both.pvalue))
    mean, error = np.log(a).mean(), stats.sem(np.log(a))
    say("geometric", a, (stats.gmean(a), *np.exp(stats.t.interval(0.95, n - 1, mean, error))))

# Shares of which few answers are right, or few wrong: four imagined examples, and Student's t of all of them.
OF_ROW, OF_PAIR = [1, 1, 0, 0], [1, -1, 0, 0]


def scarce(x, imagined, least):
    s, n = x.shape
    ratio = stats.t.ppf(0.975, n + 3) / stats.norm.ppf(0.975)
    mean, half = two_way(np.hstack([x, np.tile(imagined, (s, 1))]), ratio ** 2)
    return x.mean(), max(least, mean - half), min(1, mean + half)


for s, n, p in [(1, 5, 1), (2, 5, 1), (1, 20, 0.9), (2, 20, 0.5), (3, 40, 0.9), (5, 24, 0.02)]:
    x, y = ((rng.uniform(size=(s, n)) < p).astype(int) for _ in range(2))
    say("share", (s, n, *x.ravel()), scarce(x, OF_ROW, 0))
    say("pair", (s, n, *x.ravel(), *y.ravel()), scarce(x - y, OF_PAIR, -1))
for n in (1, 5, 20, 50, 200):
    for k in sorted({0, 1, n // 2, n - 1, n}):
        wilson = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
        assert np.allclose(wilson, proportion_confint(k, n, method="wilson"))
        say("wilson", (k, n), (wilson.low, wilson.high))
for n, k in [(3, 3), (4, 3), (5, 4), (3, 8)]:
    x = np.tile(np.arange(k), (n, 1)).astype(float) + (0 if n == 3 else rng.normal(0, 1, (n, k)))
    x = np.round(x, 3)
    ranks = stats.rankdata(-x, axis=1)
    seen = (ranks.sum(0) ** 2).sum()
    draws = np.array([(rng.permuted(ranks, axis=1).sum(0) ** 2).sum() for _ in range(200000)])
    say("friedman_p", (n, k, *x.ravel()), (draws >= seen * (1 - 1e-12)).mean())


def front(x, cost, samples=20000):
    """Share of samples in which each of scores x [rows, seeds, examples] is on the front beside its cost."""
    rows, seeds, n = x.shape
    stays = np.zeros(rows)
    for _ in range(samples):
        times, asked = rng.multinomial(seeds, [1 / seeds] * seeds), rng.multinomial(n + 4, [1 / (n + 4)] * (n + 4))
        coin = rng.integers(0, 2, (rows, 4))
        score = np.round(np.einsum("rse,s,e->r", x, times / seeds, asked[:n]) + coin @ asked[n:], 9)
        better = (score[None] >= score[:, None]) & (cost[None] <= cost[:, None])
        better &= (score[None] > score[:, None]) | (cost[None] < cost[:, None])
        stays += ~better.any(1)
    return stays / samples


for cost, wrong, n in [([5, 5, 1, 6], ([1], [0], [0, 1], [0, 1]), 2), ([100, 10, 10, 1], ([], [3], [7], range(20)), 40),
                       ([100, 10, 11, 1], ([], [3], [3, 7], range(20)), 40)]:
    x = np.ones((4, 2, n))
    for row, which in enumerate(wrong):
        x[row][:, list(which)] = 0
    say("front", (4, 2, n, *cost, *x.ravel()), front(x, np.array(cost)))
