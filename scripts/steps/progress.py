"""The message for each kind of event, in one place.

    push(service, submission, report=tell)

Some kinds have none here. Steps and shares are drawn, only on a terminal: `scripts.steps.training`, and `bar` of
`scripts.terminal.output`. `scripts.steps.trip` prints the status of a run between the lines of its log, and `k2l sweep`
prints a trial with the best one.
"""

from local.core import events
from scripts.terminal.output import say, say_all
from scripts.terminal.recovery import tell_backup
from shared.core.errors import plain
from shared.core.events import EpochEnded, Event, Progress, StepEnded


def tell(event: Event) -> None:
    """Prints on stderr what happened; nothing for events that are only drawn."""
    match event:
        case StepEnded() | Progress():  # first: there are many
            pass
        case EpochEnded(row=row, epochs=epochs):
            from shared.training.results import epoch_line

            say(epoch_line(row, epochs))
        case events.Stopping():
            say("stopping; a second Ctrl-C stops at once")
        case events.Resumed(epoch=epoch, epochs=epochs):
            say(f"  resumes after epoch {epoch} of {epochs}")
        case events.SeedBegun(seed=seed):
            say(f"seed {seed}")
        case events.SeedEnded(row=row):
            from local.experiments.seeds import line

            say(line(row))
        case events.BackupMade(folder=folder):
            tell_backup(folder)
        case events.Message(text=text):
            say_all(text)
        case events.Warned(text=text):
            say_all(f"WARNING: {text}")
        case events.LogLost(why=why):
            say(f"no live log for now: {plain(why)} The run continues, and its complete log comes at the end.")
        case events.FileArrived(name=name, bytes=size):
            say(f"  {size:>12,} bytes   {name}")
