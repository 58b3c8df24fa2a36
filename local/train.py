"""Training on this machine: the same loop, the same outputs and the same manifest as a run on Kaggle leaves."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local import paths
from local.install import install
from local.kernels import bundle, runs, spec
from shared.config import TrainConfig
from shared.errors import ConfigError, one_of

FRAMEWORKS = ("torch", "keras")


def train(
    config: TrainConfig,
    *,
    framework: str,
    name: str,
    data_dir: Path | None = None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    on_step: Callable[[float], None] = lambda done: None,
) -> dict[str, Any]:
    """Trains and leaves `models/<name>/`; returns its manifest. The test set is read once, at the end.

    `on_epoch` and `on_step` are told how it goes, as by the training loop.

    `bundle_sha256` is that of the notebook that would train the same on Kaggle.
    """
    one_of("framework", framework, FRAMEWORKS)
    packed = bundle.pack(spec.load(framework), name=name, config=config)

    from shared import results
    from shared.data import load
    from shared.metrics import score

    try:
        trainer = importlib.import_module(f"shared.train_{framework}")
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ConfigError(
            f"framework {framework!r} cannot train here without {package}: pip install -r requirements.txt"
        ) from None
    data = load(config.dataset, data_dir=data_dir)
    trained = trainer.train(config, data, on_epoch, on_step)
    logits = trainer.predict(trained.model, data.test_images)
    test = score(logits, data.test_labels)

    run_id = f"local-{runs.new_id()}"
    stage = paths.state() / "trained" / run_id
    stage.mkdir(parents=True)
    trainer.save_weights(trained.model, stage / trainer.WEIGHTS)
    manifest = results.write(
        stage,
        config=config,
        identity={
            "name": name,
            "run_id": run_id,
            "bundle_sha256": packed.sha256,
            "source_commit": bundle.source_commit(),
        },
        framework=framework,
        environment=results.environment(framework, trainer.describe_device(trainer.pick_device(config.device))),
        history=trained.history,
        validation=trained.validation,
        test=test,
        logits=logits,
        data=data,
        figures=results.draw(history=trained.history, data=data, logits=logits, test=test),
    )
    install(stage, name, aside=paths.state() / "replaced" / name)
    return manifest
