"""How well any judge of counts could do on the kinds of tests/behaviours/kinds: boosted trees are fitted to everything that
the ledger knows of a site, and precision and recall are told as docs/verdicts.md counts them.

    UNFREED_LOOKS=FILE cargo test --release --test verdicts -- --ignored looks_as_json
    python3 -m venv DIR && DIR/bin/pip install scikit-learn
    DIR/bin/python benches/verdict_bound.py FILE

A fit to other seeds of the very same kinds knows the habits of their generators, which no judge may: it is a bound from above.
A fit to other kinds is what such a classifier would do on programs it has not met. Nothing of the method comes from here.
"""

import json
import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold

PARTS = 16


def parts(counts):
    """A series over the epochs, as shares of its sum in 16 equal parts of the time."""
    counts = np.asarray(counts, float)
    place = np.minimum(np.arange(len(counts)) * PARTS // max(len(counts), 1), PARTS - 1)
    sums = np.zeros(PARTS)
    np.add.at(sums, place, counts)
    return list(sums / max(counts.sum(), 1))


def features(look, facts):
    low = np.asarray(look["low"], float) / max(look["peak"], 1)
    sums = [float(np.log1p(sum(look[of]))) for of in ("born", "died", "alive")]
    row = [look["evidence"].get(fact, np.nan) for fact in facts]
    row += [look[of] for of in ("live", "peak", "at", "sites", "free_runs", "mean_size")] + sums
    row += [np.nan if lived is None else lived for lived in look["lifetimes"]]
    row += list(low[np.linspace(0, len(low) - 1, 8).astype(int)])
    return row + [share for of in ("born", "alive", "died", "work") for share in parts(look[of])]


def fitted(rows, leaks, learn, judged):
    # A fact that has one value among those learnt from tells nothing, and cannot be cut into bins.
    tells = [len(np.unique(of[~np.isnan(of)])) > 1 for of in rows[learn].T]
    trees = HistGradientBoostingClassifier(max_iter=400, learning_rate=0.06, l2_regularization=1.0)
    trees.fit(rows[learn][:, tells], leaks[learn])
    return trees.predict_proba(rows[judged][:, tells])[:, 1]


def folds(rows, leaks, among, groups, number):
    scores = np.zeros(len(among))
    for learn, judged in GroupKFold(number).split(among, groups=groups[among]):
        scores[judged] = fitted(rows, leaks, among[learn], among[judged])
    return scores


def tell(name, scores, leaks, large, recall=0.97, precision=0.99):
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(leaks[order])
    precisions = right / np.arange(1, len(order) + 1)
    recalls = np.cumsum(large[order]) / large.sum()
    enough = np.where(precisions >= precision)[0]
    at = precisions[np.searchsorted(recalls, recall)]
    most = recalls[enough[-1]] if len(enough) else 0.0
    print(f"| {name} | {at:.3f} | {most:.3f} |")


def main(path):
    looks = [json.loads(line) for line in open(path, encoding="utf-8")]
    looks = [of for of in looks if of["label"] == "Innocent" or of["label"] == "Accumulates" and of["accumulated"] > 0]
    facts = sorted({fact for of in looks for fact in of["evidence"]})
    rows = np.array([features(of, facts) for of in looks], float)
    leaks = np.array([of["label"] == "Accumulates" for of in looks])
    large = np.array([of["label"] == "Accumulates" and of["accumulated"] >= 50 for of in looks])
    kinds, seeds = (np.array([of[name] for of in looks]) for name in ("kind", "seed"))
    part = np.array([of["part"] for of in looks])
    print("| fitted to | precision at recall 0.97 | most recall at precision 0.99 |\n|---|---|---|")
    for name in ("open", "set aside"):
        among = np.where(part == name)[0]
        own = leaks[among], large[among]
        tell(f"{name}: other seeds of the same kinds", folds(rows, leaks, among, seeds, 5), *own)
        tell(f"{name}: other kinds of this part", folds(rows, leaks, among, kinds, 8), *own)
    aside = np.where(part == "set aside")[0]
    scores = fitted(rows, leaks, np.where(part == "open")[0], aside)
    tell("set aside: the open kinds", scores, leaks[aside], large[aside])


if __name__ == "__main__":
    main(sys.argv[1])
