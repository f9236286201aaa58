"""Writes the test models of this folder. Needs numpy and onnx 1.23; run it here: python make.py

tiny.onnx      image [N,3,8,8] -> Conv, Relu ("map"), GlobalAveragePool ("pooled"), Flatten ("feature"), Gemm ("logits"), and
               behind the logits an operator that no engine has. Declared shapes are stale on purpose.
old.onnx       the same with format version 3, where every initializer is an input too.
captured.onnx  an If whose branches use a tensor of the outer graph.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(1)
weights = {
    "conv.weight": rng.normal(size=(4, 3, 3, 3)),
    "conv.bias": rng.normal(size=4),
    "gemm.weight": rng.normal(size=(5, 4)),
    "gemm.bias": rng.normal(size=5),
    "unused": rng.normal(size=7),
}
initializers = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])
nodes = [
    helper.make_node("Conv", ["image", "conv.weight", "conv.bias"], ["conv"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    helper.make_node("Relu", ["conv"], ["map"]),
    helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
    helper.make_node("Flatten", ["pooled"], ["feature"]),
    helper.make_node("Gemm", ["feature", "gemm.weight", "gemm.bias"], ["logits"], transB=1),
    helper.make_node("Conjure", ["logits"], ["magic"], domain="com.example"),
]
opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.example", 1)]


def write(path, nodes, inputs, outputs, values=(), ir=8):
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers, value_info=list(values))
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="make.py"), path)


float_value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
stale = [float_value("conv", ["unk__1", 4, 8, 8]), float_value("map", ["N", 4, 8, 8]), float_value("pooled", [7, 4, 1, 1])]
write("tiny.onnx", nodes, [image], [float_value("logits", ["other", 5]), float_value("magic", ["N", 5])], stale)
also_inputs = [float_value(tensor.name, list(tensor.dims)) for tensor in initializers]
write("old.onnx", nodes[:5], [image, *also_inputs], [float_value("logits", ["N", 5])], ir=3)

branch = lambda name, scale: helper.make_graph(
    [helper.make_node("Constant", [], [f"{name}.scale"], value_floats=[scale]), helper.make_node("Mul", ["pooled", f"{name}.scale"], [name])],
    name, [], [float_value(name, None)])
choose = [
    helper.make_node("ReduceSum", ["conv"], ["sum"], keepdims=0),
    helper.make_node("Constant", [], ["zero"], value_float=0.0),
    helper.make_node("Greater", ["sum", "zero"], ["positive"]),
    helper.make_node("If", ["positive"], ["chosen"], then_branch=branch("double", 2.0), else_branch=branch("triple", 3.0)),
    helper.make_node("Neg", ["chosen"], ["negated"]),
]
write("captured.onnx", nodes[:3] + choose, [image], [float_value("negated", None)])
