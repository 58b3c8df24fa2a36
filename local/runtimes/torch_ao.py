"""Eager-mode int8 quantization of PyTorch: the only file that knows `torch.ao`.

    weights = quantize(build_torch(network), network, batches)    # a state dict, for torch.save
    module = build_int8(network, weights)                          # float images in, logits out

`torch.ao.quantization` is deprecated upstream. When a release of torch comes without it, these functions raise a
ModelError, and the way out is torchao's PT2E quantization (`torchao.quantization.pt2e`), which takes the program of
`torch.export` and needs a C++ compiler to run; until then int8 in PyTorch needs nothing beside torch.
"""

import contextlib
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared.core.errors import ModelError
from shared.networks.architectures import Architecture

if TYPE_CHECKING:
    import torch
    from torch import nn

# What torch says of its own end, and of ranges that are not known yet, as `build_int8` has it.
REMARKS = (
    r"torch\.ao\.quantization is deprecated",
    r"torch\.quantize_per_tensor, .* are deprecated",
    r"Please use quant_min",
    r"must run observer before",
)


def quantize(module: "nn.Module", network: Architecture, batches: "Iterable[torch.Tensor]") -> "dict[str, Any]":
    """Post-training static quantization of a trained module, which stays as it is; the state dict in int8.

    `batches` are the quantization calibration images, float32 as the network takes them: what they bring forth decides
    the range of each activation. Weights are int8 a channel, activations uint8 (Jacob et al. 2018).
    """
    import torch

    with _deprecated() as ao:
        observed = _observed(ao, network, module.state_dict())
        with torch.inference_mode():
            for batch in batches:
                observed(batch)
        # As it comes: it bears versions, without which it is read as an older format.
        weights: dict[str, Any] = ao.convert(observed).state_dict()
    return weights


def build_int8(network: Architecture, weights: Mapping[str, Any]) -> "nn.Module":
    """The network in int8 with these weights, in evaluation mode: float32 images in, logits out.

    Raises ModelError where the weights are another network's.
    """
    with _deprecated() as ao:
        module = ao.convert(_observed(ao, network))
    expected = _shapes(module.state_dict())
    try:
        module.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        detail = str(error).splitlines()[-1].strip()[:160]
        raise ModelError(f"these are not the int8 weights of {network.name}: {detail}") from None
    if _shapes(module.state_dict()) != expected:  # torch takes int8 weights of any shape
        raise ModelError(f"these are not the int8 weights of {network.name}: their shapes are another network's.")
    quantized: nn.Module = module.eval()
    return quantized


def _shapes(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of each weight; a dense layer packs its weights and bias together. A scale or a range has none."""
    return {
        name: [tuple(one.shape) for one in (value if isinstance(value, tuple) else (value,)) if hasattr(one, "shape")]
        for name, value in weights.items()
        if name.endswith(("weight", "bias", "_packed_params"))
    }


def is_int8(weights: Any) -> bool:
    """Whether a state dict is one of `quantize`."""
    return isinstance(weights, Mapping) and "quantize.scale" in weights


def _observed(ao: Any, network: Architecture, weights: "Mapping[str, torch.Tensor] | None" = None) -> "nn.Module":
    """The network between a float-to-int8 step and its inverse, batch norm and relu fused into the layer before.

    It works in float and writes down the range of what it sees.
    """
    import torch
    from torch import nn

    from shared.networks.build_torch import build_torch

    module = build_torch(network)
    if weights is not None:
        module.load_state_dict(weights)
    layers = OrderedDict(module.named_children())
    framed = nn.Sequential(
        OrderedDict([("quantize", ao.QuantStub()), *layers.items(), ("dequantize", ao.DeQuantStub())])
    ).eval()
    ao.fuse_modules(framed, _fusion_groups(layers), inplace=True)
    framed.qconfig = ao.get_default_qconfig(torch.backends.quantized.engine)
    observed: nn.Module = ao.prepare(framed)
    return observed


def _fusion_groups(layers: "Mapping[str, nn.Module]") -> list[list[str]]:
    """The names of neighbours that become one layer: convolution, batch norm, relu; dense, relu."""
    from torch import nn

    groups: list[list[str]] = [[]]
    for name, layer in layers.items():
        if isinstance(layer, nn.BatchNorm2d | nn.ReLU):
            groups[-1].append(name)
        else:
            groups.append([name])
    heads = (nn.Conv2d, nn.Linear)
    return [group for group in groups if len(group) > 1 and isinstance(layers[group[0]], heads)]


@contextlib.contextmanager
def _deprecated() -> Iterator[Any]:
    """The package, its remarks left out."""
    try:
        from torch.ao import quantization
    except ImportError:
        raise ModelError(
            "this torch has no torch.ao.quantization any more: quantize to onnx or tflite, or bring "
            "local/runtimes/torch_ao.py over to torchao's PT2E quantization."
        ) from None
    with warnings.catch_warnings():
        for message in REMARKS:
            warnings.filterwarnings("ignore", message=message)
        yield quantization
