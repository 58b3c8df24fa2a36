"""A real emulator on a free loopback port, its state in the test's own folder, and a plain client for it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from local.emulator.sessions.folders import remove
from local.kaggle_api.client import Service
from local.kaggle_api.kernel_spec import KernelSpec
from tests.local import plain_session, trips
from tests.local.emulated import Emulated, as_notebook


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulated]:
    """An emulator of its own for one test."""
    emulated = Emulated(tmp_path / "emulator")
    yield emulated
    emulated.close()
    remove(emulated.state / "kernels")  # a notebook can leave folders too deep for pytest to remove


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    """One emulator for the tests of a module that keep to slugs of their own."""
    emulated = Emulated(tmp_path_factory.mktemp("shared") / "emulator")
    yield emulated
    emulated.close()


@pytest.fixture
def notebook() -> Callable[..., str]:
    """`notebook(*cells, kernelspec=True)`: a notebook's JSON."""
    return as_notebook


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for models and journal."""
    monkeypatch.setenv("K2L_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def service(emulator: Emulated) -> Service:
    """The test's emulator, through the real SDK."""
    return trips.service_of(emulator)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], KernelSpec]:
    """`kernel(code)`: a kernel whose notebook runs that code alone."""
    return trips.tiny_kernel(tmp_path, monkeypatch)


@pytest.fixture
def plain_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is pushed runs without papermill: for tests of everything but the session itself."""
    monkeypatch.setattr("local.emulator.sessions.processes.session", plain_session)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits between tries; the seconds that a repeated call would have waited are in the list."""
    seconds: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=seconds.append, time=time.time))
    still = SimpleNamespace(sleep=lambda seconds: None, monotonic=time.monotonic)
    monkeypatch.setattr("local.runs.download.time", still)
    monkeypatch.setattr("local.jobs.pull.time", still)
    return seconds


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost push is asked after once: this service has saved it at once or never will."""
    monkeypatch.setattr("local.jobs.push.SETTLE", 0)


@pytest.fixture
def submission(emulator, kernel, monkeypatch):
    """A push whose session stays queued: what counts is how often it arrived."""
    monkeypatch.setattr(emulator.store, "start", lambda version: None)
    return trips.submission_of(kernel("1"))
