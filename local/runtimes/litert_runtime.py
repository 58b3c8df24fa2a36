"""LiteRT files (`.tflite`), TensorFlow Lite as it was called: the smallest and, quantized, the fastest.

Float in and out is what our own exports have, whatever is inside. A file that is int8 or uint8 at its ends too runs as
well: its scale and zero point say which float each step of it means.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.model_files import litert_cost
from local.model_files.formats import missing, no_network, wrong_input
from local.runtimes.loading import check_logits, check_outputs, in_parts
from shared.core.errors import ModelError
from shared.core.input_spec import InputSpec
from shared.data.preprocessing import to_float, to_nhwc


@dataclass(frozen=True)
class End:
    """The input or output of a network: its tensor's number, and how whole numbers there stand for floats."""

    index: int
    dtype: Any
    scale: float
    zero: int
    is_float: bool

    @classmethod
    def of(cls, details: dict[str, Any]) -> "End":
        """From what the interpreter says of it."""
        scale, zero = details["quantization"]
        dtype = np.dtype(details["dtype"])
        return cls(details["index"], dtype, scale, zero, is_float=dtype == np.float32)

    @property
    def is_readable(self) -> bool:
        """Whether its values stand for floats: they are some, or int8 or uint8 in steps of a known size."""
        return self.is_float or (self.dtype in (np.int8, np.uint8) and self.scale > 0)

    def pack(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Floats as this end takes them: rounded to the nearest step it knows, if it knows steps."""
        if self.is_float:
            return values
        limits = np.iinfo(self.dtype)
        steps: NDArray[Any] = np.clip(np.rint(values / self.scale) + self.zero, limits.min, limits.max)
        return steps.astype(self.dtype)

    def unpack(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """The floats that this end's values stand for."""
        if self.is_float:
            return values
        return (values.astype(np.float32) - self.zero) * np.float32(self.scale)


@dataclass(kw_only=True)
class LiteRuntime:
    """One interpreter; its memory is laid out for `batch` images, `most` at most, anew when another number comes."""

    interpreter: Any
    spec: InputSpec
    input: End
    output: End
    most: int
    classes: int = 0
    name: str = "litert"
    batch: int = field(default=0, repr=False)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8."""
        if not 0 < len(images) <= self.most:
            return in_parts(self, images)
        return self.output.unpack(self._run(self._packed(images)))

    def bare(self, images: NDArray[np.uint8]) -> Callable[[], object]:
        """Images in, `Interpreter.invoke`, logits out."""
        values = self._packed(images)
        return lambda: self._run(values)

    def _packed(self, images: NDArray[np.uint8]) -> NDArray[Any]:
        """[n, h, w, c], as the input takes them."""
        return self.input.pack(to_nhwc(to_float(images, self.spec), self.spec))

    def _run(self, values: NDArray[Any]) -> NDArray[Any]:
        if len(values) != self.batch:
            self._lay_out(len(values))
        self.interpreter.set_tensor(self.input.index, values)
        self.interpreter.invoke()
        logits: NDArray[Any] = self.interpreter.get_tensor(self.output.index)
        return logits

    def _lay_out(self, batch: int) -> None:
        self.interpreter.resize_tensor_input(self.input.index, (batch, *self.spec.shape_hwc))
        self.interpreter.allocate_tensors()
        self.batch = batch


def load(
    path: Path, *, spec: InputSpec, threads: int = 1, architecture: str | None = None, classes: int = 0
) -> LiteRuntime:
    """The file in an interpreter; the others are not asked for, a LiteRT file carries its own network."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError as error:
        missing(path, error)
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # which take steps together and hide their shapes
    try:
        plan = Interpreter(str(path), experimental_op_resolver_type=plain)
        interpreter = Interpreter(str(path), num_threads=threads)  # nothing is laid out yet
        inputs, outputs = plan.get_input_details(), plan.get_output_details()
    except UnicodeDecodeError:
        no_network(path, "a tensor's name in it is no text")
    except (ValueError, RuntimeError) as error:
        no_network(path, error)
    ends = _input(inputs, path, spec), _output(outputs, path)
    most = litert_cost.check(plan, path, spec)
    runtime = LiteRuntime(interpreter=interpreter, spec=spec, input=ends[0], output=ends[1], most=most)
    runtime.classes = _classes(runtime, path)
    return runtime


def _input(inputs: list[dict[str, Any]], path: Path, spec: InputSpec) -> End:
    """The one input, once it is known to take [batch, h, w, c] of that size, as floats or as steps of a known size."""
    ends = [End.of(one) for one in inputs if tuple(one["shape_signature"])[1:] == spec.shape_hwc]
    if len(inputs) != 1 or not ends or not ends[0].is_readable:
        takes = ", ".join(_written(one) for one in inputs)
        wrong_input(path, takes or "nothing", f"float32 [batch, {', '.join(map(str, spec.shape_hwc))}]", spec)
    return ends[0]


def _output(outputs: list[dict[str, Any]], path: Path) -> End:
    """The one output, once its values are known to stand for floats."""
    check_outputs(len(outputs), path)
    end = End.of(outputs[0])
    if not end.is_readable:
        raise ModelError(
            f"{path} gives {_written(outputs[0])} where float32, or int8 or uint8 with a scale, is due: "
            "not a classifier."
        )
    return end


def _written(details: dict[str, Any]) -> str:
    """A tensor's type and shape, -1 for a free size."""
    return f"{np.dtype(details['dtype']).name} {details['shape_signature'].tolist()}"


def _classes(runtime: LiteRuntime, path: Path) -> int:
    """How many classes it tells apart, for one image as for several: not every network lets its batch be changed."""
    for images in (2, 1):
        try:
            blank = np.zeros((images, *runtime.spec.shape_of_bytes), np.uint8)
            logits = runtime.output.unpack(runtime._run(runtime._packed(blank)))
        except (ValueError, RuntimeError) as error:
            no_network(path, f"it does not run on {images} images at once: {error}")
        classes = check_logits(logits, path, runtime.spec, images=images)
    return classes
