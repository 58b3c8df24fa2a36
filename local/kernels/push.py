"""Push: bundle, write the intent down, send it, write the version down. The same push twice is one push.

run = push(service, spec, name="compact-torch", config=config)
"""

import re
from typing import Any

from local.kernels import bundle, runs
from local.kernels.client import MissingError, PushLostError, Service
from local.kernels.runs import Run
from local.kernels.spec import KernelSpec
from shared.config import TrainConfig
from shared.errors import ConfigError, KernelError, RefusedError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


def check_name(name: str) -> str:
    """A model's name, fit to be a folder's on every system; ConfigError if it is not."""
    if _NAME.fullmatch(name) and not name.endswith("."):
        return name
    raise ConfigError(f"name {name!r} cannot be a folder's: use letters, digits, '.', '_' and '-', 64 at most.")


def pack(spec: KernelSpec, *, name: str, config: TrainConfig) -> bundle.Bundle:
    """The bundle of one training: every parameter spelt out, as the recipe resolves it."""
    return bundle.build(spec, {"name": check_name(name), **config.as_dict()})


def push(service: Service, spec: KernelSpec, *, name: str, config: TrainConfig, again: bool = False) -> Run:
    """Pushes a training and returns its run, or goes on with the same one where it was interrupted.

    `again` starts a new run even so. Raises RefusedError where the service says no, KernelError where it took the
    push without its inputs, PushLostError where nobody can tell (the same command finds out).
    """
    packed = pack(spec, name=name, config=config)
    sources = spec.sources(config.dataset)
    place: dict[str, Any] = {"remote": service.label, "owner": service.username, "slug": spec.slug, "name": name}
    run = None if again else runs.unfinished(**place, bundle_sha256=packed.sha256)
    if run is None:
        run_id, commit = runs.new_id(), bundle.source_commit()
        run = Run(
            **place, run_id=run_id, framework=spec.framework, dataset=config.dataset, bundle_sha256=packed.sha256,
            source_commit=commit, parameters=config.as_dict(), time_limit=spec.time_limit,
            version_before=service.current_version(spec.slug),
        )  # fmt: skip
        run = runs.intend(run, packed.sign(run_id=run_id, source_commit=commit))
    elif run.state == "intended":
        run = reconcile(service, run)
    return run if run.state != "intended" else _send(service, spec, run, sources)


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


def _send(service: Service, spec: KernelSpec, run: Run, sources: list[str]) -> Run:
    try:
        receipt = service.push(spec, run.notebook.read_text(encoding="utf-8"), sources)
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
