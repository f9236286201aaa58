"""Writes the test models of this folder. Needs numpy and onnx 1.23; run it here: python make.py

tiny.onnx      image [N,3,8,8] -> Conv, Relu ("map"), GlobalAveragePool ("pooled"), Flatten ("feature"), Gemm ("logits"), and
               behind the logits an operator that no engine has. Declared shapes are stale on purpose.
old.onnx       the same with format version 3, where every initializer is an input too.
captured.onnx  an If whose branches use a tensor of the outer graph.
classifiers/   one form of classifier each.
"""

import os

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

# classifiers/: one form of classifier each, behind the same pooled feature; 5 classes.
w, b = weights["gemm.weight"].astype(np.float32), weights["gemm.bias"].astype(np.float32)
scales = np.abs(w).max(axis=1) / 127
codes = np.round(w / scales[:, None]).astype(np.int8)
by_class = {"s": scales.astype(np.float32), "z": np.zeros(5, np.int8)}
act, out = {"as": np.float32(0.02), "az": np.uint8(3)}, {"os": np.float32(0.07), "oz": np.uint8(128)}
bias_codes = np.round(b / (0.02 * scales)).astype(np.int32)
node = helper.make_node
micro = {"domain": "com.microsoft"}
quantise = node("QuantizeLinear", ["feature", "as", "az"], ["q"])
restore = node("DequantizeLinear", ["y", "os", "oz"], ["scores"])
pool = nodes[:4]
patch = np.random.default_rng(2).normal(size=(5, 4, 8, 8)).astype(np.float32)
table = np.random.default_rng(3).normal(size=(5, 4)).astype(np.float32)
forms = {
    "gemm": ([node("Gemm", ["feature", "w", "b"], ["scores"], transB=1, alpha=0.5, beta=2.0)], {"w": w, "b": b}),
    "matmul": ([node("MatMul", ["feature", "w"], ["y"]), node("Add", ["b", "y"], ["z"]), node("Softmax", ["z"], ["scores"])], {"w": w.T.copy(), "b": b}),
    "conv": ([node("Conv", ["pooled", "w"], ["y"]), node("Add", ["y", "b"], ["z"]), node("Flatten", ["z"], ["scores"])],
             {"w": w.reshape(5, 4, 1, 1), "b": b.reshape(1, 5, 1, 1)}),
    "conv-then-pool": ([node("Conv", ["map", "w", "b"], ["y"]), node("GlobalAveragePool", ["y"], ["z"]), node("Flatten", ["z"], ["scores"])],
                       {"w": w.reshape(5, 4, 1, 1), "b": b}),
    "conv-area": ([node("Conv", ["map", "w", "b"], ["y"]), node("Flatten", ["y"], ["scores"])], {"w": patch, "b": b}),
    "relu-then-pool": ([node("Conv", ["map", "w", "b"], ["y"]), node("Relu", ["y"], ["r"], name="the relu"),
                        node("GlobalAveragePool", ["r"], ["z"]), node("Flatten", ["z"], ["scores"])], {"w": w.reshape(5, 4, 1, 1), "b": b}),
    "half": ([node("Cast", ["w"], ["wf"], to=1), node("Transpose", ["wf"], ["wt"], perm=[1, 0]), node("MatMul", ["feature", "wt"], ["scores"])],
             {"w": w.astype(np.float16)}),
    "qdq": ([quantise, node("DequantizeLinear", ["q", "as", "az"], ["dq"]), node("DequantizeLinear", ["w", "s", "z"], ["wf"], axis=0),
             node("DequantizeLinear", ["b", "bs"], ["bf"]), node("Gemm", ["dq", "wf", "bf"], ["scores"], transB=1)],
            {"w": codes, **by_class, **act, "b": bias_codes, "bs": (0.02 * scales).astype(np.float32)}),
    "qgemm": ([quantise, node("QGemm", ["q", "as", "az", "w", "s", "z", "b"], ["scores"], transB=1, **micro)],
              {"w": codes, **by_class, **act, "b": bias_codes}),
    "qlinearconv": ([node("QuantizeLinear", ["pooled", "as", "az"], ["q"]), node("QLinearConv", ["q", "as", "az", "w", "s", "z", "os", "oz", "b"], ["y"]), restore],
                    {"w": codes.reshape(5, 4, 1, 1), **by_class, **act, **out, "b": bias_codes}),
    "qlinearmatmul": ([quantise, node("QLinearMatMul", ["q", "as", "az", "w", "s", "z", "ms", "mz"], ["m"]),
                       node("QLinearAdd", ["m", "ms", "mz", "b", "bs", "bz", "os", "oz"], ["y"], **micro), restore],
                      {"w": codes.T.copy(), **by_class, **act, **out, "ms": np.float32(0.07), "mz": np.uint8(128),
                       "b": np.round(b / 0.02 + 128).astype(np.uint8), "bs": np.float32(0.02), "bz": np.uint8(128)}),
    "cls": ([node("Reshape", ["map", "shape"], ["flat"]), node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
             node("Gather", ["tokens", "first"], ["token"], axis=1), node("Gemm", ["token", "w", "b"], ["scores"])],
            {"w": table.T.copy(), "b": b, "shape": np.array([0, 4, 64]), "first": np.array(0)}),
    "token-mean": ([node("Reshape", ["map", "shape"], ["flat"]), node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
                    node("ReduceMean", ["tokens"], ["token"], axes=[-2], keepdims=0), node("Gemm", ["token", "w", "b"], ["scores"])],
                   {"w": table.T.copy(), "b": b, "shape": np.array([0, 4, 64])}),
}
channels_last = helper.make_graph(
    [node("Relu", ["image"], ["map"]), node("ReduceMean", ["map"], ["mean"], axes=[1, 2], keepdims=0), node("Gemm", ["mean", "w"], ["scores"])],
    "test", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 8, 6, 3])], [float_value("scores", [None, 5])],
    [numpy_helper.from_array(w[:, :3].T.copy(), "w")])
os.makedirs("classifiers", exist_ok=True)
for name, (tail, constants) in forms.items():
    feature = [] if "feature" in {i for n in tail for i in n.input} else ["Flatten"]
    if not any("pooled" in n.input for n in tail) and feature:
        feature += ["GlobalAveragePool"]
    constants = {"conv.weight": weights["conv.weight"].astype(np.float32), "conv.bias": weights["conv.bias"].astype(np.float32), **constants}
    parts = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    front = [n for n in pool if n.op_type not in feature]
    graph = helper.make_graph(front + tail, "test", [image], [float_value("scores", ["N", 5])], parts)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, f"classifiers/{name}.onnx")
onnx.save(helper.make_model(channels_last, opset_imports=opsets[:1], ir_version=8), "classifiers/channels-last.onnx")
