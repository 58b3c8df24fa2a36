"""What the unmodified `kaggle` command and k2l make of each fault of the emulator, side by side.

    python -m tests.measurements.side_by_side                   the table
    python -m tests.measurements.side_by_side --json            an object a fault
    python -m tests.measurements.side_by_side --write PAGE      the table, between the two comments of that page

The page is docs/faults-and-measurements.md.

Both are the real commands in processes of their own, each against an emulator of its own with the same fault, and with
all their own waits: a few minutes in all. What became of it is judged by the bytes on the disk, the versions on the
emulator and the exit code; of what they print, a status, a log and the reason of a refusal are read. Nothing here
reaches Kaggle.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from local.core import workspace
from local.core.markdown import filled, markdown, wrapped
from local.emulator.sessions.session import write_json
from local.runs import journal
from tests.local import trips
from tests.local.emulated import Emulated, as_notebook
from tests.measurements.side_by_side_clients import CLIENTS, REFERENCE, Client, Outcome, Place
from tests.measurements.side_by_side_faults import FAULTS, MODEL, RECORDS, Fault
from tests.measurements.side_by_side_judgement import judged

PLACE = "<!-- side by side: written by tests/measurements/side_by_side.py -->", "<!-- side by side: end -->"
HEAD = "what goes wrong"
COMMAND = "python -m tests.measurements.side_by_side --write docs/faults-and-measurements.md"
LATER = 15.0  # seconds after the push in which a session ends that is to end later: not before a slow machine looks
AGE = 3600  # seconds by which an older file is older


# The measurement


def measured(fault: Fault, client: Client) -> str:
    """What becomes of a fault in the hands of a client, in a few words."""
    with place() as here:
        prepare(here, fault)
        outcome = played(here, fault, client)
        if unmet := [rule for rule in here.emulator.faults.listed() if rule["times"] is not None]:
            raise RuntimeError(f"{fault.named}: never met {unmet}, so nothing was measured")
        return judged(fault, client, outcome)


@contextmanager
def place() -> Iterator[Place]:
    """A folder and an emulator, both gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="side-by-side-"))
    emulator = Emulated(folder / "world" / ".k2l" / "emulator")  # where `--remote emulator` looks for one
    # What is pushed stays queued: of a push it counts how often it arrived, and no training is waited for.
    emulator.store.start = lambda version: None
    try:
        yield Place(folder=folder, emulator=emulator)
    finally:
        emulator.close()
        shutil.rmtree(folder)


def prepare(here: Place, fault: Fault) -> None:
    """Lays out what was there before, and tells the emulator of the fault."""
    for folder in (here.home, here.target, here.submission):
        folder.mkdir(parents=True)
    write_cargo(here)
    if fault.old:
        old = here.target / MODEL
        old.write_bytes(fault.old)
        os.utime(old, (time.time() - AGE,) * 2)
    if "push" not in fault.steps:
        with at_home(here):
            trips.finished(here.emulator, fault.files, state="pushed")
        write_log(here)
    elif fault.old:
        here.emulator.finished(trips.SLUG, {MODEL: fault.old})
    for rule in fault.rules:
        here.emulator.faults.add(**rule)


@contextmanager
def at_home(here: Place) -> Iterator[None]:
    """The journal is the place's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K2L_HOME", str(here.world))
        yield


def write_cargo(here: Place) -> None:
    """A folder that `kaggle kernels push` takes."""
    (here.submission / "notebook.ipynb").write_text(as_notebook("1"))
    about = {
        "id": REFERENCE.format(owner=here.emulator.username),
        "title": "k2l mine",
        "code_file": "notebook.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_internet": False,
    }
    (here.submission / "kernel-metadata.json").write_text(json.dumps(about))


def write_log(here: Place) -> None:
    """The log of the session that has ended."""
    records = [{"stream_name": "stdout", "time": 0.0, "data": f"{line}\n"} for line in RECORDS]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (here.emulator.version(trips.SLUG).folder / "log.jsonl").write_text(lines)


def played(here: Place, fault: Fault, client: Client) -> Outcome:
    """Takes the steps, one after another, whatever comes of each; a hand that hangs ends them."""
    outcome = Outcome(before=sum(here.versions().values()))
    strays = here.elsewhere()
    later = threading.Timer(LATER, end_session, (here, fault.files))
    for step in fault.steps:
        code, printed = taken(here, fault, client, client.steps[step])
        outcome.codes.append(code)
        outcome.printed += printed
        if code is None:
            break
        if step == "push" and fault.ends_later:
            later.start()
    if later.ident:
        later.join()
    outcome.versions, outcome.found = here.versions(), here.found()
    outcome.strays = sorted(Path(os.path.relpath(path, here.target)).as_posix() for path in here.elsewhere() - strays)
    return outcome


def taken(here: Place, fault: Fault, client: Client, step: tuple[str, ...]) -> tuple[int | None, str]:
    """One step: its exit code, None if it had not ended in time, and what it printed."""
    words = [
        word.format(owner=here.emulator.username, submission=here.submission, target=here.target)
        for word in (*client.program, *step)
    ]
    environment = {**client.environment(here), "TZ": fault.timezone}
    try:
        done = subprocess.run(
            words, env=environment, cwd=workspace.CHECKOUT, capture_output=True, text=True, timeout=fault.patience
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def end_session(here: Place, files: dict[str, bytes]) -> None:
    """The session pushed last ends well, with these files and the manifest that our run would have left."""
    version = here.emulator.version(trips.SLUG)
    with at_home(here):
        ours = journal.every()
    ids = {"run_id": ours[-1].run_id, "bundle_sha256": ours[-1].bundle_sha256} if ours else {}
    for name, content in {**files, "manifest.json": trips.manifest_text(files, **ids)}.items():
        (version.working / name).write_bytes(content)
    ended = {"status": "COMPLETE", "started_at": time.time(), "ended_at": time.time()}
    write_json(version.folder / "status.json", ended)


# The table


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table."""

    fault: str
    kaggle: str
    k2l: str


def row(fault: Fault) -> Row:
    """A fault, and what becomes of it in the hands of either."""
    return Row(fault=fault.named, **{name: measured(fault, client) for name, client in CLIENTS.items()})


def section(rows: list[Row]) -> str:
    """The table in Markdown, with the day and the versions."""
    columns = [HEAD, f"`kaggle` {metadata.version('kaggle')}", "`k2l`"]
    table = markdown(columns, [[one.fault, one.kaggle, one.k2l] for one in rows])
    how = wrapped(
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `kaggle` {metadata.version('kaggle')} and `kagglesdk` "
        f"{metadata.version('kagglesdk')}, by `{COMMAND}`. Each command ran as a user has it: in a process of its own, "
        "against an emulator of its own with the same fault, and with all its own waits. The result was judged by the "
        "bytes on the disk, the versions on the emulator and the exit code. “right” is the result without the fault. "
        "After an “error” nothing is wrong on the disk. The emulator is ours, and we chose the faults; nobody counted "
        "how often each happens on Kaggle. `kaggle` was asked for the notebook and not for one of its versions, though "
        "it can name one. If a download stalls, k2l waits through a minute of silence before it asks again."
    )
    return f"{table}\n\n{how}"


def measured_with(page: Path) -> str:
    """The release of the `kaggle` command that the table of a page names."""
    return written(page)[HEAD].kaggle.rpartition(" ")[2]


def written(page: Path) -> dict[str, Row]:
    """The rows that stand in a page, by fault; the first is the head."""
    _, _, rest = page.read_text(encoding="utf-8").partition(PLACE[0])
    lines = [
        line.strip("| ").split(" | ") for line in rest.partition(PLACE[1])[0].splitlines() if line.startswith("| ")
    ]
    return {fault: Row(fault=fault, kaggle=kaggle, k2l=k2l) for fault, kaggle, k2l in lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="an object a fault, on stdout")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table between the page's two comments")
    parser.add_argument("--only", default="", metavar="WORDS", help="the faults whose names hold these words")
    asked = parser.parse_args()
    if asked.write:
        if asked.only:
            parser.error("--write takes all faults, --only some")
        filled(asked.write, {PLACE: ""})  # a page without a place for the table is told before minutes have gone
    rows = []
    for fault in FAULTS:
        if asked.only in fault.named:
            began = time.monotonic()
            rows.append(row(fault))
            print(f"{time.monotonic() - began:6.1f} s  {fault.named}", file=sys.stderr, flush=True)
    if asked.json:
        print("\n".join(json.dumps(asdict(one), ensure_ascii=False) for one in rows))
    elif asked.write:
        asked.write.write_text(filled(asked.write, {PLACE: section(rows)}), encoding="utf-8", newline="\n")
    else:
        print(section(rows))


if __name__ == "__main__":
    main()
