"""`k2l loop`: push, watch, pull, export, evaluate, quantize: the complete trip in one command."""

import time
from typing import TYPE_CHECKING, Any

from scripts.steps import options, training_options
from scripts.steps.progress import tell
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, say
from scripts.terminal.tables import table

if TYPE_CHECKING:
    from local.experiments.after_pull import Arrival
    from local.runs.journal import Run


@training_options.trained()
def loop(
    wanted: training_options.Requested,
    remote: options.Remote = "kaggle",
    owner: options.Owner = None,
    slug: options.Slug = None,
    accelerator: options.Accelerator = None,
    again: options.Again = False,
    timeout: options.Timeout = None,
    dry_run: options.DryRun = False,
    wait_for_capacity: options.WaitForCapacity = False,
    wait_limit: options.WaitLimit = 12,
    json: Json = False,
) -> None:
    """The complete trip: push, watch, pull, export, evaluate, quantize.

    After any interruption, the same command resumes; nothing is pushed twice.

    Example: k2l loop --remote emulator --architecture compact --epochs 3 --name compact-torch
    """
    from local.core import workspace
    from local.runs import journal
    from scripts.steps import trip as trip

    start = time.perf_counter()
    asked: dict[str, Any] = {"remote": remote, "slug": slug, "accelerator": accelerator}
    if dry_run:
        trip.check(
            training_options.planned(wanted, **asked, owner=owner, again=again, waits=wait_for_capacity), json=json
        )
    submission = training_options.submission(wanted, **asked)
    with journal.lock(submission.name), trip.resumable():
        service = options.service(remote, owner)
        one = None if again else trip.ended_before(service, submission)
        one = one or trip.sent(service, submission, again=again, wait_hours=wait_limit if wait_for_capacity else None)
        one = trip.pulled(service, trip.watched(service, one, timeout=timeout))

        from local.experiments.after_pull import receive

        home = receive(workspace.models() / submission.name, report=tell)
        row = _row(one, home) | {"seconds_command": round(time.perf_counter() - start, 3)}
        emit([row]) if json else _show(row, home)
        if one.state != "done":
            one.record(state="done")  # after the report: if killed before, the same command reports again


def _row(one: "Run", home: "Arrival") -> dict[str, Any]:
    from local.core import workspace

    facts = home.manifest
    return {
        "run_id": one.run_id,
        "version": one.version,
        "name": one.name,
        "folder": str(workspace.models() / one.name),
        "remote": one.remote,
        "accelerator": facts.environment.get("accelerator", "unknown"),
        "accelerator_asked": one.accelerator,
        "architecture": facts.architecture,
        "trainable_parameters": facts.trainable_parameters,
        "dataset": facts.dataset,
        "accuracy": facts.test_accuracy,
        "accuracy_here": home.here.scores.accuracy if home.here else None,
        "int8_drop": home.quantized.as_dict()["drop"] if home.quantized else None,
        "int8_kept": home.quantized.kept if home.quantized else None,
        "bytes": {name: file.bytes for name, file in facts.files.items() if name.startswith("model.")},
        "files": len(facts.files),
        "seconds_training": round(home.seconds_training, 3),
        "seconds_push_to_installed": round(one.seconds, 3),
    }


def _show(row: dict[str, Any], home: "Arrival") -> None:
    here = f"{row['accuracy_here']:.2%}" if home.here else f"not evaluated: {home.why_not}"
    sizes = ", ".join(f"{name} {size / 1000:,.0f} kB" for name, size in row["bytes"].items())
    times = {"training": "training", "push_to_installed": "from push to installed", "command": "this command"}
    table(
        ["", row["name"]],
        [
            ("trained on", f"{row['remote']}: {row['accelerator']}{_otherwise(row)}"),
            ("network", f"{row['architecture']}, {row['trainable_parameters']:,} parameters"),
            ("test accuracy there", f"{row['accuracy']:.2%} of {row['dataset']}"),
            ("test accuracy here", here),
            ("weights", sizes),
            ("int8", _int8(home)),
            ("files", f"{row['files']}, all checked, in {row['folder']}"),
            ("time", ", ".join(f"{row[f'seconds_{key}']:.1f} s {what}" for key, what in times.items())),
        ],
    )
    say(f"try it: k2l predict PICTURE --model {row['name']}")


def _otherwise(row: dict[str, Any]) -> str:
    """The note if it is not the requested accelerator."""
    from local.kaggle_api.kernel_spec import other_accelerator

    asked = row["accelerator_asked"]
    if not other_accelerator(asked, row["accelerator"]):
        return ""
    return f" ({asked} on Kaggle)" if row["remote"] == "emulator" else f" (NOT {asked})"


def _int8(home: "Arrival") -> str:
    made = home.quantized
    if made is None:
        return "not made: quantization calibration needs the data set"
    if not made.kept:
        return made.why
    return f"{made.bytes / made.base_bytes:.0%} of the bytes, {0 - made.drop:+.2f} points on the validation images"


if __name__ == "__main__":
    run(loop)
