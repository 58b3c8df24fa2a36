"""Where studies are kept: a SQLite file of this machine by default, or any storage URL that Optuna takes.

    with opened(url_of("lite-torch-mnist-3")) as storage:
        …
    shown(url)                        # fit to be printed: without its password

    sqlite:///study.db  mysql://…  postgresql://…      a database, through SQLAlchemy
    redis://…                                          Optuna's journal in Redis
    /shared/study.log                                  a path: Optuna's journal in a file, for network folders too

What a driver says of a storage that cannot be reached becomes one line. Optuna is imported when a storage is opened.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from filelock import FileLock

from local.core import installation, workspace
from shared.core.errors import ConfigError, UserError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

BUSY = 60  # seconds that a SQLite file may be locked by another process


def folder(study: str) -> Path:
    """Where a study's pictures lie, and its database unless `--storage` names another."""
    return workspace.state() / "sweeps" / study


def url_of(study: str) -> str:
    """The storage of a study for which none is named."""
    return f"sqlite:///{(folder(study) / 'study.db').as_posix()}"


def shown(url: str) -> str:
    """The URL without its password; of one that is none, where that could stand anywhere, the scheme alone."""
    try:
        password = urlsplit(url).password if "://" in url else None
    except ValueError:
        return f"{url.partition('://')[0]}://…"
    return url.replace(f":{password}@", ":***@") if password else url


@contextmanager
def opened(url: str) -> Iterator["BaseStorage"]:
    """The storage, and its connections closed at the end.

    Raises ConfigError where it cannot be opened or its driver is not installed, UserError where it fails later on.
    """
    _check_installed()
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    storage = _open(url)
    try:
        yield storage
    except (StorageInternalError, SQLAlchemyError) as error:
        raise UserError(
            f"the storage {shown(url)} failed: {_reason(error, url)}.\n"
            "What was finished is saved; the same command resumes it."
        ) from None
    finally:
        storage.remove_session()
        if engine := getattr(storage, "engine", None):
            engine.dispose()


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna's remarks on features that it calls experimental are none of the user's business."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _check_installed() -> None:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise ConfigError(f"a sweep needs {error.name}: {installation.line(str(error.name))}") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _open(url: str) -> "BaseStorage":
    lock = workspace.state() / "sweeps" / "open.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock), quiet():  # two processes that make the same tables at once get in each other's way
            return _kind(url)
    except Exception as error:  # noqa: BLE001 - each driver has its own, and all mean the same
        raise ConfigError(f"the storage {shown(url)} cannot be opened: {_reason(error, url)}.") from None


def _kind(url: str) -> "BaseStorage":
    """The storage that Optuna has for such a URL."""
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend, JournalRedisBackend

    if "://" not in url:
        if not Path(url).resolve().parent.is_dir():
            raise FileNotFoundError(f"there is no folder {Path(url).resolve().parent}")
        return JournalStorage(JournalFileBackend(url))
    if url.startswith("redis"):
        return JournalStorage(JournalRedisBackend(url))
    sqlite: dict[str, Any] = {"connect_args": {"timeout": BUSY}}
    return RDBStorage(url, engine_kwargs=sqlite if url.startswith("sqlite") else {"pool_pre_ping": True})


def _reason(error: BaseException, url: str) -> str:
    """The innermost cause in one line, without the password."""
    while cause := error.__cause__ or getattr(error, "orig", None):
        error = cause
    if isinstance(error, ModuleNotFoundError):
        return f"its driver {error.name} is not installed"
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    return line.replace(url, shown(url)).rstrip(".")
