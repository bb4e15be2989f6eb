"""Training with the coarse model: epochs, evaluation, checkpoints.

Every epoch draws its shuffling and its spikes from a generator seeded by (seed, epoch), so a
run that is resumed from a checkpoint continues with the very numbers of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from eventsim.errors import FileError, InvalidValue
from models import coding, networks
from models.datasets import Dataset
from models.networks import SpikingNetwork
from models.noise import Noise

__all__ = [
    "Accuracy",
    "Settings",
    "Trainer",
    "build",
    "evaluate",
    "read_checkpoint",
    "write_checkpoint",
]

FORMAT = "eventsim-training-checkpoint"


@dataclass(frozen=True)
class Settings:
    """Everything that decides the bits of a training run (for one PyTorch version and CPU)."""

    name: str
    dataset: str = "fashion-mnist"
    steps: int = 4
    epochs: int = 10
    seed: int = 0
    hidden: int = 256
    tau_hidden: float = 4.0
    tau_out: float = 4.0
    tau_input: float = 4.0
    variant: str = "coarse"
    beta: float = 5.0
    encoder: str = ""
    encoder_scale: float = 1.0
    lr: float = 2e-3
    batch: int = 100
    loss: str = "mse"
    loss_scale: float = 1.0
    init_gain: float = 1.0
    limit: int = 0
    threads: int = 1
    noise_aware: bool = False
    threshold_noise: float = 0.0

    def check(self) -> None:
        """Raise InvalidValue for a number out of range."""
        for field in ("steps", "epochs", "batch", "threads"):
            if getattr(self, field) < 1:
                raise InvalidValue(
                    f"train: {field}: expected an int >= 1, got {getattr(self, field)}"
                )
        for field in ("lr", "loss_scale", "init_gain", "encoder_scale"):
            if not 0 < getattr(self, field) < math.inf:
                raise InvalidValue(
                    f"train: {field}: expected a number > 0, got {getattr(self, field)}"
                )
        for field in ("seed", "limit"):
            if not 0 <= getattr(self, field) < 2**31:
                raise InvalidValue(
                    f"train: {field}: expected an int >= 0, got {getattr(self, field)}"
                )
        if self.loss not in coding.LOSSES:
            raise InvalidValue(
                f"train: loss: expected one of {', '.join(coding.LOSSES)}, got {self.loss!r}"
            )
        if not 0 <= self.threshold_noise < math.inf:
            raise InvalidValue(
                f"train: threshold_noise: expected a number >= 0, got {self.threshold_noise}"
            )
        taus = (self.tau_hidden, self.tau_out, self.tau_input)
        if self.noise_aware and (self.variant != "coarse" or math.inf in taus):
            raise InvalidValue(
                "train: noise_aware: expected the variant coarse and finite time constants, for "
                f"which the variance is known, got {self.variant!r} and tau {taus}"
            )
        analog = self.name == "lenet5_const"
        if analog != (self.encoder == "constant"):
            wanted = "constant" if analog else "bernoulli or periodic"
            raise InvalidValue(
                f"train: encoder: expected {wanted} for {self.name}, got {self.encoder!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain types; noise is left out where there is none.

        So a network trained without noise has the file that it had before there was any.
        """
        off = [name for name in ("noise_aware", "threshold_noise") if not getattr(self, name)]
        return {name: value for name, value in asdict(self).items() if name not in off}


@dataclass(frozen=True)
class Accuracy:
    """Share of correct classes, with its 95 % Wilson interval."""

    correct: int
    total: int

    @property
    def value(self) -> float:
        """Correct over total."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval."""
        found = binomtest(self.correct, self.total).proportion_ci(0.95, method="wilson")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2%} [{low:.2%}, {high:.2%}] of {self.total}"


@contextmanager
def _arithmetic(threads: int) -> Iterator[None]:
    """PyTorch with so many threads and without subnormal numbers, and as before afterwards.

    Surrogate gradients far from threshold are subnormal. They mean nothing, and each operation on
    one costs a CPU many times an ordinary one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def _generator(*key: object) -> torch.Generator:
    """A generator that depends on the whole key, so no two parts of a run share draws."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


def build(settings: Settings, image_shape: tuple[int, int, int], classes: int) -> SpikingNetwork:
    """The network of these settings with its seeded initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        net = networks.build(
            settings.name,
            image_shape,
            classes,
            settings.hidden,
            settings.tau_hidden,
            settings.tau_out,
            tau_input=settings.tau_input,
            variant=settings.variant,
            beta=settings.beta,
        )
    # PyTorch's initial weights suit real-valued activations; spikes are sparse, and in a deep
    # net of small weights they die out before the output. A larger gain lets training start.
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(settings.init_gain)
    return net


class Trainer:
    """One training run: Adam, with the learning rate on a cosine from ``lr`` to 0.

    Parameters
    ----------
    settings : Settings
    dataset : Dataset

    Attributes
    ----------
    net : SpikingNetwork
    epoch : int
        Epochs that are done.
    history : list of dict
        Mean loss and accuracy on the training images (while training) of each epoch.
    """

    def __init__(self, settings: Settings, dataset: Dataset) -> None:
        settings.check()
        n = settings.limit or len(dataset.train_labels)
        if n > len(dataset.train_labels):
            raise InvalidValue(
                f"train: limit: expected at most {len(dataset.train_labels)} images of "
                f"{dataset.name}, got {n}"
            )
        self.settings = settings
        self.dataset = dataset
        self.images = torch.from_numpy(dataset.train_images[:n])
        self.labels = torch.from_numpy(dataset.train_labels[:n])
        classes = int(dataset.train_labels.max()) + 1
        self.net = build(settings, dataset.image_shape, classes)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr)
        self.batches = math.ceil(n / settings.batch)
        self.epoch = 0
        self.history: list[dict[str, float]] = []

    def run_epoch(self, progress: Callable[[int], None] | None = None) -> dict[str, float]:
        """Train one epoch; ``progress`` is called with the number of images just done."""
        cfg = self.settings
        generator = _generator("epoch", cfg.seed, self.epoch)
        noise = self._noise()
        order = torch.randperm(len(self.labels), generator=generator)
        total_loss, correct = 0.0, 0
        with _arithmetic(cfg.threads):
            for k, pick in enumerate(order.split(cfg.batch)):
                done = (self.epoch * self.batches + k) / (cfg.epochs * self.batches)
                self.optimizer.param_groups[0]["lr"] = cfg.lr * 0.5 * (1 + math.cos(math.pi * done))
                loss, hits = self._step(self.images[pick], self.labels[pick], generator, noise)
                total_loss += loss * len(pick)
                correct += hits
                if progress is not None:
                    progress(len(pick))
        self.epoch += 1
        record = {"loss": total_loss / len(order), "accuracy": correct / len(order)}
        self.history.append(record)
        return record

    def _step(
        self, images: Tensor, labels: Tensor, generator: torch.Generator, noise: Noise | None
    ) -> tuple[float, int]:
        cfg = self.settings
        x = coding.encode(images, cfg.steps, cfg.encoder, cfg.encoder_scale, generator)
        spikes = self.net(x, noise=noise)
        loss = coding.loss(spikes, labels, cfg.loss, cfg.loss_scale)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach()), int((coding.classes(spikes.detach()) == labels).sum())

    def _noise(self) -> Noise | None:
        """The noise of this epoch, with draws of its own: the spikes stay what they are without."""
        cfg = self.settings
        if not (cfg.noise_aware or cfg.threshold_noise):
            return None
        generator = _generator("noise", cfg.seed, self.epoch)
        return Noise(cfg.noise_aware, cfg.threshold_noise, generator)

    def state(self) -> dict[str, Any]:
        """All that :meth:`restore` needs, as plain types and tensors."""
        return {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "image_shape": list(self.dataset.image_shape),
            "classes": int(self.dataset.train_labels.max()) + 1,
            "checksums": dict(self.dataset.checksums),
            "epoch": self.epoch,
            "history": self.history,
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any], where: str = "checkpoint") -> None:
        """Continue from a checkpoint of the same settings and data.

        Raises
        ------
        InvalidValue
            The checkpoint belongs to other settings; the message names the first that differs.
        """
        mine = asdict(self.settings)
        for field in fields(Settings):
            # A field that is younger than the checkpoint was then as it is by default.
            theirs = state["settings"].get(field.name, field.default)
            if theirs != mine[field.name]:
                raise InvalidValue(
                    f"{where}: {field.name}: expected {mine[field.name]!r} as asked for, got "
                    f"{theirs!r}"
                )
        if state["checksums"] != self.dataset.checksums:
            raise InvalidValue(f"{where}: checksums: expected this dataset's files, got others")
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch = state["epoch"]
        self.history = list(state["history"])


def evaluate(
    net: SpikingNetwork,
    settings: Settings,
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    progress: Callable[[int], None] | None = None,
) -> Accuracy:
    """Accuracy of the coarse network, by spike count, on freshly encoded images."""
    generator = _generator("test", settings.seed)
    correct = 0
    with torch.no_grad(), _arithmetic(settings.threads):
        for first in range(0, len(labels), 500):
            part = torch.from_numpy(images[first : first + 500])
            x = coding.encode(
                part, settings.steps, settings.encoder, settings.encoder_scale, generator
            )
            found = coding.classes(net(x)).numpy()
            correct += int((found == labels[first : first + 500]).sum())
            if progress is not None:
                progress(len(part))
    return Accuracy(correct, len(labels))


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint whole: to a temporary name first, then renamed."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        torch.save(state, temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise FileError(f"{path}: expected a writable file, got {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain types are accepted from the file.

    Raises
    ------
    FileError
        The file is missing, damaged, or no checkpoint of this program.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FileError(f"{path}: expected a checkpoint, got no such file") from error
    except Exception as error:  # torch.load raises many kinds for damaged files
        reason = str(error).splitlines()[0]
        raise FileError(f"{path}: expected a readable checkpoint, got {reason}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise FileError(f"{path}: expected a checkpoint of models.train, got another file")
    return state
