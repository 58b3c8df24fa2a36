"""`k2l push`: bundle the notebook and send it; nothing is pushed twice."""

from scripts import _options as options
from scripts._edge import Json, emit, run


@options.trained()
def push(
    wanted: options.Wanted,
    remote: options.Remote = "kaggle",
    owner: options.Owner = None,
    slug: options.Slug = None,
    accelerator: options.Accelerator = None,
    again: options.Again = False,
    json: Json = False,
) -> None:
    """Send a training to Kaggle or the emulator.

    It becomes the next version of the kernel in kaggle/FRAMEWORK/kernel.toml; the command comes back at once.
    The same push twice is one push: while a run is under way, the same command names it.

    Example: k2l push --remote emulator --architecture compact --epochs 3
    """
    from local.kernels import push as pushing
    from local.kernels import runs
    from scripts import _trip as trip

    cargo = options.cargo(wanted, remote=remote, slug=slug, accelerator=accelerator)
    with runs.lock(cargo.name):
        one = pushing.push(options.service(remote, owner), cargo, again=again)
    if json:
        emit([{"run_id": one.run_id, "version": one.version, "state": one.state, "url": one.url}])
    else:
        trip.pushed(one)
        trip.tell_next(one)


if __name__ == "__main__":
    run(push)
