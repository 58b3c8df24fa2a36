"""The steps that `loop` shares with `push`, `watch` and `pull`, with their messages."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from local.core.events import FileArrived, LogLost, LogWritten, StatusChanged
from scripts.steps.progress import tell
from scripts.terminal.checks import tell as tell_checks
from scripts.terminal.edge import Ended, fail
from scripts.terminal.output import say
from scripts.terminal.verbs import again
from shared.core import printable
from shared.core.events import Event

if TYPE_CHECKING:
    from local.jobs.preflight import PlannedPush
    from local.jobs.push import Submission
    from local.kaggle_api.client import Service
    from local.runs.journal import Run

# The next command for a run in this state; {0} is the run, {1} its model.
NEXT = {
    "intended": "the same push again: it checks whether it arrived",
    "pushed": "k2l watch {0}",
    "complete": "k2l pull {0}",
    "pulled": "k2l evaluate {1}",
    "done": "k2l predict PICTURE --model {1}",
    "swept": "k2l pull --again {0}",
}

# The next command if its service reports this state.
NEXT_THERE = {
    ("pushed", "COMPLETE"): "k2l pull {0}",
    ("pushed", "gone"): "k2l cancel {0}: its kernel was deleted there",
    ("complete", "gone"): "k2l push, with --again: its kernel was deleted there",
}

HOME = ("pulled", "done", "swept")

# The state of the run that the same push started before.
SAME_RUN = {"pushed": "still under way", "complete": "trained there already", "pulled": "pulled already"}

# The message if a run had another accelerator than requested: on a service, and on our emulator.
_OTHER = (
    "WARNING: {}. The service gives another where it does not have that one, or the image has no code for it; see the "
    "run's log.",
    "NOTE: {}. The emulator gives what this machine has.",
)

# The notebook's lines about each shared file that it unpacks, and about each output file.
_LISTED = re.compile(r"(Writing|Overwriting) \S+/shared/[\w/]+\.py|[\d, ]{12,} bytes   [0-9a-f]{12}   .+")


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C is answered with the command that resumes the run."""
    try:
        yield
    except KeyboardInterrupt:
        raise Ended(f"interrupted: nothing is half-written. To resume: {_going_on()}.") from None


def _going_on() -> str:
    """The running command without `--again`, which would start a new run."""
    return again(without="--again") if "--again" in sys.argv else "the same command"


def check(planned: "PlannedPush", *, json: bool) -> NoReturn:
    """Shows the results of a push's checks, and exits: with 1 if one fails."""
    from local.core.checks import BAD
    from local.jobs.preflight import preflight

    results = preflight(planned)
    tell_checks(results, json=json)
    failed = [one.check for one in results if one.verdict == BAD]
    if failed:
        fail(f"a push would fail for: {', '.join(failed)}. Nothing was pushed.")
    say("every check that is possible here has passed; nothing was pushed.")
    raise SystemExit(0)


def ended_before(service: "Service", submission: "Submission") -> "Run | None":
    """The run of the same training, if it is done and its model is still here: it was killed after its last step."""
    from local.jobs import push
    from local.jobs.pull import is_home
    from local.runs import journal

    place = push.place_of(service, submission.spec, submission.name)
    one = journal.same(**place, bundle_sha256=submission.bundle.sha256)
    if one is None or one.state != "done" or not is_home(one):
        return None
    say(f"done already: {one.title}  (run {one.run_id}), not pushed again. To train it again: {again('--again')}")
    return one


def to_pull(*, anew: bool) -> "Run":
    """The latest run to pull; if there is none, the latest pulled one. KernelError if there is neither."""
    from local.runs import journal
    from shared.core.errors import KernelError

    try:
        return journal.latest("pushed", "complete", *(HOME if anew else ()))
    except KernelError:
        before = [one for one in journal.every() if one.state in HOME and not one.sweep]
        if not before:
            raise
        return before[-1]


def report_installed(one: "Run") -> None:
    """Reports that a run was pulled before; KernelError if its model is not here any more."""
    from local.core import workspace
    from local.jobs.pull import is_home
    from shared.core.errors import KernelError

    place = workspace.models() / one.name
    if not is_home(one):
        raise KernelError(
            f"{one.title} was pulled before, but {place} is not its model now.\n"
            f"Pull it again: k2l pull --again {one.run_id}"
        )
    say(f"pulled already: {one.title}  (run {one.run_id}), in {place}, every file checked")


def sent(service: "Service", submission: "Submission", *, again: bool, wait_hours: float | None) -> "Run":
    """Pushes, and reports the address, warnings and waits; with None hours it does not wait.

    Raises what `push` raises, with the option that helps if there is no capacity.
    """
    from local.jobs import push
    from local.jobs.capacity import Waiting
    from local.kaggle_api.errors import CapacityError
    from local.runs import journal

    waiting = None if wait_hours is None else Waiting(limit=timedelta(hours=wait_hours), report=tell)
    before = {one.run_id for one in journal.every() if one.state != "intended"}
    try:
        run = push.push(service, submission, again=again, waiting=waiting, report=tell)
    except CapacityError as error:
        way = "wait until it is accepted: --wait-for-capacity" if waiting is None else "wait longer: --wait-limit HOURS"
        space = " " if "\n" in str(error) else "\n"
        raise CapacityError(f"{error}{space}To {way}.") from None
    _report_sent(run, fresh=run.run_id not in before)
    return run


def _report_sent(run: "Run", *, fresh: bool) -> None:
    """The address of a push, or the state of the run that the same push started before."""
    if fresh:
        say(f"pushed {run.title}  (run {run.run_id})")
        if run.accelerator == "none":
            say("  to a CPU: no accelerator is requested")
    else:
        say(f"{SAME_RUN.get(run.state, run.state)}: {run.title}  (run {run.run_id}), not pushed again")
    if run.url:
        say(f"  {run.url}")


def tell_next(run: "Run") -> None:
    """Prints the next command for the run."""
    if run.state in NEXT:
        say(f"next: {NEXT[run.state].format(run.run_id, run.name)}")


def watched(service: "Service", run: "Run", *, quiet: bool = False, timeout: float | None = None) -> "Run":
    """Follows a run to its end, its log indented below its states; a run that has ended is returned.

    Raises RunError for one that failed, now or before.
    """
    from local.jobs.watch import remains, watch
    from shared.core.errors import RunError

    if run.state in ("failed", "cancelled"):
        raise RunError(f"the run {run.run_id} ({run.title}) {run.state}: {run.message}\n{remains(run)}")
    if run.state != "pushed":
        return run
    shown = _Shown(quiet=quiet)
    try:
        return watch(service, run, report=shown.report, timeout=timeout)
    except KeyboardInterrupt:
        shown.log.end_line()
        raise Ended(_interrupted(run, shown.state)) from None


class _Shown:
    """The output of a watch: each status with the seconds so far, and below it the log, unless `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet, self.start, self.state, self.log = quiet, time.monotonic(), "", Indented(sys.stderr)

    def report(self, event: Event) -> None:
        """An event of the watch."""
        match event:
            case LogWritten() | LogLost() if self.quiet:
                return
            case LogWritten(text=text):
                self.log.write(text)
                return
        self.log.end_line()
        if isinstance(event, StatusChanged):
            self.state = event.state
            say(f"[{time.monotonic() - self.start:6.1f} s] {self.state.lower()}")
        tell(event)


def _interrupted(run: "Run", state: str) -> str:
    """The message after Ctrl-C for a run in that state."""
    from local.kaggle_api.statuses import ENDED

    if state in ENDED:
        return f"interrupted here; the run has ended there: {_going_on()} fetches its files."
    return (
        f"interrupted here; the run continues there: {_going_on()} follows it again, k2l cancel {run.run_id} stops it."
    )


def listed(line: str) -> bool:
    """Whether a line of a log is about a file that the notebook unpacks or saves: it is not shown."""
    return _LISTED.fullmatch(line) is not None


class Indented:
    """Writes a log that comes in pieces as complete lines, indented and safe.

    The lines about files that it unpacks or saves are left out; the saved log has them.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.begun = stream, ""

    def write(self, piece: str) -> None:
        """Writes the lines that a piece ends."""
        *ended, self.begun = (self.begun + piece).split("\n")
        lines = map(printable.log, ended)
        with suppress(OSError):  # as with `say`: a closed stream does not stop the trip
            self.stream.writelines(f"    {line}\n" for line in lines if not listed(line))
            self.stream.flush()

    def end_line(self) -> None:
        """Writes an unfinished line."""
        if self.begun:
            self.write("\n")


def pulled(service: "Service", run: "Run", **options: Any) -> "Run":
    """Pulls a run's files; a run that is pulled already is returned unchanged."""
    from local.core import workspace
    from local.jobs.pull import pull
    from local.kaggle_api.kernel_spec import other_accelerator
    from shared.core import manifest

    if run.state != "complete":
        return run
    count = 0

    def report(event: Event) -> None:
        nonlocal count
        count += isinstance(event, FileArrived)
        tell(event)

    run, left_out = pull(service, run, report=report, **options)
    say(f"pulled {count} files, all checked, into {workspace.models() / run.name}")
    found = manifest.read(workspace.models() / run.name)
    for name, stored in found.files.items():
        if stored.name_in_run:
            say(f"  stored as {name}: in the run its name is {_shown(stored.name_in_run)}")
    for name, why in left_out.items():
        say(f"  left out: {_shown(name)} ({why})")
    if run.log.is_file() and not run.log.stat().st_size:
        say(f"  no log: the service has none, or none yet. Try again later: k2l pull --again {run.run_id}")
    if other := other_accelerator(run.accelerator, str(found.environment.get("accelerator", ""))):
        say(_OTHER[run.remote == "emulator"].format(other))
    return run


def _shown(name: str) -> str:
    """A name from outside on one line."""
    from shared.core.errors import plain

    return plain(name if name.isprintable() else repr(name))
