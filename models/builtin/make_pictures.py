"""Makes the built-in picture backbone, `builtin-picture-1.onnx`, and its manifest `../builtin-picture-1.toml`.

    pip install numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
    python make_pictures.py

Nothing is downloaded and nothing is trained on photographs. Every weight is either a formula or drawn, with a fixed
seed, from pictures that this script paints ("dead leaves": overlapping discs and bars with texture under uneven light).

 1. log of RGB → luminance and two opponent colours, so that the light's strength and colour only shift values;
 2. an octave pyramid; at each octave Gabor wavelets (zero mean: blind to those shifts), modulus, averaged to 16 × 16
    cells, log: first-order scattering (Bruna and Mallat, "Invariant Scattering Convolution Networks", 2013);
 3. mean, maximum and minimum over the orientations, so that a part may lie any way round;
 4. per cell, random directions between painted cells, and Relu: random features of the local descriptor (Rahimi and
    Recht, 2007). Their mean over all cells is the embedding of the picture's distribution of textures and colours. The
    descriptor's own mean and standard deviation over the cells are appended.

The feature is centred and scaled by its statistics on painted pictures, so that 8 bits suffice.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
NAME = "builtin-picture-1"
SIDE, GRID, OCTAVES = 128, 16, 5
RANDOM = 428
PAINTED = 256


def paint(rng):
    """One picture of overlapping leaves, shape [3, SIDE, SIDE], values in 0..1."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    picture = np.empty((SIDE, SIDE, 3))
    picture[:] = rng.uniform(0.1, 0.9, 3)
    for _ in range(rng.integers(3, 40)):
        cx, cy, angle, size = rng.uniform(-0.1, 1.1), rng.uniform(-0.1, 1.1), rng.uniform(0, np.pi), 0.5 * rng.uniform() ** 2 + 0.01
        u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
        v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        thin = rng.choice([1.0, 0.4, 0.08])
        leaf = u**2 + (v / thin) ** 2 < size**2 if rng.uniform() < 0.5 else np.maximum(abs(u), abs(v) / thin) < size
        grey, tint = rng.uniform(0.05, 0.95), rng.normal(0, rng.choice([0.02, 0.15]), 3)
        wave = 1 + rng.choice([0.0, 0.1, 0.4]) * np.sin(u * rng.uniform(20, 300) + rng.uniform(0, 6))
        shade = 1 + rng.normal(0, 0.5) * u + rng.normal(0, 0.5) * v
        noise = 1 + rng.choice([0.0, 0.03, 0.1]) * rng.normal(size=x.shape)
        picture[leaf] = np.clip((grey + tint) * (wave * shade * noise)[..., None], 0, 1)[leaf]
    light = rng.uniform(0.4, 1.1) * (1 + rng.normal(0, 0.08, 3)) * (1 + rng.normal(0, 0.4) * (x - 0.5) + rng.normal(0, 0.4) * (y - 0.5))[..., None]
    picture = np.clip(picture * light + rng.normal(0, rng.choice([0.0, 0.02]), picture.shape), 0, 1)
    return (np.round(picture * 255) / 255).astype(np.float32).transpose(2, 0, 1)


def gabors(orientations):
    """Real and imaginary parts, [orientations, 7, 7] each, of zero mean and unit absolute sum."""
    y, x = np.mgrid[-3:4, -3:4].astype(float)
    window = np.exp(-(x * x + y * y) / (2 * 1.3**2))
    waves = []
    for k in range(orientations):
        angle = np.pi * k / orientations
        wave = np.exp(1j * (x * np.cos(angle) + y * np.sin(angle)) * 2.2 / 1.3)
        wave = window * (wave - (window * wave).sum() / window.sum())
        waves.append(wave / abs(wave).sum())
    return np.real(waves), np.imag(waves)


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

    def model(self, output, shape):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, NAME, [value("picture", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
                                  [value(output, TensorProto.FLOAT, ["N", *shape])], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="acclimate")
        model.ir_version = 7
        onnx.checker.check_model(model, full_check=True)
        return model


def descriptors(graph):
    """Adds steps 1 to 3; returns the name of the descriptors, [N, channels, GRID, GRID]."""
    log = graph.op("Log", graph.op("Add", "picture", graph.constant(0.04)))
    opponent = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]]) / np.array([[3], [2**0.5], [6**0.5]])
    level = graph.op("Conv", log, graph.constant(opponent[:, :, None, None]))
    found, side = [], SIDE
    for octave in range(OCTAVES):
        # The last octave would fall below the grid: it keeps the side and spreads the wavelet instead.
        spread = 2 if side == GRID and octave == OCTAVES - 1 else 1
        reach, stride = 3 * spread, 2 if octave == 0 else 1
        padded = graph.op("Pad", level, graph.constant([0, 0, reach, reach] * 2, np.int64), mode="edge")
        # Colour has no detail at the finest octave: cameras and JPEG halve it.
        for channel, orientations in [(0, 8)] + ([(1, 4), (2, 4)] if octave else []):
            parts = []
            for part in gabors(orientations):
                weight = np.zeros((orientations, 3, 7, 7))
                weight[:, channel] = part
                wave = graph.op("Conv", padded, graph.constant(weight), strides=[stride] * 2, dilations=[spread] * 2)
                parts.append(graph.op("Mul", wave, wave))
            modulus = graph.op("Sqrt", graph.op("Add", graph.op("Add", *parts), graph.constant(1e-6)))
            if (cell := side // stride // GRID) > 1:
                modulus = graph.op("AveragePool", modulus, kernel_shape=[cell] * 2, strides=[cell] * 2)
            modulus = graph.op("Log", graph.op("Add", modulus, graph.constant(0.004)))
            found += [graph.op(f"Reduce{kind}", modulus, axes=[1], keepdims=1) for kind in ("Mean", "Max", "Min")]
        if side > GRID:
            level, side = graph.op("AveragePool", level, kernel_shape=[2, 2], strides=[2, 2]), side // 2
        elif octave < OCTAVES - 1:
            padded = graph.op("Pad", level, graph.constant([0, 0, 0, 0, 0, 0, 1, 1], np.int64), mode="edge")
            level = graph.op("AveragePool", padded, kernel_shape=[2, 2], strides=[1, 1])
    return graph.op("Concat", *found, level, axis=1, output="descriptors")


def run(model, pictures):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"picture": pictures[i : i + 32]})[0] for i in range(0, len(pictures), 32)]).astype(np.float64)


def coarse(array, digits=3):
    """Rounded to a few significant digits, so that another CPU's last bit does not make another model."""
    array = np.asarray(array, np.float64)
    magnitude = 10.0 ** (np.floor(np.log10(np.maximum(abs(array), 1e-9))) - digits + 1)
    return np.round(array / magnitude) * magnitude


def main():
    rng = np.random.default_rng(20_240_229)
    pictures = np.stack([paint(rng) for _ in range(PAINTED)])

    graph = Graph()
    name = descriptors(graph)
    channels = 3 + 3 * (1 + 3 * (OCTAVES - 1))
    cells = run(graph.model(name, [channels, GRID, GRID]), pictures).transpose(0, 2, 3, 1).reshape(-1, channels)
    mean, std = coarse(cells.mean(0)), coarse(cells.std(0))
    cells = (cells - mean) / std

    # Directions between two painted cells, thresholds near a third: they lie where pictures differ.
    a, b, c = rng.integers(len(cells), size=(3, RANDOM))
    weight = cells[a] - cells[b]
    weight = coarse(weight / np.linalg.norm(weight, axis=1, keepdims=True))
    threshold = coarse(0.8 * (weight * cells[c]).sum(1))
    weight, bias = weight / std, -threshold - weight @ (mean / std)
    random = graph.op("Relu", graph.op("Conv", name, graph.constant(weight[:, :, None, None]), graph.constant(bias)))
    first = graph.op("GlobalAveragePool", name)
    second = graph.op("GlobalAveragePool", graph.op("Mul", name, name))
    variance = graph.op("Relu", graph.op("Sub", second, graph.op("Mul", first, first)))
    deviation = graph.op("Sqrt", graph.op("Add", variance, graph.constant(1e-3)))
    pooled = graph.op("Concat", graph.op("GlobalAveragePool", random), first, deviation, axis=1)
    raw, count = graph.op("Flatten", pooled, axis=1, output="raw"), RANDOM + 2 * channels
    painted = run(graph.model(raw, [count]), pictures)
    mean, scale = coarse(painted.mean(0)), coarse(1 / (painted.std(0) + 1e-3))
    graph.op("Mul", graph.op("Sub", raw, graph.constant(mean)), graph.constant(scale), output="feature")
    data = graph.model("feature", [count]).SerializeToString()
    (HERE / f"{NAME}.onnx").write_bytes(data)
    (HERE.parent / f"{NAME}.toml").write_text(f"""\
# Made by models/builtin/make_pictures.py together with the model: edit there.
name = "{NAME}"
licence = "MIT OR Apache-2.0"
[file]
sha256 = "{hashlib.sha256(data).hexdigest()}"
bytes = {len(data)}
[input]
kind = "image"
tensor = "picture"
layout = "nchw"
range = 1
size = [{SIDE}, {SIDE}]
resize = "stretch"
[feature]
tensor = "feature"
dim = {count}
signed = true
""")
    print(f"{NAME}: {len(data)} bytes, {count} features")


if __name__ == "__main__":
    main()
