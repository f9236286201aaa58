# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "onnxruntime==1.31.1", "pillow==13.0.0", "torch==2.15.0"]
# ///
"""The recipes of the closest products, written afresh: how they train a classifier on a frozen MobileNetV2-0.35.

Run by `cargo xtask report rivals`:
    python rivals.py INPUT.json
    # {"model": FILE.onnx, "classes": n, "epochs": n, "passes": n, "draws": [{"seed": n, "before": PART, "batch": PART, "test": PART}…]}
    # PART = {"paths": […], "labels": […], "said": […]}; `said` are the labels of the batch as they come, some of them wrong
Prints one JSON document: for each draw and recipe the seconds from files to a head on `before`, the accuracy of that head
on `test`, and the accuracies after the batch joined with true labels and with those that were said.

- dense: Dense 128 with ReLU, dropout 0.3, softmax; Adam 1e-3, batches of 16, 50 epochs; the backbone runs in every epoch.
  It is frozen and nothing is augmented, so the features of a picture are the same in each: the head is trained on kept
  ones, `passes` passes of the backbone are timed, and the seconds are what as many passes as epochs take.
- imprinting: the mean of each class's features of norm 1, of norm 1 itself; the nearest by cosine (Qi et al. 2018).
- sgd: softmax regression, 500 steps of batches of 100, learning rate 0.01, weights from N(0, 1)·0.05, no weight decay.
"""

import json
import os
import sys
from time import perf_counter

import numpy as np
import onnxruntime
import torch
from PIL import Image

CORES = len(os.sched_getaffinity(0))
# More than one only wait for one another on a head this small.
torch.set_num_threads(1)
BATCH = 16


def pixels(path):
    """A centred square of 224, -1 to 1, channels first."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.resize((224, 224), Image.BILINEAR, (left, top, left + side, top + side))
    return (np.asarray(picture, np.float32) / 127.5 - 1.0).transpose(2, 0, 1)


class Backbone:
    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CORES
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.known = {}

    def __call__(self, pictures):
        return self.session.run(None, {"input": pictures})[0]

    def pass_over(self, pictures):
        return np.concatenate([self(pictures[start : start + BATCH]) for start in range(0, len(pictures), BATCH)])

    def features(self, paths):
        """Kept ones; for what is not timed."""
        for path in paths:
            if path not in self.known:
                self.known[path] = self(pixels(path)[None])[0]
        return np.stack([self.known[path] for path in paths])


def dense(x, labels, classes, epochs, seed):
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    layers = torch.nn.Linear(1280, 128), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(128, classes)
    model = torch.nn.Sequential(*layers)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        order = random.permutation(len(labels))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(x[batch])), torch.from_numpy(labels[batch]))
            adam.zero_grad()
            loss.backward()
            adam.step()
    model.eval()
    return lambda x: model(torch.from_numpy(x)).argmax(1).numpy()


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def imprinting(x, labels, classes, epochs, seed):
    x = unit(x)
    means = unit(np.stack([x[labels == c].mean(0) for c in range(classes)]))
    return lambda x: (unit(x) @ means.T).argmax(1)


def sgd(x, labels, classes, epochs, seed):
    random = np.random.default_rng(seed)
    weights, bias = random.normal(size=(1280, classes)) * 0.05, np.zeros(classes)
    for _ in range(500):
        batch = random.integers(0, len(labels), 100)
        logits = x[batch] @ weights + bias
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(100), labels[batch]] -= 1.0
        weights -= 0.01 * x[batch].T @ p / 100
        bias -= 0.01 * p.mean(0)
    return lambda x: (x @ weights + bias).argmax(1)


RECIPES = {"dense": dense, "imprinting": imprinting, "sgd": sgd}


def main(path):
    given = json.load(open(path))
    backbone, out = Backbone(given["model"]), []
    # What loads and compiles at its first use is not timed.
    still = np.zeros((BATCH, 3, 224, 224), np.float32)
    dense(backbone(still), np.zeros(BATCH, np.int64), 2, 1, 0)
    for draw in given["draws"]:
        before, batch, test = draw["before"], draw["batch"], draw["test"]
        asked, truth = backbone.features(test["paths"]), np.array(test["labels"])
        start = perf_counter()
        pictures = np.stack([pixels(path) for path in before["paths"]])
        decoded = perf_counter()
        for _ in range(given["passes"]):
            features = backbone.pass_over(pictures)
        one_pass = (perf_counter() - decoded) / given["passes"]
        both = np.concatenate([features, backbone.features(batch["paths"])])
        row = {}
        for name, recipe in RECIPES.items():

            def fit(x, labels):
                return recipe(x, np.array(labels), given["classes"], given["epochs"], draw["seed"])

            begin = perf_counter()
            head = fit(features, before["labels"])
            passes = given["epochs"] if name == "dense" else 1
            seconds = decoded - start + passes * one_pass + perf_counter() - begin
            after = {
                key: float((fit(both, before["labels"] + batch[said])(asked) == truth).mean())
                for key, said in [("after_true", "labels"), ("after_said", "said")]
            }
            row[name] = {"seconds": seconds, "accuracy": float((head(asked) == truth).mean())} | after
        out.append(row)
        print(len(out), row, file=sys.stderr)
    versions = {"torch": torch.__version__, "numpy": np.__version__, "onnxruntime": onnxruntime.__version__}
    print(json.dumps({"versions": versions, "draws": out}))


if __name__ == "__main__":
    main(sys.argv[1])
