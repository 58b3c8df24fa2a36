"""What `side_by_side` says of an outcome: by the bytes on the disk, the versions on the emulator and the exit code."""

from collections.abc import Callable

from tests.local import trips
from tests.measurements.side_by_side_clients import Client, Outcome
from tests.measurements.side_by_side_faults import Fault


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
