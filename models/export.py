"""Trained networks as eventsim networks and files.

The continuous counterpart of a coarse network has membrane time constant ``tau dt``, refractory
period ``dt`` (one step), threshold and weights as trained, and pulses of width ``dt``: arrivals
spread evenly over a step are what the coarse coefficients average over. A bias is the charge of
one step, so it becomes the constant current ``tau_mem bias / (r dt)``.
"""

from __future__ import annotations

import math
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import eventsim as es
from eventsim.errors import FileError, InvalidType
from models.datasets import Dataset
from models.networks import SpikingNetwork, Stage
from models.training import Accuracy, Settings

__all__ = ["check_target", "command", "provenance", "to_eventsim", "write"]

DT = 1e-3
"""Length of a step in seconds; the trained network itself knows only steps."""


def to_eventsim(
    net: SpikingNetwork, steps: int, encoder: str | None = None, encoder_scale: float = 1.0
) -> tuple[es.Network, es.Discretization]:
    """The continuous counterpart of a coarse network, and how it was discretized.

    Parameters
    ----------
    net : SpikingNetwork
        From :func:`models.networks.build`.
    steps : int
        Steps of one presentation.
    encoder, encoder_scale : str or None, float
        Of the images; None means what the network was built for.

    Returns
    -------
    Network, Discretization
        Populations bear the names of the stages. The input is the Input ``"image"``; in
        lenet5_const the population ``"image"``, which takes the scaled image as a current.

    Examples
    --------
    >>> from models.networks import build
    >>> network, disc = to_eventsim(build("hidden", hidden=8), steps=4)
    >>> network["hidden"].tau_mem, disc.steps
    (0.004, 4)
    """
    populations: list[Any] = []
    projections: list[Any] = []
    rules = {s.name: s.cell.variant for s in net.stages if s.cell is not None}
    source = "image"
    if net.stages[0].name != source:
        populations.append(es.Input(source, net.input_shape))
    for stage in net.stages:
        populations.append(_population(stage))
        if stage.transform is not None:
            projections.append(_projection(source, stage))
        source = stage.name
    disc = es.Discretization(
        rule=rules["out"],
        dt=DT,
        steps=steps,
        encoder=net.encoder if encoder is None else encoder,
        encoder_scale=encoder_scale,
        variants={name: rule for name, rule in rules.items() if rule != rules["out"]},
    )
    return es.Network(populations, projections), disc


def _population(stage: Stage) -> Any:
    if stage.cell is None:
        return es.Relay(stage.name, stage.shape)
    cell = stage.cell
    tau_mem = math.inf if cell.variant == "if" else cell.tau * DT
    # A current i must bring the charge i / c per step to a layer under constant potential.
    r = cell.tau / cell.c if cell.variant == "constant_potential" else 1.0
    refractory = cell.variant in ("coarse", "coarse_drop", "constant_potential")
    return es.Population(
        stage.name,
        stage.shape,
        tau_mem=tau_mem,
        v_threshold=cell.v_threshold,
        t_ref=DT if refractory else 0.0,
        r=r,
        i_bias=_bias_current(stage, tau_mem, r),
    )


def _bias_current(stage: Stage, tau_mem: float, r: float) -> Any:
    bias = getattr(stage.transform, "bias", None)
    if bias is None:
        return 0.0
    per_unit = _array(bias).astype(np.float64)
    charge = np.repeat(per_unit, math.prod(stage.shape) // per_unit.size)
    return charge / (r * DT) if math.isinf(tau_mem) else tau_mem * charge / (r * DT)


def _projection(source: str, stage: Stage) -> Any:
    layer = stage.transform
    if isinstance(layer, nn.Linear):
        return es.Dense(source, stage.name, weight=_array(layer.weight).T, spread=DT)
    if isinstance(layer, nn.Conv2d):
        return es.Conv2d(
            source,
            stage.name,
            weight=_array(layer.weight),
            stride=layer.stride,
            padding=layer.padding,
            spread=DT,
        )
    if isinstance(layer, nn.MaxPool2d):
        return es.MaxPool2d(source, stage.name, kernel_size=layer.kernel_size)
    raise InvalidType(f"export: {stage.name}: expected a layer, got {type(layer).__name__}")


def _array(tensor: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.detach().numpy())


def command(settings: Settings, out: str, every: bool = False) -> str:
    """The command that trains with these settings; ``every`` writes defaults out too."""
    analog = settings.name == "lenet5_const"
    usual = asdict(
        Settings(
            settings.name,
            encoder="constant" if analog else "bernoulli",
            encoder_scale=1.1 if analog else 1.0,
        )
    )
    words = ["python", "-m", "models.train", settings.name]
    for name, value in settings.to_dict().items():
        if name != "name" and (every or value != usual[name]):
            flag = f"--{name.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
    return " ".join([*words, "--out", out])


def provenance(settings: Settings, dataset: Dataset, accuracy: Accuracy) -> dict[str, Any]:
    """Where the weights come from, as plain types, with nothing that changes between runs."""
    low, high = accuracy.interval
    return {
        "command": command(settings, f"{settings.name}.h5", every=True),
        "seed": settings.seed,
        "settings": settings.to_dict(),
        "dataset": {
            "name": dataset.name,
            "source": dataset.source,
            "licence": dataset.licence,
            "training_images": settings.limit or len(dataset.train_labels),
            "sha256": dict(sorted(dataset.checksums.items())),
        },
        "coarse_accuracy": {
            "correct": accuracy.correct,
            "test_images": accuracy.total,
            "value": accuracy.value,
            "wilson_95": [low, high],
        },
        "versions": {
            "eventsim": es.__version__,
            "numpy": version("numpy"),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "reference": "arXiv:2007.06176",
    }


def check_target(path: Path, overwrite: bool) -> None:
    """Refuse a file that exists (unless ``overwrite``) or a folder that cannot hold it.

    Raises
    ------
    FileError
        The message names the path and what to do.
    """
    if path.is_dir():
        raise FileError(f"{path}: expected a file name, got a folder")
    if path.exists() and not overwrite:
        raise FileError(f"{path}: expected a new file, got an existing one; see --overwrite")
    if not os.access(path.resolve().parent, os.W_OK):
        raise FileError(f"{path}: expected a writable folder, got {path.parent}")


def write(
    path: Path,
    net: SpikingNetwork,
    settings: Settings,
    dataset: Dataset,
    accuracy: Accuracy,
    overwrite: bool = False,
) -> None:
    """Write the trained network with its discretization and provenance."""
    from eventsim.save.native import save_network

    network, disc = to_eventsim(net, settings.steps, settings.encoder, settings.encoder_scale)
    save_network(path, network, disc, provenance(settings, dataset, accuracy), overwrite=overwrite)
