"""What a comparison is asked to do, checked before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.network import Network, Units
from eventsim.populations import Input, Population

__all__ = ["Task", "check_task"]

WHERE = "validate"

#: Samples that are encoded and simulated together, and the most spikes in steps they may hold.
CHUNK_SAMPLES = 64
CHUNK_NUMBERS = 1 << 26


@dataclass(frozen=True, eq=False)
class Task:
    """Checked arguments of :func:`eventsim.validate`."""

    net: Network
    disc: Discretization
    pixels: NDArray[Any]
    pictures: NDArray[Any] | None
    labels: NDArray[np.int64]
    entry: Units
    output: Units
    spreads: tuple[float, ...]
    jitter_seeds: int
    extend: float
    seed: int

    @property
    def samples(self) -> int:
        """Number of images."""
        return len(self.labels)

    @property
    def window(self) -> float:
        """Simulated seconds of a presentation."""
        return self.disc.duration + self.extend

    @property
    def draws(self) -> int:
        """Further draws of the input: none where the encoder leaves nothing to chance."""
        return self.jitter_seeds if self.disc.encoder == "bernoulli" else 0

    @property
    def runs(self) -> int:
        """Continuous runs of each variant: analog input has no spikes to place."""
        return 1 if self.disc.encoder == "constant" else self.jitter_seeds

    def chunks(self, cores: int) -> list[NDArray[np.int64]]:
        """Ids of the samples that are worked on together."""
        numbers = self.disc.steps * sum(p.n for p in self.net.populations)
        size = max(1, min(max(CHUNK_SAMPLES, 16 * cores), CHUNK_NUMBERS // numbers))
        return [
            np.arange(first, min(first + size, self.samples))
            for first in range(0, self.samples, size)
        ]


def check_task(
    net: Any,
    disc: Any,
    images: Any,
    labels: Any,
    *,
    steps: Any,
    jitter_seeds: Any,
    spread: Any,
    spreads: Any,
    extend: Any,
    seed: Any,
) -> Task:
    """The arguments of :func:`eventsim.validate` as a Task, or the error that says what is wrong.

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        As :func:`eventsim.validate`.
    """
    if not isinstance(net, Network):
        raise InvalidType(f"{WHERE}: net: expected a Network, got {type(net).__name__}")
    if disc is None:
        raise checks.fail(
            WHERE, "disc", "a Discretization, which says how the network was trained: "
            "disc=Discretization(rule='coarse', dt=..., steps=...)",
            "None (the network file holds none)",
        )  # fmt: skip
    if not isinstance(disc, Discretization):
        raise InvalidType(f"{WHERE}: disc: expected a Discretization, got {type(disc).__name__}")
    if steps is not None:
        disc = dataclasses.replace(disc, steps=checks.whole(WHERE, "steps", steps, 1))
    entry, output = _entry(net, disc), _output(net)
    pixels, pictures = _pixels(images, entry)
    return Task(
        net=net,
        disc=disc,
        pixels=pixels,
        pictures=pictures,
        labels=_labels(labels, len(pixels), output),
        entry=entry,
        output=output,
        spreads=_spreads(disc, spread, spreads),
        jitter_seeds=checks.whole(WHERE, "jitter_seeds", jitter_seeds, 1),
        extend=_extend(disc, extend),
        seed=checks.whole(WHERE, "seed", seed, 0),
    )


def _entry(net: Network, disc: Discretization) -> Units:
    """The population that gets the image."""
    if disc.encoder != "constant":
        if len(net.inputs) != 1:
            raise UnsupportedNetwork(
                f"{WHERE}: net: expected one Input for the image, got {list(net.inputs)}"
            )
        return net[net.inputs[0]]
    targets = {projection.target for projection in net.projections}
    free = [p for p in net.populations if isinstance(p, Population) and p.name not in targets]
    if net.inputs or len(free) != 1:
        raise UnsupportedNetwork(
            f"{WHERE}: net: expected for the encoder 'constant' no Input, and one population "
            f"without arriving projections that takes the analog image as a current, got "
            f"Inputs {list(net.inputs)} and populations {[p.name for p in free]}"
        )
    return free[0]


def _output(net: Network) -> Units:
    """The population whose counts give the class."""
    outputs = [net[name] for name in net.outputs]
    if len(outputs) != 1 or isinstance(outputs[0], Input):
        raise UnsupportedNetwork(
            f"{WHERE}: net: expected one output population (without outgoing projections), "
            f"got {[p.name for p in outputs]}"
        )
    return outputs[0]


def _pixels(images: Any, entry: Units) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Images as rows of numbers from 0 to 1, and as pictures where they have two axes."""
    given = np.asarray(images)
    if given.dtype == np.uint8:
        if given.size and given.max() <= 1:
            raise checks.fail(
                WHERE, "images", "bytes from 0 to 255, or floats from 0 to 1",
                "bytes that are all 0 or 1 (pass them as floats)",
            )  # fmt: skip
        given = given.astype(np.float32) / np.float32(255)
    pixels = checks.real_array(WHERE, "images", given)
    if pixels.ndim < 2 or pixels[:1].size != entry.n * min(1, len(pixels)):
        shape = "x".join(map(str, entry.shape))
        raise checks.fail(
            WHERE, "images", f"shape [sample, ...] with {entry.n} pixels for each sample, since "
            f"population {entry.name!r} is {shape}", f"shape {pixels.shape}",
        )  # fmt: skip
    if len(pixels) < 2:
        raise checks.fail(WHERE, "images", "at least two samples", len(pixels))
    checks.finite(WHERE, "images", pixels)
    bad = (pixels < 0) | (pixels > 1)
    if bad.any():
        index = [int(i) for i in np.argwhere(bad)[0]]
        raise checks.fail(
            WHERE, f"images{index}", "floats from 0 to 1, or uint8 bytes", pixels[tuple(index)]
        )
    inner = pixels.shape[1:]
    if inner == (entry.n,):
        inner = entry.shape
    while len(inner) > 2 and inner[0] == 1:
        inner = inner[1:]
    pictures = pixels.reshape(len(pixels), *inner) if len(inner) == 2 else None
    return pixels.reshape(len(pixels), -1), pictures


def _labels(labels: Any, samples: int, output: Units) -> NDArray[np.int64]:
    found = checks.index_array(WHERE, "labels", labels)
    if len(found) != samples:
        raise checks.fail(WHERE, "labels", f"{samples}, one for each image", len(found))
    wrong = np.flatnonzero(found >= output.n)
    if wrong.size:
        raise checks.fail(
            WHERE, f"labels[{wrong[0]}]",
            f"a class below {output.n}, the size of population {output.name!r}",
            int(found[wrong[0]]),
        )  # fmt: skip
    return found


def _spreads(disc: Discretization, spread: Any, spreads: Any) -> tuple[float, ...]:
    """Pulse widths to compare, the one the verdict is about first, none twice."""
    widths = [disc.spread if spread is None else _width("spread", spread)]
    if isinstance(spreads, str) or not isinstance(spreads, Sequence | np.ndarray):
        raise InvalidType(f"{WHERE}: spreads: expected a list of seconds, got {spreads!r}")
    widths += [_width(f"spreads[{k}]", value) for k, value in enumerate(spreads)]
    return tuple(dict.fromkeys(widths))


def _width(field: str, value: Any) -> float:
    width = checks.scalar(WHERE, field, value)
    if width < 0:
        raise checks.fail(WHERE, field, "seconds >= 0 (0: deltas)", width)
    return width


def _extend(disc: Discretization, extend: Any) -> float:
    if isinstance(extend, bool):
        return disc.dt if extend else 0.0
    seconds = checks.scalar(WHERE, "extend", extend)
    if seconds < 0:
        raise checks.fail(WHERE, "extend", "seconds >= 0, or True for one step", seconds)
    return seconds
