"""`k2l.toml`: options that you would otherwise type each time. The command line wins.

    remote = "emulator"          # for every verb that has the option

    [train]
    epochs = 5                   # for one verb alone

It lies in the workspace, beside `models/`. Where there is none, `[tool.k2l]` of a `pyproject.toml` there does the same:
`[tool.k2l.train]`. Never put a key or a token there: none is an option.
"""

import logging
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from scripts.terminal.usage import closest
from scripts.terminal.verbs import VERBS
from shared.core.errors import ConfigError, plain

logger = logging.getLogger(__name__)

FILE = "k2l.toml"
_SECTION = re.compile(r"^\[tool\.k2l[.\]]", re.MULTILINE)
# Options of many verbs; all others belong under their verb.
SHARED = ("remote", "owner", "slug", "accelerator", "framework", "architecture", "dataset", "data-dir", "model")


def defaults(verb: str, command: Any) -> dict[str, Any]:
    """The values in the file for a verb's parameters, by name. ConfigError if they are invalid."""
    from local.core import workspace

    path, table = _read(workspace.home())
    known = {
        option.removeprefix("--"): parameter for parameter in command.params for option in parameter.opts
        if option.startswith("--")
    }  # fmt: skip
    everywhere = {key: value for key, value in table.items() if not isinstance(value, dict)}
    _check(path, "at the top", everywhere, SHARED)
    own = table.get(verb, {})
    _check(path, f"under [{verb}]", own, known)
    given = {key: value for key, value in everywhere.items() if key in known} | own
    logger.debug("%s: %s", path, ", ".join(given) if table else "not there")
    return {known[key].name: _fitting(path, key, value, known[key]) for key, value in given.items()}


def _read(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Which file has the settings, and what they are."""
    own, project = folder / FILE, folder / "pyproject.toml"
    if own.is_file():
        path, table = own, _parsed(own)
    elif project.is_file() and _SECTION.search(project.read_text(encoding="utf-8", errors="replace")):
        path, table = project, _parsed(project)["tool"]["k2l"]
    else:  # what else there is in a pyproject.toml, right or wrong, is another's
        return own, {}
    _check(path, "as a table", {key: 0 for key, value in table.items() if isinstance(value, dict)}, VERBS)
    return path, table


def _parsed(path: Path) -> dict[str, Any]:
    from local.core import text_files

    try:
        return tomllib.loads(text_files.read(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {plain(text_files.trouble(error))}.") from None


def _check(path: Path, where: str, table: Mapping[str, Any], known: Any) -> None:
    unknown = [plain(key) for key in table if key not in known]
    if unknown:
        said = " ".join(filter(None, (closest(unknown[0], known), f"There are: {', '.join(known)}.")))
        raise ConfigError(f"{path}: {', '.join(unknown)} is not allowed {where}. {said}")


def _fitting(path: Path, key: str, value: Any, parameter: Any) -> Any:
    """The value, if the option accepts it on the command line."""
    several = parameter.multiple or parameter.nargs != 1
    if isinstance(value, list) != several or isinstance(value, dict):
        raise ConfigError(f"{path}: {key} must be {'a list' if several else 'a single value'}, not {plain(value)}.")
    try:
        for one in value if several else [value]:
            parameter.type.convert(one, parameter, None)
    except typer.BadParameter as error:
        raise ConfigError(f"{path}: {key}: {plain(error.message)}") from None
    return value
