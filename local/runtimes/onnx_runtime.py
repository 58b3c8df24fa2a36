"""ONNX files with onnxruntime: the default for reading pictures, quickest to start and no training framework needed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.model_files import onnx_cost
from local.model_files.formats import missing, no_network, wrong_input
from local.runtimes.loading import check_logits, check_outputs, in_parts
from shared.core.input_spec import InputSpec
from shared.data.preprocessing import to_float


@dataclass(frozen=True, kw_only=True)
class OnnxRuntime:
    """One inference session, with the name of its input and those of its outputs, one; `most`: images a call."""

    session: Any
    spec: InputSpec
    input_name: str
    output_names: list[str]
    classes: int
    most: int
    name: str = "onnxruntime"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8."""
        if not 0 < len(images) <= self.most:
            return in_parts(self, images)
        feed = {self.input_name: to_float(images, self.spec)}
        logits: NDArray[np.float32] = self.session.run(self.output_names, feed)[0]
        return logits

    def bare(self, images: NDArray[np.uint8]) -> Callable[[], object]:
        """`InferenceSession.run` on these images."""
        names, feed = self.output_names, {self.input_name: to_float(images, self.spec)}
        return lambda: self.session.run(names, feed)


def load(
    path: Path, *, spec: InputSpec, threads: int = 1, architecture: str | None = None, classes: int = 0
) -> OnnxRuntime:
    """The file in an inference session; the others are not asked for, an ONNX file carries its own network."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        missing(path, error)
    try:
        content = path.read_bytes()
    except OSError as error:
        no_network(path, error.strerror or error)
    most = onnx_cost.check(path, content, spec)
    try:
        # From bytes, and so from this file alone: nobody vouches for weights that lie beside it.
        session = onnxruntime.InferenceSession(
            content, _options(onnxruntime, threads), providers=["CPUExecutionProvider"], enable_fallback=0
        )  # to the same provider; it would print that
    except Exception as error:  # noqa: BLE001 (its errors share no class of their own)
        no_network(path, error)
    input_name = _input_name(session, path, spec)
    check_outputs(len(session.get_outputs()), path)
    output_names = [session.get_outputs()[0].name]  # naming it spares the session a search for all there are
    try:
        probe = session.run(output_names, {input_name: np.zeros((2, *spec.shape), np.float32)})[0]
    except Exception as error:  # noqa: BLE001 (as above: a batch that is fixed further inside shows here)
        no_network(path, error)
    return OnnxRuntime(
        session=session,
        spec=spec,
        input_name=input_name,
        output_names=output_names,
        classes=check_logits(probe, path, spec, images=2),
        most=most,
    )


def _options(onnxruntime: Any, threads: int) -> Any:
    """What is not set here was tried: memory arena, reuse and every graph optimisation are best as they come."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.load_model_format", "ONNX")  # what was checked, and not its own format
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
    options.log_severity_level = 4  # failures come as exceptions; its log would repeat them on stderr
    # Threads that spin between two pictures cost a laptop its battery and save microseconds.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _input_name(session: Any, path: Path, spec: InputSpec) -> str:
    """The name of the one input, once it is known to take float32 [batch, c, h, w] of that size."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or not _fits(inputs[0].shape, spec):
        takes = ", ".join(f"{node.type}{node.shape}" for node in inputs) or "nothing"
        wrong_input(path, takes, f"float [batch, {', '.join(map(str, spec.shape))}]", spec)
    return str(inputs[0].name)


def _fits(shape: list[int | str | None], spec: InputSpec) -> bool:
    """Whether a stated shape lets such images in for any number of them; names and None stand for free sizes."""
    wanted = (None, *spec.shape)
    return len(shape) == 4 and all(
        not isinstance(size, int) or size == want for size, want in zip(shape, wanted, strict=True)
    )
