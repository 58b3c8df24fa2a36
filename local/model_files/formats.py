"""The formats of model files that run here: which runtime takes each, what it needs, and the errors where it cannot.

module_of(Path("model.onnx"))       # "onnx_runtime", a module of local.runtimes
"""

import importlib.util
from pathlib import Path
from typing import NoReturn

from shared.core.errors import ModelError
from shared.core.input_spec import InputSpec

# suffix -> module of this package; the order is the order of preference within a model folder
SUFFIXES = {".onnx": "onnx_runtime", ".tflite": "litert_runtime", ".pth": "torch_runtime", ".keras": "keras_runtime"}
# module of this package -> what it imports, and what pip calls that
PACKAGES = {
    "onnx_runtime": (("onnxruntime",), "onnxruntime"),
    "litert_runtime": (("ai_edge_litert",), "ai-edge-litert"),
    "torch_runtime": (("torch",), "torch"),
    "keras_runtime": (("tensorflow", "keras"), "tensorflow keras"),
}
# what else people have, and the way from there
OTHERS = {
    ".pt2": "a torch.export program is for other hosts; run the .pth or .onnx it was made from",
    ".pt": "if it holds a state dict, rename it to .pth",
    ".h5": "Keras's old format; load it in Keras and save it as .keras",
    ".pb": "TensorFlow's own format; convert it to .tflite",
}


def module_of(path: Path) -> str:
    """Which module of this package runs the file; ModelError where none does."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    why = f" ({OTHERS[suffix]})" if suffix in OTHERS else ""
    raise ModelError(f"{path}: no runtime for {suffix or 'a file without suffix'}{why}: {known()}")


def installed(path: Path) -> bool:
    """Whether the framework that runs the file is on this machine; nothing is imported."""
    packages, _ = PACKAGES[module_of(path)]
    return all(importlib.util.find_spec(package) is not None for package in packages)


def known() -> str:
    """The suffixes that can be run, in words."""
    return f"those that run are {', '.join(SUFFIXES)}"


def missing(path: Path, error: ModuleNotFoundError) -> NoReturn:
    """The error for a file whose framework is not installed, with the line that installs it.

    Where the framework is there and what is missing is a module that it needs, that one is named.
    """
    packages, pip = PACKAGES[module_of(path)]
    needs = f"{path} needs {pip.replace(' ', ' and ')}"
    if (error.name or "").partition(".")[0] in packages:
        from local.core.installation import of_extra

        extra = of_extra(pip.partition(" ")[0])
        raise ModelError(f"{needs}, not installed here: pip install {pip}{extra}") from None
    raise ModelError(f"{needs}, not whole here: {_first_line(error)}. Install that as well.") from None


def no_network(path: Path, reason: object) -> NoReturn:
    """The error for a file that its framework cannot read; the reason is cut to its first line."""
    raise ModelError(f"{path} cannot be read: {_first_line(reason)}. Pull or train the model again.") from None


def _first_line(reason: object) -> str:
    return next(iter(str(reason).strip().splitlines()), type(reason).__name__)[:200]


def wrong_input(path: Path, takes: str, due: str, spec: InputSpec) -> NoReturn:
    """The error for a network that is made for other images than its manifest says, or a glyph."""
    raise ModelError(f"{path} takes {takes} where {due} with a free batch is due: not a network of {spec} images.")
