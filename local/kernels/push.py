"""Push: bundle, write the intent down, send it, write the version down. The same push twice is one push.

cargo = prepare(spec, name="compact-torch", config=config)      # all that can be wrong here is found here
run = push(service, cargo)
"""

from dataclasses import dataclass
from typing import Any

from local.kernels import bundle, runs
from local.kernels.client import MissingError, PushLostError, Service
from local.kernels.runs import Run
from local.kernels.spec import KernelSpec
from shared.config import TrainConfig
from shared.errors import CredentialsError, KernelError, RefusedError


@dataclass(frozen=True, kw_only=True)
class Cargo:
    """What is pushed: the kernel, the training, its bundle, and the Kaggle data sets to attach."""

    spec: KernelSpec
    name: str
    config: TrainConfig
    bundle: bundle.Bundle
    sources: list[str]


def prepare(spec: KernelSpec, *, name: str, config: TrainConfig) -> Cargo:
    """Checks and bundles a training, every parameter spelt out, without asking any service."""
    sources = spec.sources(config.dataset)
    return Cargo(
        spec=spec, name=name, config=config, bundle=bundle.pack(spec, name=name, config=config), sources=sources
    )


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
        run = _intend(cargo, **place, version_before=service.current_version(slug))
    elif run.state == "intended":
        run = reconcile(service, run)
    return _send(service, cargo, run) if run.state == "intended" else run


def _check_quota(service: Service, spec: KernelSpec) -> None:
    """Refuses a push for which no GPU time is left. A service that does not tell is taken at its later word."""
    if not spec.gpu:
        return
    try:
        quota = service.quota()
    except CredentialsError:
        raise
    except KernelError:
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
        **facts,
    )
    return runs.intend(run, cargo.bundle.sign(run_id=run_id, source_commit=commit))


def reconcile(service: Service, run: Run) -> Run:
    """Asks whether an intended push arrived after all: its run_id stands in one of the versions since.

    Versions are looked through from the latest down to the one before the push.
    """
    for version in range(service.current_version(run.slug), run.version_before, -1):
        try:
            found = run.run_id in service.source(run.slug, version)
        except MissingError:
            continue
        if found:
            return run.record(state="pushed", version=version)
    return run


def _send(service: Service, cargo: Cargo, run: Run) -> Run:
    try:
        receipt = service.push(cargo.spec, run.notebook.read_text(encoding="utf-8"), cargo.sources)
    except PushLostError as error:
        found = reconcile(service, run)
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
