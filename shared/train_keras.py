"""The training loop in Keras 3: `compile` and `fit`, a row of history an epoch. `shared.train_torch` is its twin.

    trained = train(TrainConfig.create(architecture="compact", epochs=3), data)
    logits = predict(trained.model, data.test_images)

The recipe is the same to the number; the first weights are each framework's own, and so is the order of the images
that a seed gives. Chooses nothing on the test set and never sees it: validation images come from the fixed split of
`shared.data`.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.architectures import architecture, for_training
from shared.augment_keras import augment
from shared.augmentation import DRAWN
from shared.build_keras import build_keras
from shared.config import TrainConfig
from shared.data import DataSet, split, validation_size
from shared.metrics import Scores
from shared.preprocessing import to_float, to_nhwc
from shared.start_keras import keras
from shared.start_keras import tensorflow as tf
from shared.training import Best, Row, Trained, check, cpu_multiplies_bfloat16, epoch_row, processors, takes_gpu

WEIGHTS = "model.keras"
EPSILON = 1e-8  # Adam's, the number that PyTorch has; Keras adds it before the bias correction


def pick_device(wanted: str = "auto") -> str:
    """TensorFlow's name of the device: `auto` is the GPU, where TensorFlow sees one, else the CPU.

    Raises ConfigError where `cuda` is asked for and cannot be had, with the reason.
    """
    return "/GPU:0" if takes_gpu(wanted, gpu_trouble) else "/CPU:0"


def gpu_trouble() -> str:
    """Why the GPU cannot train, or "" if it can."""
    return "" if tf.config.list_physical_devices("GPU") else "TensorFlow sees no CUDA GPU"


def describe_device(device: str) -> str:
    """The accelerator's name for people and manifests."""
    if device == "/GPU:0":
        return str(_gpu_details().get("device_name", "GPU"))
    # 0 is TensorFlow's word for as many as there are processors
    return f"CPU, {tf.config.threading.get_intra_op_parallelism_threads() or processors()} threads"


def _gpu_details() -> dict[str, Any]:
    details: dict[str, Any] = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
    return details


def pick_precision(wanted: str, device: str) -> str:
    """`auto` is bfloat16 where the hardware multiplies it natively, else float32."""
    if wanted != "auto":
        return wanted
    if device == "/GPU:0":
        native = _gpu_details().get("compute_capability", (0, 0))[0] >= 8
    else:
        native = cpu_multiplies_bfloat16()
    return "bfloat16" if native else "float32"


def train(
    config: TrainConfig,
    data: DataSet,
    on_epoch: Callable[[Row], None] = lambda row: None,
    on_step: Callable[[float], None] = lambda done: None,
) -> Trained:
    """Trains `config.architecture` on the training split of `data`.

    `on_epoch` is told each epoch's row, `on_step` after each step the share of the whole training that is done.
    Raises ConfigError when the device cannot be had, or the training diverges.
    """
    keras.utils.set_random_seed(config.seed)
    device = pick_device(config.device)
    precision = pick_precision(config.precision, device)
    inner, held_out = split(data.train_labels, validation=validation_size(data))
    per_epoch = math.ceil(len(inner) / config.batch_size)
    start = time.perf_counter()
    with tf.device("/CPU:0"):  # batches are prepared there while a GPU computes
        batches = _batches(config, data.train_images[inner], data.train_labels[inner], classes=len(data.classes))
    with tf.device(device):
        with _precision(precision):
            model = build_keras(for_training(architecture(config.architecture)))
        model.compile(
            optimizer=_optimizer(config, steps=config.epochs * per_epoch),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=config.label_smoothing),
            # The loss is told without the smoothing, so that it can be held beside the validation loss.
            metrics=[keras.metrics.CategoricalCrossentropy(from_logits=True, name="cross_entropy"), "accuracy"],
            jit_compile=False,  # it compiles anew for the last, smaller batch: longer than three short epochs
        )
        recorder = _Recorder(config, (data.train_images[held_out], data.train_labels[held_out]), on_epoch, on_step)
        model.fit(
            batches,
            epochs=config.epochs,
            steps_per_epoch=per_epoch,
            callbacks=[recorder],
            shuffle=False,  # the batches are
            verbose=0,
        )
    return Trained(
        model=recorder.evaluated,
        history=recorder.history,
        validation=recorder.scores,
        precision=precision,
        seconds=time.perf_counter() - start,
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
    config: TrainConfig, images_nhw: NDArray[np.uint8], labels: NDArray[np.int64], *, classes: int
) -> tf.data.Dataset:
    """Every epoch's batches, one after another, in a new order each: images float32 [n, 28, 28, 1], one-hot labels."""
    images, targets = images_nhw[..., np.newaxis], np.eye(classes, dtype=np.float32)[labels]
    source = {"in-memory": _in_memory, "per-sample": _per_sample}[config.loading]
    augmentation = config.augmentation

    def augmented(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        pixels, target = batch
        if augmentation:
            seed = tf.stack([tf.constant(config.seed, tf.int64), step])
            draw = tf.random.stateless_uniform([tf.shape(pixels)[0], DRAWN], seed, minval=-1, maxval=1)
            pixels = augment(pixels, draw, augmentation)
        return pixels, target

    steps = source(config, images, targets).repeat(config.epochs).enumerate()
    return steps.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _in_memory(config: TrainConfig, images_nhwc: NDArray[np.uint8], targets: NDArray[np.float32]) -> tf.data.Dataset:
    """The images stay in memory as bytes; only their numbers are shuffled, and a batch is gathered and scaled."""
    pixels, targets = tf.constant(images_nhwc), tf.constant(targets)

    def gather(index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.cast(tf.gather(pixels, index), tf.float32) / 255, tf.gather(targets, index)

    order = tf.data.Dataset.range(len(images_nhwc)).shuffle(len(images_nhwc), seed=config.seed)
    return order.batch(config.batch_size).map(gather, num_parallel_calls=tf.data.AUTOTUNE)


def _per_sample(config: TrainConfig, images_nhwc: NDArray[np.uint8], targets: NDArray[np.float32]) -> tf.data.Dataset:
    """What tutorials do: each image is scaled by itself, shuffled, and put into a batch."""
    samples = tf.data.Dataset.from_tensor_slices((images_nhwc, targets))
    scaled = samples.map(lambda image, target: (tf.cast(image, tf.float32) / 255, target))
    return scaled.shuffle(len(images_nhwc), seed=config.seed).batch(config.batch_size)


class OneCycle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate rises from a 25th of `peak` to it in the first 30 % of the steps, then falls to nearly 0.

    Both along a cosine: the one-cycle policy (Smith & Topin 2017), with the constants of PyTorch's OneCycleLR.
    """

    def __init__(self, peak: float, steps: int) -> None:
        self.peak, self.steps = peak, steps

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step, counted from 0."""
        top = 0.3 * (self.steps + 1) - 1
        step = keras.ops.cast(step, "float32")
        rising = _cosine(self.peak / 25, self.peak, step / top)
        falling = _cosine(self.peak, self.peak / 25e4, (step - top) / (self.steps - top))
        return keras.ops.where(step <= top, rising, falling)

    def get_config(self) -> dict[str, Any]:
        """What makes an equal one."""
        return {"peak": self.peak, "steps": self.steps}


def _cosine(start: float, end: float, share: Any) -> Any:
    return end + (start - end) / 2 * (1 + keras.ops.cos(math.pi * share))


def _optimizer(config: TrainConfig, *, steps: int) -> keras.optimizers.Optimizer:
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[config.optimizer]
    rate = OneCycle(config.learning_rate, steps) if config.schedule == "one-cycle" else config.learning_rate
    return kind(rate, epsilon=EPSILON, weight_decay=config.weight_decay)


class _Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Follows a `fit`: averages the weights, checks them on the validation images, tells each epoch, stops early."""

    def __init__(
        self,
        config: TrainConfig,
        held_out: tuple[NDArray[np.uint8], NDArray[np.int64]],
        on_epoch: Callable[[Row], None],
        on_step: Callable[[float], None],
    ) -> None:
        super().__init__()
        self.config, self.held_out, self.on_epoch, self.on_step = config, held_out, on_epoch, on_step
        # The network that is measured and kept, in float32: it has the averaged weights, where the training averages.
        self.evaluated = build_keras(architecture(config.architecture))
        self.history: list[Row] = []
        self.best = Best()
        self.scores: Scores
        self.taken, self.began = 0, 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.config.ema:
            self._average(self.config.ema if self.taken else 0.0)
        self.taken += 1
        self.on_step(self.taken / (self.params["steps"] * self.config.epochs))

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def _average(self, decay: tf.Tensor) -> None:
        for average, value in zip(self.evaluated.weights, self.model.weights, strict=True):
            average.assign(decay * average + (1 - decay) * keras.ops.cast(value, average.dtype))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self.config.ema:
            self.evaluated.set_weights(self.model.get_weights())
        images, labels = self.held_out
        self.scores = check(predict(self.evaluated, images), labels, epoch + 1)
        row = epoch_row(
            epoch + 1,
            loss=float(logs["cross_entropy"]),
            accuracy=float(logs["accuracy"]),
            checked=self.scores,
            learning_rate=float(self.model.optimizer.learning_rate),
            began=self.began,
        )
        self.history.append(row)
        self.on_epoch(row)
        if self.config.patience:
            if self.best.update(self.scores):
                self.best.weights = self.evaluated.get_weights()
            self.model.stop_training = self.best.epochs_since >= self.config.patience

    def on_train_end(self, logs: Any = None) -> None:
        if self.best.scores:
            self.scores = self.best.scores
            self.evaluated.set_weights(self.best.weights)


def predict(model: keras.Model, images_nhw: NDArray[np.uint8], *, batch: int = 1000) -> NDArray[np.float32]:
    """Logits float32 [n, classes] of uint8 images [n, 28, 28], without the mixed precision of a training."""
    parts = [
        model(to_nhwc(to_float(images_nhw[at : at + batch])), training=False).numpy()
        for at in range(0, len(images_nhw), batch)
    ]
    return np.concatenate(parts)


def save_weights(model: keras.Model, path: Path) -> None:
    """The network and its weights as one `.keras` file, without the optimizer: loads anywhere with `safe_mode=True`."""
    model.save(path)
