"""What the unmodified `kaggle` command and k2l make of each fault of the emulator, side by side.

    python tests/kernels/side_by_side.py                        the table, as README has it
    python tests/kernels/side_by_side.py --json                 an object a fault
    python tests/kernels/side_by_side.py --write README.md      the table, between that page's two comments

Both are the real commands in processes of their own, each against an emulator of its own with the same fault, and with
all their own waits: a few minutes in all. What became of it is judged by the bytes on the disk, the versions on the
emulator and the exit code; of what they print, a status, a log and the reason of a refusal are read. Nothing here
reaches Kaggle.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest
import trips
from emulated import Emulated, as_notebook
from side_by_side_faults import FAULTS, MODEL, RECORDS, Fault

from local import paths
from local.kernels import runs
from local.kernels.emulator.session import write_json
from local.zoo.wording import filled, markdown, wrapped

PLACE = "<!-- side by side: written by tests/kernels/side_by_side.py -->", "<!-- side by side: end -->"
HEAD = "what goes wrong"
COMMAND = "python tests/kernels/side_by_side.py --write README.md"
LATER = 5.0  # seconds after the push in which a session ends that is to end later
AGE = 3600  # seconds by which an older file is older
REFERENCE = "{owner}/" + trips.SLUG


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one measurement happens: all below `folder`, with an emulator of its own."""

    folder: Path
    emulator: Emulated

    @property
    def home(self) -> Path:
        """HOME; whatever a client keeps of its own may lie there."""
        return self.folder / "home"

    @property
    def world(self) -> Path:
        """K2L_HOME, which holds the journal and the emulator's disk too."""
        return self.folder / "world"

    @property
    def target(self) -> Path:
        """Where the files of the run are wanted."""
        return self.world / "models" / trips.NAME

    @property
    def cargo(self) -> Path:
        """What `kaggle kernels push` sends."""
        return self.folder / "cargo"

    def found(self) -> dict[str, bytes]:
        """What lies in the target, by name."""
        return {
            path.relative_to(self.target).as_posix(): path.read_bytes()
            for path in self.target.rglob("*")
            if path.is_file()
        }

    def elsewhere(self) -> set[Path]:
        """The files that lie where no client has any business."""
        theirs = (self.home, self.world / ".k2l", self.target)
        return {path for path in self.folder.rglob("*") if path.is_file() and not set(theirs) & set(path.parents)}

    def versions(self) -> dict[str, int]:
        """How many versions the service has of each kernel."""
        return {kernel.slug: len(kernel.versions()) for kernel in self.emulator.store.kernels()}


@dataclass(frozen=True, kw_only=True)
class Client:
    """A command: its steps by name, its environment, how it tells a state, and where it leaves a log."""

    program: tuple[str, ...]
    steps: dict[str, tuple[str, ...]]
    environment: Callable[[Place], dict[str, str]]
    state: re.Pattern[str]
    log: Callable[["Outcome"], str]


@dataclass(kw_only=True)
class Outcome:
    """What became of the steps: each exit code (None: it was still busy), what was printed, and what is where."""

    codes: list[int | None] = field(default_factory=list)
    printed: str = ""
    before: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    found: dict[str, bytes] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)


CLIENTS = {
    "kaggle": Client(
        program=(str(Path(sys.executable).with_name("kaggle")), "kernels"),
        steps={
            "push": ("push", "-p", "{cargo}", "--accelerator", "NvidiaTeslaT4"),
            "status": ("status", REFERENCE),
            "output": ("output", REFERENCE, "-p", "{target}", "-o"),
            "output where newer": ("output", REFERENCE, "-p", "{target}"),
            "logs": ("logs", REFERENCE),
        },
        environment=lambda place: place.emulator.environment(place.home),
        state=re.compile(r'has status "KernelWorkerStatus\.(\w+)"'),
        log=lambda outcome: outcome.printed,
    ),
    "k2l": Client(
        program=(sys.executable, "-m", "scripts"),
        steps={
            "push": ("push", "--remote", "emulator", "--dataset", "digits", "--slug", trips.SLUG, "--name", trips.NAME),
            "status": ("watch", "--json"),
            "output": ("pull",),
            "output where newer": ("pull",),
            "logs": ("pull",),
        },
        environment=lambda place: {
            "PATH": os.environ["PATH"],
            "HOME": str(place.home),
            "K2L_HOME": str(place.world),
        },
        state=re.compile(r'"state": "(\w+)"'),
        log=lambda outcome: outcome.found.get("run.log", b"").decode(),
    ),
}


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
    for folder in (here.home, here.target, here.cargo):
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
    (here.cargo / "notebook.ipynb").write_text(as_notebook("1"))
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
    (here.cargo / "kernel-metadata.json").write_text(json.dumps(about))


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
        word.format(owner=here.emulator.username, cargo=here.cargo, target=here.target)
        for word in (*client.program, *step)
    ]
    environment = {**client.environment(here), "TZ": fault.timezone}
    try:
        done = subprocess.run(
            words, env=environment, cwd=paths.CHECKOUT, capture_output=True, text=True, timeout=fault.patience
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, done.stdout + done.stderr


def end_session(here: Place, files: dict[str, bytes]) -> None:
    """The session pushed last ends well, with these files and the manifest that our run would have left."""
    version = here.emulator.version(trips.SLUG)
    with at_home(here):
        ours = runs.every()
    ids = {"run_id": ours[-1].run_id, "bundle_sha256": ours[-1].bundle_sha256} if ours else {}
    for name, content in {**files, "manifest.json": trips.manifest_text(files, **ids)}.items():
        (version.working / name).write_bytes(content)
    ended = {"status": "COMPLETE", "started_at": time.time(), "ended_at": time.time()}
    write_json(version.folder / "status.json", ended)


# The judgement


def judged(fault: Fault, client: Client, outcome: Outcome) -> str:
    """The worst that became of it, first of all what nobody would notice."""
    code = outcome.codes[-1]
    if code is None:
        return f"hangs (ended by us after {fault.patience:.0f} s)"
    if outcome.strays:
        return f"outside the folder: writes `{outcome.strays[0]}`, exit {code}"
    if sum(outcome.versions.values()) - outcome.before > 1:
        return f"pushed twice, exit {code}"
    if harm := harm_done(fault, outcome, silent=code == 0):
        return f"wrong file on disk: {harm}, exit {code}"
    if code:
        return f"error, exit {code}"
    lack = LACKS[fault.steps[-1]](fault, client, outcome)
    said = " (and it says so)" if fault.reason and fault.reason in outcome.printed else ""
    return f"exit 0, but {lack}{said}" if lack else "right"


HARM: tuple[tuple[Callable[[bytes, bytes, bytes], bool], str], ...] = (
    (lambda came, right, old: came == old, "still the old {name}"),
    (lambda came, right, old: not came and bool(old), "0 bytes in place of the old {name}"),
    (lambda came, right, old: came.lstrip().startswith(b"<"), "an error page as {name}"),
    (lambda came, right, old: right.startswith(came), "{name} cut short"),
    (lambda came, right, old: True, "{name} with wrong bytes"),
)


def harm_done(fault: Fault, outcome: Outcome, *, silent: bool) -> str:
    """What is wrong with the files that lie in the target, "" if nothing is.

    An old file that was kept is harm where the client is silent of it: it is then taken for the new one.
    """
    for name, right in fault.files.items():
        came = outcome.found.get(name)
        if came is None and fault.old:
            return f"the old {name} is gone"
        if came is None or came == right or (came == fault.old and not silent):
            continue
        return next(words for holds, words in HARM if holds(came, right, fault.old)).format(name=name)
    return ""


def lack_of_push(fault: Fault, client: Client, outcome: Outcome) -> str:
    """What a push that is said to be done lacks."""
    if not outcome.versions:
        return "nothing was pushed"
    return fault.worthless if trips.SLUG in outcome.versions else "it is filed under another slug"


def lack_of_status(fault: Fault, client: Client, outcome: Outcome) -> str:
    """What a status lacks of the truth."""
    told = [state.upper() for state in client.state.findall(outcome.printed)]
    return "" if told == ["COMPLETE"] else f"it says {', '.join(told) or 'no status'}"


def lack_of_output(fault: Fault, client: Client, outcome: Outcome) -> str:
    """What files did not come."""
    missing = sorted(set(fault.files) - set(outcome.found))
    if len(fault.files) > 1 and missing:
        return f"{len(missing)} of {len(fault.files)} files did not come"
    return f"{missing[0]} did not come" if missing else ""


def lack_of_log(fault: Fault, client: Client, outcome: Outcome) -> str:
    """What a log lacks of the records that the service gave whole."""
    text = client.log(outcome)
    missing = [line for line in fault.log if line not in text]
    return f"{len(missing)} of {len(fault.log)} records did not come" if missing else ""


LACKS = {
    "push": lack_of_push,
    "status": lack_of_status,
    "output": lack_of_output,
    "output where newer": lack_of_output,
    "logs": lack_of_log,
}


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
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `{COMMAND}`: both commands as a user has them, each in a "
        "process of its own against an emulator of its own, with the same fault and all their own waits, and judged by "
        "the bytes on the disk, the versions on the emulator and the exit code. The emulator is ours and so is the "
        "choice of faults; how often each happens on Kaggle itself, nobody counted. “Right” is what "
        "would have come of it without the fault; after an “error” nothing is wrong on the disk. Where a download "
        "stalls, a minute of silence is borne first."
    )
    return f"{table}\n\n{how}"


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
