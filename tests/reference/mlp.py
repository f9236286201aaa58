# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6"]
# ///
"""One hidden layer on features that `acclimate sample export` wrote, on given draws: what a gradient-trained head would be.

Run by `cargo xtask report mlp`:
    python mlp.py INPUT.json    # {"features": FILE.npz, "draws": [{"train": [row…], "test": [row…]}…]}
Prints one JSON document with a row for each draw: scores of the training rows, each from a network that was trained
without its fold, and scores of the test rows from one that was trained on all; the setting; the seconds.

ReLU, dropout on the hidden layer, AdamW (Loshchilov and Hutter 2019) with the learning rate on a cosine. Width, dropout
and weight decay are searched one after the other, the number of steps by early stopping: all by log-loss at its best
temperature on the folds held out, 10 that keep groups together. Then it is trained on all for as many steps. With one
group of a class nothing can be held out, and what the search starts from stands.

The networks of all folds train side by side, on the training rows' own coordinates where those are fewer, turned at random:
what is orthogonal to all rows tells nothing apart, and Adam, which goes by coordinates, finds none special.
"""

import json
import sys
import time

import numpy as np

RATE, BATCH, STEPS, LOOK, PATIENCE = 3e-3, 64, 300, 10, 6
START = dict(hidden=128, dropout=0.5, decay=0.1)
SEARCH = [("hidden", (64, 256)), ("dropout", (0.2,)), ("decay", (1.0,))]
TEMPERATURES = np.geomspace(0.2, 30, 40)


def folds(labels, groups, count, rng):
    """The fold of each row: groups in random order, each to the fold that has the least of its classes."""
    share = np.zeros((count, labels.max() + 1))
    fold = np.zeros(len(labels), int)
    names = np.unique(groups)
    rng.shuffle(names)
    for group in names:
        rows = groups == group
        tally = np.bincount(labels[rows], minlength=share.shape[1])
        to = np.argmin(share @ (tally > 0) + 1e-6 * share.sum(1))
        share[to] += tally
        fold[rows] = to
    return fold


def calibrated_loss(scores, labels):
    z = scores[None] / TEMPERATURES[:, None, None]
    z = z - z.max(-1, keepdims=True)
    p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return -p[:, np.arange(len(labels)), labels].mean(1).max()


class Networks:
    """As many networks as there are sets of rows, of one shape."""

    def __init__(self, count, dim, norm, classes, hidden, dropout, decay, rng):
        self.rng, self.dropout, self.decay, self.step = rng, dropout, decay, 0
        normal = lambda *shape: rng.standard_normal(shape, dtype=np.float32)
        self.at = [
            normal(count, dim, hidden) * np.float32((2 / norm) ** 0.5),
            np.zeros((count, 1, hidden), np.float32),
            normal(count, hidden, classes) * np.float32((1 / hidden) ** 0.5),
            np.zeros((count, 1, classes), np.float32),
        ]
        self.mean = [np.zeros_like(a) for a in self.at]
        self.square = [np.zeros_like(a) for a in self.at]

    def scores(self, x):
        w1, b1, w2, b2 = self.at
        return np.maximum(x @ w1 + b1, 0) @ w2 + b2

    def learn(self, x, y):
        w1, b1, w2, b2 = self.at
        hidden = np.maximum(x @ w1 + b1, 0)
        if self.dropout:
            kept = self.rng.random(hidden.shape, dtype=np.float32) >= self.dropout
            hidden *= kept / np.float32(1 - self.dropout)
        z = hidden @ w2 + b2
        p = np.exp(z - z.max(-1, keepdims=True))
        back = (p / p.sum(-1, keepdims=True) - y) / np.float32(x.shape[1])
        through = back @ w2.transpose(0, 2, 1)
        through *= hidden > 0
        if self.dropout:
            through /= np.float32(1 - self.dropout)
        transposed = lambda a: a.transpose(0, 2, 1)
        slopes = [transposed(x) @ through, through.sum(1, keepdims=True), transposed(hidden) @ back, back.sum(1, keepdims=True)]
        self.step += 1
        rate = RATE * 0.5 * (1 + np.cos(np.pi * (self.step - 1) / STEPS))
        for k, (a, m, v, g) in enumerate(zip(self.at, self.mean, self.square, slopes)):
            m *= np.float32(0.9)
            m += np.float32(0.1) * g
            v *= np.float32(0.999)
            g *= g
            v += np.float32(0.001) * g
            np.sqrt(v, out=g)
            g *= np.float32((1 - 0.999**self.step) ** -0.5)
            g += np.float32(1e-8)
            if k % 2 == 0:
                a *= np.float32(1 - rate * self.decay)
            np.divide(m, g, out=g)
            g *= np.float32(rate / (1 - 0.9**self.step))
            a -= g


def batches(rows, rng):
    """Rows without end, each as often as any other."""
    while True:
        order = rng.permutation(rows)
        yield from order


def train(x, y, sets, steps, setting, seed, look=None):
    """Networks trained on each set of rows; `look` sees them now and then and says when to stop."""
    rng = np.random.default_rng(seed)
    norm = float((x**2).sum(1).mean())
    networks = Networks(len(sets), x.shape[1], norm, y.shape[1], rng=rng, **setting)
    streams = [batches(rows, rng) for rows in sets]
    size = min(BATCH, min(len(rows) for rows in sets))
    for step in range(1, steps + 1):
        rows = np.array([[next(stream) for _ in range(size)] for stream in streams])
        networks.learn(x[rows], y[rows])
        if look and step % LOOK == 0 and look(step, networks):
            break
    return networks


def left_out(x, y, labels, fold, setting, seed):
    """Scores of every row from a network that never saw its fold, at the best number of steps."""
    count = fold.max() + 1
    sets = [np.flatnonzero(fold != k) for k in range(count)]
    held = [np.flatnonzero(fold == k) for k in range(count)]
    most = max(map(len, held))
    padded = np.array([np.resize(rows, most) for rows in held])
    best = [np.inf, 0, None]

    def look(step, networks):
        found, scores = networks.scores(x[padded]), np.zeros(y.shape)
        for k, rows in enumerate(held):
            scores[rows] = found[k, : len(rows)]
        loss = calibrated_loss(scores, labels)
        if loss < best[0] - 1e-4:
            best[:] = [loss, step, scores]
        return step - best[1] >= LOOK * PATIENCE

    train(x, y, sets, STEPS, setting, seed, look)
    return best


def fit(features, labels, groups, test, classes, seed):
    start = time.perf_counter()
    mean = features.mean(0)
    scale = np.sqrt(((features - mean) ** 2).mean())
    x, at = ((part - mean) / scale for part in (features, test))
    if len(x) < x.shape[1]:
        rows = np.linalg.svd(x, full_matrices=False)[2]
        turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(rows), len(rows))))[0]
        x, at = x @ rows.T @ turn, at @ rows.T @ turn
    x, at = x.astype(np.float32), at.astype(np.float32)
    y = np.eye(classes, dtype=np.float32)[labels]
    setting, steps, scores = dict(START), 200, None
    if min(len(set(groups[labels == label])) for label in set(labels)) > 1:
        fold = folds(labels, groups, min(10, len(set(groups))), np.random.default_rng(seed))
        best = left_out(x, y, labels, fold, setting, seed)
        for name, values in SEARCH:
            for value in values:
                tried = setting | {name: value}
                found = left_out(x, y, labels, fold, tried, seed)
                if found[0] < best[0]:
                    best, setting = found, tried
        _, steps, scores = best
    whole = train(x, y, [np.arange(len(x))], steps, setting, seed)
    return dict(
        left_out=None if scores is None else scores.round(5).tolist(),
        test=whole.scores(at)[0].round(5).tolist(),
        setting=setting | dict(steps=steps),
        seconds=time.perf_counter() - start,
    )


def main(path):
    given = json.load(open(path))
    data = np.load(given["features"])
    features, labels, groups = data["features"].astype(np.float64), data["labels"], data["groups"]
    rows = []
    for number, draw in enumerate(given["draws"]):
        train, test = np.array(draw["train"]), np.array(draw["test"])
        row = fit(features[train], labels[train], groups[train], features[test], labels.max() + 1, number)
        rows.append(row)
        print(len(rows), len(train), row["setting"], f"{row['seconds']:.1f} s", file=sys.stderr, flush=True)
    print(json.dumps({"versions": f"numpy {np.__version__}", "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1])
