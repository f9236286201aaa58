"""AUROC of scikit-learn's ways to tell known samples from unknown ones, on the draws of `cargo xtask report unknown`.

Input: `file` (what `sample export` wrote), `far` (the same of other pictures), `draws`: for each `train`, `known` and
`unknown` rows. Output: versions, and for each draw the AUROC of each way against the unknown rows and the far pictures.
"""
import json
import sys

import numpy as np
import sklearn
from sklearn.covariance import OAS, LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors


def unit(file):
    data = np.load(file)
    x = data["features"].astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True), data["labels"]


def mahalanobis(estimator, x, y, asked):
    means = np.array([x[y == c].mean(0) for c in range(y.max() + 1)])
    fitted = estimator(assume_centered=True).fit(x - means[y])
    whiten = np.linalg.cholesky(fitted.precision_)
    return np.min([((asked - mean) @ whiten) ** 2 @ np.ones(x.shape[1]) for mean in means], axis=0)


def scores(x, y, asked):
    neighbours = NearestNeighbors(n_neighbors=min(10, len(x)), metric="cosine").fit(x).kneighbors(asked)[0]
    # Of the inverse penalties tried on the data as a whole, the one with the best mean.
    head = LogisticRegression(C=30.0, max_iter=500).fit(x, y)
    return {
        "Mahalanobis, Ledoit-Wolf": mahalanobis(LedoitWolf, x, y, asked),
        "Mahalanobis, OAS": mahalanobis(OAS, x, y, asked),
        "1 nearest neighbour": neighbours[:, 0],
        "10 nearest neighbours": neighbours[:, -1],
        "max softmax": -head.predict_proba(asked).max(1),
        "max score": -head.decision_function(asked).max(1),
    }


given = json.load(open(sys.argv[1]))
x, y = unit(given["file"])
far, _ = unit(given["far"])
out = []
for draw in given["draws"]:
    train, known, unknown = (np.array(draw[part]) for part in ("train", "known", "unknown"))
    classes, labels = np.unique(y[train], return_inverse=True)
    asked = np.vstack([x[known], x[unknown], far])
    at = len(known), len(known) + len(unknown)
    result = {}
    for name, score in scores(x[train], labels, asked).items():
        auroc = [
            roc_auc_score(np.r_[np.zeros(at[0]), np.ones(len(other))], np.r_[score[: at[0]], other])
            for other in (score[at[0] : at[1]], score[at[1] :])
        ]
        result[name] = auroc
    out.append(result)
print(json.dumps({"versions": f"scikit-learn {sklearn.__version__}, numpy {np.__version__}", "draws": out}))
