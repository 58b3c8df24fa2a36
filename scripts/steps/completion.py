"""The values that a shell offers for an option or an argument, each beginning with what was typed.

Asked for at every Tab: they come from tables and from the names of folders, and nothing heavy is imported for them.
"""

from collections.abc import Callable, Iterable

from shared.core.printable import line


def _offering(all_of: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What typer asks for completions: the values that a shell can show."""
    return lambda incomplete: [value for value in all_of() if value.startswith(incomplete) and line(value) == value]


def _choices(parameter: str) -> Callable[[], Iterable[str]]:
    def known() -> Iterable[str]:
        from shared.training.config import CHOICES

        return CHOICES[parameter]

    return known


def _architectures() -> Iterable[str]:
    from shared.networks.architectures import ARCHITECTURES

    return ARCHITECTURES


def _frameworks() -> Iterable[str]:
    from shared.frameworks import FRAMEWORKS

    return FRAMEWORKS


def _remotes() -> Iterable[str]:
    from local.jobs.remotes import REMOTES

    return REMOTES


def _models() -> Iterable[str]:
    """The folders under models/ and of the zoo; whether they are whole is found when they are used."""
    from local.core import workspace
    from local.models import published
    from shared.core.manifest import NAME

    zoo = [name for name in published.names() if (workspace.zoo() / name / NAME).is_file()]
    return dict.fromkeys([*sorted(path.parent.name for path in workspace.models().glob(f"*/{NAME}")), *zoo])


def _runs() -> Iterable[str]:
    """The latest first."""
    from local.core import workspace

    return sorted((path.parent.name for path in (workspace.state() / "runs").glob("*/run.jsonl")), reverse=True)


architectures = _offering(_architectures)
datasets = _offering(_choices("dataset"))
recipes = _offering(_choices("recipe"))
frameworks = _offering(_frameworks)
remotes = _offering(_remotes)
models = _offering(_models)
runs = _offering(_runs)
