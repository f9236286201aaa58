"""Writes torchvision/*.onnx: the graphs of torchvision's classifiers without their weights. Run it here: python make_torchvision.py

Needs torch 2.15, torchvision 0.29, onnx 1.23 and onnxscript. Layers and connections are torchvision's; widths and input sizes are
made small where the full ones would be slow. The weights are dropped (names and shapes stay; integers, scalars and shapes of
reshapes stay whole) and a test fills them again. `-dynamo` in a name: the newer of torch's two exporters.
"""

import os
import warnings

import onnx
import torch
import torchvision
from onnx import numpy_helper
from torchvision.models import vgg, vision_transformer

warnings.filterwarnings("ignore")
torch.manual_seed(1)
models = torchvision.models


def small_vgg():
    layers = [8, "M", 8, "M", 16, 16, "M", 16, 16, "M", 16, 16, "M"]
    net = models.VGG(vgg.make_layers(layers, batch_norm=False), num_classes=10, init_weights=False)
    net.classifier = torch.nn.Sequential(
        torch.nn.Linear(16 * 49, 64), torch.nn.ReLU(True), torch.nn.Dropout(), torch.nn.Linear(64, 48), torch.nn.ReLU(True),
        torch.nn.Dropout(), torch.nn.Linear(48, 10))
    return net


nets = {
    "vgg11": (small_vgg(), 224),
    "resnet18": (models.resnet18(weights=None), 64),
    "inception-v3": (models.inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=True), 128),
    "googlenet": (models.googlenet(weights=None, init_weights=False, aux_logits=True), 64),
    "efficientnet-b0": (models.efficientnet_b0(weights=None), 64),
    "mobilenet-v2": (models.mobilenet_v2(weights=None, width_mult=0.25), 64),
    "mobilenet-v3-small": (models.mobilenet_v3_small(weights=None), 64),
    "shufflenet-v2": (models.shufflenet_v2_x0_5(weights=None), 64),
    "squeezenet1.1": (models.squeezenet1_1(weights=None), 64),
    "densenet": (models.DenseNet(8, (2, 2, 2, 2), 16), 64),
    "convnext": (models.ConvNeXt([models.convnext.CNBlockConfig(16, 32, 1), models.convnext.CNBlockConfig(32, None, 2)]), 64),
    "vit": (vision_transformer.VisionTransformer(32, 8, 2, 4, 48, 96), 32),
}
with_dynamo = ["resnet18", "mobilenet-v3-small", "vit", "efficientnet-b0", "shufflenet-v2"]
only_dynamo = ["shufflenet-v2"]  # the older exporter writes each shuffle as a dozen nodes on shapes


def strip(model):
    """Drops the numbers of float tensors that are neither scalars nor small vectors of constants, and all that only documents."""
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and numpy_helper.to_array(tensor).size > 3:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    del graph.value_info[:]
    model.doc_string = graph.doc_string = ""
    del model.metadata_props[:]
    del graph.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*graph.input, *graph.output]:
        value.doc_string = ""
        del value.metadata_props[:]
    for tensor in graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]


def export(name, net, size, dynamo):
    path = f"torchvision/{name}{'-dynamo' if dynamo else ''}.onnx"
    picture = torch.randn(2 if dynamo else 1, 3, size, size)
    if dynamo:
        batch = {"dynamic_shapes": ({0: torch.export.Dim("batch")},), "external_data": False}
    else:
        batch = {"dynamic_axes": {"input": {0: "batch"}, "logits": {0: "batch"}}, "opset_version": 17}
    torch.onnx.export(net.eval(), (picture,), path, dynamo=dynamo, input_names=["input"], output_names=["logits"], **batch)
    model = onnx.load(path)
    strip(model)
    onnx.save(model, path)
    print(path, os.path.getsize(path), len(model.graph.node))


os.makedirs("torchvision", exist_ok=True)
for name, (net, size) in nets.items():
    if name not in only_dynamo:
        export(name, net, size, False)
    if name in with_dynamo:
        export(name, net, size, True)
