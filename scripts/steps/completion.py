"""The values that a shell offers for an option or an argument, each starting with the typed text.

They are computed at every Tab: from tables and names of folders, without slow imports.
"""

from collections.abc import Callable, Iterable

from shared.core.printable import line


def offering(all_of: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """A function for typer's completions: the values that a shell can show."""
    return lambda incomplete: [value for value in all_of() if value.startswith(incomplete) and line(value) == value]


def _datasets() -> Iterable[str]:
    from shared.data.registry import AUTO, DATASETS

    return (AUTO, *DATASETS)


def _frameworks() -> Iterable[str]:
    from shared.frameworks import FRAMEWORKS

    return FRAMEWORKS


def _remotes() -> Iterable[str]:
    from local.jobs.remotes import REMOTES

    return REMOTES


def _models() -> Iterable[str]:
    """The folders under models/ and of the zoo; they are verified when they are used."""
    from local.core import workspace
    from local.models import published
    from shared.core.manifest import NAME

    zoo = [name for name in published.names() if (workspace.zoo() / name / NAME).is_file()]
    return dict.fromkeys([*sorted(path.parent.name for path in workspace.models().glob(f"*/{NAME}")), *zoo])


def _runs() -> Iterable[str]:
    """The latest first."""
    from local.core import workspace

    return sorted((path.parent.name for path in (workspace.state() / "runs").glob("*/run.jsonl")), reverse=True)


datasets = offering(_datasets)
frameworks = offering(_frameworks)
remotes = offering(_remotes)
models = offering(_models)
runs = offering(_runs)
