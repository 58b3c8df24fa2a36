"""How runs stand where they run: each that is not home yet is asked after, by its version, a few at once.

    standing(runs.every())       # {run_id: "RUNNING"}, in the service's words, or GONE, or why it cannot be told

Nothing is written, and no emulator is started for it.
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


def standing(every: Iterable[Run]) -> dict[str, str]:
    """The state there of each run that is not home, by its id."""
    away = [run for run in every if run.state in AWAY]
    services = {remote: _reached(remote) for remote in {run.remote for run in away}}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip((run.run_id for run in away), pool.map(lambda run: _told(run, services), away), strict=True))


def _reached(remote: str) -> Service | str:
    """The service of that label, or why there is none to be asked."""
    try:
        service = reach("emulator" if remote == "emulator" else "kaggle")
    except CredentialsError:
        return "no credentials"
    except KernelError:
        return "out of reach"
    if service is None:
        return "no emulator runs"
    return service if service.label == remote else f"asked at {service.label}"


def _told(run: Run, services: dict[str, Service | str]) -> str:
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
