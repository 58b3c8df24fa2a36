"""`k2l sweep`: search for the parameters of a training, on the validation split."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.core.events import TrialEnded
from local.jobs.remotes import REMOTES
from scripts.steps import completion as complete
from scripts.steps import options, training_options
from scripts.terminal.edge import Ended, run
from scripts.terminal.output import Json, bar, emit, say, show
from scripts.terminal.tables import table
from scripts.terminal.verbs import KAGGLE, OUTPUT, again
from shared.core.errors import ConfigError, UserError, one_of
from shared.core.events import Event, Report

if TYPE_CHECKING:
    from local.sweep.search import Trainer
    from local.sweep.study import Study
    from local.sweep.task import Task
    from shared.training.config import TrainConfig

SHOWN = 20  # trials in the table
LONGEST_NAME = 45  # the runs of a study are named after it


@training_options.trained(without=("name",))
def sweep(
    wanted: training_options.Requested,
    trials: Annotated[int, typer.Option(min=1, help="How many trials the study has at the end.")] = 20,
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SPACE",
            help="LOW:HIGH, LOW:HIGH:log, LOW:HIGH:STEP or A,B,…; as often as needed. `width` too. "
            "[default: what is usual for the architecture]",
        ),
    ] = None,
    objective: Annotated[str, typer.Option(help="accuracy or loss, of the validation images.")] = "accuracy",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings for each trial, from --seed on; their mean counts.")] = 1,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The search to resume, or to start. [default: ARCHITECTURE-FRAMEWORK-DATASET-EPOCHS]",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Any storage of Optuna, shared by several machines: postgresql://…, a journal file's path. "
            "[default: SQLite, in .k2l/sweeps/STUDY/study.db]",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trials at once, each with a share of the processor.")] = 1,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds after which no trial starts.")] = None,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="Stop a trial early when half of the others did better.")
    ] = True,
    remote: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete.remotes,
            rich_help_panel=KAGGLE,
            help="kaggle or emulator: each trial is a run there. [default: train here]",
        ),
    ] = None,
    owner: options.Owner = None,
    slug: Annotated[
        str | None,
        typer.Option(rich_help_panel=KAGGLE, help="The kernel to push to. [default: kernel.toml's, with -sweep]"),
    ] = None,
    accelerator: options.Accelerator = None,
    data_dir: options.DataDir = None,
    out: Annotated[
        Path | None, typer.Option(rich_help_panel=OUTPUT, help="The pictures' folder. [default: .k2l/sweeps/STUDY]")
    ] = None,
    json: Json = False,
) -> None:
    """Search for the parameters of a training.

    Only the validation images are looked at: no trial evaluates the test set. Trial 0 is the recipe itself, if it
    lies in the space. Interrupted or killed, the same command goes on to --trials in all; what is not searched is the
    recipe's, or given by its option.

    Example: k2l sweep --architecture lite --epochs 5 --trials 40 --search learning_rate=3e-3:1e-1:log --workers 2
    """
    from local.sweep import search as searching
    from local.sweep import storage as sweep_storage
    from local.sweep import study as sweep_study

    options.check_folder(out)
    task = _task(wanted, search, objective=objective, seeds=seeds, remote=remote, data_dir=data_dir)
    name = _name(study, task)
    if remote and (workers > 1 or data_dir):
        raise ConfigError("--workers and --data-dir are for trials on this machine: leave them out with --remote.")
    url = storage or sweep_storage.url_of(name)
    if not storage:
        sweep_storage.folder(name).mkdir(parents=True, exist_ok=True)
    with sweep_study.opened(name, task, url=url, prune=prune) as known:
        _announce(known, sweep_storage.shown(url), trials)
        trainers: AbstractContextManager[Trainer]
        if remote:
            trainers = _runs(known, wanted, remote=remote, owner=owner, slug=slug, accelerator=accelerator)
        else:
            trainers = _workers(task, workers, data_dir)
        try:
            with trainers as trainer, bar("sweeping") as share:
                searching.search(known, trainer, total=trials, timeout=timeout, report=_teller(known, share))
        except KeyboardInterrupt:
            raise Ended(_interrupted(known, trials, url, remote)) from None
        _finish(known, trials, out or sweep_storage.folder(name), json=json)


def _task(
    wanted: training_options.Requested,
    search: list[str] | None,
    *,
    objective: str,
    seeds: int,
    remote: str | None,
    data_dir: Path | None,
) -> "Task":
    """What to search, with all its checks."""
    from local.sweep import space as sweep_space
    from local.sweep.task import Task

    if remote is not None:
        one_of("remote", remote, REMOTES)
    fixed = wanted.given
    config = wanted.config(remote=remote or "", data_dir=data_dir)
    space = sweep_space.space(search) if search else sweep_space.usual_space(config, fixed=fixed)
    for one in space:
        if one.name in fixed:
            raise ConfigError(f"{one.name} is given as an option and by --search: leave one of them out.")
    if not space:
        raise ConfigError("options give all that would be searched: name something with --search.")
    return Task(config=config, framework=wanted.framework, space=space, objective=objective, seeds=seeds)


def _name(study: str | None, task: "Task") -> str:
    from local.models.registry import check_name, usual_name

    config: TrainConfig = task.config
    usual = f"{usual_name(config.architecture, task.framework)}-{config.dataset}-{config.epochs}"
    name = check_name(study or usual)
    if len(name) > LONGEST_NAME:
        raise ConfigError(f"--study {name}: {LONGEST_NAME} characters at most.")
    return name


def _workers(task: "Task", count: int, data_dir: Path | None) -> "AbstractContextManager[Trainer]":
    from local.sweep.workers import Workers

    return Workers(task, count=count, data_dir=data_dir)


@contextmanager
def _runs(
    study: "Study",
    wanted: training_options.Requested,
    *,
    remote: str,
    owner: str | None,
    slug: str | None,
    accelerator: str | None,
) -> "Iterator[Trainer]":
    """The service, connected before any trial is chosen; one sweep of a study at a time on this machine."""
    from local.kaggle_api import kernel_spec
    from local.runs import journal
    from local.sweep.remote import RemoteTrainer, sweep_kernel

    config = study.task.config
    kernel = sweep_kernel(kernel_spec.load(wanted.framework, accelerator=accelerator), slug=slug)
    kernel.sources(config.dataset)
    if remote == "emulator" and config.dataset != "digits":
        from shared.data.datasets import load

        load(config.dataset)  # the emulator can mount only what is here
    with journal.lock(f"sweep-{study.name}"):
        trainer = RemoteTrainer(options.service(remote, owner), kernel, study)
        say(f"  at most {trainer.slots} runs at once on {remote}, versions of {kernel.slug}")
        yield trainer


def _announce(study: "Study", where: str, trials: int) -> None:
    from local.core.markdown import count
    from local.sweep.study import SILENCE

    there, total = study.finished(), count(trials, "trial")
    going = f"resumes after {there} of {total}" if there else total
    say(f"study {study.name}: {going}, in {where}")
    if others := len(study.trials(study.state.RUNNING)):
        say(f"  {count(others, 'trial')} of other commands; those of a killed one are tried again within {SILENCE:g} s")
    say("  searching " + ", ".join(f"{one.name} {one.text}" for one in study.task.space))


def _teller(study: "Study", share: Report) -> Report:
    """Reports each trial that ended; `share` has the rest."""

    def report(event: Event) -> None:
        if isinstance(event, TrialEnded):
            _say_trial(study, event.row)
        share(event)

    return report


def _say_trial(study: "Study", row: dict[str, Any]) -> None:
    """A trial that ended, in a line."""
    best = study.best()
    state = "" if row["state"] == "complete" else f"{row['state']}, "
    value = "" if row["value"] is None else f"{study.task.objective} {study.task.shown(row['value'])}, "
    known = f"   best {study.task.shown(best.value)} (trial {best.number})" if best and best.value is not None else ""
    why = f": {row['message']}" if row["message"] else ""
    say(f"trial {row['trial']:>3}   {state}{value}{row['seconds'] or 0:.1f} s{known}{why}")
    for warning in sorted({part["warning"] for part in row["seeds"] if "warning" in part}):
        say(f"            WARNING: {warning}")


def _interrupted(study: "Study", trials: int, url: str, remote: str | None) -> str:
    """What is left, and how to resume; a command with a password in it is not printed."""
    from local.core.markdown import count
    from local.sweep.storage import shown

    ended = f"{study.finished()} of {count(trials, 'trial')}"
    there = f"interrupted: {ended} {'is' if trials == 1 else 'are'} finished, and saved in the study {study.name}."
    if remote:
        there += f"\nPushed runs continue at {remote}; their results are read then."
    return f"{there}\nResume with: {again() if shown(url) == url else 'the same command'}"


def _finish(study: "Study", trials: int, folder: Path, *, json: bool) -> None:
    """The table, the pictures, and the command that trains the best."""
    from local.sweep import search as searching
    from local.sweep.plots import draw

    rows = study.rows()
    if not any(row["best"] for row in rows):
        states = ", ".join(f"trial {row['trial']} {row['state']}" for row in rows[:5]) or "none was begun"
        raise UserError(f"no trial of the study {study.name} is complete yet: {states}. The same command resumes it.")
    shares = searching.importances(study)
    if json:
        emit(rows)
    else:
        _show(study, rows, shares)
    say(f"pictures: {', '.join(map(str, draw(study.task, rows, shares, folder)))}")
    if (missing := trials - study.finished()) > 0:
        say(f"{missing} trials are missing, or running elsewhere: the same command resumes it.")


def _show(study: "Study", rows: Sequence[dict[str, Any]], shares: dict[str, float]) -> None:
    task = study.task
    percent = " %" if task.objective == "accuracy" else ""
    names = [one.name for one in task.space]
    table(
        ["trial", f"{task.objective}{percent}", *names, "seconds", "state"], [_cells(task, row) for row in rows[:SHOWN]]
    )
    if len(rows) > SHOWN:
        show(f"  and {len(rows) - SHOWN} more: --json has them all")
    show(f"  {task.objective} of the validation images; * the best. The test set was not looked at.")
    if shares:
        show("  what it depends on: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items()))
    best = next(row for row in rows if row["best"])
    show("", f"Train the best (trial {best['trial']}):", best["command"])


def _cells(task: "Task", row: dict[str, Any]) -> list[object]:
    values = [row["params"].get(one.name, "") for one in task.space]
    seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
    return [row["trial"], _value(task, row), *values, seconds, row["state"]]


def _value(task: "Task", row: dict[str, Any]) -> str:
    """The objective, with its spread over the seeds."""
    import statistics

    if row["value"] is None:
        return ""
    factor, digits = (100, 2) if task.objective == "accuracy" else (1, 4)
    several = [part[task.objective] for part in row["seeds"]]
    spread = f" ± {factor * statistics.stdev(several):.{digits}f}" if len(several) > 1 else ""
    return f"{factor * row['value']:.{digits}f}{spread}" + (" *" if row["best"] else "")


if __name__ == "__main__":
    run(sweep)
