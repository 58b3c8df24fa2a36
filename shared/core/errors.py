"""The errors that a user sees, as a tree.

    UserError               what, where, what exists, what to do: one or two lines
    ├── ConfigError         a parameter is unknown or out of range (also a ValueError)
    │   └── DivergedError       a training's loss is infinite or not a number
    ├── DataError           a data set is missing, damaged or not what it claims to be
    ├── ModelError          a model folder or file is missing, changed or unreadable
    ├── PictureError        a picture or a film cannot be read or written
    ├── CameraError         a camera is missing, busy or was unplugged
    ├── DisplayError        no window can be opened
    ├── DiskFullError       no space for a file on its disk (also an OSError)
    └── KernelError         the trip to Kaggle: kernel.toml, bundle, push, run, pull
        ├── CredentialsError    no credentials, or somebody else's
        ├── RefusedError        the service refused; nothing was changed there
        ├── RunError            the run on the other side failed or was cancelled
        └── ServiceError        the service could not be reached or answered nonsense

The command line prints them without a traceback and exits 1; anything else is a bug, and its traceback is shown.
"""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

LONGEST = 500  # characters of text from outside in an error


class UserError(Exception):
    """Something the user can fix; `str(error)` says what, where, and what to do."""


class ConfigError(UserError, ValueError):
    """A parameter is unknown, has the wrong type, or is out of range."""


class DivergedError(ConfigError):
    """A training diverged: its parameters, each within its range, do not fit together."""


class DataError(UserError):
    """A data set is missing, damaged, or not what its name says."""


class ModelError(UserError):
    """A model folder or file is missing, changed after its manifest was written, or unreadable."""


class PictureError(UserError):
    """A picture or a film cannot be read or written."""


class CameraError(UserError):
    """A camera is missing, busy, or was unplugged."""


class DisplayError(UserError):
    """No window can be opened on this machine."""


class DiskFullError(UserError, OSError):
    """There is no space for a file on its disk, or within a quota."""


class KernelError(UserError):
    """Something on the trip to Kaggle went wrong."""


class CredentialsError(KernelError):
    """No credentials, or not those of the kernel's owner."""


class RefusedError(KernelError):
    """The service refused the push; nothing runs there."""


class RunError(KernelError):
    """The run failed or was cancelled on the other side."""


class ServiceError(KernelError):
    """The service cannot be reached, or its answer cannot be understood."""


def plain(value: object) -> str:
    """Text from outside, or a value's own, on one line of an error: safe for the line and the terminal."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        text = f"a {type(value).__name__} too large to show"
    text = " ".join(text.split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _nearest(text: str, known: Collection[str]) -> str:
    """The most similar name, whatever its case; "" where there is none."""
    folded = {name.casefold(): name for name in known}
    return next((folded[one] for one in difflib.get_close_matches(text.casefold(), folded, n=1)), "")


def one_of(what: str, value: Any, known: Collection[str], *, short: Mapping[str, str] | None = None) -> str:
    """The value, if it is a known one; else ConfigError with a suggestion and all known ones.

    The suggestion is what `short` gives for it, else the nearest name.
    """
    if isinstance(value, str) and value in known:
        return value
    text = str(value)
    meant = (short or {}).get(text) or _nearest(text, known)
    hint = f"did you mean {meant!r}? " if meant else ""
    raise ConfigError(f"{what} {value!r} does not exist; {hint}there are: {', '.join(known)}.")
