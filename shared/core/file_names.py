"""Names of files that come from elsewhere: which stay in their folder, and which every system can store."""

import re

# One path segment or more below the folder; no drive letters, no backslashes, no control characters. Windows removes
# dots and spaces at the end, so that "..  " would be "..", and reserves some names for devices.
_SAFE = re.compile(r"[^\x00-\x1f\\:*?\"<>|/]+(/[^\x00-\x1f\\:*?\"<>|/]+)*")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
_LONGEST, _LONGEST_PART = 1000, 200  # bytes; systems allow 255 a part, and we may add an ending
_LONGEST_PATH, _LONGEST_SEGMENT = 4096, 255  # bytes; Linux allows no more, so no run can write more


def safe_name(name: str) -> bool:
    """True for a relative path that stays in its folder, and can be created and shown, on every system."""
    parts = name.split("/")
    return (
        name.isprintable()
        and bool(_SAFE.fullmatch(name))
        and len(name.encode()) <= _LONGEST
        and all(len(part.encode()) <= _LONGEST_PART for part in parts)
        and all(part == part.rstrip(" .") and part.split(".")[0].upper() not in _DEVICES for part in parts)
    )


def stays_inside(name: str) -> bool:
    """True for a name that a run can give to a file below its folder; not every system can store such a name."""
    parts = name.split("/")
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return False
    return (
        "\0" not in name
        and not {"", ".", ".."} & set(parts)
        and max(sizes) <= _LONGEST_SEGMENT
        and sum(sizes) + len(parts) <= _LONGEST_PATH
    )
