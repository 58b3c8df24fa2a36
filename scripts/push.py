"""`k2l push`: bundle the notebook and send it; nothing is pushed twice."""

from scripts import _options as options
from scripts._edge import Json, emit, run, say


def push(
    remote: options.Remote = "kaggle",
    architecture: options.Architecture = "compact",
    framework: options.Framework = "torch",
    epochs: options.Epochs = None,
    dataset: options.Dataset = "auto",
    recipe: options.Recipe = "tuned",
    seed: options.Seed = 0,
    name: options.Name = None,
    given: options.Set = None,
    owner: options.Owner = None,
    slug: options.Slug = None,
    accelerator: options.Accelerator = None,
    again: options.Again = False,
    json: Json = False,
) -> None:
    """Push a training to Kaggle (or the emulator) as the next version of the kernel, and come back at once.

    The same push twice is one push: while a run is under way, the same command names it.

    Example: k2l push --remote emulator --architecture compact --epochs 3
    """
    from local.kernels import push as pushing
    from local.kernels import runs, spec
    from scripts._trip import pushed

    name = pushing.check_name(name or f"{architecture}-{framework}")
    config = options.training(
        architecture=architecture,
        epochs=epochs,
        seed=seed,
        dataset=dataset,
        recipe=recipe,
        given=given,
        remote=remote,
    )
    kernel = spec.load(framework, slug=slug, accelerator=accelerator)
    with runs.lock(name):
        one = pushing.push(options.service(remote, owner), kernel, name=name, config=config, again=again)
    if json:
        emit([{"run_id": one.run_id, "version": one.version, "state": one.state, "url": one.url}])
    else:
        pushed(one)
        say(f"follow it: k2l watch {one.run_id}")


if __name__ == "__main__":
    run(push)
