"""Preflight: everything that can be checked before a push. Nothing is written, here or there.

    for result in preflight(PlannedPush(framework="torch", remote="kaggle", training=…)):
        result.check, result.verdict, result.found, result.fix

`CHECKS` has the checks in their order, and which others each needs. A check fails with the same error as the push: both
use the same rules (`kernel_spec`, `bundle`, `capacity`, …). Only the push itself shows whether the service accepts it:
its rules and its load may change.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial

from local.core.checks import BAD, GOOD, NOT_CHECKED, WARN, Finding, Result, outcome
from local.jobs import bundle, capacity, connect
from local.jobs.bundle import Bundle
from local.jobs.push import place_of
from local.kaggle_api import kernel_spec
from local.kaggle_api.client import Service
from local.kaggle_api.errors import MissingError, UnansweredError
from local.kaggle_api.kernel_spec import KernelSpec, session_kind
from local.runs import journal
from local.runs.journal import Run
from shared.core.errors import KernelError
from shared.training.config import TrainConfig

LONGEST_IDENTITY = {"run_id": "0" * 24, "source_commit": "f" * 40 + "-dirty"}  # what the push will write into it


@dataclass(kw_only=True)
class PlannedPush:
    """A planned push. Its parts are made once, when a check first needs them.

    `training` gives the model's name and the config, or raises what is wrong with them; `reach` gives the service
    without starting one (None: it would have to be started). `waits`: a push would wait for capacity. `fallback`: the
    data set that it would use instead.
    """

    framework: str
    remote: str
    training: Callable[[], tuple[str, TrainConfig]]
    changes: dict[str, str | None]
    owner: str | None = None
    again: bool = False
    waits: bool = False
    fallback: str = ""
    reach: Callable[[str], Service | None] = connect.reach

    @cached_property
    def spec(self) -> KernelSpec:
        """kernel.toml with the changes, before the rules are checked."""
        return kernel_spec.read(self.framework, **self.changes)

    @cached_property
    def trained(self) -> tuple[str, TrainConfig]:
        """The model's name and the config."""
        return self.training()

    @cached_property
    def bundle(self) -> Bundle:
        """The notebook, bundled in memory."""
        name, config = self.trained
        return bundle.pack(self.spec, name=name, config=config)

    @cached_property
    def text(self) -> str:
        """The notebook as it would be sent, with an identity as long as any."""
        return self.bundle.text(**LONGEST_IDENTITY)

    @cached_property
    def reached(self) -> Service | None:
        """The service, or None if it would have to be started."""
        return self.reach(self.remote)

    @property
    def service(self) -> Service:
        """The service; the checks that need it come after the one that finds it."""
        assert self.reached is not None
        return self.reached

    @cached_property
    def same(self) -> Run | None:
        """The same run, which the push would resume, or None."""
        place = place_of(self.service, self.spec, self.trained[0])
        return None if self.again else journal.unfinished(**place, bundle_sha256=self.bundle.sha256)

    @property
    def leaves(self) -> bool:
        """Whether anything would be sent: not if the same run exists already."""
        return self.same is None or self.same.state == "intended"


def preflight(planned: PlannedPush) -> list[Result]:
    """Runs every check and returns the results; one that needs a failed one is not checked."""
    results: dict[str, Result] = {}
    for check in CHECKS:
        failed = [name for name in check.needs if results[name].verdict in (BAD, NOT_CHECKED)]
        look = partial(_find, check, planned, failed)
        results[check.name] = outcome(check.name, look, fix=check.fix)
    return list(results.values())


def _find(check: "Check", planned: PlannedPush, failed: list[str]) -> Finding:
    if failed:
        return Finding(NOT_CHECKED, f"needs: {', '.join(failed)}")
    found = check.find(planned)
    return found if isinstance(found, Finding) else Finding(GOOD, found)


def _kernel_toml(planned: PlannedPush) -> str:
    return f"{planned.spec.framework}/kernel.toml is valid" + ", with your changes" * any(planned.changes.values())


def _names(planned: PlannedPush) -> Finding | str:
    _check(planned, "slug and title")
    if doubt := kernel_spec.doubtful_slug(planned.spec):
        return Finding(WARN, doubt, "The push still works; to be safe:  --slug NAME.")
    return f"{planned.spec.slug}, {planned.spec.title!r}"


def _accelerator(planned: PlannedPush) -> Finding | str:
    _check(planned, "accelerator")
    asked = planned.spec.accelerator
    if doubt := kernel_spec.doubtful_accelerator(planned.spec):
        return Finding(WARN, doubt, "The push still works; to be safe:  --accelerator NvidiaTeslaT4.")
    return "none: it runs on a CPU" if asked == "none" else asked


def _time_limit(planned: PlannedPush) -> str:
    _check(planned, "time limit")
    return f"{capacity.hours(planned.spec.time_limit)} h"


def _check(planned: PlannedPush, subject: str) -> None:
    """KernelError for the first problem under the rule of that subject."""
    for trouble in kernel_spec.RULES[subject](planned.spec):
        raise KernelError(trouble)


def _parameters(planned: PlannedPush) -> str:
    name, config = planned.trained
    return f"{len(config.as_dict())}, all in range; the model will be {name!r}"


def _sources(planned: PlannedPush) -> Finding | str:
    """What is attached; for the emulator, which mounts files of this machine, also where they are."""
    _check(planned, "data sources")
    dataset = planned.trained[1].dataset
    refs = planned.spec.sources(dataset)
    attached = f"{dataset}: {', '.join(refs) or 'nothing to attach'}"
    if planned.remote != "emulator" or not refs:
        return attached
    from shared.data.datasets import locate
    from shared.data.registry import DATASETS

    if found := locate(DATASETS[dataset].source):
        return f"{attached}, from {found.source}"
    found_not = f"{attached}, but {dataset} is not here: the push downloads it first"
    found_not += f"; if that fails, it would train on {planned.fallback}" if planned.fallback else ""
    return Finding(WARN, found_not, "Without a network: --dataset digits.")


def _notebook(planned: PlannedPush) -> str:
    cells = planned.bundle.notebook["cells"]
    return f"{len(cells)} cells, and each compiles"


def _size(planned: PlannedPush) -> str:
    return f"{bundle.size_of(planned.text):,} of {bundle.LARGEST:,} bytes"


def _kernelspec(planned: PlannedPush) -> str:
    return bundle.kernelspec_of(planned.text)


def _credentials(planned: PlannedPush) -> Finding | str:
    """They exist, and the service accepts them; the request changes nothing."""
    if planned.reached is None:
        return Finding(NOT_CHECKED, "no emulator runs here yet; the push starts one", "To start it now: k2l emulator")
    service = planned.reached
    with suppress(UnansweredError, MissingError):
        service.quota()
    return f"{service.username!r} at {service.label}, from {service.origin}"


def _owner(planned: PlannedPush) -> str:
    connect.check_owner(planned.service, planned.owner)
    return f"{planned.owner or planned.service.username}, who we are"


def _kernel(planned: PlannedPush) -> Finding | str:
    ref = f"{planned.service.username}/{planned.spec.slug}"
    latest = planned.service.current_version(planned.spec.slug)
    if latest is None:
        return Finding(
            WARN, f"the service does not say which versions {ref} has", "Look at its page; the push asks again."
        )
    return f"{ref} has {latest}: the next version is {latest + 1}" if latest else f"{ref} is new: version 1"


def _same_run(planned: PlannedPush) -> Finding | str:
    if run := planned.same:
        found = f"run {run.run_id} is the same and {run.state}: the push resumes it"
        return Finding(WARN, found, "For a new run: --again.")
    return "ignored by --again" if planned.again else "there is none: this is a new run"


def _gpu_time(planned: PlannedPush) -> Finding | str:
    if not planned.spec.gpu or not planned.leaves:
        return "none is needed"
    quota = capacity.gpu_time(planned.service, planned.spec)
    if quota is None:
        return Finding(WARN, "the service does not say how much is left", "The push will show it.")
    if doubt := capacity.shortfall(quota, planned.spec):
        found, _, do = doubt.partition("\n")
        return Finding(WARN, found, do)
    left, longest = capacity.hours(quota.left), capacity.hours(planned.spec.time_limit)
    return f"{left} of {capacity.hours(quota.total)} h are left, the run needs {longest} h at most"


def _capacity(planned: PlannedPush) -> Finding | str:
    """By the journal, whose runs are looked up there; no call lists other runs."""
    if not planned.leaves:
        return "nothing is sent"
    kind = session_kind(planned.spec.accelerator)
    sure, perhaps = capacity.under_way(planned.service, kind)
    most = capacity.SESSIONS.get(kind)
    if most is None:
        return f"how many {kind} sessions Kaggle runs at once is unknown; the push will show it"
    found = f"{len(sure)} of {most} {kind} sessions are in use, by the journal"
    found += f"; {len(perhaps)} more may be" * bool(perhaps)
    if len(sure) + len(perhaps) < most:
        return found
    named = (sure + perhaps)[0].run_id
    full = len(sure) >= most and not planned.waits
    do = (
        "The push waits for capacity."
        if planned.waits
        else f"Wait: --wait-for-capacity. Or stop one: k2l cancel {named}"
    )
    return Finding(BAD if full else WARN, found, do)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check: its name, the others that it needs, its function, and what to do if the error does not say."""

    name: str
    find: Callable[[PlannedPush], Finding | str]
    needs: tuple[str, ...] = ()
    fix: str = ""


TOML = "Fix it in kernel.toml, or give another on the command line."
CHECKS = (
    Check(name="kernel.toml", find=_kernel_toml, fix="Name an existing framework, or fix the file."),
    Check(name="slug and title", find=_names, needs=("kernel.toml",), fix=TOML),
    Check(name="accelerator", find=_accelerator, needs=("kernel.toml",), fix=TOML),
    Check(name="time limit", find=_time_limit, needs=("kernel.toml",), fix="Fix it in kernel.toml."),
    Check(name="parameters", find=_parameters, needs=("kernel.toml",), fix="Use one of those, or leave it out."),
    Check(name="data sources", find=_sources, needs=("parameters",), fix="Fix it in kernel.toml."),
    Check(name="notebook", find=_notebook, needs=("parameters",), fix="Fix the file; k2l bundle builds it again."),
    Check(name="size", find=_size, needs=("notebook",), fix="Shorten the notebook or the modules it needs."),
    Check(name="kernelspec", find=_kernelspec, needs=("notebook",), fix="Bundle it with k2l."),
    Check(name="credentials", find=_credentials, fix="Try again when the service can be reached."),
    Check(name="owner", find=_owner, needs=("credentials",)),
    Check(name="kernel", find=_kernel, needs=("credentials", "slug and title")),
    Check(name="same run", find=_same_run, needs=("credentials", "slug and title", "notebook"), fix="See k2l runs."),
    Check(name="GPU time", find=_gpu_time, needs=("same run", "accelerator", "time limit")),
    Check(name="capacity", find=_capacity, needs=("same run", "accelerator")),
)
