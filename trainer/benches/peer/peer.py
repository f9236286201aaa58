"""Fits scikit-learn's classifiers for whoever times itself beside them.

Answers each line `head path samples dim classes` with the seconds of one fit; the file holds f32, row by row, and the
labels go round. The first line out names the versions.
"""

import sys
import time

import numpy as np
import sklearn
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.svm import SVC

MODELS = {
    "auto": lambda: LogisticRegression(C=1.0, max_iter=1000),
    "discriminant": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "kernel": lambda: SVC(),
    "logistic": lambda: LogisticRegression(C=1.0, max_iter=1000),
    "ridge": lambda: RidgeClassifierCV(alphas=np.logspace(-3, 3, 13)),
}

print(f"scikit-learn {sklearn.__version__}, numpy {np.__version__}", flush=True)
for line in sys.stdin:
    head, path, samples, dim, classes = line.rstrip("\n").split("\t")
    x = np.fromfile(path, dtype=np.float32).reshape(int(samples), int(dim)).astype(np.float64)
    y = np.arange(len(x)) % int(classes)
    model = MODELS[head]()
    start = time.perf_counter()
    model.fit(x, y)
    print(time.perf_counter() - start, flush=True)
