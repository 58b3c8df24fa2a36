"""The exporters of PyTorch and TensorFlow, set up for these networks and kept off the terminal.

    write_onnx(module, spec, Path("model.onnx"))
    write_tflite(model, Path("model.tflite"))

The batch is free in every format. What is written is not checked here: `local.export.export` does that.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.core.input_spec import InputSpec
from shared.frameworks.silence import silent_python, silent_stderr

if TYPE_CHECKING:
    import keras
    from torch import nn


def write_onnx(module: "nn.Module", spec: InputSpec, path: Path) -> None:
    """One file: "images" float32 [batch, c, h, w] in, "logits" [batch, classes] out; batch norm is folded."""
    import torch

    with silent_python():
        program: Any = torch.onnx.export(
            module,
            (torch.zeros(2, *spec.shape),),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    proto = program.model_proto
    # The exporter notes the line of code that each step came from: paths of this machine, and 10 kB of them.
    for element in (proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        del element.metadata_props[:]
    path.write_bytes(proto.SerializeToString())


def write_pt2(module: "nn.Module", spec: InputSpec, path: Path) -> None:
    """The network with its weights for `torch.export.load`, TorchScript's successor; in and out as in ONNX."""
    import torch

    with silent_python():
        batch = ({0: torch.export.Dim("batch")},)
        program = torch.export.export(module, (torch.zeros(2, *spec.shape),), dynamic_shapes=batch)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)  # paths of this machine
        content = BytesIO()  # to a file, torch would write the file's name too, and hide that the disk is full
        torch.export.save(program, content)
    path.write_bytes(content.getvalue())


def write_tflite(model: "keras.Model", path: Path, configure: Callable[[Any], None] = lambda converter: None) -> None:
    """A Keras model for LiteRT: float32 [batch, h, w, c] in, logits [batch, classes] out.

    `configure` is given TensorFlow's converter, to set what it should quantize.
    """
    from shared.frameworks.start_keras import tensorflow

    with silent_python(), silent_stderr():
        converter = tensorflow.lite.TFLiteConverter.from_keras_model(_with_static_shapes(model))
        configure(converter)
        content = converter.convert()
    path.write_bytes(content)


def _with_static_shapes(model: "keras.Model") -> "keras.Model":
    """The same layers, with a flatten that leaves only the batch open.

    Keras' own asks for the batch size as it runs: three more steps, which LiteRT's fast kernels do not take, so that
    the graph falls into two parts.
    """
    from shared.frameworks.start_keras import keras

    def static(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Flatten):
            return layer
        values = layer.output.shape[1]
        return keras.layers.Lambda(lambda images: keras.ops.reshape(images, (-1, values)))

    return keras.Sequential([keras.Input(model.input_shape[1:]), *map(static, model.layers)])
