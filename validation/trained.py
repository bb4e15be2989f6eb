"""Networks that a study trains itself, kept in its output folder for the next run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import eventsim as es

if TYPE_CHECKING:
    from models.datasets import Dataset
    from models.training import Settings

__all__ = ["trained"]


def trained(
    settings: Settings,
    dataset: Dataset,
    folder: Path,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[es.Network, es.Discretization]:
    """The network of these settings, from ``folder/trained`` where it is from a run before.

    Parameters
    ----------
    settings, dataset
        They decide the weights, together with the version of PyTorch, and name the file.
    folder : Path
        Output folder of the study.
    progress : callable
        Called with the number of images that were just trained on, or need not be.
    """
    path = folder / "trained" / f"{settings.name}-{_key(settings, dataset)}.h5"
    if path.exists():
        progress((settings.limit or len(dataset.train_labels)) * settings.epochs)
        return es.load(path)
    from models import export, training

    trainer = training.Trainer(settings, dataset)
    while trainer.epoch < settings.epochs:
        trainer.run_epoch(progress)
    accuracy = training.evaluate(trainer.net, settings, dataset.test_images, dataset.test_labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    export.write(path, trainer.net, settings, dataset, accuracy, overwrite=True)
    return es.load(path)


def _key(settings: Settings, dataset: Dataset) -> str:
    import torch

    parts = (settings.to_dict(), dict(sorted(dataset.checksums.items())), torch.__version__)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
