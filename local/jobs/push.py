"""Push: bundle, write the intent down, send it, write the version down. The same push twice is one push.

cargo = prepare(spec, name="compact-torch", config=config)      # all that can be wrong here is found here
run = push(service, cargo)
run = push(service, cargo, waiting=capacity.Waiting(limit=…))     # where there is no room, later
"""

import logging
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from local.core import shared_code
from local.core.events import Warned
from local.jobs import bundle, capacity
from local.jobs.capacity import Waiting
from local.kaggle_api import kernel_spec
from local.kaggle_api.client import Pushed, Service
from local.kaggle_api.errors import CapacityError, OutOfReachError, PushFailedError, PushLostError, QuotaError
from local.kaggle_api.kernel_spec import KernelSpec
from local.runs import journal
from local.runs.journal import Run
from shared.core.errors import KernelError, RefusedError, RunError
from shared.core.events import Report, silent
from shared.training.config import TrainConfig

logger = logging.getLogger(__name__)

UNKNOWN = -1  # the version before a push, where the service does not tell it
MOST_SINCE = 50  # versions that are looked through for a push whose answer was lost
# What there is to try where the service fails each time: another place, other inputs, another size.
AT_FAULT = (
    "The push itself may be at fault: try another name (--slug NAME), no data source (--dataset digits), or a smaller "
    "notebook (push --dry-run tells its size)."
)
SETTLE = 8.0  # seconds in which a push whose answer was lost may still appear


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """What is pushed: the kernel, the training, its bundle, the Kaggle data sets to attach, and whose trial it is."""

    spec: KernelSpec
    name: str
    config: TrainConfig
    bundle: bundle.Bundle
    sources: list[str]
    sweep: str = ""


def prepare(spec: KernelSpec, *, name: str, config: TrainConfig, sweep: str = "") -> Cargo:
    """Checks and bundles a training, every parameter spelt out, without asking any service."""
    packed = bundle.pack(spec, name=name, config=config)
    sources = spec.sources(config.dataset)
    return Cargo(spec=spec, name=name, config=config, bundle=packed, sources=sources, sweep=sweep)


def push(
    service: Service,
    cargo: Cargo,
    *,
    again: bool = False,
    waiting: Waiting | None = None,
    report: Report = silent,
) -> Run:
    """Pushes a training and returns its run, or goes on with the same one where it was interrupted.

    `again` starts a new run even so. With `waiting`, a refusal for want of room is borne and the push sent again, the
    run meanwhile intended; Ctrl-C then cancels it. Reports Warned, for what the service may take otherwise than it is
    meant, and where the GPU time left may not do.
    Raises RefusedError where the service says no, and of these CapacityError where it has no room; KernelError where
    it took the push without its inputs, PushLostError where nobody can tell (the same command finds out).
    """
    place = place_of(service, cargo.spec, cargo.name)
    run = None if again else journal.unfinished(**place, bundle_sha256=cargo.bundle.sha256)
    if run is None:
        for doubt in kernel_spec.doubts(cargo.spec):
            report(Warned(doubt))
        _check_gpu_time(service, cargo.spec, waiting, report)
        latest = service.current_version(cargo.spec.slug)
        run = _intend(cargo, **place, version_before=UNKNOWN if latest is None else latest)
        logger.info("run %s: new, after version %s of %s", run.run_id, latest, run.slug)
    elif run.state == "intended":
        run = _settled(service, run)
        logger.info("run %s: was written down before, and is %s", run.run_id, run.state)
    else:
        logger.info("run %s: the same, %s already: nothing is pushed", run.run_id, run.state)
    return _send(service, cargo, run, waiting) if run.state == "intended" else run


def place_of(service: Service, spec: KernelSpec, name: str) -> dict[str, str]:
    """Where a push goes, and what it makes: with the bundle's sha256 this says which runs are the same."""
    return {"remote": service.label, "owner": service.username, "slug": spec.slug, "name": name}


def _check_gpu_time(service: Service, spec: KernelSpec, waiting: Waiting | None, report: Report) -> None:
    """Nothing is written down before there is GPU time. QuotaError where there is none, and none is waited for."""
    while True:
        try:
            quota = capacity.gpu_time(service, spec)
            break
        except QuotaError as refusal:
            if waiting is None:
                raise
            waiting.bear(service, refusal)
    if quota and (doubt := capacity.shortfall(quota, spec)):
        report(Warned(doubt))


def _intend(cargo: Cargo, **facts: Any) -> Run:
    run_id, commit = journal.new_id(), shared_code.commit("shared", "kaggle")
    run = Run(
        run_id=run_id,
        framework=cargo.spec.framework,
        dataset=cargo.config.dataset,
        bundle_sha256=cargo.bundle.sha256,
        source_commit=commit,
        parameters=cargo.config.as_dict(),
        sweep=cargo.sweep,
        accelerator=cargo.spec.accelerator,
        time_limit=cargo.spec.time_limit,
        **facts,
    )
    return journal.intend(run, cargo.bundle.sign(run_id=run_id, source_commit=commit))


def reconcile(service: Service, run: Run) -> Run:
    """Asks whether an intended push arrived after all: returned as pushed if so, as it is if surely not.

    The run's id stands in the notebook of one of the versions since. Where the service does not give notebooks, the
    version after the last one known is taken for ours; the pull proves it or refuses it. PushLostError where nobody
    can tell.
    """
    latest, before = service.current_version(run.slug), max(run.version_before, 0)
    unread = False
    # The newest first; nobody pushes so many between two commands, whatever a service says.
    for version in range(latest or 0, max(before, (latest or 0) - MOST_SINCE), -1):
        source = service.source(run.slug, version)
        if run.run_id in source:
            return run.record(state="pushed", version=version)
        unread = unread or not source
    if not latest and run.version_before == UNKNOWN:
        raise PushLostError(
            f"{service.label} does not tell whether the push of {run.title} (run {run.run_id}) arrived.\n"
            "Look at the kernel's page; if it is not there, push it anew: the same command with --again."
        )
    if ((latest or 0) <= before or unread) and service.exists(run.slug, before + 1):
        return run.record(state="pushed", version=before + 1)
    return run


def _settled(service: Service, run: Run) -> Run:
    """`reconcile`, again and again for a few seconds after the push: the service may still be saving it."""
    while (found := reconcile(service, run)).state == "intended" and run.age < SETTLE:
        time.sleep(1)
    return found


def _send(service: Service, cargo: Cargo, run: Run, waiting: Waiting | None) -> Run:
    text = run.notebook.read_text(encoding="utf-8")
    while True:
        try:
            return _filed(run, service.push(cargo.spec, text, cargo.sources))
        except PushLostError as error:
            return _found(service, run, error)
        except CapacityError as refusal:
            if waiting is None:
                _refuse(run, refusal)
            run = _wait(service, run, refusal, waiting)
        except RefusedError as refusal:
            _refuse(run, refusal)


def _refuse(run: Run, refusal: RefusedError) -> NoReturn:
    """The end of a run that the service does not take."""
    run.record(state="failed", message=str(refusal))
    raise refusal


def _wait(service: Service, run: Run, refusal: CapacityError, waiting: Waiting) -> Run:
    """Bears a refusal, which saved nothing there; returns the run as it is to be sent again.

    What others pushed meanwhile is noted, so that no later look takes it for ours. A service that cannot be asked
    that has not been sent anything either, and is waited for as well. RunError where `k2l cancel` ended the run.
    """
    try:
        while True:
            waiting.bear(service, refusal)
            if journal.get(run.run_id).state != "intended":
                raise RunError(f"the run {run.run_id} was cancelled while it waited for room; nothing was pushed.")
            try:
                latest = service.current_version(run.slug)
                return run if latest is None else run.record(version_before=latest)
            except OutOfReachError:
                continue
    except KeyboardInterrupt:
        run.record(state="cancelled", message="ended while it waited for room; nothing was pushed")
        raise
    except CapacityError as too_late:
        _refuse(run, too_late)


def _found(service: Service, run: Run, lost: PushLostError) -> Run:
    """The run whose push was lost, if it arrived after all. PushLostError if it did not, as far as can be seen."""
    found = _settled(service, run)
    if found.state != "intended":
        return found
    if isinstance(lost, PushFailedError):
        found = found.record(failed_pushes=found.failed_pushes + 1)
    again = "the same command tries again."
    if found.failed_pushes > 1:
        again = f"the service has failed over it {found.failed_pushes} times now. {AT_FAULT}"
    raise PushLostError(f"{lost}\nIt did not arrive, as far as can be seen; {again}") from None


def _filed(run: Run, receipt: Pushed) -> Run:
    """The run with its version, written down. KernelError where the service took it without its inputs."""
    facts: dict[str, Any] = {"version": receipt.version, "url": receipt.url}
    if receipt.trouble:
        run.record(**facts, state="failed", message=receipt.trouble)
        raise KernelError(
            f"{run.owner}/{run.slug} version {receipt.version} was pushed, but {receipt.trouble}.\n"
            f"It runs for nothing: end it with k2l cancel {run.run_id}, mend kernel.toml, and push again."
        )
    return run.record(**facts, state="pushed")
