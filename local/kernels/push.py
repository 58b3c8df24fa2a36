"""Push: bundle, write the intent down, send it, write the version down. The same push twice is one push.

cargo = prepare(spec, name="compact-torch", config=config)      # all that can be wrong here is found here
run = push(service, cargo)
"""

import time
from dataclasses import dataclass
from typing import Any

from local.kernels import bundle, runs
from local.kernels.client import MissingError, PushLostError, Service, UntoldError
from local.kernels.runs import Run
from local.kernels.spec import KernelSpec
from shared.config import TrainConfig
from shared.errors import KernelError, RefusedError

UNKNOWN = -1  # the version before a push, where the service does not tell it
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


def push(service: Service, cargo: Cargo, *, again: bool = False) -> Run:
    """Pushes a training and returns its run, or goes on with the same one where it was interrupted.

    `again` starts a new run even so. Raises RefusedError where the service says no, KernelError where it took the
    push without its inputs, PushLostError where nobody can tell (the same command finds out).
    """
    slug, sha256 = cargo.spec.slug, cargo.bundle.sha256
    place = {"remote": service.label, "owner": service.username, "slug": slug, "name": cargo.name}
    run = None if again else runs.unfinished(**place, bundle_sha256=sha256)
    if run is None:
        _check_quota(service, cargo.spec)
        latest = service.current_version(slug)
        run = _intend(cargo, **place, version_before=UNKNOWN if latest is None else latest)
    elif run.state == "intended":
        run = _settled(service, run)
    return _send(service, cargo, run) if run.state == "intended" else run


def _check_quota(service: Service, spec: KernelSpec) -> None:
    """Refuses a push for which no GPU time is left. A service that does not tell is taken at its later word."""
    if not spec.gpu:
        return
    try:
        quota = service.quota()
    except (UntoldError, MissingError):
        return
    if quota.total and quota.used >= quota.total:
        raise RefusedError(
            f"no GPU time is left this week ({quota.total.total_seconds() / 3600:.0f} h used); it starts anew "
            f"{quota.refresh or 'on Saturday'} UTC.\nTrain without a GPU (--accelerator none), or here (k2l train)."
        )


def _intend(cargo: Cargo, **facts: Any) -> Run:
    run_id, commit = runs.new_id(), bundle.source_commit()
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
    return runs.intend(run, cargo.bundle.sign(run_id=run_id, source_commit=commit))


def reconcile(service: Service, run: Run) -> Run:
    """Asks whether an intended push arrived after all: returned as pushed if so, as it is if surely not.

    The run's id stands in the notebook of one of the versions since. Where the service does not give notebooks, the
    version after the last one known is taken for ours; the pull proves it or refuses it. PushLostError where nobody
    can tell.
    """
    latest, before = service.current_version(run.slug), max(run.version_before, 0)
    unread = False
    for version in range(latest or 0, before, -1):
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


def _send(service: Service, cargo: Cargo, run: Run) -> Run:
    try:
        receipt = service.push(cargo.spec, run.notebook.read_text(encoding="utf-8"), cargo.sources)
    except PushLostError as error:
        found = _settled(service, run)
        if found.state == "intended":
            raise PushLostError(
                f"{error}\nIt did not arrive, as far as can be seen; the same command tries again."
            ) from None
        return found
    except RefusedError as error:
        run.record(state="failed", message=str(error))
        raise
    facts: dict[str, Any] = {"version": receipt.version, "url": receipt.url}
    if receipt.trouble:
        run.record(**facts, state="failed", message=receipt.trouble)
        raise KernelError(
            f"{run.owner}/{run.slug} version {receipt.version} was pushed, but {receipt.trouble}.\n"
            f"It runs for nothing: end it with k2l cancel {run.run_id}, mend kernel.toml, and push again."
        )
    return run.record(**facts, state="pushed")
