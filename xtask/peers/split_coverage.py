"""Coverage of every conformal method over 200 random halvings of real test rows, beside the law of ranks.

    rank1 predict RUN --input test.csv --output predictions.csv --interval 0.9 --keep TARGET
    python split_coverage.py predictions.csv TARGET

Scores and thresholds are written out here in numpy, so that they share no code with rank1. Of a random division of one pool without
ties into n calibration and m test rows the number of covered test rows is exactly beta-binomial with m, rank and n + 1 - rank, where
rank = ceil((n + 1) coverage). The mean over divisions must lie within five standard errors of the law's; per class the class
furthest from its law is printed. Ties can only add coverage.
"""

import sys

import numpy as np
import pandas as pd

DIVISIONS, COVERAGE, SEED, ERRORS = 200, 0.9, 1, 5.0


def classes(p, labels, penalty=0.01, free=5, u=None):
    """Scores [N, C] of lac, aps and raps; with u [N] the probability of the class itself counts by a random share."""
    order = np.argsort(-p, axis=1, kind="stable")
    place = np.argsort(order, axis=1)
    summed = np.cumsum(np.take_along_axis(p, order, axis=1), axis=1)
    own = np.take_along_axis(summed, place, axis=1)
    aps = own - (0 if u is None else (1 - u[:, None]) * p)
    return {"lac": 1 - p, "aps": aps, "raps": aps + penalty * np.maximum(place + 1 - free, 0)}


def law(n, m, coverage):
    rank = int(np.ceil(np.round((n + 1) * coverage, 9)))
    a, b = rank, n + 1 - rank
    variance = a * b * (a + b + m) / ((a + b) ** 2 * (a + b + 1)) / m
    return a / (a + b), variance, rank


def threshold(scores, rank):
    return np.inf if rank > len(scores) else np.sort(scores)[rank - 1]


def check(name, own, groups, sizes):
    """Mean coverage over divisions, of all rows and (with groups) of every group; `sizes` maps thresholds to a mean size."""
    random = np.random.default_rng(SEED)
    keys = np.unique(groups)
    share, expected, variance, size = (np.zeros(len(keys)) for _ in range(4))
    least, most = np.ones(len(keys)), np.zeros(len(keys))
    for _ in range(DIVISIONS):
        order = random.permutation(len(own))
        calibration, test = order[: len(own) // 2], order[len(own) // 2 :]
        found = np.empty(len(keys))
        for g, key in enumerate(keys):
            c, t = calibration[groups[calibration] == key], test[groups[test] == key]
            mean, var, rank = law(len(c), len(t), COVERAGE)
            found[g] = threshold(own[c], rank)
            covered = np.mean(own[t] <= found[g])
            share[g] += covered
            expected[g] += mean
            variance[g] += var
            least[g], most[g] = min(least[g], covered), max(most[g], covered)
        size += sizes(found, test)
    share, expected = share / DIVISIONS, expected / DIVISIONS
    allowed = ERRORS * np.sqrt(variance) / DIVISIONS
    inside = np.abs(share - expected) <= allowed
    above = share > expected + allowed
    worst = np.argmax(np.abs(share - expected) / allowed)
    print(
        f"{name:22} {100 * share[worst]:.2f} % (law {100 * expected[worst]:.2f} ± {100 * allowed[worst]:.2f}); one division "
        f"{100 * least[worst]:.1f} to {100 * most[worst]:.1f}; size {size[0] / DIVISIONS:.3f}; "
        f"{inside.sum()} of {len(keys)} inside, {above.sum()} above"
    )


def main():
    table = pd.read_csv(sys.argv[1])
    target = sys.argv[2]
    columns = [name for name in table.columns if name.startswith("p(")]
    print(f"{len(table)} rows, halves; {DIVISIONS} divisions, seed {SEED}")
    one = np.zeros(len(table), int)
    if columns:
        p = table[columns].to_numpy()
        p = p / p.sum(axis=1, keepdims=True)
        names = [name[2:-1] for name in columns]
        labels = np.array([names.index(str(value)) for value in table[target]])
        u = np.random.default_rng(SEED + 1).random(len(p))
        for suffix, draw in (("", None), (", random", u)):
            for name, scores in classes(p, labels, u=draw).items():
                if suffix and name == "lac":
                    continue
                own = scores[np.arange(len(p)), labels]
                all_rows = lambda q, test, scores=scores: np.sum(scores[test] <= q, axis=1).mean()
                check(name + suffix, own, one, lambda q, test, f=all_rows: f(q[0], test))
                check(name + suffix + ", per class", own, labels, lambda q, test, f=all_rows: f(q, test))
    else:
        y, mean = table[target].to_numpy(), table["mean"].to_numpy()
        std, lower, upper = np.sqrt(table["total"].to_numpy()), table["lower"].to_numpy(), table["upper"].to_numpy()
        check("absolute", np.abs(y - mean), one, lambda q, test: 2 * q[0])
        check("normalized", np.abs(y - mean) / std, one, lambda q, test: 2 * q[0] * std[test].mean())
        widths = lambda q, test: np.maximum(upper[test] - lower[test] + 2 * q[0], 0).mean()
        check("cqr", np.maximum(lower - y, y - upper), one, widths)


if __name__ == "__main__":
    main()
