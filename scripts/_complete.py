"""The values that a shell offers for an option or an argument, each beginning with what was typed.

Asked for at every Tab: they come from tables and from the names of folders, and nothing heavy is imported for them.
"""

from collections.abc import Callable, Iterable

from shared.printable import line


def _offering(all_of: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """What typer asks for completions: the values that a shell can show."""
    return lambda incomplete: [value for value in all_of() if value.startswith(incomplete) and line(value) == value]


def _choices(parameter: str) -> Callable[[], Iterable[str]]:
    def known() -> Iterable[str]:
        from shared.config import CHOICES

        return CHOICES[parameter]

    return known


def _architectures() -> Iterable[str]:
    from shared.architectures import ARCHITECTURES

    return ARCHITECTURES


def _frameworks() -> Iterable[str]:
    from local.kernels.spec import FRAMEWORKS

    return FRAMEWORKS


def _remotes() -> Iterable[str]:
    from scripts._options import REMOTES  # which has its options completed from here

    return REMOTES


def _models() -> Iterable[str]:
    """The folders under models/ and of the zoo; whether they are whole is found when they are used."""
    from local import paths
    from local.zoo import entries
    from shared.manifest import NAME

    zoo = [name for name in entries.names() if (paths.zoo() / name / NAME).is_file()]
    return dict.fromkeys([*sorted(path.parent.name for path in paths.models().glob(f"*/{NAME}")), *zoo])


def _runs() -> Iterable[str]:
    """The latest first."""
    from local import paths

    return sorted((path.parent.name for path in (paths.state() / "runs").glob("*/run.jsonl")), reverse=True)


architectures = _offering(_architectures)
datasets = _offering(_choices("dataset"))
recipes = _offering(_choices("recipe"))
frameworks = _offering(_frameworks)
remotes = _offering(_remotes)
models = _offering(_models)
runs = _offering(_runs)
