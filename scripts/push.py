"""`k2l push`: bundle the notebook and send it; nothing is pushed twice."""

from typing import Any

from scripts.steps import options, training_options
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit


@training_options.trained()
def push(
    wanted: training_options.Requested,
    remote: options.Remote = "kaggle",
    owner: options.Owner = None,
    slug: options.Slug = None,
    accelerator: options.Accelerator = None,
    again: options.Again = False,
    dry_run: options.DryRun = False,
    wait_for_capacity: options.WaitForCapacity = False,
    wait_limit: options.WaitLimit = 12,
    json: Json = False,
) -> None:
    """Send a training to Kaggle or the emulator.

    It becomes the next version of the kernel in kaggle/FRAMEWORK/kernel.toml; the command returns at once.
    The same push twice is one push: while a run is unfinished, the same command names it.
    With --dry-run nothing is sent: exit 0 if every check before the push passes, else 1.

    Example: k2l push --remote emulator --architecture compact --epochs 3
    """
    from local.runs import journal
    from scripts.steps import trip as trip

    asked: dict[str, Any] = {"remote": remote, "slug": slug, "accelerator": accelerator}
    if dry_run:
        trip.check(
            training_options.planned(wanted, **asked, owner=owner, again=again, waits=wait_for_capacity), json=json
        )
    submission = training_options.submission(wanted, **asked)
    with journal.lock(submission.name), trip.resumable():
        wait_hours = wait_limit if wait_for_capacity else None
        one = trip.sent(options.service(remote, owner), submission, again=again, wait_hours=wait_hours)
    if json:
        emit([{"run_id": one.run_id, "version": one.version, "state": one.state, "url": one.url}])
    else:
        trip.tell_next(one)


if __name__ == "__main__":
    run(push)
