"""`k2l doctor`: what this machine has of all that the other verbs need."""

from scripts.terminal.checks import tell
from scripts.terminal.edge import fail, run
from scripts.terminal.output import Json, say


def doctor(json: Json = False) -> None:
    """Show what is there, what is missing, and how to fix it.

    Packages, data, disk, display, camera, credentials, GPU, CPU. Nothing is changed, and the network is not used.

    GOOD; WARN: some verbs do not work here; BAD: must be fixed, and exit 1.

    Example: k2l doctor
    """
    from local.core.checks import BAD, WARN
    from local.doctor.examine import examine

    results = examine()
    tell(results, json=json)
    if bad := [one.check for one in results if one.verdict == BAD]:
        fail(f"to fix: {', '.join(bad)}.")
    warned = [one.check for one in results if one.verdict == WARN]
    say(f"nothing is broken; worth knowing: {', '.join(warned)}" if warned else "nothing is missing")


if __name__ == "__main__":
    run(doctor)
