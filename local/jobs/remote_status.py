"""The state of runs on their service: each that is not pulled yet is looked up by its version, a few at once.

    remote_states(runs.every())       # {run_id: "RUNNING"}, by the service's name, or GONE, or why it is unknown

Nothing is written, and no emulator is started.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from local.jobs.connect import reach
from local.jobs.watch import UNSEEN
from local.kaggle_api.client import Service
from local.kaggle_api.errors import MissingError
from local.runs.journal import Run
from shared.core.errors import CredentialsError, KernelError

AWAY = ("pushed", "complete")
AT_ONCE = 8
GONE = "gone"


def remote_states(every: Iterable[Run]) -> dict[str, str]:
    """The state of each run that is not pulled yet, by its id."""
    away = [run for run in every if run.state in AWAY]
    services = {remote: _reached(remote) for remote in {run.remote for run in away}}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(
            zip((run.run_id for run in away), pool.map(lambda run: _state_of(run, services), away), strict=True)
        )


def _reached(remote: str) -> Service | str:
    """The service of that label, or why it cannot be asked."""
    try:
        service = reach("emulator" if remote == "emulator" else "kaggle")
    except CredentialsError:
        return "no credentials"
    except KernelError:
        return "out of reach"
    if service is None:
        return "no emulator runs"
    return service if service.label == remote else f"asked at {service.label}"


def _state_of(run: Run, services: dict[str, Service | str]) -> str:
    service = services[run.remote]
    if isinstance(service, str):
        return service
    if service.username != run.owner:
        return f"of {run.owner}"
    try:
        return service.status(run.slug, run.version).state
    except MissingError:
        return GONE if run.idle.total_seconds() > UNSEEN else "not seen yet"
    except KernelError:
        return "out of reach"
