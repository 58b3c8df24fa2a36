"""The pickle in a `.pth` file, read before PyTorch does: whether it describes a state dict, and nothing more.

    check(path)      # ModelError where it names anything else, or refers to one part many times

`weights_only=True` keeps foreign code out, and still counts the bytes of a gigabyte of zeros, or compares a value with
itself a billion times, where a pickle of a few hundred bytes says so. A state dict needs none of that: it refers again
to names and words, never to what it has built.
"""

import pickletools
import re
import zipfile
from pathlib import Path

from local.model_files.formats import no_network
from shared.core.errors import ModelError

PICKLE_BYTES = 1_000_000  # 200 times that of the deepest network here
NAMES = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|qtensor|parameter)"
    r"|torch (\w+Storage|per_channel_affine|per_tensor_affine|qint8|quint8|qint32)"
)
# What torch.save writes of a state dict, old and new; DUP and its like are not among it.
STEPS = (
    "BINFLOAT", "BINGET", "BININT", "BININT1", "BININT2", "BINPERSID", "BINPUT", "BINUNICODE", "BUILD",
    "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "GLOBAL", "APPEND", "APPENDS", "LONG1", "LONG_BINGET", "LONG_BINPUT",
    "MARK", "NEWFALSE", "NEWTRUE", "NONE", "PROTO", "REDUCE", "SETITEM", "SETITEMS", "STOP", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3",
)  # fmt: skip
AGAIN = ("GLOBAL", "BINUNICODE")  # what may be referred to


def check(path: Path) -> None:
    """Returns if the file's pickle is one that torch.save writes of a state dict; ModelError for any other."""
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = [one for one in archive.namelist() if one.rpartition("/")[2] == "data.pkl"]
            if archive.getinfo(name).file_size > PICKLE_BYTES:
                raise ValueError("its description is far too long")
            foreign = _foreign(archive.read(name))
    except (zipfile.BadZipFile, LookupError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        no_network(path, error)
    if foreign:
        raise ModelError(
            f"{path} was refused: beside weights it holds a pickle that could run code on this machine "
            f"({foreign[:60]!a})."
        )


def _foreign(content: bytes) -> str:
    """The first step that is not a state dict's; "" where there is none."""
    made: dict[object, str] = {}
    before = ""
    for step, argument, _ in pickletools.genops(content):
        name = step.name
        if name not in STEPS:
            return name
        if name == "GLOBAL" and not NAMES.fullmatch(str(argument)):
            return str(argument)
        if name.endswith("BINPUT"):
            made[argument] = before
        if name.endswith("BINGET") and made.get(argument) not in AGAIN:
            return "a part that is used again"
        before = name
    return ""
