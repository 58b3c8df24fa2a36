"""ONNX files with onnxruntime: the default for reading pictures, quickest to start and no training framework needed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from local.runtimes import check_logits, missing, no_network
from shared.errors import ModelError
from shared.preprocessing import SIDE, to_float


@dataclass(frozen=True, kw_only=True)
class OnnxRuntime:
    """One inference session."""

    session: Any
    input_name: str
    classes: int
    name: str = "onnxruntime"

    def logits(self, images_nhw: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8 [n, 28, 28]."""
        if not len(images_nhw):
            return np.empty((0, self.classes), np.float32)
        return np.asarray(self.session.run(None, {self.input_name: to_float(images_nhw)})[0], np.float32)


def load(path: Path, *, threads: int = 1, architecture: str | None = None) -> OnnxRuntime:
    """The file in an inference session; `architecture` is not asked for, an ONNX file carries its own."""
    try:
        import onnxruntime
    except ModuleNotFoundError:
        missing("onnxruntime", path)
    try:
        session = onnxruntime.InferenceSession(path, _options(onnxruntime, threads), providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 (its errors share no class of their own)
        no_network(path, error)
    input_name = _input_name(session, path)
    probe = session.run(None, {input_name: np.zeros((2, 1, SIDE, SIDE), np.float32)})[0]
    return OnnxRuntime(session=session, input_name=input_name, classes=check_logits(probe, path, images=2))


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # failures come as exceptions; its log would repeat them on stderr
    # Threads that spin between two pictures cost a laptop its battery and save microseconds.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _input_name(session: Any, path: Path) -> str:
    """The name of the one input, once it is known to take float32 [batch, 1, 28, 28]."""
    inputs = session.get_inputs()
    shapes = [f"{node.type}{node.shape}" for node in inputs]
    fits = len(inputs) == 1 and inputs[0].type == "tensor(float)" and _fits(inputs[0].shape)
    if not fits:
        raise ModelError(
            f"{path} takes {', '.join(shapes) or 'nothing'} where float [batch, 1, {SIDE}, {SIDE}] with a free batch "
            "is due. Export it again: k2l loop, or local.convert.export_onnx."
        )
    return str(inputs[0].name)


def _fits(shape: list[int | str | None]) -> bool:
    """Whether a stated shape lets float32 [n, 1, 28, 28] in for any n; names and None stand for free sizes."""
    wanted = (None, 1, SIDE, SIDE)
    return len(shape) == 4 and all(
        not isinstance(size, int) or size == want for size, want in zip(shape, wanted, strict=True)
    )
