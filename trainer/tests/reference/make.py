# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "scikit-learn==1.9.1"]
# ///
"""Writes reference.json: small cases solved by scikit-learn and by brute force, which tests/reference.rs compares with.

Run: python trainer/tests/reference/make.py
or, for as many random cases at random penalties, printed: python trainer/tests/reference/make.py INPUT.json
    # {"seed": NUMBER, "cases": NUMBER}
Everything here is the slow and obvious way: leave-out means refitting without the samples.
"""

import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from scipy.special import log_softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel
from sklearn.neighbors import NearestCentroid

# The penalties that the committed cases are solved at.
FIXED = dict(
    ridge=(0.01, 1.0, 30.0),
    logistic=(0.1, 10.0, 1000.0),
    discriminant=(0.01, 0.3, 0.9),
    kernel=((0.3, 0.01), (1.0, 0.5), (4.0, 3.0)),
)


def case(name, n, dim, classes, group, seed, rare=1, at=FIXED):
    """Classes in turn; all but the first are `rare` times rarer."""
    rng = np.random.default_rng(seed)
    turn = np.arange(n) // group
    labels = np.where(turn % rare == 0, turn // rare % classes, 0)
    groups = np.arange(n) // group
    means = rng.normal(0, 30, (classes, dim))
    shift = rng.normal(0, 10, (groups.max() + 1, dim))
    codes = np.clip(np.rint(90 + means[labels] + shift[groups] + rng.normal(0, 25, (n, dim))), 0, 255).astype(int)
    x = codes / 256.0  # exact in f32
    y = np.eye(classes)[labels]
    counts = y.sum(0)
    # Ridge weighs classes alike where one has more than three times another's samples.
    weights = n / classes / counts[labels] if counts.max() > 3 * counts.min() else np.ones(n)
    out = dict(name=name, dim=dim, classes=classes, codes=codes.ravel().tolist(), labels=labels.tolist(), groups=groups.tolist())

    def directions(rows):
        sums = y[rows].T @ x[rows]
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

    def leave_out(fit, by):
        scores = np.zeros((n, classes))
        for value in np.unique(by):
            left = by == value
            scores[left] = fit(~left)(x[left])
        return scores

    def prototype(rows):
        means = directions(rows)
        return lambda at: at @ means.T

    everyone, singles = np.ones(n, bool), np.arange(n)
    centroids = NearestCentroid().fit(x, labels).centroids_
    np.testing.assert_allclose(prototype(everyone)(x) / np.linalg.norm(x, axis=1, keepdims=True), cosine_similarity(x, centroids))
    out["prototype"] = dict(
        scores=numbers(prototype(everyone)(x)),
        leave_one_out=numbers(leave_out(prototype, singles)),
        leave_group_out=numbers(leave_out(prototype, groups)),
    )
    out["ridge"] = []
    for penalty in at["ridge"]:
        def ridge(rows):
            # The singular value decomposition is exact for wide and tall samples alike.
            return Ridge(alpha=penalty, solver="svd").fit(x[rows], y[rows], weights[rows]).predict

        # RidgeCV's closed form: squared leave-one-out errors, one target after the other.
        cv = RidgeCV(alphas=[penalty], store_cv_results=True).fit(x, y)
        out["ridge"].append(dict(
            penalty=penalty,
            scores=numbers(ridge(everyone)(x)),
            leave_one_out=numbers(leave_out(ridge, singles)),
            leave_group_out=numbers(leave_out(ridge, groups)),
            squared_errors=numbers(cv.cv_results_[:, :, 0]) if np.all(weights == 1) else [],
        ))
    out["logistic"] = []
    for c in at["logistic"]:
        model = LogisticRegression(C=c, tol=1e-12, max_iter=100_000, solver="newton-cg").fit(x, labels)
        # For two classes scikit-learn penalises one vector, the difference of two that are each other's negative.
        penalty = 2 / c if classes == 2 else 1 / c
        out["logistic"].append(dict(penalty=penalty, probabilities=numbers(model.predict_proba(x))))
    out["discriminant"] = []
    for shrinkage in at["discriminant"]:
        def discriminant(rows, shrinkage=shrinkage):
            # What is held fixed without a group is the multiple of the identity that is added to the scatter.
            deviations = x[rows] - means_of(rows)[labels[rows]]
            spread = lambda of: ((x[of] - means_of(of)[labels[of]]) ** 2).sum() / dim
            penalty = shrinkage / (1 - shrinkage) * spread(everyone)
            covariance = (1 - shrinkage) / rows.sum() * (deviations.T @ deviations + penalty * np.eye(dim))
            directions = np.linalg.solve(covariance, means_of(rows).T)
            bias = np.log(weights[rows] @ y[rows] / weights[rows].sum()) - (means_of(rows).T * directions).sum(0) / 2
            return lambda at: log_softmax(at @ directions + bias, axis=1)

        def means_of(rows):
            return y[rows].T @ x[rows] / y[rows].sum(0)[:, None]

        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x, labels)
        decision = model.decision_function(x)
        decision = decision if decision.ndim > 1 else np.stack([-decision / 2, decision / 2], 1)
        # With classes that count alike scikit-learn weighs the covariance too.
        if np.all(weights == 1):
            np.testing.assert_allclose(discriminant(everyone)(x), log_softmax(decision, axis=1), rtol=1e-6, atol=1e-6)
        out["discriminant"].append(dict(
            penalty=shrinkage,
            scores=numbers(discriminant(everyone)(x)),
            leave_one_out=numbers(leave_out(discriminant, singles)),
            leave_group_out=numbers(leave_out(discriminant, groups)),
        ))
    out["kernel"] = []
    for gamma, penalty in at["kernel"]:
        def kernel(rows, gamma=gamma, penalty=penalty):
            # scikit-learn's has no intercept; with one it is the same on a kernel and on targets centred on their means.
            w = weights[rows] / weights[rows].sum()
            mean = w @ y[rows]
            own = rbf_kernel(x[rows], gamma=gamma)
            middle = w @ own
            model = KernelRidge(alpha=penalty, kernel="precomputed")
            model.fit(own - middle - middle[:, None] + w @ middle, y[rows] - mean, sample_weight=weights[rows])

            def predict(at):
                between = rbf_kernel(at, x[rows], gamma=gamma)
                return model.predict(between - (between @ w)[:, None] - middle + w @ middle) + mean

            return predict

        out["kernel"].append(dict(
            penalty=penalty,
            gamma=gamma,
            scores=numbers(kernel(everyone)(x)),
            leave_one_out=numbers(leave_out(kernel, singles)),
            leave_group_out=numbers(leave_out(kernel, groups)),
        ))
    return out


def numbers(values):
    return [float(f"{value:.10g}") for value in np.ravel(values)]


def random_case(seed):
    """A well-posed problem of any shape; a class has two samples or more, and groups are of up to four."""
    rng = np.random.default_rng(seed)
    power = lambda low, high: float(10 ** rng.uniform(low, high))
    classes, dim, rare = int(rng.integers(2, 6)), round(power(0.3, 2)), int(rng.choice([1, 1, 1, 4]))
    group = int(rng.integers(1, 5))
    n = int(rng.integers(2 * group * classes * rare, 2 * group * classes * rare + 40))
    at = dict(
        ridge=[power(-3, 2)],
        logistic=[power(-2, 3)],
        discriminant=[float(rng.uniform(0.01, 0.99))],
        kernel=[(power(-2, 0.5), power(-3, 1))],
    )
    name = f"seed {seed}: {n} of {dim}, {classes} classes"
    return case(name, n, dim, classes, group, seed, rare, at) | dict(relative=True)


if len(sys.argv) > 1:
    asked = json.loads(Path(sys.argv[1]).read_text())
    print(json.dumps(dict(cases=[random_case(asked["seed"] + k) for k in range(asked["cases"])])))
    sys.exit()
cases = [
    case("wide: fewer samples than dimensions", 24, 60, 3, 2, 1),
    case("tall: more samples than dimensions", 80, 7, 4, 4, 2),
    case("lopsided: one class has most samples", 40, 9, 2, 2, 3, rare=4),
]
made = f"tests/reference/make.py with numpy {np.__version__}, scikit-learn {sklearn.__version__}"
path = Path(__file__).with_name("reference.json")
path.write_text(json.dumps(dict(made=made, cases=cases), separators=(",", ":")) + "\n")
print(path, path.stat().st_size, "bytes")
