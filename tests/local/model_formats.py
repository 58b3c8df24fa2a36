"""Networks written in every format, ours and such as somebody else's exporter might leave: made by the frameworks.

And how a file is seen to be refused.
"""

import json
import warnings
import zipfile

import numpy as np
import pytest

from local.runtimes import loading
from shared.core.errors import ModelError
from shared.frameworks.silence import silent_stderr


def images(count=256):
    """Images uint8 [count, 28, 28]: empty, full, noise, and ever more ink. Always the same."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (count, 28, 28))
    return (noise * (random.random((count, 28, 28)) < np.linspace(0, 1, count)[:, None, None])).astype(np.uint8)


def write_classifier(path, *, classes=10, seed=0):
    """A single dense layer with random weights: the smallest ONNX file that can be evaluated."""
    import onnx
    from onnx import helper, numpy_helper

    from local.models import registry

    weights = np.random.default_rng(seed).normal(0, 0.1, (784, classes)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])],
        "one",
        [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return registry.find(str(path))


def save_onnx(path, *, shape=("batch", 1, 28, 28), outputs=10, weight=0.01, flat=True, twice=False):
    """A dense layer as ONNX, all its weights alike; where not `flat`, one that leaves the picture as it is.

    With `twice`, what comes before the layer is an output as well.
    """
    import onnx
    from onnx import helper

    inputs = int(np.prod(shape[1:]))
    tensor = helper.make_tensor("w", onnx.TensorProto.FLOAT, (inputs, outputs), np.full(inputs * outputs, weight, "f4"))
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    graph = helper.make_graph(
        nodes if flat else [helper.make_node("Relu", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in (["y", "flat"] if twice else ["y"])
        ],
        [tensor] if flat else [],
    )
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)]), path)


def save_filling(path, values):
    """An ONNX network that, as it runs, fills a tensor of so many zeros and adds their sum to its logits."""
    import onnx
    from onnx import helper, numpy_helper

    save_onnx(path)
    model = onnx.load(path)
    model.graph.node[-1].output[0] = "bare"
    model.graph.initializer.append(numpy_helper.from_array(np.array([values], np.int64), "size"))
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
            helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
            helper.make_node("Add", ["bare", "sum"], ["y"]),
        ]
    )
    onnx.save(model, path)


def save_tflite(path, model, *, ends=None, batch=None):
    """A Keras model as LiteRT; with `ends`, a name of a numpy type, int8 inside and that type at input and output."""
    from shared.frameworks.start_keras import keras
    from shared.frameworks.start_keras import tensorflow as tf

    if batch is not None:
        model = keras.Sequential([keras.Input(model.input_shape[1:], batch_size=batch), *model.layers])
    with warnings.catch_warnings(), silent_stderr():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if ends is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: (
                [image[None, ..., None] / np.float32(255)] for image in images()
            )
            converter.inference_input_type = converter.inference_output_type = tf.as_dtype(ends)
        path.write_bytes(converter.convert())


def edit_config(source, target, change):
    """Copies a .keras file, its config.json passed through `change`, which may edit it in place."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)


def refusal(path, name="lite"):
    """The error of a file, once it is seen to be one short line that names the file."""
    with pytest.raises(ModelError) as error:
        loading.load(path, architecture=name)
    said = str(error.value)
    assert path.name in said and "\n" not in said and len(said) < 400 + len(str(path.parent)), said
    return said.replace(str(path), path.name)
