"""Text files that people wrote: settings and credentials, as any editor or shell saves them.

    text = read(path)

Only regular files of at most a megabyte, in UTF-8 or UTF-16, with or without a byte order mark: Notepad writes one, and
so does `>` in PowerShell. Files of the program itself are read elsewhere, and more strictly.
"""

import codecs
from pathlib import Path

from shared.core import files

LONGEST = 1_000_000  # bytes
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(path: Path) -> str:
    """The text without its mark. OSError, or a ValueError that quotes nothing of the file: it may hold a secret."""
    data = files.read(path, most=LONGEST)
    try:
        return data.decode("utf-16" if data.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None


def trouble(error: Exception) -> str:
    """Why `read` failed, in words: the text of an OSError would repeat the path."""
    return getattr(error, "strerror", None) or str(error)
