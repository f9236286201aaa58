"""Writes statistics.json: reference numbers for the statistics of judgement and the evaluation record.

pip install scipy==1.17.1 scikit-learn; python make_statistics.py
"""

import json
import pathlib

import numpy as np
from scipy import stats
from sklearn import metrics

rng = np.random.default_rng(20)


def student():
    for df in (1, 2, 3.5, 4, 29, 300, 1e5):
        for t in (-3.0, -0.2, 0.0, 0.7, 2.1, 12.0):
            yield {"t": t, "df": df, "survival": stats.t.sf(t, df)}


def quantiles():
    for df in (1, 2, 4, 29, 300, 1e5):
        for p in (0.001, 0.05, 0.5, 0.9, 0.975, 0.9999):
            yield {"p": p, "df": df, "t": stats.t.ppf(p, df)}


def wilson():
    for right, n in ((0, 1), (1, 1), (0, 20), (19, 20), (170, 200), (5000, 10000)):
        low, high = stats.binomtest(right, n).proportion_ci(0.95, "wilson")
        yield {"right": right, "n": n, "low": low, "high": high}


def fisher():
    for table in (
        [[3, 1], [1, 3]],
        [[18, 27], [70, 425]],
        [[0, 5], [3, 9]],
        [[5, 0], [0, 5]],
        [[40, 5], [10, 4000]],
        [[0, 0], [1, 2]],
    ):
        yield {"tables": [table], "p": stats.fisher_exact(table, "greater").pvalue}
    # Several tables: the law of the sum of hypergeometric counts.
    for tables in ([[[3, 1], [1, 3]], [[4, 2], [5, 9]]], [[[6, 9], [8, 40]], [[1, 0], [3, 20]], [[2, 3], [2, 30]]]):
        law, least, seen = np.ones(1), 0, 0
        for (a, b), (c, d) in tables:
            n, row, column = a + b + c + d, a + b, a + c
            low = max(0, row + column - n)
            counts = np.arange(low, min(row, column) + 1)
            law = np.convolve(law, stats.hypergeom(n, column, row).pmf(counts))
            least, seen = least + low, seen + a
        yield {"tables": tables, "p": law[seen - least :].sum()}


def grouped_means():
    for n, groups in ((12, 4), (60, 25), (40, 40)):
        ids = np.arange(n) if n == groups else np.r_[np.arange(groups), rng.integers(0, groups, n - groups)]
        values = 0.02 + rng.normal(0, 0.1, groups)[ids] + rng.normal(0, 0.1, n)
        mean = values.mean()
        without = np.array([values[ids != g].mean() for g in range(groups)])  # the jackknife over groups
        error = np.sqrt((groups - 1) / groups * ((without - mean) ** 2).sum())
        case = {"values": values.tolist(), "groups": ids.tolist(), "mean": mean, "standard_error": error}
        case["p"] = stats.t.sf(mean / error, groups - 1)
        if n == groups:  # single samples: the ordinary t-test
            ordinary = stats.ttest_1samp(values, 0, alternative="greater")
            assert np.isclose(case["p"], ordinary.pvalue)
        yield case


def evaluations():
    for n, classes in ((7, 2), (120, 4)):
        labels = np.r_[np.arange(classes), rng.integers(0, classes, n - classes)]
        logits = rng.normal(0, 1.5, (n, classes))
        logits[np.arange(n), labels] += 1.5
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        predicted, confidence = p.argmax(1), p.max(1)
        right = predicted == labels
        bins = min(10, max(1, n // 10))
        order = np.argsort(confidence, kind="stable")
        squared = 0.0
        for b in range(bins):  # Kumar, Liang and Ma 2019: take the variance of each bin's accuracy off
            members = order[b * n // bins : (b + 1) * n // bins]
            accuracy = right[members].mean()
            gap = confidence[members].mean() - accuracy
            squared += len(members) / n * (gap**2 - accuracy * (1 - accuracy) / (len(members) - 1))
        yield {
            "probabilities": p.tolist(),
            "labels": labels.tolist(),
            "accuracy": metrics.accuracy_score(labels, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
            "macro_f1": metrics.f1_score(labels, predicted, average="macro"),
            "log_loss": metrics.log_loss(labels, p, labels=range(classes)),
            "ece": float(np.sqrt(max(0.0, squared))),
            "confusion": metrics.confusion_matrix(labels, predicted, labels=range(classes)).tolist(),
        }


makers = (student, quantiles, wilson, fisher, grouped_means, evaluations)
out = {maker.__name__: list(maker()) for maker in makers}
text = json.dumps(out, indent=None, separators=(",", ":"), default=float)
pathlib.Path(__file__).with_name("statistics.json").write_text(text.replace('],"', '],\n"') + "\n")
