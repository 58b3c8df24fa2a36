"""What a LiteRT network takes, from LiteRT's own layout of it.

    plan = Interpreter(path, without its delegates)
    most = check(plan, path, spec)      # images a call; ModelError for a network that is not plain or takes too much

The layout for a number of images gives every tensor its shape, and nothing runs and no memory is written. A shape that
LiteRT only finds as it runs is not in the layout: there is one such step, the flatten of Keras, and what may follow it
is little enough to be counted here.
"""

from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from local.model_files import litert_file
from local.model_files.cost import BATCHES, MOST_ELEMENTS, READ, Cost, largest_batch, not_plain, too_large
from local.model_files.formats import no_network
from shared.core.input_spec import InputSpec

MOST_STEPS = 10_000
POINTER = 2  # an address takes as much memory as two values
# The output is shaped as the input.
SAME = (
    "ABS", "CAST", "CEIL", "COS", "DEQUANTIZE", "ELU", "EXP", "FLOOR", "GELU", "HARD_SWISH", "L2_NORMALIZATION",
    "LEAKY_RELU", "LOG", "LOGISTIC", "LOG_SOFTMAX", "NEG", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1",
    "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SOFTMAX", "SQRT", "SQUARE", "TANH",
)  # fmt: skip
# The layout tells the output's shape, where the further inputs are constants: sizes, axes, paddings.
SIZED = (
    "EXPAND_DIMS", "MEAN", "MIRROR_PAD", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "STRIDED_SLICE", "SUM", "TRANSPOSE",
)  # fmt: skip
# The layout tells the output's shape from those of the inputs.
PLAIN = (
    "ADD", "BATCH_MATMUL", "CONCATENATION", "DIV", "GATHER", "MAXIMUM", "MINIMUM", "MUL", "PACK", "PRELU", "SHAPE",
    "SQUARED_DIFFERENCE", "SQUEEZE", "SUB", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED",
    "MAX_POOL_2D", "RESHAPE",
)  # fmt: skip
KNOWN = {*SAME, *SIZED, *PLAIN}
LATE = {*SAME, "FULLY_CONNECTED", "RESHAPE"}  # what may follow a shape that is found late


@dataclass(frozen=True)
class Step:
    """A node: its operator, the numbers of its tensors, and the points in its window where it is a pooling."""

    op: str
    inputs: list[int]
    outputs: list[int]
    window: int


@dataclass
class Plan:
    """An interpreter that lays out and never runs. `late`: tensors whose shapes are not in the layout."""

    interpreter: Any
    steps: list[Step]
    late: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, interpreter: Any, path: Path) -> "Plan":
        """Nothing is laid out yet. ValueError where the file is not whole."""
        parts = interpreter._interpreter  # what its public methods ask too, but they trip over a name that is no text
        steps = [
            Step(parts.NodeName(at), _used(parts.NodeInputs(at)), _used(parts.NodeOutputs(at)), window)
            for at, window in zip(range(parts.NumNodes()), litert_file.windows(path), strict=True)
        ]
        plan = cls(interpreter, steps)
        del parts  # it counts who holds it
        for step in steps:
            if plan.is_late(step):
                plan.late.update(step.outputs)
        return plan

    def is_late(self, step: Step) -> bool:
        """Whether LiteRT will find the output's shape only as it runs."""
        flattens = step.op == "RESHAPE" and not all(map(self.is_constant, step.inputs[1:]))
        return flattens or not self.late.isdisjoint(step.inputs)

    def is_constant(self, tensor: int) -> bool:
        """Whether its values stand in the file: before anything is laid out, no other has any."""
        try:
            self.interpreter.tensor(tensor)()
        except ValueError:
            return False
        return True

    def foreign(self) -> set[str]:
        """The operators that are not plain here: unknown ones, and those that take a shape from a picture."""
        return {step.op for step in self.steps if step.op not in KNOWN or self.is_open(step)}

    def is_open(self, step: Step) -> bool:
        """Whether neither the layout nor this tells how large its output will be."""
        if step.op in SIZED and not all(map(self.is_constant, step.inputs[1:])):
            return True
        if self.late.isdisjoint(step.inputs):
            return False
        return step.op not in LATE or not self.late.isdisjoint(step.inputs[1:])

    def cost(self, spec: InputSpec, images: int) -> Cost:
        """Of a call with so many; RuntimeError or ValueError where they cannot be laid out."""
        (taken,) = self.interpreter.get_input_details()
        self.interpreter.resize_tensor_input(taken["index"], (images, *spec.shape_hwc))
        self.interpreter.allocate_tensors()
        sizes: dict[int, int] = {}  # of the late ones
        elements = work = 0
        for step in self.steps:
            if not self.late.isdisjoint(step.outputs):
                sizes[step.outputs[0]] = self.late_size(step, sizes.get(step.inputs[0]))
            read = sum(sizes.get(one, self.size(one)) for one in step.inputs)
            written = sum(sizes.get(one, self.size(one)) for one in step.outputs)
            elements += written + POINTER * self.places(step)
            work += written * self.each(step) + READ * (read + written)
        return Cost(elements, work)

    def shape(self, tensor: int) -> list[int]:
        """As it is laid out."""
        return [int(size) for size in self.interpreter._interpreter.TensorSize(tensor, 0)]

    def size(self, tensor: int) -> int:
        return prod(self.shape(tensor))

    def late_size(self, step: Step, known: int | None) -> int:
        """The values in an output whose shape is found late: a reshape keeps their number, a dense layer has units."""
        size = self.size(step.inputs[0]) if known is None else known
        if step.op != "FULLY_CONNECTED":
            return size
        units, inputs = self.shape(step.inputs[1])
        return -(-size // inputs) * units

    def each(self, step: Step) -> int:
        """Multiplications for a value of the output."""
        if step.op in ("CONV_2D", "FULLY_CONNECTED"):
            return prod(self.shape(step.inputs[1])[1:])
        if step.op == "BATCH_MATMUL":
            return max(self.shape(step.inputs[0])[-2:])
        return self.taps(step)

    def taps(self, step: Step) -> int:
        """The points in a step's window; 0 for one without."""
        if step.op in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return prod(self.shape(step.inputs[1])[1:3])
        if not step.op.endswith("_POOL_2D"):
            return 0
        if step.window < 1:
            raise ValueError(f"a window of {step.window} points")
        return step.window

    def places(self, step: Step) -> int:
        """The addresses that are laid out for a window: one for each of its points, at each place on the picture."""
        taps = self.taps(step)
        return taps and prod(self.shape(step.outputs[0])[1:3]) * taps


def check(interpreter: Any, path: Path, spec: InputSpec) -> int:
    """How many images a call may have. ModelError where the network is not plain, or takes too much."""
    try:
        plan = Plan.of(interpreter, path)
    except (OSError, ValueError) as error:
        no_network(path, error)
    if len(plan.steps) > MOST_STEPS:
        no_network(path, f"it has more than {MOST_STEPS:,} steps")
    if foreign := plan.foreign():
        not_plain(path, foreign)
    # LiteRT's delegate first makes room for the shapes that the file states, whatever the layout says later.
    if BATCHES[-1] * sum(plan.size(one) for step in plan.steps for one in step.outputs) > MOST_ELEMENTS:
        raise too_large(path, spec, BATCHES[-1])

    def cost_of(images: int) -> Cost:
        try:
            return plan.cost(spec, images)
        except (RuntimeError, ValueError) as error:  # too many at once, or a batch that is fixed
            if images > BATCHES[-1]:
                return Cost(MOST_ELEMENTS + 1, 0)
            no_network(path, f"it does not run on {images} images at once: {error}")

    return largest_batch(path, spec, cost_of)


def _used(tensors: Any) -> list[int]:
    """Without those that are left out."""
    return [int(one) for one in tensors if one >= 0]
