"""scikit-learn on the windows and splits of tests/src/signals.rs, for `cargo xtask report builtins`.

    pip install numpy==2.4.6 onnxruntime==1.31.1 onnx==1.23.2 scikit-learn==1.9.1
    python signals.py ASSETS > signals.json

Three sorts of features of the same windows: mean and standard deviation per channel; those with minimum, maximum and
mean absolute step; the built-in signal backbone's; and, of WHARF, those of a small convolutional network that was
trained on one volunteer (f1). Classifiers: RidgeClassifierCV, and LogisticRegression with C by cross-validation over
persons. The person is never in both parts.
"""

import csv
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import sklearn
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, normalize

warnings.filterwarnings("ignore")
ASSETS = Path(sys.argv[1])
BUILTIN = Path(__file__).parents[2] / "models/builtin/builtin-signal-1.onnx"
CNN = ASSETS / "models/wharf-cnn1d/wharf-cnn1d_fp32.onnx"


def wharf():
    for row in csv.DictReader(open(ASSETS / "data/wharf-imu/manifest.csv")):
        readings = np.loadtxt(ASSETS / "data/wharf-imu" / row["path"]) / 63 * 3 - 1.5
        yield readings, row["label"], row["volunteer"]


def wand(length):
    for row in csv.DictReader(open(ASSETS / "data/magic-wand/manifest.csv")):
        readings = np.loadtxt(ASSETS / "data/magic-wand" / row["path"], delimiter=",")
        if np.linalg.norm(readings, axis=1).mean() > 100:
            readings = readings / 1000  # some files are in milli-g
        # In g some files have one decimal, so all have: the precision must not tell the class.
        readings = np.round(readings, 1)
        if len(readings) > 200:  # a long recording of no gesture: at most 12 windows
            readings = readings[: 12 * length]
        elif len(readings) >= length:
            start = (len(readings) - length) // 2
            readings = readings[start : start + length]
        else:
            readings = np.concatenate([readings, np.repeat(readings[-1:], length - len(readings), 0)])
        yield readings, row["label"], row["person"]


def windows(recordings, length):
    found, classes, persons = [], [], []
    for readings, label, person in recordings:
        for start in range(0, len(readings) - length + 1, length):
            found.append(readings[start : start + length].T)
            classes.append(label)
            persons.append(person)
    return np.stack(found).astype(np.float32), np.array(classes), np.array(persons)


def splits(classes, persons):
    """Half the persons each time; those where a part lacks a class or is below 30 % are left out."""
    people = sorted(set(persons))
    for seed in range(len(people)):
        train = np.isin(persons, [p for i, p in enumerate(people) if (i * 7 + seed * 3) % len(people) < len(people) // 2])
        if len(set(classes[train])) == len(set(classes[~train])) == len(set(classes)) and 0.3 <= train.mean() <= 0.7:
            yield seed, train


def features(model, windows, output=None):
    if output:
        model = onnx.load(model)
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(output))
        model = model.SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run([output] if output else None, {name: windows[i : i + 256]})[0] for i in range(0, len(windows), 256)])


def accuracy(x, classes, persons, train, unit):
    before = FunctionTransformer(normalize) if unit else StandardScaler()
    ridge = make_pipeline(before, RidgeClassifierCV(alphas=np.logspace(-4, 3, 15)))
    grid = {"logisticregression__C": [1, 10, 100, 1000] if unit else [0.01, 0.1, 1, 10]}
    logistic = GridSearchCV(make_pipeline(before, LogisticRegression(max_iter=1000)), grid, cv=GroupKFold(3))
    ridge.fit(x[train], classes[train])
    logistic.fit(x[train], classes[train], groups=persons[train])
    return {"ridge": round(ridge.score(x[~train], classes[~train]), 4), "logistic": round(logistic.score(x[~train], classes[~train]), 4)}


def main():
    sets = {"wharf-imu": windows(wharf(), 96), "magic-wand": windows(wand(64), 64)}
    result = {"versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "onnxruntime": onnxruntime.__version__}}
    for name, (x, classes, persons) in sets.items():
        few = np.concatenate([x.mean(2), x.std(2)], 1)
        more = np.concatenate([few, x.min(2), x.max(2), abs(np.diff(x, axis=2)).mean(2)], 1)
        kinds = {"mean, std": (few, False), "mean, std, min, max, step": (more, False), "builtin-signal-1": (features(str(BUILTIN), x), True)}
        if name == "wharf-imu":
            kinds["wharf-cnn1d"] = (features(str(CNN), x.transpose(0, 2, 1), "StatefulPartitionedCall/functional_1_1/feat_1/Relu:0"), True)
        rows = []
        for seed, train in splits(classes, persons):
            row = {"seed": seed, "train": int(train.sum()), "test": int((~train).sum())}
            for kind, (values, unit) in kinds.items():
                row[kind] = accuracy(values, classes, persons, train, unit)
            rows.append(row)
            print(name, row, file=sys.stderr)
        result[name] = rows
    text = json.dumps(result)
    print(text.replace('{"seed"', '\n{"seed"').replace('"wharf-imu"', '\n"wharf-imu"').replace('"magic-wand"', '\n"magic-wand"'))


if __name__ == "__main__":
    main()
