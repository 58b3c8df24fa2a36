"""The shapes that ONNX's operators give, from those that they take.

    shape = RULES["Conv"](call)          # ValueError and its like where the inputs do not fit
    extra = EXTRA["Conv"](call, shape)   # multiplications and memory beside reading and writing

An operator is in these tables where its output's shape follows from the shapes of its inputs and from constants:
`Computed` where those are not constant. Whether it makes sense is left to onnxruntime.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.model_files.cost import Cost, size_of, slid
from local.model_files.onnx_file import Shape, Step, Tensor

TEXT, COMPLEX = 8, (14, 15)  # TensorProto.DataType
# The output is shaped as the first input; further inputs are scales and limits.
SAME = (
    "Abs", "BatchNormalization", "Ceil", "Clip", "Cos", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp", "Floor",
    "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization",
    "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "Mish", "Neg", "Not", "PRelu",
    "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus",
    "Softsign", "Sqrt", "Tanh", "ThresholdedRelu",
)  # fmt: skip
BROADCAST = (
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mul",
    "Or", "Pow", "Sub", "Sum", "Where",
)  # fmt: skip
REDUCE = (
    "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
    "ReduceSumSquare",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A step with what is known of its inputs; an input that is left out is None."""

    step: Step
    inputs: list[Tensor | None]

    def shape(self, at: int = 0) -> Shape:
        """Of an input that must be there."""
        tensor = self.inputs[at]
        if tensor is None:
            raise ValueError(f"input {at} is left out")
        return tensor.shape

    def numbers(self, name: str, at: int | None = None) -> list[int] | None:
        """The attribute of that name, or the values of that input; None where there is neither."""
        if self.step.attributes.get(name) is not None:
            return [int(one) for one in np.atleast_1d(self.step.attributes[name])]
        tensor = self.inputs[at] if at is not None and at < len(self.inputs) else None
        if tensor is None:
            return None
        if tensor.values is None:
            raise Computed
        return [int(one) for one in tensor.values.reshape(-1)]

    def number(self, name: str, default: int) -> int:
        """An attribute that is one whole number."""
        return int(self.step.attributes.get(name, default))


class Computed(Exception):
    """A shape does not follow from other shapes: it may depend on what a picture holds."""


# Few values that are known: what shapes are made of. They are computed as onnxruntime will.


def _gathered(call: Call, values: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    taken: NDArray[Any] = np.take(values, places, axis=call.number("axis", 0))
    return taken


def _joined(call: Call, *values: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(values, axis=call.number("axis", 0))


def _same_values(call: Call, *values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, shaped as the rule says."""
    return np.reshape(values[0], RULES[call.step.op](call))


def _cut(call: Call, values: NDArray[Any], *rest: NDArray[Any]) -> NDArray[Any]:
    """A part of a list."""
    ((start, end, step),) = _cuts(call, values.ndim).values()
    return values[start:end:step]


def _whole(call: Call, values: NDArray[Any]) -> NDArray[Any]:
    """Cast to int32 or int64, as shapes are; of another type the values are no longer known."""
    if call.number("to", 0) not in (6, 7):
        raise Computed
    return values.astype(np.int64)


def _divided(call: Call, values: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
    """Sizes are not below 0, where ONNX and numpy round another way."""
    if values.dtype.kind == "f" or (values < 0).any() or (by <= 0).any():
        raise Computed
    shares: NDArray[Any] = values // by if call.step.op == "Div" else values % by
    return shares


# Shapes


def _first(call: Call) -> Shape:
    return call.shape()


def _cast(call: Call) -> Shape:
    """To numbers; a text takes more memory than any of them."""
    if call.number("to", TEXT) in (TEXT, *COMPLEX):
        raise Computed
    return call.shape()


def _broadcast(call: Call) -> Shape:
    return tuple(np.broadcast_shapes(*(call.shape(at) for at in range(len(call.inputs)))))


def _windows(call: Call, kernel: list[int]) -> Shape:
    """The places of a window along the axes behind images and channels."""
    sizes = call.shape()[2:]
    axes = len(sizes)
    strides = call.numbers("strides") or [1] * axes
    dilations = call.numbers("dilations") or [1] * axes
    pads = call.numbers("pads") or [0] * 2 * axes
    if not len(kernel) == len(strides) == len(dilations) == axes or len(pads) != 2 * axes:
        raise ValueError("a window of another number of axes")
    if call.step.attributes.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        return tuple(-(-size // stride) for size, stride in zip(sizes, strides, strict=True))
    return tuple(
        slid(
            sizes[axis],
            kernel[axis],
            stride=strides[axis],
            dilation=dilations[axis],
            pads=pads[axis] + pads[axis + axes],
            ceil=bool(call.number("ceil_mode", 0)),
        )
        for axis in range(axes)
    )


def _convolved(weights: int) -> Callable[[Call], Shape]:
    def rule(call: Call) -> Shape:
        kernel = call.shape(weights)
        return (call.shape()[0], kernel[0], *_windows(call, list(kernel[2:])))

    return rule


def _convolution_cost(weights: int) -> Callable[[Call, Shape], Cost]:
    """Each output is a sum over the kernel; the windows of one image at a time may be laid out as a matrix."""

    def extra(call: Call, shape: Shape) -> Cost:
        kernel = size_of(call.shape(weights)[1:])
        return Cost(size_of(shape[2:]) * kernel, size_of(shape) * kernel)

    return extra


def _pooled(call: Call) -> Shape:
    return (*call.shape()[:2], *_windows(call, call.numbers("kernel_shape") or []))


def _pooling_cost(call: Call, shape: Shape) -> Cost:
    return Cost(0, size_of(shape) * size_of(call.numbers("kernel_shape") or []))


def _pooled_whole(call: Call) -> Shape:
    return (*call.shape()[:2], *[1] * (len(call.shape()) - 2))


def _gemm(call: Call) -> Shape:
    rows, columns = call.number("transA", 0), call.number("transB", 0)
    return call.shape(0)[1 if rows else 0], call.shape(1)[0 if columns else 1]


def _gemm_cost(call: Call, shape: Shape) -> Cost:
    return Cost(0, size_of(shape) * max(call.shape(0)))


def _multiplied(second: int) -> Callable[[Call], Shape]:
    def rule(call: Call) -> Shape:
        one, other = call.shape(0), call.shape(second)
        if min(len(one), len(other)) < 2:
            raise ValueError("a matrix of one axis")
        return (*np.broadcast_shapes(one[:-2], other[:-2]), one[-2], other[-1])

    return rule


def _multiplication_cost(call: Call, shape: Shape) -> Cost:
    return Cost(0, size_of(shape) * call.shape(0)[-1])


def _flat(call: Call) -> Shape:
    shape, axis = call.shape(), call.number("axis", 1)
    axis += len(shape) if axis < 0 else 0
    return size_of(shape[:axis]), size_of(shape[axis:])


def _reshaped(call: Call) -> Shape:
    shape, target = call.shape(), call.numbers("shape", 1) or []
    if not call.number("allowzero", 0):
        target = [shape[axis] if size == 0 else size for axis, size in enumerate(target)]
    if -1 in target:
        free = target.index(-1)
        target[free] = 1
        target[free] = size_of(shape) // size_of(target)
    if size_of(target) != size_of(shape):
        raise ValueError(f"{list(shape)} cannot be shaped {target}")
    return tuple(target)


def _axes(call: Call, rank: int, at: int = 1) -> set[int] | None:
    """The axes a step names, counted from 0; None where it names none."""
    axes = call.numbers("axes", at)
    return None if axes is None else {axis + rank if axis < 0 else axis for axis in axes}


def _squeezed(call: Call) -> Shape:
    shape = call.shape()
    axes = _axes(call, len(shape))
    gone = {axis for axis, size in enumerate(shape) if size == 1} if axes is None else axes
    if any(shape[axis] != 1 for axis in gone):
        raise ValueError("an axis that is longer than 1")
    return tuple(size for axis, size in enumerate(shape) if axis not in gone)


def _unsqueezed(call: Call) -> Shape:
    rank = len(call.shape()) + len(call.numbers("axes", 1) or [])
    axes, sizes = _axes(call, rank) or set(), iter(call.shape())
    return tuple(1 if axis in axes else next(sizes) for axis in range(rank))


def _turned(call: Call) -> Shape:
    shape = call.shape()
    order = call.numbers("perm") or list(range(len(shape)))[::-1]
    if sorted(order) != list(range(len(shape))):
        raise ValueError("axes in an order that is none")
    return tuple(shape[axis] for axis in order)


def _chained(call: Call) -> Shape:
    shape, axis = list(call.shape()), call.number("axis", 1)
    shape[axis] = sum(call.shape(at)[axis] for at in range(len(call.inputs)))
    return tuple(shape)


def _reduced(call: Call) -> Shape:
    shape = call.shape()
    axes = _axes(call, len(shape))
    if not axes:
        axes = set() if call.number("noop_with_empty_axes", 0) else set(range(len(shape)))
    keep = call.number("keepdims", 1)
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape) if keep or axis not in axes)


def _sliced(call: Call) -> Shape:
    shape = list(call.shape())
    for axis, cut in _cuts(call, len(shape)).items():
        shape[axis] = len(range(*slice(*cut).indices(shape[axis])))
    return tuple(shape)


def _cuts(call: Call, rank: int) -> dict[int, tuple[int, int, int]]:
    """{axis: start, end and step} of a slice."""
    starts, ends = call.numbers("starts", 1) or [], call.numbers("ends", 2) or []
    axes = call.numbers("axes", 3) or list(range(len(starts)))
    steps = call.numbers("steps", 4) or [1] * len(starts)
    cuts = zip(starts, ends, steps, strict=True)
    return {axis + rank if axis < 0 else axis: cut for axis, cut in zip(axes, cuts, strict=True)}


def _picked(call: Call) -> Shape:
    shape, axis = call.shape(), call.number("axis", 0)
    axis += len(shape) if axis < 0 else 0
    return (*shape[:axis], *call.shape(1), *shape[axis + 1 :])


def _padded(call: Call) -> Shape:
    shape, pads = list(call.shape()), call.numbers("pads", 1) or []
    axes = call.numbers("axes", 3) or list(range(len(shape)))
    if len(pads) != 2 * len(axes):
        raise ValueError("pads for another number of axes")
    for place, axis in enumerate(axes):
        shape[axis] += pads[place] + pads[place + len(axes)]
    return tuple(shape)


def _resized(call: Call) -> Shape:
    """By sizes or by scales; what crops or keeps a ratio is not let in."""
    shape = call.shape()
    given = call.step.attributes
    stretched = given.get("keep_aspect_ratio_policy", b"stretch") == b"stretch"
    if "axes" in given or not stretched or len(call.inputs) < 3:
        raise Computed
    if sizes := call.numbers("sizes", 3):
        return tuple(sizes)
    scales = call.inputs[2]
    if scales is None or scales.values is None:
        raise Computed
    return tuple(int(size * scale) for size, scale in zip(shape, scales.values.tolist(), strict=True))


def _expanded(call: Call) -> Shape:
    return tuple(np.broadcast_shapes(call.shape(), tuple(call.numbers("shape", 1) or [])))


def _tiled(call: Call) -> Shape:
    return tuple(size * times for size, times in zip(call.shape(), call.numbers("repeats", 1) or [], strict=True))


def _filled(call: Call) -> Shape:
    return tuple(call.numbers("shape", 0) or [])


RULES: dict[str, Callable[[Call], Shape]] = {
    **dict.fromkeys(SAME, _first),
    **dict.fromkeys(BROADCAST, _broadcast),
    **dict.fromkeys(REDUCE, _reduced),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pooled),
    **dict.fromkeys(("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"), _pooled_whole),
    **dict.fromkeys(("Conv", "ConvInteger"), _convolved(1)),
    **dict.fromkeys(("MatMul", "MatMulInteger"), _multiplied(1)),
    "QLinearConv": _convolved(3),
    "QLinearMatMul": _multiplied(3),
    "Cast": _cast,
    "DynamicQuantizeLinear": _first,
    "Gemm": _gemm,
    "Flatten": _flat,
    "Reshape": _reshaped,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "Transpose": _turned,
    "Concat": _chained,
    "Slice": _sliced,
    "Gather": _picked,
    "Pad": _padded,
    "Resize": _resized,
    "Expand": _expanded,
    "Tile": _tiled,
    "ConstantOfShape": _filled,
}

EXTRA: dict[str, Callable[[Call, Shape], Cost]] = {
    **dict.fromkeys(("Conv", "ConvInteger"), _convolution_cost(1)),
    **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), _multiplication_cost),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pooling_cost),
    "QLinearConv": _convolution_cost(3),
    "Gemm": _gemm_cost,
}

VALUES: dict[str, Callable[..., NDArray[Any]]] = {
    "Add": lambda call, one, other: one + other,
    "Sub": lambda call, one, other: one - other,
    "Mul": lambda call, one, other: one * other,
    "Div": _divided,
    "Mod": _divided,
    "Cast": _whole,
    "Concat": _joined,
    "Gather": _gathered,
    "Identity": _same_values,
    "Reshape": _same_values,
    "Slice": _cut,
    "Squeeze": _same_values,
    "Unsqueeze": _same_values,
}
