"""One Kaggle session: executes one pushed notebook, as a file that runs alone: `python -P session.py FOLDER`.

FOLDER is a version's folder (see `store`): `push.json` and `source.ipynb` in; `status.json`, `log.jsonl`,
`__notebook__.ipynb` and whatever the notebook leaves in `kaggle/working` out. Like Kaggle it runs papermill
without parameters. It does not depend on the server that started it: the server may die, and finds all of
this on disk. Nothing of this repository is imported here.
"""

import json
import os
import sys
import tempfile
import threading
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

SAVING = "k2l"  # the name of an engine of papermill's
SAVED_EVERY = timedelta(seconds=1)
TIMED_OUT = "Your notebook was stopped because it exceeded the max allowed execution duration."


def write_json(path: Path, value: Any) -> None:
    """Writes the complete file or leaves the old one: readers never see a part of it."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # no notebook can guess it; for this user alone
    part, text = Path(name), json.dumps(value)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(path)
    except OSError as error:
        part.unlink()
        error.filename = str(path)
        raise


class Stream:
    """A file for papermill that keeps what is written as records of the session's log, one JSON line each.

    Record boundaries are where the kernel's messages end, not where lines end, as on Kaggle.
    """

    def __init__(self, log: int, name: str, started: float) -> None:
        self.log, self.name, self.started = log, name, started

    def write(self, text: str) -> int:
        record = {"stream_name": self.name, "time": round(time.time() - self.started, 6), "data": text}
        # One write to a file opened for appending: a reader sees complete lines, even after a kill.
        os.write(self.log, (json.dumps(record) + "\n").encode())
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""


class Session:
    """The state of this run: where it is written to, and that it ends once only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.push: dict[str, Any] = json.loads((folder / "push.json").read_text(encoding="utf-8"))
        self.started = time.time()
        self.ending = threading.Lock()
        log = os.open(folder / "log.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.stdout, self.stderr = (Stream(log, name, self.started) for name in ("stdout", "stderr"))

    def report(self, status: str, **more: Any) -> None:
        value = {"status": status, "pid": os.getpid(), "started_at": self.started, **more}
        write_json(self.folder / "status.json", value)

    def end(self, status: str, message: str | None = None) -> None:
        """Ends what is left of the kernel, writes the last status and leaves at once; who comes second waits."""
        self.ending.acquire()
        kill_children()
        self.report(status, failure_message=message, ended_at=time.time())
        os._exit(0 if status == "COMPLETE" else 1)

    def time_out(self) -> None:
        self.stderr.write(TIMED_OUT + "\n")
        self.end("ERROR", TIMED_OUT)

    def execute(self) -> None:
        """Papermill without parameters; the executed notebook is saved as it goes.

        It writes down what its files are called: relative names tell nobody where on this machine they lie.
        """
        import papermill
        from papermill.engines import papermill_engines

        papermill_engines.register(SAVING, engine())
        papermill.execute_notebook(
            os.path.relpath(self.folder / "source.ipynb"),
            os.path.relpath(self.folder / "__notebook__.ipynb"),
            engine_name=SAVING,
            progress_bar=False,
            stdout_file=self.stdout,
            stderr_file=self.stderr,
            shutdown_kernel="immediate",  # all is said by then; a graceful end waits a second for big libraries
        )


def engine() -> Any:
    """Papermill's engine, which saves the notebook before and after every cell, but at most once in `SAVED_EVERY`.

    Saving checks and writes all of it: of a hundred cells, three seconds. Its end is always saved.
    """
    from papermill.engines import NBClientEngine

    class Saving(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
            save = nb_man.save
            nb_man.save = lambda: save() if nb_man.now() - nb_man.last_save_time > SAVED_EVERY else None
            try:
                super().execute_managed_notebook(nb_man, kernel_name, **options)
            finally:
                nb_man.save = save

    return Saving


def kill_children() -> None:
    """Ends the notebook's kernel and everything it started."""
    import psutil

    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def message_of(error: BaseException) -> str | None:
    """The service's message about a run that it could not execute; a failing cell is only in the log."""
    return None if type(error).__name__ == "PapermillExecutionError" else f"{type(error).__name__}: {error}"


def claim(folder: Path) -> bool:
    """False where another process has this session already: a restarted server may start it a second time."""
    try:
        os.close(os.open(folder / "claim", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def main(folder: Path) -> None:
    """Runs the session in `folder` from RUNNING to COMPLETE or ERROR, and ends this process."""
    if not claim(folder):
        return
    session = Session(folder)
    session.report("RUNNING")
    limit = threading.Timer(session.push["timeout_seconds"], session.time_out)
    limit.daemon = True
    limit.start()
    try:
        session.execute()
    except BaseException as error:  # noqa: BLE001 whatever it was, it is the run's outcome
        session.stderr.write(traceback.format_exc())
        session.end("ERROR", message_of(error))
    session.end("COMPLETE")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
