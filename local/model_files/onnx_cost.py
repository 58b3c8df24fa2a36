"""What an ONNX network takes, from the shapes of its steps: found here, as onnxruntime has no way to ask it.

    most = check(path, content, spec)      # images a call; ModelError for a network that is not plain or takes too much

A step is let in where its output's shape follows from those of its inputs and from constants, so that nothing a
picture holds changes what it costs; `onnx_shapes` has them. Without loops, branches and functions each step runs once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.model_files import onnx_file
from local.model_files.cost import MOST_ELEMENTS, READ, Cost, largest_batch, not_plain, size_of
from local.model_files.formats import no_network
from local.model_files.onnx_file import Graph, Step, Tensor
from local.model_files.onnx_shapes import EXTRA, RULES, VALUES, Call, Computed
from shared.core.input_spec import InputSpec

MOST_STEPS = 10_000


def check(path: Path, content: bytes, spec: InputSpec) -> int:
    """How many images a call may have. ModelError where the network is not plain, takes too much, or is not whole."""
    try:
        graph = onnx_file.read(memoryview(content))
        known = {*RULES, *VALUES, "Constant", "Shape"}
        if foreign := graph.foreign | {step.name for step in graph.steps if step.name not in known}:
            not_plain(path, foreign)
        if len(graph.steps) > MOST_STEPS:
            raise ValueError(f"more than {MOST_STEPS:,} steps")
        return largest_batch(path, spec, lambda images: cost(graph, spec, images))
    except Computed as step:
        not_plain(path, [f"{step} of a size that the pictures could decide"])
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        no_network(path, f"its graph is damaged, or not one for {spec} pictures ({error})")


def cost(graph: Graph, spec: InputSpec, images: int) -> Cost:
    """Of a call with so many images. ValueError and its like where shapes do not fit, Computed where none is known."""
    elements = work = 0
    for call, output, extra in walk(graph, spec, images):
        read = sum(size_of(one.shape) for one in call.inputs if one)
        written = size_of(output.shape) * len(call.step.outputs)
        elements += written + extra.elements
        work += extra.work + READ * (read + written)
        if elements > MOST_ELEMENTS:
            break  # the numbers would only grow
    return Cost(elements, work)


def walk(graph: Graph, spec: InputSpec, images: int) -> Iterator[tuple[Call, Tensor, Cost]]:
    """Each step with what it gives, and what it takes beside reading and writing."""
    tensors: dict[str, Tensor] = dict(graph.constants)
    for name, shape in graph.inputs.items():
        free = (images, *(spec.shape if len(shape) == 1 + len(spec.shape) else shape[1:]))
        tensors[name] = Tensor(tuple(size or free[axis] for axis, size in enumerate(shape)))
    for step in graph.steps:
        call = Call(step, [tensors[name] if name else None for name in step.inputs])
        try:
            output, extra = _output(call)
        except Computed:
            raise Computed(step.op) from None
        for name in filter(None, step.outputs):
            if name in tensors:
                raise ValueError(f"{name[:40]!a} is there twice")
            tensors[name] = output
        yield call, output, extra


def _output(call: Call) -> tuple[Tensor, Cost]:
    """What a step gives, and what it takes beside reading and writing."""
    step = call.step
    if step.op == "Constant":
        return _constant(step), Cost(0, 0)
    if (found := _values(call)) is not None:
        return Tensor(found.shape, found), Cost(0, 0)
    if step.op == "Shape":
        return _shape_of(call), Cost(0, 0)
    if step.op not in RULES:
        raise Computed
    shape = RULES[step.op](call)
    return Tensor(shape), EXTRA[step.op](call, shape) if step.op in EXTRA else Cost(0, 0)


def _values(call: Call) -> NDArray[Any] | None:
    """What a step gives of few values that are known, as shapes are made of; None where it does not."""
    values = [one.values for one in call.inputs if one]
    if call.step.op not in VALUES or len(values) != len(call.inputs) or any(one is None for one in values):
        return None
    try:
        found = np.asarray(VALUES[call.step.op](call, *values))
    except Computed:  # the values are no sizes, and their shape will do
        return None
    return found if found.size <= onnx_file.MOST_VALUES else None


def _constant(step: Step) -> Tensor:
    """The one attribute that it has: a tensor, or numbers."""
    (value,) = step.attributes.values()
    if isinstance(value, Tensor):
        return value
    values = np.asarray(value)
    if values.dtype.kind not in "if":
        raise ValueError("a constant that is no number")
    return Tensor(values.shape, values if values.size <= onnx_file.MOST_VALUES else None)


def _shape_of(call: Call) -> Tensor:
    shape = call.shape()
    values = np.array(shape[call.number("start", 0) : call.number("end", len(shape))], np.int64)
    return Tensor(values.shape, values)
