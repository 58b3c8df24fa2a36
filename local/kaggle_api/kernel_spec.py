"""`kaggle/<framework>/kernel.toml` -> what the service gets about a kernel, every field explicit.

    spec = load("torch")
    spec.sources("mnist")        # the data sets to attach

The service's rules are checked here, before anything is sent: a slug that is not its title's slug is saved under
another name and gives 403 later; a missing `machine_shape` used to give a GPU that the image's torch has no code for.
`RULES` has them by subject; `load` checks all, `preflight` shows each by itself.
"""

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

from local.core import text_files, workspace
from shared.core.errors import KernelError, one_of, plain
from shared.data.registry import DATASETS

# Kaggle's names for what a notebook can run on (`machine_shape`); "none" is a CPU. Kaggle adds and removes names: one
# that we do not know is sent as it is, with a warning. The P100 is left out: the image's torch has no code for it, so
# the training would run on the CPU.
ACCELERATORS = ("none", "NvidiaTeslaT4")
NO_ACCELERATOR = ("", "none", "cpu")  # in any case
LONGEST_SESSION = 9 * 3600  # the service allows 12 h; plan for 9

_REF = re.compile(r"[\w-]+/[\w-]+")
_SHAPE = re.compile(r"\w[\w-]{0,63}", re.ASCII)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelSpec:
    """A validated kernel.toml. `time_limit` is in seconds.

    `data_sources`: data set -> what is attached for it, where that is not what its record in `DATASETS` names.
    """

    framework: str
    slug: str
    title: str
    time_limit: int
    accelerator: str = "none"
    private: bool = True
    internet: bool = False
    keywords: list[str] = dataclasses.field(default_factory=list)
    data_sources: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @property
    def gpu(self) -> bool:
        """True if the kernel requests a GPU, which uses quota."""
        return session_kind(self.accelerator) == "GPU"

    def sources(self, dataset: str) -> list[str]:
        """The Kaggle data sets to attach so that `dataset` can be read there without the internet."""
        info = DATASETS.get(dataset)
        if dataset in self.data_sources:
            return self.data_sources[dataset]
        if info and info.embedded:
            return []
        if info and (ref := DATASETS[info.source].kaggle_ref):
            return [ref]
        raise KernelError(
            f"no data set on Kaggle is known to hold {dataset!r}.\n"
            f'Add `{dataset} = ["owner/slug"]` to kaggle/{self.framework}/kernel.toml, under [data_sources].'
        )


def session_kind(accelerator: str) -> str:
    """GPU, TPU or CPU: the kind of Kaggle session that an accelerator needs; "" if the accelerator is unknown."""
    if accelerator in ("", "none"):
        return "CPU" if accelerator else ""
    return "TPU" if accelerator.lower().startswith("tpu") else "GPU"


def other_accelerator(asked: str, given: str) -> str:
    """What a run had instead of the requested accelerator; "" if it had that one, or if it is unknown.

    `asked` is Kaggle's name for it, `given` what the run's manifest says: `Tesla T4`, `CPU, 4 threads`.
    """
    kind, had = session_kind(asked), re.sub(r"[\W_]", "", given.lower())
    if kind in ("", "CPU") or had in ("", "unknown", kind.lower()):
        return ""
    model = "tpu" if kind == "TPU" else re.sub(r"[\W_]|nvidia|tesla|highmem", "", asked.lower())
    same = re.search(rf"{re.escape(model)}(?!\d)", had)
    return "" if same else f"{plain(asked)} was requested, but the run had {plain(given)}"


def doubts(spec: KernelSpec) -> list[str]:
    """What Kaggle may understand differently, one line each; none of it prevents a push."""
    return [doubt for doubt in (doubtful_accelerator(spec), doubtful_slug(spec)) if doubt]


def load(framework: str, **changes: Any) -> KernelSpec:
    """The spec of a framework's kernel, with these fields replaced (None changes nothing).

    Raises KernelError with the file, the key and what to do.
    """
    table, where = _table(framework, changes)
    return parse(table, framework=framework, where=where)


def read(framework: str, **changes: Any) -> KernelSpec:
    """As `load`, but RULES are not checked, so that the caller can report every problem. Raises as `load` does."""
    table, where = _table(framework, changes)
    return _typed(table, framework=framework, where=where)


def _table(framework: str, changes: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The table of a framework's kernel.toml with the changes, and the file's name."""
    there = sorted(path.parent.name for path in workspace.kernels().glob("*/kernel.toml"))
    path = workspace.kernels() / one_of("framework", framework, there) / "kernel.toml"
    try:
        table = tomllib.loads(text_files.read(path))
    except (OSError, ValueError, RecursionError) as error:
        raise KernelError(f"{path} cannot be read: {plain(text_files.trouble(error))}.") from None
    table |= {key: value for key, value in changes.items() if value is not None}
    if "slug" in changes and changes["slug"] and not changes.get("title"):
        table["title"] = changes["slug"].replace("-", " ")
    return table, str(path)


def parse(table: dict[str, Any], *, framework: str, where: str) -> KernelSpec:
    """A spec from kernel.toml's table; `where` names it in errors."""
    spec = _typed(table, framework=framework, where=where)
    for rule in RULES.values():
        for trouble in rule(spec):
            raise KernelError(f"{where}: {trouble}")
    return spec


def _typed(table: dict[str, Any], *, framework: str, where: str) -> KernelSpec:
    """A spec whose keys exist and have the right types."""
    fields = {field.name: field for field in dataclasses.fields(KernelSpec) if field.name != "framework"}
    unknown = sorted(set(table) - set(fields))
    missing = [
        name
        for name, field in fields.items()
        if name not in table and field.default is field.default_factory is dataclasses.MISSING
    ]
    if unknown or missing:
        problems = [f"{', '.join(map(plain, unknown))} unknown"] * bool(unknown) + [
            f"{', '.join(missing)} missing"
        ] * bool(missing)
        raise KernelError(f"{where}: {'; '.join(problems)}. The keys are: {', '.join(fields)}.")
    for name, kind in _TYPES.items():
        if name in table and (not isinstance(table[name], kind) or isinstance(table[name], bool) != (kind is bool)):
            raise KernelError(f"{where}: {name} must be {_WORDS[kind]}, not {plain(table[name])}.")
    if table.get("accelerator", "").lower() in NO_ACCELERATOR:
        table = {**table, "accelerator": "none"}
    return KernelSpec(framework=framework, **table)


_TYPES: dict[str, type] = {
    "slug": str, "title": str, "accelerator": str, "time_limit": int, "private": bool, "internet": bool,
    "keywords": list, "data_sources": dict,
}  # fmt: skip
_WORDS = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}


def _names(spec: KernelSpec) -> Iterator[str]:
    from slugify import slugify

    for name in ("slug", "title"):
        length = len(getattr(spec, name))
        if not 5 <= length <= 50:
            yield f"{name} {getattr(spec, name)!r} has {length} characters; Kaggle takes 5 to 50."
    if slugify(spec.title) != spec.slug:
        yield (
            f"title {spec.title!r} has the slug {slugify(spec.title)!r}, not {spec.slug!r}: Kaggle files a kernel "
            "under its title's slug.\nMake them match (letters, digits and single hyphens in the slug)."
        )


def _accelerator(spec: KernelSpec) -> Iterator[str]:
    if not _SHAPE.fullmatch(spec.accelerator):
        yield f"accelerator {plain(repr(spec.accelerator))} is not a name. Use {' or '.join(ACCELERATORS)}."


def doubtful_accelerator(spec: KernelSpec) -> str:
    """What Kaggle may do with an accelerator that is new to us; "" for a known one."""
    if spec.accelerator in ACCELERATORS:
        return ""
    names = {name.lower(): name for name in ACCELERATORS}
    near = difflib.get_close_matches(spec.accelerator.lower(), names, n=1)
    meant = f" Did you mean {names[near[0]]}?" if near else ""
    return (
        f"accelerator {spec.accelerator!r} is new to k2l, which knows {', '.join(ACCELERATORS)}: it is passed on, and "
        f"Kaggle may replace it without a word.{meant}"
    )


def doubtful_slug(spec: KernelSpec) -> str:
    """What Kaggle may answer to a slug; "" for a usual one."""
    if not spec.slug[:1].isdigit():
        return ""
    return f"slug {spec.slug!r} begins with a digit: Kaggle may answer “Notebook not found”."


def _time_limit(spec: KernelSpec) -> Iterator[str]:
    if not 60 <= spec.time_limit <= LONGEST_SESSION:
        yield f"time_limit {plain(spec.time_limit)} is out of range: use 60 to {LONGEST_SESSION} seconds."


def _sources(spec: KernelSpec) -> Iterator[str]:
    for dataset, refs in spec.data_sources.items():
        good = isinstance(refs, list) and all(isinstance(ref, str) and _REF.fullmatch(ref) for ref in refs)
        if not good:
            yield f'data_sources.{plain(dataset)} must be a list of "owner/slug", not {plain(refs)}.'


def _keywords(spec: KernelSpec) -> Iterator[str]:
    if not all(isinstance(keyword, str) for keyword in spec.keywords):
        yield f"keywords must be a list of texts, not {plain(spec.keywords)}."


# What the service would refuse, or accept and do differently, by subject, in the best order to fix it: each yields what
# is wrong.
RULES: dict[str, Callable[[KernelSpec], Iterator[str]]] = {
    "slug and title": _names,
    "accelerator": _accelerator,
    "time limit": _time_limit,
    "data sources": _sources,
    "keywords": _keywords,
}
