"""What a file really holds, told by its first bytes; and the error where its suffix says something else.

A renamed or half-downloaded file otherwise ends in whatever its framework says of bytes it does not know.
Nothing is loaded or unpacked here, and nothing is trusted: this is for a clear message, not for safety.
"""

import zipfile
from pathlib import Path

from shared.core.errors import ModelError

HEAD = 64  # bytes that tell
# what `kind` answers -> the suffix such a file should have; "" where none of ours fits
KINDS: dict[str, str] = {
    "an ONNX network": ".onnx",
    "a LiteRT network": ".tflite",
    "PyTorch weights": ".pth",
    "a Keras model": ".keras",
    "a TorchScript program": "",
    "a torch.export program": ".pt2",
    "a zip archive": "",
    "a pickle": "",  # PyTorch's form before 1.6, and anybody's
    "an HDF5 file": ".h5",
    "text": "",
    "nothing": "",
}


def check(path: Path) -> None:
    """Returns if the content may be what the suffix says; ModelError if it is certainly something else."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ModelError(f"{path} is not a file.")
    try:
        found = kind(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    suffix = path.suffix.lower()
    if KINDS.get(found) == suffix or (not found and suffix == ".onnx"):
        return  # ONNX has no identifier, the others have: without it they are certainly something else
    if not found:
        raise ModelError(f"{path} cannot be read: it does not hold what {suffix} files do. Pull or train it again.")
    advice = f"rename it to {KINDS[found]}" if KINDS[found] else "pull or train the model again"
    if found in ("a TorchScript program", "a pickle"):
        advice = "refused, as it could run code; save its state dict with a PyTorch of today"
    raise ModelError(f"{path} is named {suffix} and holds {found}: {advice}.")


def kind(path: Path) -> str:
    """A key of `KINDS`; "" for bytes that are nothing known. OSError if the file cannot be opened."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        return "nothing"
    if head[4:8] == b"TFL3":  # the identifier of LiteRT's FlatBuffers
        return "a LiteRT network"
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "an HDF5 file"
    if head.startswith(b"PK"):
        return _zip_kind(path)
    if head[0] == 0x80 and head[1:2] <= b"\x05":  # opcode PROTO and its version
        return "a pickle"
    # A ModelProto begins with field 1, ir_version (a small number), then a string, a message or another number.
    if head[0] == 0x08 and head[1:2] < b"\x20" and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x28", b"\x3a", b"\x42"):
        return "an ONNX network"
    return "text" if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head) else ""


def _zip_kind(path: Path) -> str:
    """Which of the frameworks' zip archives it is, by the names inside."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] or name for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a zip archive"
    if {"config.json", "metadata.json"} <= names:
        return "a Keras model"
    if "archive_format" in names:
        return "a torch.export program"
    if "constants.pkl" in names:
        return "a TorchScript program"
    return "PyTorch weights" if "data.pkl" in names else "a zip archive"
