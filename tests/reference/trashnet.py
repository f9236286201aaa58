# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""scikit-learn's accuracies on re-splits of TrashNet, on the features that `acclimate` stored.

Run by `cargo xtask report accuracy`, which makes the store and the splits:
    python trashnet.py STORE.db SPLITS    # SPLITS/SEED-train.csv, SPLITS/SEED-test.csv: path,label
Prints one JSON document. RidgeClassifier and LogisticRegression, each tuned by 5-fold cross-validation on the training part.
"""

import csv
import hashlib
import json
import sqlite3
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV

ESTIMATORS = {
    "ridge": (RidgeClassifier(), {"alpha": np.logspace(-2, 2, 13)}),
    "logistic": (LogisticRegression(max_iter=2000), {"C": np.logspace(-1, 4, 11)}),
}


def features(store):
    """Features by sample id: the decoded 8-bit codes, which is what heads are fitted on."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    ((full_scale, signed),) = connection.execute("SELECT full_scale, signed FROM tasks")
    kind, steps = (np.int8, 127) if signed else (np.uint8, 255)
    rows = connection.execute("SELECT id, codes FROM samples")
    return {bytes(id): np.frombuffer(codes, kind) * (full_scale / steps) for id, codes in rows}


def part(path, known):
    """Features and labels of one CSV file."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    ids = [hashlib.sha256(Path(row["path"]).read_bytes()).digest()[:16] for row in rows]
    return ids, np.array([known[id] for id in ids]), [row["label"] for row in rows]


def main(store, splits):
    known = features(store)
    out = {"versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__}, "splits": []}
    for train in sorted(Path(splits).glob("*-train.csv"), key=lambda path: int(path.name.split("-")[0])):
        seed = train.name.split("-")[0]
        ids, x, y = part(train, known)
        # A picture that is there twice is one sample of its last label, as in the store.
        rows = sorted({id: row for row, id in enumerate(ids)}.values())
        x, y = x[rows], [y[row] for row in rows]
        _, x_test, y_test = part(train.with_name(f"{seed}-test.csv"), known)
        result = {"seed": int(seed)}
        for name, (estimator, grid) in ESTIMATORS.items():
            search = GridSearchCV(estimator, grid, cv=5, n_jobs=-1).fit(x, y)
            ((parameter, value),) = search.best_params_.items()
            result[name] = {"accuracy": round(search.score(x_test, y_test), 6), parameter: float(f"{value:.4g}")}
        out["splits"].append(result)
        print(f"split {seed}: {result}", file=sys.stderr)
    print(json.dumps(out))


if __name__ == "__main__":
    # A C of the grid at which L-BFGS stops short is one that cross-validation judges as it is.
    warnings.filterwarnings("ignore")
    main(*sys.argv[1:])
