"""PyTorch weights (`.pth`, a state dict) in the network that the manifest names. The reference for every export.

Weights are pulled from elsewhere, so nothing but tensors is unpickled (`weights_only=True`). A state dict in int8, as
`local.runtimes.torch_ao` leaves it, runs too.

It is PyTorch eager in its default memory layout, NCHW. channels_last is up to twice as fast at batch 256, and slower
for small networks at batch 1.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from local.model_files import memory_limit, pickled
from local.model_files.cost import Cost, largest_batch
from local.model_files.formats import missing, no_network
from local.runtimes.loading import check_logits, in_parts
from shared.core.errors import ConfigError, ModelError
from shared.core.input_spec import InputSpec
from shared.data.preprocessing import to_float
from shared.data.registry import GLYPH
from shared.networks.architectures import Architecture, trace
from shared.networks.architectures import architecture as known

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TorchRuntime:
    """A module in evaluation mode: dropout off, batch norm with its running statistics."""

    module: "nn.Module"
    spec: InputSpec
    threads: int
    classes: int
    most: int
    name: str = "torch"

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits float32 [n, classes] of images uint8."""
        if not 0 < len(images) <= self.most:
            return in_parts(self, images)
        return _run(self.module, images, self.spec, self.threads)

    def bare(self, images: NDArray[np.uint8]) -> Callable[[], object]:
        """The module's call on these images, in inference mode."""
        import torch

        batch, threads = torch.from_numpy(to_float(images, self.spec)), self.threads

        def call() -> object:
            with _threads(torch, threads), torch.inference_mode():
                return self.module(batch)

        return call


def load(
    path: Path, *, spec: InputSpec, threads: int = 1, architecture: str | None = None, classes: int = 0
) -> TorchRuntime:
    """The weights in their network; ModelError without an architecture, and where the two do not fit."""
    module = build(path, architecture, spec, classes)
    most = largest_batch(path, spec, partial(_cost, known(str(architecture), spec, classes)))
    probe = _run(module, np.zeros((2, *spec.shape_of_bytes), np.uint8), spec, threads)
    found = check_logits(probe, path, spec, images=2)
    return TorchRuntime(module=module, spec=spec, threads=threads, classes=found, most=most)


def _cost(network: Architecture, images: int) -> Cost:
    """Of a call with so many: each parameter of a layer is a multiplication at each place of its map."""
    rows = list(trace(network))
    elements = sum(prod(row.shape) for row in rows)
    return Cost(images * elements, images * sum(row.parameters * prod(row.shape[1:]) for row in rows))


def build(path: Path, architecture: str | None, spec: InputSpec = GLYPH, classes: int = 0) -> "nn.Module":
    """The module with its weights, in evaluation mode on the processor; `spec` and `classes` as `loading.load` has."""
    with memory_limit.limited(path):
        return _built(path, architecture, spec, classes)


def _built(path: Path, architecture: str | None, spec: InputSpec, classes: int) -> "nn.Module":
    if architecture is None:
        raise ModelError(f"{path} holds weights without their network: keep its manifest.json beside it.")
    try:
        import torch
    except ModuleNotFoundError as error:
        missing(path, error)
    from local.runtimes import torch_ao
    from shared.networks.build_torch import build_torch

    try:
        network = known(architecture, spec, classes)
    except ConfigError as error:  # of another version of the code
        raise ModelError(f"{path}: {error}") from None
    if (
        4 * network.parameters > memory_limit.UNPACKED_BYTES
    ):  # the module is made before it is filled, whatever the file holds
        raise ModelError(
            f"{path} was refused: {architecture} takes more than {memory_limit.UNPACKED_BYTES // 10**6:,} MB."
        )
    weights = _weights(torch, path)
    if torch_ao.is_int8(weights):
        try:
            return torch_ao.build_int8(network, weights)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
    module = build_torch(network)
    try:
        module.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        detail = str(error).splitlines()[-1].strip()[:160]
        raise ModelError(f"{path} does not hold the weights of {architecture}: {detail}") from None
    return module.eval()


def _weights(torch: Any, path: Path) -> Any:
    """What the file holds, if that is nothing but tensors."""
    pickled.check(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on its own past; what counts comes as an error
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 (a damaged file fails in as many ways as there are pickles)
        no_network(path, error)


def _run(module: "nn.Module", images: NDArray[np.uint8], spec: InputSpec, threads: int) -> NDArray[np.float32]:
    """One forward pass on so many threads."""
    import torch

    with _threads(torch, threads), torch.inference_mode():
        logits = module(torch.from_numpy(to_float(images, spec)))
    return np.asarray(logits.numpy(), np.float32)


@contextmanager
def _threads(torch: Any, threads: int) -> Iterator[None]:
    """So many threads for what is inside; torch's count is the process's, so it is put back."""
    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
