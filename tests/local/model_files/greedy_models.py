"""Model files of a few kilobytes that ask for gigabytes, or for hours, as they run.

write(path, **what)      # for each (what, said) of ONNX
"""

from itertools import pairwise

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET = [helper.make_opsetid("", 18)]


def write(path, nodes, *, constants=(), functions=(), output="y"):
    """An ONNX file whose steps lead from "x", the images, to the output; `constants` are arrays by name."""
    graph = helper.make_graph(
        nodes,
        "greedy",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 1, 28, 28])],
        [helper.make_empty_tensor_value_info(output)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in dict(constants).items()],
    )
    opsets = [*OPSET, helper.make_opsetid("own", 1)] if functions else OPSET
    onnx.save(helper.make_model(graph, ir_version=10, opset_imports=opsets, functions=functions), path)


def ending(*nodes, **constants):
    """Steps that make "z" of "x", and behind them a classifier that adds the sum of z to its logits."""
    return {
        "nodes": [
            *nodes,
            helper.make_node("ReduceMax", ["z"], ["most"], keepdims=0),
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["bare"]),
            helper.make_node("Add", ["bare", "most"], ["y"]),
        ],
        "constants": {"w": np.full((784, 10), 0.01, np.float32), **constants},
    }


def node(op, *inputs, **attributes):
    return helper.make_node(op, inputs, ["z"], **attributes)


def sized(*sizes):
    return np.array(sizes, np.int64)


def chain(op, count, **attributes):
    """The same step again and again, on twice what the one before gave."""
    names = ["x", *(f"z{at}" for at in range(count - 1)), "z"]
    return [helper.make_node(op, [one, one], [other], **attributes) for one, other in pairwise(names)]


def tiled(count):
    """The same picture beside itself, again and again: sizes of thousands of digits."""
    names = ["x", *(f"z{at}" for at in range(count - 1)), "z"]
    return [helper.make_node("Tile", [one, "times"], [other]) for one, other in pairwise(names)]


def loop():
    """A billion steps."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Exp", ["v"], ["u"])],
        "body",
        [
            helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", onnx.TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("u", onnx.TensorProto.FLOAT, None),
        ],
    )
    return ending(node("Loop", "times", "", "x", body=body), times=np.array(10**9, np.int64))


def branch():
    """16 GB where a picture has ink."""
    then, other = (
        helper.make_graph(
            [helper.make_node("ConstantOfShape", [size], ["filled"])],
            size,
            [],
            [helper.make_tensor_value_info("filled", onnx.TensorProto.FLOAT, None)],
        )
        for size in ("much", "little")
    )
    steps = helper.make_node("ReduceMax", ["x"], ["ink"], keepdims=0), helper.make_node("Cast", ["ink"], ["has"], to=9)
    return ending(
        *steps, node("If", "has", then_branch=then, else_branch=other), much=sized(4 * 10**9), little=sized(1)
    )


def functions():
    """Each calls the one before twice: 2**40 steps, which onnxruntime writes out before it runs them."""
    made = [
        helper.make_function(
            "own",
            f"f{at}",
            ["a"],
            ["b"],
            [
                helper.make_node(f"f{at - 1}" if at else "Exp", ["a"], ["c"], domain="own" if at else ""),
                helper.make_node(f"f{at - 1}" if at else "Exp", ["c"], ["b"], domain="own" if at else ""),
            ],
            [*OPSET, helper.make_opsetid("own", 1)],
        )
        for at in range(40)
    ]
    return ending(node("f39", "x", domain="own")) | {"functions": made}


def of_ink(op, *inputs, **constants):
    """A step whose size is how bright a picture is."""
    return ending(
        helper.make_node("ReduceMax", ["x"], ["ink"], keepdims=0),
        helper.make_node("Mul", ["ink", "times"], ["many"]),
        helper.make_node("Cast", ["many"], ["whole"], to=7),
        helper.make_node("Unsqueeze", ["whole", "axis"], ["size"]),
        node(op, *inputs),
        times=np.float32(4e9),
        axis=sized(0),
        **constants,
    )


MEMORY, WORK = "more than 0.7 GB of memory", "more than 2 billion multiplications"
DECIDES = "of a size that the pictures could decide"
# what it is -> what is written, and what is said of it
ONNX = {
    "ConstantOfShape": (ending(node("ConstantOfShape", "size"), size=sized(4 * 10**9)), MEMORY),
    "Expand": (ending(node("Expand", "one", "size"), one=np.ones(1, "f4"), size=sized(200_000, 20_000)), MEMORY),
    "Tile": (ending(node("Tile", "x", "times"), times=sized(1, 1, 10_000, 1_000)), MEMORY),
    "Pad": (ending(node("Pad", "x", "pads"), pads=sized(0, 0, 30_000, 0, 0, 0, 30_000, 60_000)), MEMORY),
    "Resize": (
        ending(node("Resize", "x", "", "scales"), scales=np.array([1, 1, 2000, 2000], "f4")),
        MEMORY,
    ),
    "Conv": (
        ending(node("Conv", "x", "k", pads=[30_000] * 4), k=np.ones((1, 1, 3, 3), "f4")),
        MEMORY,
    ),
    "MaxPool of all": (
        ending(node("MaxPool", "x", kernel_shape=[2000, 2000], pads=[1999] * 4)),
        WORK,
    ),
    "wide Conv": (
        ending(
            helper.make_node("Expand", ["k", "size"], ["wide"]),
            helper.make_node("Tile", ["x", "times"], ["deep"]),
            node("Conv", "deep", "wide", pads=[3] * 4),
            k=np.ones(1, "f4"),
            size=sized(512, 512, 7, 7),
            times=sized(1, 512, 1, 1),
        ),
        WORK,
    ),
    "doubled 40 times": (ending(*chain("Concat", 40, axis=1)), MEMORY),
    "multiplied again and again": (ending(*tiled(300), times=sized(*[10**9] * 4)), MEMORY),
    "Loop": (loop(), "it holds Loop."),
    "If": (branch(), "it holds If."),
    "functions": (functions(), "it holds functions, own.f39."),
    "ink in ConstantOfShape": (of_ink("ConstantOfShape", "size"), DECIDES),
    "ink in Expand": (of_ink("Expand", "one", "size", one=np.ones(1, "f4")), DECIDES),
    "Range": (of_ink("Range", "zero", "whole", "one", zero=np.int64(0), one=np.int64(1)), "it holds Range."),
    "NonZero": (ending(node("NonZero", "x")), "it holds NonZero."),
    "text": (ending(helper.make_node("Cast", ["x"], ["t"], to=8), node("Cast", "t", to=1)), DECIDES),
}  # fmt: skip
