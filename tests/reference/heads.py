# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""scikit-learn's classifiers on features that `acclimate sample export` wrote, on given draws.

Run by `cargo xtask report accuracy`:
    python heads.py INPUT.json    # {"features": FILE.npz, "draws": [{"train": [row…], "test": [row…]}…]}
Prints one JSON document with a row for each draw. Each classifier is tuned on the draw's own training rows: 5-fold
cross-validation (fewer folds where a class has fewer groups) that keeps groups together, by accuracy, on wide grids; with
one group of a class there is nothing to tune on, and the library's defaults stand. Features are of norm 1 as they come.

Two exact short cuts. The linear classifiers see the training rows' own coordinates (QR), as what is orthogonal to them all
cannot matter to an L2-penalised fit. The SVC takes its kernel precomputed.
"""

import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

ALPHAS = np.logspace(-3, 2, 16)
LOGISTIC = np.logspace(-1, 4, 11)
SVC_C = np.logspace(-1, 3, 9)
# Times `scale`, the default: 1 / (dim · variance of the features).
SVC_GAMMA = 2.0 ** np.arange(-4, 4)


def folds(labels, groups):
    """Pairs of training and held-out rows, or nothing where some class cannot be held out."""
    fewest = min(len(set(groups[labels == label])) for label in set(labels))
    if fewest < 2:
        return []
    split = StratifiedGroupKFold(min(5, fewest), shuffle=True, random_state=0).split(labels, labels, groups)
    return [(train, held) for train, held in split if len(set(labels[train])) == len(set(labels))]


def best(scores):
    """The first setting of the highest mean accuracy over folds, as GridSearchCV has it."""
    return int(np.argmax(np.mean(scores, axis=0)))


def ridge(x, labels, groups, test, cv):
    scores = [[RidgeClassifier(alpha).fit(x[a], labels[a]).score(x[b], labels[b]) for alpha in ALPHAS] for a, b in cv]
    alpha = ALPHAS[best(scores)] if cv else 1.0
    return RidgeClassifier(alpha).fit(x, labels).predict(test), None, {"alpha": alpha}


def logistic(x, labels, groups, test, cv):
    scores = []
    for a, b in cv:
        model, row = LogisticRegression(max_iter=2000, warm_start=True), []
        for c in LOGISTIC:
            row.append(model.set_params(C=c).fit(x[a], labels[a]).score(x[b], labels[b]))
        scores.append(row)
    c = LOGISTIC[best(scores)] if cv else 1.0
    model = LogisticRegression(C=c, max_iter=2000).fit(x, labels)
    return model.predict(test), model.predict_proba(test), {"C": c}


def svc(x, labels, groups, test, cv):
    """`x` and `test` are whole features here."""
    scale = 1.0 / (x.shape[1] * x.var())
    squares = euclidean_distances(x, squared=True)
    grid = [(c, gamma) for gamma in SVC_GAMMA for c in SVC_C]
    scores = [[] for _ in cv]
    for gamma in SVC_GAMMA if cv else []:
        kernel = np.exp(-gamma * scale * squares)
        for row, (a, b) in zip(scores, cv):
            for c in SVC_C:
                model = SVC(C=c, kernel="precomputed").fit(kernel[np.ix_(a, a)], labels[a])
                row.append(model.score(kernel[np.ix_(b, a)], labels[b]))
    c, gamma = grid[best(scores)] if cv else (1.0, 1.0)
    model = SVC(C=c, gamma=gamma * scale).fit(x, labels)
    return model.predict(test), None, {"C": c, "gamma": gamma * scale}


def neighbours(x, labels, groups, test, cv):
    return KNeighborsClassifier(min(5, len(labels))).fit(x, labels).predict(test), None, {}


def calibration_error(p, right):
    """Debiased, as `Evaluation::ece` of the trainer."""
    order = np.argsort(p.max(1), kind="stable")
    n, total = len(order), 0.0
    bins = int(np.clip(n // 10, 1, 10))
    for k in range(bins):
        members = order[k * n // bins : (k + 1) * n // bins]
        accuracy = right[members].mean()
        variance = accuracy * (1 - accuracy) / (len(members) - 1) if len(members) > 1 else 0.0
        total += len(members) / n * ((p[members].max(1).mean() - accuracy) ** 2 - variance)
    return max(0.0, total) ** 0.5


def judged(labels, found):
    predicted, p, chosen = found
    row = {"accuracy": round(float((predicted == labels).mean()), 6)}
    if p is not None:
        row["log_loss"] = round(float(-np.log(np.maximum(p[np.arange(len(labels)), labels], 1e-6)).mean()), 6)
        row["ece"] = round(calibration_error(p, predicted == labels), 6)
    return row | {name: float(f"{value:.4g}") for name, value in chosen.items()}


def main(path):
    given = json.load(open(path))
    data = np.load(given["features"])
    features, labels, groups = data["features"].astype(np.float64), data["labels"], data["groups"]
    rows = []
    for draw in given["draws"]:
        train, test = np.array(draw["train"]), np.array(draw["test"])
        x, y, unseen = features[train], labels[train], features[test]
        cv = folds(y, groups[train])
        basis = np.linalg.qr(x.T)[0] if len(train) < x.shape[1] else np.eye(x.shape[1])
        row = {}
        for name, fit, inner in [("ridge", ridge, True), ("logistic", logistic, True), ("svc_rbf", svc, False), ("neighbours", neighbours, False)]:
            seen, asked = (x @ basis, unseen @ basis) if inner else (x, unseen)
            row[name] = judged(labels[test], fit(seen, y, groups[train], asked, cv))
        rows.append(row)
        print(len(rows), len(train), {name: value["accuracy"] for name, value in row.items()}, file=sys.stderr)
    print(json.dumps({"versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}, "rows": rows}))


if __name__ == "__main__":
    # A C of the grid at which L-BFGS stops short is one that cross-validation judges as it is.
    warnings.filterwarnings("ignore")
    main(sys.argv[1])
