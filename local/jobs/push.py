"""Push: bundle, record the intent, send it, record the version. The same push twice is one push.

submission = prepare(spec, name="compact-torch", config=config)      # checks everything that can be checked here
run = push(service, submission)
run = push(service, submission, waiting=capacity.Waiting(limit=…))     # without capacity, later
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
from local.kaggle_api.errors import CapacityError, PushFailedError, PushLostError, QuotaError, UnreachableError
from local.kaggle_api.kernel_spec import KernelSpec
from local.runs import journal
from local.runs.journal import Run
from shared.core.errors import KernelError, RefusedError, RunError
from shared.core.events import Report, silent
from shared.training.config import TrainConfig

logger = logging.getLogger(__name__)

UNKNOWN = -1  # the version before a push, if the service does not say
MOST_SINCE = 50  # versions that are searched for a push whose answer was lost
# What to try if the service fails each time: another name, other inputs, another size.
AT_FAULT = (
    "The push itself may be at fault: try another name (--slug NAME), no data source (--dataset digits), or a smaller "
    "notebook (push --dry-run shows its size)."
)
SETTLE = 8.0  # seconds in which a push whose answer was lost may still appear


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What is pushed: the kernel, the training, its bundle, the Kaggle data sets to attach, and a trial's study."""

    spec: KernelSpec
    name: str
    config: TrainConfig
    bundle: bundle.Bundle
    sources: list[str]
    sweep: str = ""


def prepare(spec: KernelSpec, *, name: str, config: TrainConfig, sweep: str = "") -> Submission:
    """Checks and bundles a training, with every parameter explicit, without calling a service."""
    packed = bundle.pack(spec, name=name, config=config)
    sources = spec.sources(config.dataset)
    return Submission(spec=spec, name=name, config=config, bundle=packed, sources=sources, sweep=sweep)


def push(
    service: Service,
    submission: Submission,
    *,
    again: bool = False,
    waiting: Waiting | None = None,
    report: Report = silent,
) -> Run:
    """Pushes a training and returns its run, or resumes the same one after an interruption.

    `again` always starts a new run. With `waiting`, a push that is refused for capacity is retried; the run is intended
    meanwhile, and Ctrl-C cancels it. Reports Warned for what the service may understand differently, and if the GPU
    time left may not be enough. Raises RefusedError if the service refuses, its subclass CapacityError if it has no
    capacity; KernelError if it accepted the push without its inputs; PushLostError if the result is unknown (the same
    command finds out).
    """
    place = place_of(service, submission.spec, submission.name)
    run = None if again else journal.unfinished(**place, bundle_sha256=submission.bundle.sha256)
    if run is None:
        for doubt in kernel_spec.doubts(submission.spec):
            report(Warned(doubt))
        _check_gpu_time(service, submission.spec, waiting, report)
        latest = service.current_version(submission.spec.slug)
        run = _intend(submission, **place, version_before=UNKNOWN if latest is None else latest)
        logger.info("run %s: new, after version %s of %s", run.run_id, latest, run.slug)
    elif run.state == "intended":
        run = _reconciled(service, run)
        logger.info("run %s: was recorded before, and is %s", run.run_id, run.state)
    else:
        logger.info("run %s: the same, %s already: nothing is pushed", run.run_id, run.state)
    return _send(service, submission, run, waiting) if run.state == "intended" else run


def place_of(service: Service, spec: KernelSpec, name: str) -> dict[str, str]:
    """Where a push goes, and what it makes: with the bundle's sha256 this identifies the same runs."""
    return {"remote": service.label, "owner": service.username, "slug": spec.slug, "name": name}


def _check_gpu_time(service: Service, spec: KernelSpec, waiting: Waiting | None, report: Report) -> None:
    """Nothing is recorded before there is GPU time. QuotaError if there is none, and nothing waits for it."""
    while True:
        try:
            quota = capacity.gpu_time(service, spec)
            break
        except QuotaError as refusal:
            if waiting is None:
                raise
            waiting.wait(service, refusal)
    if quota and (doubt := capacity.shortfall(quota, spec)):
        report(Warned(doubt))


def _intend(submission: Submission, **facts: Any) -> Run:
    run_id, commit = journal.new_id(), shared_code.commit("shared", "kaggle")
    run = Run(
        run_id=run_id,
        framework=submission.spec.framework,
        dataset=submission.config.dataset,
        bundle_sha256=submission.bundle.sha256,
        source_commit=commit,
        parameters=submission.config.as_dict(),
        sweep=submission.sweep,
        accelerator=submission.spec.accelerator,
        time_limit=submission.spec.time_limit,
        **facts,
    )
    return journal.intend(run, submission.bundle.sign(run_id=run_id, source_commit=commit))


def reconcile(service: Service, run: Run) -> Run:
    """Asks whether an intended push arrived: the run is returned as pushed if so, unchanged if certainly not.

    The run's id is in the notebook of one of the later versions. If the service does not give notebooks, the version
    after the last known one is assumed to be ours; the pull verifies or refuses it. PushLostError if it is unknown.
    """
    latest, before = service.current_version(run.slug), max(run.version_before, 0)
    unread = False
    # The newest first; nobody pushes so many between two commands.
    for version in range(latest or 0, max(before, (latest or 0) - MOST_SINCE), -1):
        source = service.source(run.slug, version)
        if run.run_id in source:
            return run.record(state="pushed", version=version)
        unread = unread or not source
    if not latest and run.version_before == UNKNOWN:
        raise PushLostError(
            f"{service.label} does not say whether the push of {run.title} (run {run.run_id}) arrived.\n"
            "Look at the kernel's page; if it is not there, push again: the same command with --again."
        )
    if ((latest or 0) <= before or unread) and service.exists(run.slug, before + 1):
        return run.record(state="pushed", version=before + 1)
    return run


def _reconciled(service: Service, run: Run) -> Run:
    """`reconcile`, repeated for a few seconds after the push: the service may still be saving it."""
    while (found := reconcile(service, run)).state == "intended" and run.age < SETTLE:
        time.sleep(1)
    return found


def _send(service: Service, submission: Submission, run: Run, waiting: Waiting | None) -> Run:
    text = run.notebook.read_text(encoding="utf-8")
    while True:
        try:
            return _record_version(run, service.push(submission.spec, text, submission.sources))
        except PushLostError as error:
            return _after_lost_push(service, run, error)
        except CapacityError as refusal:
            if waiting is None:
                _refuse(run, refusal)
            run = _wait(service, run, refusal, waiting)
        except RefusedError as refusal:
            _refuse(run, refusal)


def _refuse(run: Run, refusal: RefusedError) -> NoReturn:
    """Ends a run that the service refuses."""
    run.record(state="failed", message=str(refusal))
    raise refusal


def _wait(service: Service, run: Run, refusal: CapacityError, waiting: Waiting) -> Run:
    """Waits after a refusal, which saved nothing there; returns the run to send again.

    It records the versions that others pushed meanwhile, so that they are not mistaken for ours. If the service cannot
    be reached for that, nothing was sent to it, and it waits again. RunError if `k2l cancel` stopped the run.
    """
    try:
        while True:
            waiting.wait(service, refusal)
            if journal.get(run.run_id).state != "intended":
                raise RunError(f"the run {run.run_id} was cancelled while it waited for capacity; nothing was pushed.")
            try:
                latest = service.current_version(run.slug)
                return run if latest is None else run.record(version_before=latest)
            except UnreachableError:
                continue
    except KeyboardInterrupt:
        run.record(state="cancelled", message="stopped while it waited for capacity; nothing was pushed")
        raise
    except CapacityError as too_late:
        _refuse(run, too_late)


def _after_lost_push(service: Service, run: Run, lost: PushLostError) -> Run:
    """The run of a lost push, if it arrived after all. PushLostError if it apparently did not."""
    found = _reconciled(service, run)
    if found.state != "intended":
        return found
    if isinstance(lost, PushFailedError):
        found = found.record(failed_pushes=found.failed_pushes + 1)
    again = "run the same command again to retry."
    if found.failed_pushes > 1:
        again = f"the service has failed {found.failed_pushes} times now. {AT_FAULT}"
    raise PushLostError(f"{lost}\nIt apparently did not arrive; {again}") from None


def _record_version(run: Run, receipt: Pushed) -> Run:
    """The run with its version, recorded. KernelError if the service accepted it without its inputs."""
    facts: dict[str, Any] = {"version": receipt.version, "url": receipt.url}
    if receipt.trouble:
        run.record(**facts, state="failed", message=receipt.trouble)
        raise KernelError(
            f"{run.owner}/{run.slug} version {receipt.version} was pushed, but {receipt.trouble}.\n"
            f"It runs for nothing: stop it with k2l cancel {run.run_id}, fix kernel.toml, and push again."
        )
    return run.record(**facts, state="pushed")
