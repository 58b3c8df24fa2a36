"""`k2l emulator`: a stand-in for Kaggle on this machine: prints how to reach it, then serves until Ctrl-C."""

from pathlib import Path
from typing import Annotated, Any

import typer

from scripts.steps.options import served
from scripts.terminal.edge import run
from scripts.terminal.output import Json, emit, say


def emulator(
    port: Annotated[int, typer.Option(help="Port; 0 takes any free one.", min=0, max=65535)] = 7777,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: loopback]")] = None,
    i_know: Annotated[bool, typer.Option("--i-know", help="Allow an address that others can reach.")] = False,
    key: Annotated[str | None, typer.Option(help="The key to require. [default: made at first use, and saved]")] = None,
    username: Annotated[str | None, typer.Option(help="The owner of its kernels. [default: emulator]")] = None,
    state: Annotated[Path | None, typer.Option(help="The folder of all its files. [default: .k2l/emulator]")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Look here first for the data sets to mount.")] = None,
    idle_timeout: Annotated[float | None, typer.Option(help="Stop after this many idle seconds.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the running one and its sessions.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not print the address and the key.")] = False,
    json: Json = False,
) -> None:
    """Stand in for Kaggle on this machine, for rehearsals.

    Serves Kaggle's kernels protocol on loopback, with a key. Whoever reaches it and has the key runs code here as you:
    other machines are let in only with --host and --i-know.

    Notebooks pushed to it are really executed here. It works for `k2l … --remote kaggle` and for the unmodified
    `kaggle` command, with the environment that it prints; `--remote emulator` starts it by itself.

    Example: k2l emulator --port 7777
    """
    from local.core import workspace

    folder = (state or workspace.state() / "emulator").resolve()
    if stop:
        from local.emulator import daemon

        return say("stopped" if daemon.stop(folder) else f"no emulator runs on {folder}")
    from local.emulator.serving import Running

    options: dict[str, Any] = {"username": username, "key": key, "data_dir": data_dir, "idle_timeout": idle_timeout}
    serving = served(lambda: Running(folder, port=port, host=host, i_know=i_know, **options))
    for address in serving.exposed:
        say(f"WARNING: it listens on {address}: whoever reaches that and has the key runs code here as you")

    def ready() -> None:
        if not quiet:
            announce(serving.url, serving.username, serving.key, folder)
        if json:
            card = {"url": serving.url, "username": serving.username, "key": serving.key}
            emit([card | {"pid": serving.about["pid"], "state": str(folder)}])

    try:
        serving.serve(ready)
    except KeyboardInterrupt:
        say("", "stopped; sessions that still run continue; the same command finds them again")
    return None


def announce(url: str, username: str, key: str, folder: Path) -> None:
    """The address and the environment variables for it."""
    port = url.rpartition(":")[2]
    say(f"emulator of Kaggle's kernels service at {url}, state in {folder}")
    say(f"  the kaggle command:  export KAGGLE_USERNAME={username} KAGGLE_KEY={key}")
    say(f"                       export KAGGLE_API_ENVIRONMENT=LOCALHOST HTTP_PROXY={url} NO_PROXY=")
    if port == "7777":
        say(f"  k2l --remote kaggle, kagglehub:  export KAGGLE_USERNAME={username} KAGGLE_KEY={key}")
        say("                                   export KAGGLE_API_ENVIRONMENT=TEST")


if __name__ == "__main__":
    run(emulator)
