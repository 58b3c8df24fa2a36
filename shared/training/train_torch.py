"""The training loop in PyTorch: the whole data set in memory, one flat loop, a row of history an epoch.

    trained = train(TrainConfig.create(architecture="compact", epochs=3), data)
    logits = predict(trained.model, data.test_images, data.input)

Chooses nothing on the test set and never sees it: validation images come from the fixed split of
`shared.data.datasets`.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from shared.core import files
from shared.core.events import EpochEnded, Report, StepEnded, silent
from shared.core.input_spec import InputSpec
from shared.data.datasets import DataSet
from shared.data.preprocessing import to_float
from shared.frameworks.device_torch import describe_device, pick_device, pick_precision
from shared.networks.architectures import for_training
from shared.networks.build_torch import build_torch
from shared.training.augment_torch import augment
from shared.training.augmentation import DRAWN
from shared.training.config import TrainConfig
from shared.training.loop import (
    Row,
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

WEIGHTS = "model.pth"


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
    torch.manual_seed(config.seed)
    device = pick_device(config.device)
    model = _ready(build_torch(for_training(network)).to(device))
    inner, held_out = data.split()
    steps = config.epochs * math.ceil(len(inner) / config.batch_size)
    step = _Step(config, model, network.input, device, steps=steps)
    source = {"in-memory": _in_memory, "per-sample": _per_sample}[config.loading]
    batches = source(data.train_images[inner], data.train_labels[inner], step)
    progress = StepEnded(epochs=config.epochs, images_per_epoch=len(inner))
    history: list[Row] = []
    whole = Stopwatch(resume)
    if resume:
        history += resume.history
        step.load_state(resume.state)

    def measured() -> Scores:
        logits = predict(step.evaluated, data.train_images[held_out], network.input)
        return check(logits, data.train_labels[held_out], progress.epoch)

    def snapshot() -> Snapshot:
        return Snapshot(history=history.copy(), state=step.state(), **whole.read())

    checked, interrupted = None, False
    try:
        for epoch in epochs_to_come(config, history):
            began, progress.epoch = Stopwatch(), epoch
            _epoch(step, batches(), progress, report)
            checked = measured()
            history.append(epoch_row(progress, checked, learning_rate=step.learning_rate, began=began))
            if best_epoch(history) == epoch:
                step.keep_best()
            report(EpochEnded(row=history[-1], epochs=config.epochs, snapshot=snapshot))
    except StopTraining:
        if not history:
            raise
        interrupted = True

    if config.patience or interrupted:
        step.evaluated.load_state_dict(step.best)
        checked = None
    return Trained(
        model=step.evaluated.eval(),
        history=history,
        validation=checked or measured(),
        accelerator=describe_device(device),
        precision=str(step.precision).removeprefix("torch."),
        interrupted={"epoch": len(history), "of": config.epochs} if interrupted else None,
        **whole.read(),
    )


def _ready(model: nn.Sequential) -> nn.Sequential:
    """The network in the memory order that convolutions are quickest in, and its gradients too.

    Behind a flatten they come in the other order, and the layer before it would take eight times as long over them.
    """
    for layer in model:
        if isinstance(layer, nn.Flatten):
            layer.register_full_backward_hook(lambda layer, gradients, _: _channels_last(*gradients))
    return model.to(memory_format=torch.channels_last)


def _channels_last(images_nchw: torch.Tensor) -> tuple[torch.Tensor]:
    return (images_nchw.contiguous(memory_format=torch.channels_last),)


Batches = Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor]]]


def _in_memory(images: NDArray[np.uint8], labels: NDArray[np.int64], step: "_Step") -> Batches:
    """The whole data set as one tensor on the device, as bytes; a batch is an index into it."""
    pixels = torch.from_numpy(np.ascontiguousarray(images.reshape(-1, *step.spec.shape_hwc)))
    pixels = pixels.permute(0, 3, 1, 2).to(step.device)
    targets = torch.from_numpy(labels).to(step.device)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = torch.randperm(len(pixels), generator=step.generator).to(step.device)
        for index in torch.split(order, step.config.batch_size):
            yield pixels[index].float().div_(1 / step.spec.scale), targets[index]

    return batches


def _per_sample(images: NDArray[np.uint8], labels: NDArray[np.int64], step: "_Step") -> Batches:
    """What tutorials do: torchvision's data set makes a picture of each image, and a transform a tensor of that."""
    from PIL import Image
    from torchvision.transforms.functional import to_tensor

    class Samples(Dataset[tuple[torch.Tensor, int]]):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, at: int) -> tuple[torch.Tensor, int]:
            return to_tensor(Image.fromarray(images[at])), int(labels[at])

    loader = DataLoader(Samples(), batch_size=step.config.batch_size, shuffle=True, generator=step.generator)
    scale = 255 * step.spec.scale  # of what `to_tensor` has divided by 255
    return lambda: ((batch.to(step.device) * scale, targets.to(step.device)) for batch, targets in loader)


def _epoch(
    step: "_Step",
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    progress: StepEnded,
    report: Report,
) -> None:
    """Once through the training images in a new order; `progress` has the mean loss and the accuracy on the way."""
    step.model.train()
    # Summed on the device: asking for a number each step would make a GPU wait.
    loss_sum, correct = torch.zeros((), device=step.device), torch.zeros((), device=step.device)
    progress.images = 0
    progress.running = lambda: (loss_sum.item() / progress.images, correct.item() / progress.images)
    for images, labels in batches:
        loss, hits = step(images, labels)
        loss_sum += loss * len(labels)
        correct += hits
        progress.images += len(labels)
        report(progress)


class _Step:
    """One step of training, on a batch: augment, normalise, forward, backward, update, schedule."""

    def __init__(
        self, config: TrainConfig, model: nn.Module, spec: InputSpec, device: torch.device, *, steps: int
    ) -> None:
        self.config, self.model, self.spec, self.device = config, model, spec, device
        self.mean, self.std = (torch.tensor(one, device=device).view(-1, 1, 1) for one in (spec.mean, spec.std))
        self.precision = pick_precision(config.precision, device)
        self.augmentation = config.augmentation
        self.generator = torch.Generator().manual_seed(config.seed)
        average = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
        # With the statistics of batch norm: those of the weights as they are would not be those of their average.
        self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True) if config.ema else None
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.optimizer]
        self.optimizer = kind(
            model.parameters(),
            config.learning_rate,
            betas=(config.beta1, config.beta2),
            weight_decay=config.weight_decay,
            fused=True,
        )
        # One step more than is taken: a scheduler is always one ahead.
        self.schedule: LRScheduler = (
            LambdaLR(self.optimizer, lambda step: 1.0)
            if config.schedule == "constant"
            else OneCycleLR(
                self.optimizer,
                config.learning_rate,
                total_steps=steps + 1,
                anneal_strategy="linear" if config.schedule == "triangle" else "cos",
                # Only the rate: to cycle the momentum too gained nothing on validation, and Keras' Adam has no way to.
                cycle_momentum=False,
            )
        )
        self.best: dict[str, torch.Tensor] = {}

    @property
    def evaluated(self) -> nn.Module:
        """The weights that are measured and kept: the averaged ones, where the training averages."""
        return self.model if self.averaged is None else self.averaged.module

    @property
    def learning_rate(self) -> float:
        return float(self.schedule.get_last_lr()[0])

    def keep_best(self) -> None:
        """Keeps the weights as they are now as those of the best epoch."""
        self.best = copy.deepcopy(self.evaluated.state_dict())

    def state(self) -> dict[str, Any]:
        """A copy of everything that a step changes."""
        state = {part: copy.deepcopy(getattr(self, part).state_dict()) for part in self._parts}
        random = {"cpu": torch.get_rng_state(), "generator": self.generator.get_state()}
        if self.device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self.device)
        return {**state, "best": self.best, "random": random}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes on from there."""
        for part in self._parts:
            getattr(self, part).load_state_dict(state[part])
        self.best = state["best"]
        torch.set_rng_state(state["random"]["cpu"])
        self.generator.set_state(state["random"]["generator"])
        if self.device.type == "cuda" and "cuda" in state["random"]:  # not where it was begun on the CPU
            torch.cuda.set_rng_state(state["random"]["cuda"], self.device)

    @property
    def _parts(self) -> tuple[str, ...]:
        return ("model", "optimizer", "schedule", *([] if self.averaged is None else ["averaged"]))

    def __call__(self, batch: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images [n, c, h, w] in 0..1 and labels [n] -> (mean loss, number of right answers), all on the device."""
        config = self.config
        if self.augmentation:
            draw = torch.rand(len(batch), DRAWN, generator=self.generator).to(self.device) * 2 - 1
            batch = augment(batch, draw, self.augmentation)
        if self.spec.is_shifted:
            batch = (batch - self.mean) / self.std
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision is torch.bfloat16):
            logits = self.model(batch.to(memory_format=torch.channels_last)).float()
        loss = F.cross_entropy(logits, target, label_smoothing=config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        logits = logits.detach()
        # Told without the smoothing, so that it can be held beside the validation loss.
        return F.cross_entropy(logits, target), (logits.argmax(1) == target).sum()


def predict(model: nn.Module, images: NDArray[np.uint8], spec: InputSpec, *, batch: int = 1000) -> NDArray[np.float32]:
    """Logits float32 [n, classes] of uint8 images as `spec` has them, without the mixed precision of a training."""
    device = next(model.parameters()).device
    model.eval()
    with torch.inference_mode():
        parts = [
            model(torch.from_numpy(to_float(images[at : at + batch], spec)).to(device)).cpu().numpy()
            for at in range(0, len(images), batch)
        ]
    return np.concatenate(parts)


def save_weights(model: nn.Module, path: Path) -> None:
    """The state dict on the CPU, in plain memory order: loads anywhere with `weights_only=True`."""
    files.write(path, as_bytes({key: value.cpu().contiguous() for key, value in model.state_dict().items()}))


def save_state(state: dict[str, Any], file: BinaryIO) -> None:
    """A snapshot's state as a file of tensors and plain values."""
    file.write(as_bytes(state))


def as_bytes(value: Any) -> bytes:
    """What torch saves of a value. To a file it would write the file's name too, and hide that the disk is full."""
    buffer = BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def load_state(file: BinaryIO) -> dict[str, Any]:
    """What `save_state` wrote, on the CPU; nothing in it can run code."""
    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    return state
