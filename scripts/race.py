"""`k2l race`: which network and recipe reach an accuracy soonest on this machine."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts.steps import completion as complete
from scripts.steps import options
from scripts.terminal.edge import Ended, run
from scripts.terminal.output import Json, bar, emit, say, show
from scripts.terminal.tables import table_of
from shared.core.events import Progress

if TYPE_CHECKING:
    from local.experiments.race import Finish, Rules


def race(
    contestants: Annotated[
        str,
        typer.Option(
            metavar="A,B,…",
            help="Each ARCHITECTURE[:RECIPE[:EPOCHS]]; 4x before one gives it four seeds for each one of the others.",
        ),
    ] = "4xsprint:tuned,compact:plain,baseline:plain",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds; in each, every contestant has a new seed.")] = 5,
    target: Annotated[float, typer.Option(min=1, max=100, help="The validation accuracy to reach, in percent.")] = 99.0,
    max_epochs: Annotated[
        int, typer.Option(min=1, max=1000, help="The most epochs where the learning rate is constant.")
    ] = 20,
    framework: Annotated[str, typer.Option(autocompletion=complete.frameworks, help="torch or keras.")] = "torch",
    threads: Annotated[
        int | None, typer.Option(min=1, max=256, help="Threads of the processor. [default: the framework's own choice]")
    ] = None,
    dataset: Annotated[
        str, typer.Option(autocompletion=complete.datasets, help="mnist, fashion-mnist, kmnist, digits or auto.")
    ] = "mnist",
    data_dir: options.DataDir = None,
    json: Json = False,
) -> None:
    """Time trainings to an accuracy, side by side.

    A training is over after the first epoch whose validation accuracy is at least the target: the same rule for all.
    Then its test accuracy is read, once. Each has a fresh process; imports, reading the data, two warm-up steps and
    the checks are not in its time. They take turns, seed by seed. Nothing is kept.

    Example: k2l race --contestants 4xsprint,compact:plain --seeds 5
    """
    from local.experiments import race as racing
    from shared.core.errors import one_of
    from shared.frameworks import FRAMEWORKS

    one_of("framework", framework, FRAMEWORKS)
    wanted = list(dict.fromkeys(map(racing.Contestant.parse, options.listed("contestants", contestants))))
    rules = racing.Rules(
        target=target / 100,
        dataset=options.resolved_dataset(dataset, data_dir=data_dir),
        data_dir=data_dir,
        framework=framework,
        threads=threads,
        max_epochs=max_epochs,
    )
    finishes: list[Finish] = []
    count = len(racing.turns(wanted, seeds))
    try:
        with bar("racing") as report:
            for finish in racing.race(wanted, rules, seeds=seeds):
                finishes.append(finish)
                say(line(finish, f"{len(finishes)} of {count}"))
                report(Progress(len(finishes) / count))
    except KeyboardInterrupt:
        raise Ended(f"interrupted after {len(finishes)} of {count} trainings; a race cannot be resumed.") from None
    finally:  # finished trainings are always reported
        found = racing.rows(wanted, finishes, rules)
        if json:
            emit(found)
        elif found:
            show_all(found, rules)


def line(finish: "Finish", which: str) -> str:
    """A finished training in a line."""
    verb = "reached" if finish.reached else "ended at"
    return (
        f"{which}: {finish.contestant.name}, seed {finish.seed}, {verb} {finish.validation_accuracy:.2%} in "
        f"{finish.seconds:.2f} s ({finish.cpu_seconds:.2f} CPU s, {finish.epochs} epochs), "
        f"test {finish.test_accuracy:.2%}"
    )


def show_all(found: Sequence[Mapping[str, Any]], rules: "Rules") -> None:
    """The table, and how to read it."""
    table_of(COLUMNS, found)
    goal = f"{100 * rules.target:g} %"
    show(
        f"  Seconds: median (lowest to highest) to the first epoch at {goal} on the validation images, less the checks."
    )
    show(f"  Test accuracy: mean ± standard deviation of the seeds; over: how many of them are at {goal} or above it.")
    for row in found:
        if missed := row["trainings"] - row["reached"]:
            of, most = row["trainings"], row["max_epochs"]
            show(f"  {row['contestant']}: {missed} of {of} did not reach {goal} in {most} epochs.")
    busy_all(found)


def busy_all(found: Sequence[Mapping[str, Any]]) -> None:
    """Reports if the machine had other work."""
    from local.experiments.race import QUIET
    from shared.frameworks.device import processors

    others = max(row["others"] for row in found)
    if others > QUIET:
        show(f"  Not a quiet machine: other programs kept up to {others:.1f} of {processors()} processors busy.")
        show("  Wall times are too long, and CPU seconds too where a thread waits busily for another: try --threads 1.")


def timed(row: Mapping[str, Any], name: str) -> str:
    """A median with its range, of the seeds that reached the target."""
    if row[name] is None:
        return "not reached"
    values = [seed[name] for seed in row["seeds"] if seed["reached"]]
    return f"{row[name]:.2f} ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else f"{row[name]:.2f}"


def times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


def spread(row: Mapping[str, Any]) -> str:
    sd = row["test_accuracy_sd"]
    return f"{100 * row['test_accuracy']:.2f}" + ("" if sd is None else f" ± {100 * sd:.2f}")


COLUMNS = {
    "contestant": lambda row: row["contestant"],
    "reached": lambda row: f"{row['reached']} of {row['trainings']}",
    "epochs": lambda row: "" if row["epochs"] is None else f"{row['epochs']:g}",
    "wall s": lambda row: timed(row, "seconds"),
    "CPU s": lambda row: timed(row, "cpu_seconds"),
    "to first": lambda row: times(row["ratio"]),
    "CPU to first": lambda row: times(row["cpu_ratio"]),
    "test accuracy %": spread,
    "over": lambda row: f"{row['over_target']:.0%}",
    "whole process s": lambda row: f"{row['process_seconds']:.1f}",
}

if __name__ == "__main__":
    run(race)
