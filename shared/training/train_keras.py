"""The training loop in Keras 3: `compile` and `fit`, a row of history an epoch. `train_torch` is its twin.

    trained = train(TrainConfig.create(architecture="compact", epochs=3), data)
    logits = predict(trained.model, data.test_images, data.input)

The recipe is the same to the number; the first weights are each framework's own, and so is the order of the images
that a seed gives. Chooses nothing on the test set and never sees it: validation images come from the fixed split of
`shared.data.datasets`.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from shared.core.events import EpochEnded, Report, StepEnded, silent
from shared.core.input_spec import InputSpec
from shared.data.datasets import DataSet
from shared.data.preprocessing import to_float, to_nhwc
from shared.frameworks.device_keras import describe_device, pick_device, pick_precision
from shared.frameworks.start_keras import keras
from shared.frameworks.start_keras import tensorflow as tf
from shared.networks.architectures import Architecture, for_training
from shared.networks.build_keras import build_keras
from shared.training.augment_keras import augment
from shared.training.augmentation import DRAWN
from shared.training.config import TrainConfig
from shared.training.loop import (
    Snapshot,
    StopTraining,
    Stopwatch,
    Trained,
    best_epoch,
    check,
    epoch_row,
    epochs_to_come,
    network_for,
)
from shared.training.metrics import Scores
from shared.training.optimizer_keras import optimizer

WEIGHTS = "model.keras"


def train(
    config: TrainConfig,
    data: DataSet,
    report: Report = silent,
    resume: Snapshot | None = None,
) -> Trained:
    """Trains `config.architecture` on the training split of `data`, from the start or from where `resume` was taken.

    Reports StepEnded and EpochEnded; `report` may raise StopTraining. A training that is resumed from an epoch's
    snapshot gives, on a CPU, the same network to the bit.
    Raises ConfigError when the device cannot be had, DivergedError when the training diverges.
    """
    network = network_for(config, data)
    keras.utils.set_random_seed(config.seed)
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    inner, _ = data.split()
    per_epoch = math.ceil(len(inner) / config.batch_size)
    done = len(resume.history) if resume else 0
    with tf.device("/CPU:0"):  # batches are prepared there while a GPU computes
        images, labels = data.train_images[inner], data.train_labels[inner]
        batches = _batches(config, images, labels, network, done=done)
    with tf.device(device):
        with _precision(precision):
            model = build_keras(for_training(network))
        _compile(model, config, steps=config.epochs * per_epoch)
        recorder = _Recorder(config, data, network, report, resume)
        with recorder.interruptible():
            model.fit(
                batches,
                initial_epoch=done,
                epochs=config.epochs if any(epochs_to_come(config, recorder.history)) else done,
                steps_per_epoch=per_epoch,
                callbacks=_Callbacks([recorder], add_history=True, model=model),
                shuffle=False,  # the batches are
                verbose=0,
            )
    return recorder.trained(accelerator=describe_device(device), precision=precision)


def _compile(model: keras.Model, config: TrainConfig, *, steps: int) -> None:
    """Gives the network the optimizer and the loss of the recipe."""
    model.compile(
        optimizer=optimizer(config, steps=steps),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
        # The loss is told without the smoothing, so that it can be held beside the validation loss.
        metrics=[keras.metrics.CategoricalCrossentropy(from_logits=True, name="cross_entropy"), "accuracy"],
        jit_compile=False,  # it compiles anew for the last, smaller batch: longer than three short epochs
    )


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Layers made inside compute in this precision; their weights are float32 all the same."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if name == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _batches(
    config: TrainConfig, images: NDArray[np.uint8], labels: NDArray[np.int64], network: Architecture, *, done: int
) -> tf.data.Dataset:
    """The batches of every epoch after the first `done`: images float32 [n, h, w, c], one-hot labels.

    Each epoch has an order of its own, which hangs on the seed and its number alone: any of them can be the first.
    """
    spec = network.input
    images_nhwc, targets = images.reshape(-1, *spec.shape_hwc), np.eye(network.classes, dtype=np.float32)[labels]
    source = {"in-memory": _in_memory, "per-sample": _per_sample}[config.loading]
    augmentation = config.augmentation

    def augmented(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, target = batch
        if augmentation:
            shape = [tf.shape(pixels)[0], DRAWN]
            draw = tf.random.stateless_uniform(shape, tf.stack([seed, step]), minval=-1, maxval=1)
            pixels = augment(pixels, draw, augmentation)
        if spec.is_shifted:
            pixels = (pixels - tf.constant(spec.mean)) / tf.constant(spec.std)
        return pixels, target

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(len(images)), tf.stack([seed, number]))
        return batched(tf.data.Dataset.from_tensor_slices(order))

    batched = source(config, images_nhwc, targets, 1 / spec.scale)
    seed = tf.constant(config.seed, tf.int64)
    first_step = done * math.ceil(len(images) / config.batch_size)
    steps = tf.data.Dataset.range(done, config.epochs).flat_map(epoch).enumerate(first_step)
    return steps.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


Batched = Callable[[tf.data.Dataset], tf.data.Dataset]  # of the images' numbers, in an order


def _in_memory(
    config: TrainConfig, images_nhwc: NDArray[np.uint8], targets: NDArray[np.float32], white: float
) -> Batched:
    """The images stay in memory as bytes; only their numbers are shuffled, and a batch is gathered and scaled."""
    pixels, targets = tf.constant(images_nhwc), tf.constant(targets)

    def gather(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(tf.gather(pixels, index), tf.float32) / white, tf.gather(targets, index)

    return lambda order: order.batch(config.batch_size).map(gather, num_parallel_calls=tf.data.AUTOTUNE)


def _per_sample(
    config: TrainConfig, images_nhwc: NDArray[np.uint8], targets: NDArray[np.float32], white: float
) -> Batched:
    """What tutorials do: each image is scaled by itself, and put into a batch."""
    pixels, targets = tf.constant(images_nhwc), tf.constant(targets)

    def scaled(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(pixels[index], tf.float32) / white, targets[index]

    return lambda order: order.map(scaled).batch(config.batch_size)


class _Callbacks(keras.callbacks.CallbackList):  # type: ignore[misc]
    """Hands on what `fit` tells of a step as it is: Keras' own makes a GPU wait for the losses of each."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_end(batch, logs)


class _Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Follows a `fit`: averages the weights, checks them on the validation images, reports each epoch, stops early."""

    def __init__(
        self, config: TrainConfig, data: DataSet, network: Architecture, report: Report, resume: Snapshot | None
    ) -> None:
        super().__init__()
        inner, held_out = data.split()
        self.config, self.held_out = config, (data.train_images[held_out], data.train_labels[held_out])
        self.report, self.resume = report, resume
        # The network that is measured and kept, in float32: it has the averaged weights, where the training averages.
        self.evaluated = build_keras(network)
        self.spec = network.input
        self.history = list(resume.history) if resume else []
        self.whole, self.began = Stopwatch(resume), Stopwatch()
        self.progress = StepEnded(epochs=config.epochs, images_per_epoch=len(inner))
        self.best: list[NDArray[Any]] = []
        self.checked: Scores | None = None
        self.interrupted = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Around a `fit`: what is trained at its interruption stays."""
        try:
            yield
        except StopTraining:
            if not self.history:
                raise
            self.interrupted = True

    def trained(self, *, accelerator: str, precision: str) -> Trained:
        """What came of it: the last epoch, or the best where it was to stop early or was interrupted."""
        if self.config.patience or self.interrupted:
            self.evaluated.set_weights(self.best)
            self.checked = None
        return Trained(
            model=self.evaluated,
            history=self.history,
            validation=self.checked or self._measured(),
            accelerator=accelerator,
            precision=precision,
            interrupted={"epoch": len(self.history), "of": self.config.epochs} if self.interrupted else None,
            **self.whole.read(),
        )

    def on_train_begin(self, logs: Any = None) -> None:
        if self.resume:
            self.model.optimizer.build(self.model.trainable_variables)  # else the first step does
            self._load_state(self.resume.state)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = Stopwatch()
        self.progress.epoch, self.progress.images = epoch + 1, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        progress = self.progress
        if self.config.ema:
            self._average(self.config.ema if progress.share else 0.0)
        progress.images = min(progress.images + self.config.batch_size, progress.images_per_epoch)
        progress.running = lambda: (float(logs["cross_entropy"]), float(logs["accuracy"]))
        self.report(progress)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def _average(self, decay: tf.Tensor) -> None:
        for average, value in zip(self.evaluated.weights, self.model.weights, strict=True):
            average.assign(decay * average + (1 - decay) * keras.ops.cast(value, average.dtype))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.config.ema:
            self.evaluated.set_weights(self.model.get_weights())
        self.checked = self._measured()
        rate = float(self.model.optimizer.learning_rate)
        self.history.append(epoch_row(self.progress, self.checked, learning_rate=rate, began=self.began))
        if best_epoch(self.history) == epoch + 1:
            self.best = self.evaluated.get_weights()
        self.report(EpochEnded(row=self.history[-1], epochs=self.config.epochs, snapshot=self._snapshot))
        self.model.stop_training = not any(epochs_to_come(self.config, self.history))

    def _snapshot(self) -> Snapshot:
        return Snapshot(history=self.history.copy(), state=self._state(), **self.whole.read())

    def _measured(self) -> Scores:
        images, labels = self.held_out
        return check(predict(self.evaluated, images, self.spec), labels, self.progress.epoch)

    def _variables(self) -> dict[str, list[keras.Variable]]:
        """Everything that a step changes, the generators of dropout among it."""
        parts = {"model": self.model, "optimizer": self.model.optimizer, "evaluated": self.evaluated}
        return {name: part.variables for name, part in parts.items()}

    def _state(self) -> dict[str, list[NDArray[Any]]]:
        """A copy of it."""
        parts = {name: [np.array(one.numpy()) for one in variables] for name, variables in self._variables().items()}
        return {**parts, "best": self.best}

    def _load_state(self, state: dict[str, list[NDArray[Any]]]) -> None:
        self.best = state["best"]
        for name, variables in self._variables().items():
            for variable, value in zip(variables, state[name], strict=True):
                variable.assign(value)


def predict(
    model: keras.Model, images: NDArray[np.uint8], spec: InputSpec, *, batch: int = 1000
) -> NDArray[np.float32]:
    """Logits float32 [n, classes] of uint8 images as `spec` has them, without the mixed precision of a training."""
    parts = [
        model(to_nhwc(to_float(images[at : at + batch], spec), spec), training=False).numpy()
        for at in range(0, len(images), batch)
    ]
    return np.concatenate(parts)


def save_weights(model: keras.Model, path: Path) -> None:
    """The network and its weights as one `.keras` file, without the optimizer: loads anywhere with `safe_mode=True`."""
    model.save(path)


def save_state(state: dict[str, list[NDArray[Any]]], file: BinaryIO) -> None:
    """A snapshot's state as an `.npz` file of plain arrays."""
    arrays: dict[str, Any] = {f"{part}.{n}": value for part, values in state.items() for n, value in enumerate(values)}
    np.savez(file, **arrays)


def load_state(file: BinaryIO) -> dict[str, list[NDArray[Any]]]:
    """What `save_state` wrote; nothing in it can run code."""
    state: dict[str, list[NDArray[Any]]] = {}
    with np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:  # in the order in which they were written
            state.setdefault(name.partition(".")[0], []).append(arrays[name])
    return state
