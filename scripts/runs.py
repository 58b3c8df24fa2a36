"""`k2l runs`: the journal."""

from dataclasses import asdict

from scripts._edge import Json, emit, run, say, table

NEXT = {
    "intended": "the same push again: it asks whether it arrived",
    "pushed": "k2l watch {0}",
    "complete": "k2l pull {0}",
    "pulled": "k2l evaluate {1}",
    "done": "",
    "failed": "read .k2l/runs/{0}/run.log, mend it, push again",
    "cancelled": "",
}


def runs(json: Json = False) -> None:
    """List every run, how it stands, what to do next.

    Example: k2l runs
    """
    from local.kernels import runs as journal

    every = journal.every()
    if json:
        emit(asdict(one) for one in every)
    elif not every:
        say("no runs yet. Start one: k2l loop --remote emulator")
    else:
        rows = [(one.run_id, one.name, one.remote, one.title, one.state, _next(one)) for one in every]
        table(["run", "model", "remote", "kernel", "state", "next"], rows)


def _next(one) -> str:  # type: ignore[no-untyped-def]
    return (
        one.message.split("\n")[0]
        if one.state == "failed" and not one.log.exists()
        else NEXT[one.state].format(one.run_id, one.name)
    )


if __name__ == "__main__":
    run(runs)
