"""`k2l log`: what a run wrote."""

import sys

from scripts import _options as options
from scripts._edge import fail, run


def log(run_id: options.RunId = None) -> None:
    """Print the log of a run that has ended, as it is kept here.

    Of a run that is still under way, `k2l watch` follows it.

    Example: k2l log 20261120
    """
    from local.kernels import runs

    one = runs.get(run_id) if run_id else runs.latest(*runs.STATES)
    if not one.log.is_file():
        why = f"k2l watch {one.run_id} follows it" if one.state == "pushed" else one.message.partition("\n")[0]
        fail(f"no log of {one.run_id} is kept: it is {one.state}{f'. {why}' if why else '.'}")
    text = one.log.read_text(encoding="utf-8", errors="replace")
    if sys.stdout.isatty():
        from scripts._trip import tame

        text = tame(text)
    sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")


if __name__ == "__main__":
    run(log)
