"""Preflight: everything that can be known of a push beforehand, and nothing written: not here, not there.

    for result in preflight(Flight(framework="torch", remote="kaggle", training=…)):
        result.check, result.verdict, result.found, result.fix

`CHECKS` says what is looked at, in which order, and which checks have to stand before. A check fails by the very
error that the push would end with: the rules are where the push has them (`spec`, `bundle`, `capacity`, …).
What only the push itself can show is whether the service takes it: its rules may have changed, its other users too.
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
from local.kaggle_api.errors import MissingError, UntoldError
from local.kaggle_api.kernel_spec import KernelSpec, session_kind
from local.runs import journal
from local.runs.journal import Run
from shared.core.errors import KernelError
from shared.training.config import TrainConfig

LONGEST_IDENTITY = {"run_id": "0" * 24, "source_commit": "f" * 40 + "-dirty"}  # what the push will write in


@dataclass(kw_only=True)
class Flight:
    """A push that is thought of. What it is made of is found out when a check first asks, and once.

    `training` gives the model's name and the config, or raises what is wrong with them; `reach` gives the service
    without starting one (None: it would have to be started). `waits`: a push would wait for room.
    `fallback`: the data set that it would settle for.
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
        """kernel.toml with the changes, not yet held to the rules."""
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
        """The service, or None where it would have to be started."""
        return self.reach(self.remote)

    @property
    def service(self) -> Service:
        """The service; the checks that need it come after the one that found it."""
        assert self.reached is not None
        return self.reached

    @cached_property
    def same(self) -> Run | None:
        """The run that the push would go on with, because it is the same."""
        place = place_of(self.service, self.spec, self.trained[0])
        return None if self.again else journal.unfinished(**place, bundle_sha256=self.bundle.sha256)

    @property
    def leaves(self) -> bool:
        """Whether anything would be sent: not where the same run is there already."""
        return self.same is None or self.same.state == "intended"


def preflight(flight: Flight) -> list[Result]:
    """Runs every check and returns what each came to; one that needs a failed one is not checked."""
    results: dict[str, Result] = {}
    for check in CHECKS:
        lacking = [name for name in check.needs if results[name].verdict in (BAD, NOT_CHECKED)]
        look = partial(_find, check, flight, lacking)
        results[check.name] = outcome(check.name, look, fix=check.mend)
    return list(results.values())


def _find(check: "Check", flight: Flight, lacking: list[str]) -> Finding:
    if lacking:
        return Finding(NOT_CHECKED, f"needs: {', '.join(lacking)}")
    found = check.find(flight)
    return found if isinstance(found, Finding) else Finding(GOOD, found)


def _kernel_toml(flight: Flight) -> str:
    return f"{flight.spec.framework}/kernel.toml is whole" + " and changed as asked" * any(flight.changes.values())


def _names(flight: Flight) -> Finding | str:
    _hold(flight, "slug and title")
    if doubt := kernel_spec.doubtful_slug(flight.spec):
        return Finding(WARN, doubt, "It is pushed all the same; to be sure: --slug NAME.")
    return f"{flight.spec.slug}, {flight.spec.title!r}"


def _accelerator(flight: Flight) -> Finding | str:
    _hold(flight, "accelerator")
    asked = flight.spec.accelerator
    if doubt := kernel_spec.doubtful_accelerator(flight.spec):
        return Finding(WARN, doubt, "It is pushed all the same; to be sure: --accelerator NvidiaTeslaT4.")
    return "none: it runs on a CPU" if asked == "none" else asked


def _time_limit(flight: Flight) -> str:
    _hold(flight, "time limit")
    return f"{capacity.hours(flight.spec.time_limit)} h"


def _hold(flight: Flight, subject: str) -> None:
    """KernelError for the first thing that is wrong by the rule of that subject."""
    for trouble in kernel_spec.RULES[subject](flight.spec):
        raise KernelError(trouble)


def _parameters(flight: Flight) -> str:
    name, config = flight.trained
    return f"{len(config.as_dict())}, all in range; the model will be {name!r}"


def _sources(flight: Flight) -> Finding | str:
    """What is attached; for the emulator, which mounts what is on this machine, found here as well."""
    _hold(flight, "data sources")
    dataset = flight.trained[1].dataset
    refs = flight.spec.sources(dataset)
    attached = f"{dataset}: {', '.join(refs) or 'nothing to attach'}"
    if flight.remote != "emulator" or not refs:
        return attached
    from shared.data.datasets import locate
    from shared.data.registry import DATASETS

    if found := locate(DATASETS[dataset].source):
        return f"{attached}, from {found.source}"
    found_not = f"{attached}, but {dataset} is not here: the push fetches it first"
    found_not += f"; where it cannot, it would train on {flight.fallback}" if flight.fallback else ""
    return Finding(WARN, found_not, "Without a network: --dataset digits.")


def _notebook(flight: Flight) -> str:
    cells = flight.bundle.notebook["cells"]
    return f"{len(cells)} cells, and every one compiles"


def _size(flight: Flight) -> str:
    return f"{bundle.size_of(flight.text):,} of {bundle.LARGEST:,} bytes"


def _kernelspec(flight: Flight) -> str:
    return bundle.kernelspec_of(flight.text)


def _credentials(flight: Flight) -> Finding | str:
    """They are there, and the service takes them; asked by a question that changes nothing."""
    if flight.reached is None:
        return Finding(NOT_CHECKED, "no emulator runs here yet; the push starts one", "To start it now: k2l emulator")
    service = flight.reached
    with suppress(UntoldError, MissingError):
        service.quota()
    return f"{service.username!r} at {service.label}, from {service.origin}"


def _owner(flight: Flight) -> str:
    connect.check_owner(flight.service, flight.owner)
    return f"{flight.owner or flight.service.username}, who we are"


def _kernel(flight: Flight) -> Finding | str:
    ref = f"{flight.service.username}/{flight.spec.slug}"
    latest = flight.service.current_version(flight.spec.slug)
    if latest is None:
        return Finding(WARN, f"the service does not tell what {ref} has", "Look at its page; the push asks again.")
    return f"{ref} has {latest}: the next version is {latest + 1}" if latest else f"{ref} is new: version 1"


def _same_run(flight: Flight) -> Finding | str:
    if run := flight.same:
        found = f"run {run.run_id} is the same and {run.state}: the push goes on with it"
        return Finding(WARN, found, "For a new run: --again.")
    return "left aside by --again" if flight.again else "none is under way: this is a new run"


def _gpu_time(flight: Flight) -> Finding | str:
    if not flight.spec.gpu or not flight.leaves:
        return "none is needed"
    quota = capacity.gpu_time(flight.service, flight.spec)
    if quota is None:
        return Finding(WARN, "the service does not tell how much is left", "The push takes its word.")
    if doubt := capacity.shortfall(quota, flight.spec):
        found, _, do = doubt.partition("\n")
        return Finding(WARN, found, do)
    left, longest = capacity.hours(quota.left), capacity.hours(flight.spec.time_limit)
    return f"{left} of {capacity.hours(quota.total)} h are left, the run takes {longest} h at most"


def _capacity(flight: Flight) -> Finding | str:
    """By the journal, each of its runs asked after; what else runs there no call tells."""
    if not flight.leaves:
        return "nothing is sent"
    kind = session_kind(flight.spec.accelerator)
    sure, perhaps = capacity.under_way(flight.service, kind)
    most = capacity.SESSIONS.get(kind)
    if most is None:
        return f"how many {kind} sessions Kaggle runs at once is not known here; the push tells"
    found = f"{len(sure)} of {most} {kind} sessions are under way, as the journal knows"
    found += f"; {len(perhaps)} more may be" * bool(perhaps)
    if len(sure) + len(perhaps) < most:
        return found
    named = (sure + perhaps)[0].run_id
    full = len(sure) >= most and not flight.waits
    do = "The push waits for room." if flight.waits else f"Wait: --wait-for-capacity. Or end one: k2l cancel {named}"
    return Finding(BAD if full else WARN, found, do)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check: what it is called, which others must stand, how to find out, and what to do where the error says not."""

    name: str
    find: Callable[[Flight], Finding | str]
    needs: tuple[str, ...] = ()
    mend: str = ""


TOML = "Mend it in kernel.toml, or name another on the command line."
CHECKS = (
    Check(name="kernel.toml", find=_kernel_toml, mend="Name a framework there is, or mend the file."),
    Check(name="slug and title", find=_names, needs=("kernel.toml",), mend=TOML),
    Check(name="accelerator", find=_accelerator, needs=("kernel.toml",), mend=TOML),
    Check(name="time limit", find=_time_limit, needs=("kernel.toml",), mend="Mend it in kernel.toml."),
    Check(name="parameters", find=_parameters, needs=("kernel.toml",), mend="Give one of those, or leave it out."),
    Check(name="data sources", find=_sources, needs=("parameters",), mend="Mend it in kernel.toml."),
    Check(name="notebook", find=_notebook, needs=("parameters",), mend="Mend the file; k2l bundle builds it again."),
    Check(name="size", find=_size, needs=("notebook",), mend="Shorten the notebook or the modules it needs."),
    Check(name="kernelspec", find=_kernelspec, needs=("notebook",), mend="Bundle it with k2l."),
    Check(name="credentials", find=_credentials, mend="Try again when the service can be reached."),
    Check(name="owner", find=_owner, needs=("credentials",)),
    Check(name="kernel", find=_kernel, needs=("credentials", "slug and title")),
    Check(name="same run", find=_same_run, needs=("credentials", "slug and title", "notebook"), mend="See k2l runs."),
    Check(name="GPU time", find=_gpu_time, needs=("same run", "accelerator", "time limit")),
    Check(name="capacity", find=_capacity, needs=("same run", "accelerator")),
)
