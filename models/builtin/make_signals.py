"""Makes the built-in signal backbone, `builtin-signal-1.onnx`, and its manifest `../builtin-signal-1.toml`.

    pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
    python make_signals.py

Nothing is downloaded and nothing is trained on recordings. Every weight is a formula; only the centring and scaling of
the feature comes from signals that this script paints (drifts, oscillations, bursts, steps and noise, seeded).

The graph takes windows [N, C, L] of any number of channels and any length: channels share their filters, and what
depends on time is taken over the whole window. The length of one channel's readings, √ΣC x², is one more channel.
All readings are centred and divided by one scale, the root of the channels' summed variance, so that a change of unit
moves the level alone. Then, per channel,

 - band energies: an octave pyramid with two complex wavelets each, log of the mean energy and mean of the log energy;
 - the course: the first cosine coefficients of the readings and of their square over the window;
 - shape: largest, smallest, mean absolute and mean squashed reading, share of the variance, mean against the level;

per pair of channels, correlation and covariance; and for all together the level: logarithms of variance and mean, also
as sines and cosines of several periods, so that a linear head can tell levels apart at any place of the scale.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
NAME = "builtin-signal-1"
OCTAVES, WAVES, REACH = 6, 2, 10
COURSE, SQUARES = 8, 4
PERIODS = (24, 12, 6, 3)
# What the manifest in the catalogue is for; `init --channels --length` makes one for other windows.
CHANNELS, LENGTH = 3, 96
PER_CHANNEL = 2 * OCTAVES * WAVES + COURSE + SQUARES + 6
LEVEL = 2 + 4 * len(PERIODS)
MOST = 3.0


def dim(channels):
    return PER_CHANNEL * (channels + 1) + 2 * (channels + 1) ** 2 + LEVEL


def paint(rng, channels, length):
    """One window [channels, length] such as sensors give, in any unit."""
    t = np.arange(length) / length
    each = lambda: rng.normal(size=(channels, 1))
    x = np.zeros((channels, length))
    if rng.uniform() < 0.7:  # something turns
        for k in range(1, 4):
            x += each() * np.cos(np.pi * k * t + rng.uniform(0, 6)) * 10 ** rng.uniform(-1.5, 0.3) / k
    for _ in range(rng.integers(0, 4)):  # something swings, with overtones
        pitch, strength = length * 0.45 * 2 ** -rng.uniform(0, 6), 10 ** rng.uniform(-1.5, 0.3)
        for h in range(1, 1 + rng.integers(1, 4)):
            if pitch * h < length / 2:
                phase = 2 * np.pi * pitch * h * t * (1 + rng.normal() * 0.02 * t)
                x += strength / h * each() * np.cos(phase + rng.uniform(0, 6, (channels, 1)))
    for _ in range(rng.integers(0, 4)):  # something knocks
        place, width = rng.uniform(0, 1), 10 ** rng.uniform(-2, -0.5)
        x += each() * np.exp(-(((t - place) / width) ** 2)) * np.cos(rng.uniform(0, 3) * (t - place) / width)
    if rng.uniform() < 0.3:  # something is switched
        x += each() * (t > rng.uniform(0.1, 0.9))
    noise = np.fft.rfft(rng.normal(size=(channels, length))) * np.maximum(np.arange(length // 2 + 1), 1.0) ** -rng.choice([0, 0.5, 1.0])
    noise = np.fft.irfft(noise, length)
    x += noise / noise.std() * 10 ** rng.uniform(-2.5, 0) * abs(each())
    offset = rng.normal(size=(channels, 1))
    x += offset / np.linalg.norm(offset) * rng.choice([0, 1, 3])
    return (x * 10 ** rng.uniform(-3, 3)).astype(np.float32)


def waves():
    """Complex wavelets of one octave, [WAVES, 2 * REACH + 1], of zero mean and greatest response 1."""
    t = np.arange(-REACH, REACH + 1.0)
    found = []
    for k in range(WAVES):
        pitch = 0.36 * 2 ** (-k / WAVES)
        window = np.exp(-((t / (1.04 * WAVES / (2 * np.pi * pitch))) ** 2) / 2)
        wave = window * np.exp(2j * np.pi * pitch * t)
        wave -= window * wave.sum() / window.sum()
        found.append(wave / abs(np.fft.fft(wave, 4096)).max())
    return np.array(found)


class Graph:
    """Nodes and initializers under construction; tensors are names."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, array, dtype=np.float32):
        name = f"constant{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def op(self, kind, *inputs, output=None, **attributes):
        output = output or f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def sum(self, tensor, axis):
        return self.op("ReduceSum", tensor, self.constant([axis], np.int64), keepdims=1)

    def mean(self, tensor, axis):
        return self.op("ReduceMean", tensor, axes=[axis], keepdims=1)

    def square(self, tensor):
        return self.op("Mul", tensor, tensor)

    def plus(self, tensor, number):
        return self.op("Add", tensor, self.constant(number))

    def log(self, tensor, floor):
        return self.op("Log", self.plus(tensor, floor))

    def root(self, tensor, floor):
        return self.op("Sqrt", self.plus(tensor, floor))

    def model(self, outputs):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, NAME, [value("readings", TensorProto.FLOAT, ["N", "C", "L"])],
                                  [value(name, TensorProto.FLOAT, shape) for name, shape in outputs], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="acclimate")
        model.ir_version = 7
        onnx.checker.check_model(model, full_check=True)
        return model


def bands(graph, level):
    """Log energies of [N, C, L] as [N, C, 2 * OCTAVES * WAVES]."""
    level, found = graph.op("Unsqueeze", level, graph.constant([1], np.int64)), []
    for octave in range(OCTAVES):
        padded = graph.op("Pad", level, graph.constant([0, 0, 0, REACH] * 2, np.int64), mode="edge")
        parts = [graph.op("Conv", padded, graph.constant(part[:, None, None, :])) for part in (waves().real, waves().imag)]
        energy = graph.op("Add", *(graph.square(part) for part in parts))
        found.append(graph.log(graph.mean(energy, 3), 1e-4))
        found.append(graph.mean(graph.log(energy, 1e-4), 3))
        if octave < OCTAVES - 1:
            padded = graph.op("Pad", level, graph.constant([0, 0, 0, 2, 0, 0, 0, 3], np.int64), mode="edge")
            binomial = np.array([1, 5, 10, 10, 5, 1]) / 32
            level = graph.op("Conv", padded, graph.constant(binomial[None, None, None]), strides=[1, 2])
    found = graph.op("Squeeze", graph.op("Concat", *found, axis=1), graph.constant([3], np.int64))
    return graph.op("Transpose", found, perm=[0, 2, 1])


def build(graph):
    """Adds everything up to the raw blocks: per channel [N, C+1, …], per pair [N, 2 * (C+1), C+1], level [N, …, 1]."""
    readings = "readings"
    mean = graph.mean(readings, 2)
    variance = graph.sum(graph.mean(graph.square(graph.op("Sub", readings, mean)), 2), 1)
    offset = graph.sum(graph.square(mean), 1)
    scale = graph.root(variance, 1e-12)

    all_channels = graph.op("Concat", readings, graph.root(graph.sum(graph.square(readings), 1), 1e-12), axis=1)
    mean = graph.mean(all_channels, 2)
    x = graph.op("Div", graph.op("Sub", all_channels, mean), scale)
    power = graph.mean(graph.square(x), 2)
    own = graph.op("Div", x, graph.root(power, 1e-4))

    # Time from 0 to 1, and the number of readings, without knowing either.
    ones = graph.plus(graph.op("Mul", graph.sum(x, 1), graph.constant(0.0)), 1.0)
    length = graph.sum(ones, 2)
    time = graph.op("Div", graph.plus(graph.op("CumSum", ones, graph.constant(2, np.int64)), -0.5), length)
    cosines = [graph.op("Cos", graph.op("Mul", time, graph.constant(np.pi * k))) for k in range(1, COURSE + 1)]
    course = [graph.mean(graph.op("Mul", x, cosine), 2) for cosine in cosines]
    squares = [graph.mean(graph.op("Mul", graph.square(x), cosine), 2) for cosine in cosines[:SQUARES]]

    per_channel = graph.op(
        "Concat",
        bands(graph, x),
        *course,
        *squares,
        graph.op("ReduceMax", x, axes=[2], keepdims=1),
        graph.op("ReduceMin", x, axes=[2], keepdims=1),
        graph.mean(graph.op("Abs", own), 2),
        graph.mean(graph.op("Tanh", own), 2),
        graph.log(power, 1e-4),
        graph.op("Div", mean, graph.op("Sqrt", graph.plus(graph.op("Add", offset, variance), 1e-12))),
        axis=2,
        output="per_channel",
    )
    pairs = [graph.op("Div", graph.op("MatMul", one, graph.op("Transpose", one, perm=[0, 2, 1])), length) for one in (own, x)]
    pairs = graph.op("Concat", *pairs, axis=1, output="pairs")
    logs = graph.op("Concat", graph.log(variance, 1e-12), graph.log(offset, 1e-12), axis=1)
    angles = [graph.op("Mul", logs, graph.constant(2 * np.pi / period)) for period in PERIODS]
    level = graph.op("Concat", logs, *(graph.op(kind, angle) for angle in angles for kind in ("Sin", "Cos")), axis=1, output="level")
    return per_channel, pairs, level


def run(model, windows):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"readings": windows})


def coarse(array, digits=3):
    """Rounded to a few significant digits, so that another CPU's last bit does not make another model."""
    array = np.asarray(array, np.float64)
    magnitude = 10.0 ** (np.floor(np.log10(np.maximum(abs(array), 1e-9))) - digits + 1)
    return np.round(array / magnitude) * magnitude


def main():
    rng = np.random.default_rng(20_261_120)
    graph = Graph()
    per_channel, pairs, level = build(graph)
    shapes = [(per_channel, ["N", "D", PER_CHANNEL]), (pairs, ["N", "P", "D"]), (level, ["N", LEVEL, 1])]
    model = graph.model(shapes)
    painted = []
    for channels, length in [(1, 96), (3, 96), (3, 256), (6, 128), (1, 1024)]:
        painted.append(run(model, np.stack([paint(rng, channels, length) for _ in range(256)])))
    channel = np.concatenate([one[0].reshape(-1, PER_CHANNEL) for one in painted]).astype(np.float64)
    pair = np.concatenate([one[1].reshape(-1, 1) for one in painted]).astype(np.float64)
    levels = np.concatenate([one[2][:, :, 0] for one in painted]).astype(np.float64)

    def standard(name, values, shape, weight=None):
        mean, scale = coarse(values.mean(0)).reshape(shape), coarse(1 / (values.std(0) + 1e-2)).reshape(shape)
        centred = graph.op("Mul", graph.op("Sub", name, graph.constant(mean)), graph.constant(scale))
        bounded = graph.op("Clip", centred, graph.constant(-MOST), graph.constant(MOST))
        if weight is not None:
            bounded = graph.op("Mul", bounded, graph.constant(np.reshape(weight, shape)))
        return graph.op("Flatten", bounded, axis=1)

    # The two kinds of band energies say much the same; the mean is one number and says which way a sensor points.
    weight = np.ones(PER_CHANNEL)
    weight[: 2 * OCTAVES * WAVES].reshape(OCTAVES, 2, WAVES)[:, 1] = 0.5
    weight[-1] = 3
    # Correlations and covariances lie behind each other and have one bound: the same statistics serve both.
    blocks = [
        standard(per_channel, channel, (1, 1, PER_CHANNEL), weight),
        standard(pairs, pair, (1, 1, 1)),
        standard(level, levels, (1, LEVEL, 1)),
    ]
    graph.op("Concat", *blocks, axis=1, output="feature")
    data = graph.model([("feature", ["N", "dim"])]).SerializeToString()
    (HERE / f"{NAME}.onnx").write_bytes(data)
    (HERE.parent / f"{NAME}.toml").write_text(f"""\
# Made by models/builtin/make_signals.py together with the model: edit there. `acclimate init TASK --backbone {NAME}
# --channels C --length L` makes one for other windows from it.
name = "{NAME}"
licence = "MIT OR Apache-2.0"
[file]
sha256 = "{hashlib.sha256(data).hexdigest()}"
bytes = {len(data)}
[input]
kind = "signal"
tensor = "readings"
channels = {CHANNELS}
length = {LENGTH}
[feature]
tensor = "feature"
dim = {dim(CHANNELS)}
""")
    print(f"{NAME}: {len(data)} bytes, {dim(CHANNELS)} features of {CHANNELS} channels")


if __name__ == "__main__":
    main()
