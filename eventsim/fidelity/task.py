"""What a comparison is asked to do, checked before anything runs."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.fidelity import metrics
from eventsim.fidelity.decoding import class_count, class_notes, decoded
from eventsim.inputs import check_no_drives
from eventsim.network import Network, Units
from eventsim.populations import Input, Population
from eventsim.provenance import run_provenance

__all__ = ["Task", "check_task", "in_steps"]

#: Samples that are encoded and simulated together, and the most spikes in steps they may hold.
SHARD_SAMPLES = 64
SHARD_NUMBERS = 1 << 26


@dataclass(frozen=True, eq=False)
class Task:
    """Checked arguments of :func:`eventsim.validate` and its like.

    Attributes
    ----------
    where : str
        Who asked, for errors.
    n_classes : int
        Number of classes; each has as many neighbouring output neurons.
    phase, jitter : float
        Input spikes arrive at ``(k + phase + jitter u) dt`` in step k, u uniform in [0, 1).
    settle : int
        First steps whose spikes are not counted, in the coarse model and in the continuous one.
    """

    where: str
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
    n_classes: int
    phase: float = 0.0
    jitter: float = 1.0
    settle: int = 0

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
        return 1 if self.analog else self.jitter_seeds

    @property
    def analog(self) -> bool:
        """Whether the image is a constant current, and has no spikes to place."""
        return self.disc.encoder == "constant"

    @property
    def reads_potentials(self) -> bool:
        """Whether the class is that of the output's potentials, as it does not spike."""
        return self.disc.decoder != "count"

    @property
    def layers(self) -> list[str]:
        """Names of all populations that spike but the Input, from input to output."""
        silent = (self.output.name,) if self.reads_potentials else ()
        return [name for name in self.net.order if name not in (*self.net.inputs, *silent)]

    @property
    def potentials(self) -> dict[str, list[int]]:
        """Neurons whose potentials decide the class, as ``record_v`` of a simulation."""
        return {self.output.name: list(range(self.output.n))} if self.reads_potentials else {}

    def by_class(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Scores [sample, neuron] added up over the neurons of each class."""
        if self.n_classes == self.output.n:
            return scores
        return scores.reshape(len(scores), self.n_classes, -1).sum(axis=2)

    @property
    def per_class(self) -> int:
        """Output neurons of a class."""
        return self.output.n // self.n_classes

    def assumptions(self) -> tuple[tuple[str, str, str], ...]:
        """Those of the discrete model, and how output neurons stand for classes."""
        rows = self.disc.assumptions()
        if self.n_classes < self.output.n:
            why = f"neuron i belongs to class i // {self.per_class}; scores are added up"
            value = f"{self.n_classes}, of {self.per_class} output neurons each"
            rows.append(("classes", value, why))
        return tuple(rows)

    @property
    def counted_steps(self) -> int:
        """Steps of the coarse model whose spikes are counted."""
        return self.disc.steps - self.settle

    @property
    def shard_samples(self) -> int:
        """Samples that are worked on together."""
        numbers = self.disc.steps * sum(p.n for p in self.net.populations)
        return max(1, min(SHARD_SAMPLES, SHARD_NUMBERS // numbers))

    @property
    def synapse(self) -> str:
        """The synapse that the verdict is about, in words."""
        width = self.spreads[0]
        if width:
            return f"pulses of {in_steps(width, self.disc.dt)}"
        return "delta synapses" if self.at_once == "deltas" else self.at_once

    @property
    def at_once(self) -> str:
        """What synapses are without pulses, in words."""
        receptors = {
            link.receptor is not None  # type: ignore[attr-defined]
            for link in self.net.projections
            if isinstance(self.net[link.target], Population)
        }
        if True not in receptors:
            return "deltas"
        return "deltas and exponential synapses" if False in receptors else "exponential synapses"

    def settings(self) -> dict[str, Any]:
        """What was asked, of plain types."""
        return {
            "samples": self.samples,
            "steps": self.disc.steps,
            "dt": self.disc.dt,
            "encoder": self.disc.encoder,
            "jitter_seeds": self.jitter_seeds,
            "draws": self.draws,
            "seed": self.seed,
            "output": self.output.name,
            "decoder": self.disc.decoder,
            "classes": self.n_classes,
            "notes": class_notes(
                self.output, self.disc.decoder, self.n_classes, int(self.labels.max()) + 1
            ),
            "tie_rule": "lowest index",
            "level": metrics.LEVEL,
        }

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {"images": _digest(self.pixels), "labels": _digest(self.labels)}

    def provenance(self, **more: Any) -> dict[str, Any]:
        """Software, network and data."""
        return run_provenance(
            self.net,
            **self._digests,
            discretization=self.disc.to_dict(),
            **more,
        )

    def describe(self) -> dict[str, Any]:
        """All of it that decides results, of plain types."""
        made = {k: v for k, v in self.provenance().items() if k not in ("command", "software")}
        return {
            **self.settings(),
            **made,
            "spreads": list(self.spreads),
            "extend": self.extend,
            "phase": self.phase,
            "jitter": self.jitter,
            "settle": self.settle,
        }


def in_steps(seconds: float, dt: float) -> str:
    """A time in steps.

    >>> in_steps(0.5e-3, 1e-3), in_steps(1e-3, 1e-3)
    ('0.5 steps', '1 step')
    """
    text = f"{seconds / dt:.6g}"
    return f"{text} step" if text == "1" else f"{text} steps"


def check_task(
    net: Any,
    disc: Any,
    images: Any,
    labels: Any,
    *,
    where: str = "validate",
    steps: Any = None,
    jitter_seeds: Any = 1,
    spread: Any = None,
    spreads: Any = (),
    extend: Any = 0.0,
    seed: Any = 0,
    decoder: Any = None,
    n_classes: Any = None,
) -> Task:
    """The arguments of :func:`eventsim.validate` as a Task, or the error that says what is wrong.

    Raises
    ------
    InvalidValue, InvalidType, UnsupportedNetwork
        As :func:`eventsim.validate`.
    """
    if not isinstance(net, Network):
        raise InvalidType(f"{where}: net: expected a Network, got {type(net).__name__}")
    if disc is None:
        raise checks.fail(
            where, "disc", "a Discretization, which says how the network was trained: "
            "disc=Discretization(rule='coarse', dt=..., steps=...)",
            "None (the network file holds none)",
        )  # fmt: skip
    if not isinstance(disc, Discretization):
        raise InvalidType(f"{where}: disc: expected a Discretization, got {type(disc).__name__}")
    if steps is not None:
        disc = dataclasses.replace(disc, steps=checks.whole(where, "steps", steps, 1))
    disc.known_steps(where)
    entry, output = _entry(where, net, disc), _output(where, net)
    disc = decoded(where, disc, output, decoder)
    classes = class_count(where, output, n_classes)
    pixels, pictures = _pixels(where, images, entry)
    return Task(
        where=where,
        net=net,
        disc=disc,
        pixels=pixels,
        pictures=pictures,
        labels=_labels(where, labels, len(pixels), output, classes),
        entry=entry,
        output=output,
        spreads=_spreads(where, disc, spread, spreads),
        jitter_seeds=checks.whole(where, "jitter_seeds", jitter_seeds, 1),
        extend=_extend(where, disc, extend),
        seed=checks.whole(where, "seed", seed, 0),
        n_classes=classes,
    )


def _entry(where: str, net: Network, disc: Discretization) -> Units:
    """The population that gets the image."""
    check_no_drives(where, net)
    if disc.encoder != "constant" or net.inputs:
        if len(net.inputs) != 1:
            raise UnsupportedNetwork(
                f"{where}: net: expected one Input for the image, got {list(net.inputs)}"
            )
        return net[net.inputs[0]]
    targets = {projection.target for projection in net.projections}
    free = [p for p in net.populations if isinstance(p, Population) and p.name not in targets]
    if len(free) != 1:
        raise UnsupportedNetwork(
            f"{where}: net: expected for the encoder 'constant' one Input, or one population "
            f"without arriving projections that takes the analog image as a current, got "
            f"no Input and populations {[p.name for p in free]}"
        )
    return free[0]


def _output(where: str, net: Network) -> Units:
    """The population that gives the class."""
    outputs = [net[name] for name in net.outputs]
    if len(outputs) != 1 or isinstance(outputs[0], Input):
        raise UnsupportedNetwork(
            f"{where}: net: expected one output population (without outgoing projections), "
            f"got {[p.name for p in outputs]}"
        )
    return outputs[0]


def _pixels(where: str, images: Any, entry: Units) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Images as rows of numbers from 0 to 1, and as pictures where they have two axes."""
    given = np.asarray(images)
    if given.dtype == np.uint8:
        if given.size and given.max() <= 1:
            raise checks.fail(
                where, "images", "bytes from 0 to 255, or floats from 0 to 1",
                "bytes that are all 0 or 1 (pass them as floats)",
            )  # fmt: skip
        given = given.astype(np.float32) / np.float32(255)
    pixels = checks.real_array(where, "images", given)
    if pixels.ndim < 2 or pixels[:1].size != entry.n * min(1, len(pixels)):
        shape = "x".join(map(str, entry.shape))
        raise checks.fail(
            where, "images", f"shape [sample, ...] with {entry.n} pixels for each sample, since "
            f"population {entry.name!r} is {shape}", f"shape {pixels.shape}",
        )  # fmt: skip
    if len(pixels) < 2:
        raise checks.fail(where, "images", "at least two samples", len(pixels))
    checks.finite(where, "images", pixels)
    bad = (pixels < 0) | (pixels > 1)
    if bad.any():
        index = [int(i) for i in np.argwhere(bad)[0]]
        raise checks.fail(
            where, f"images{index}", "floats from 0 to 1, or uint8 bytes", pixels[tuple(index)]
        )
    inner = pixels.shape[1:]
    if inner == (entry.n,):
        inner = entry.shape
    while len(inner) > 2 and inner[0] == 1:
        inner = inner[1:]
    pictures = pixels.reshape(len(pixels), *inner) if len(inner) == 2 else None
    return pixels.reshape(len(pixels), -1), pictures


def _labels(
    where: str, labels: Any, samples: int, output: Units, classes: int
) -> NDArray[np.int64]:
    found = checks.index_array(where, "labels", labels)
    if len(found) != samples:
        raise checks.fail(where, "labels", f"{samples}, one for each image", len(found))
    wrong = np.flatnonzero(found >= classes)
    if wrong.size:
        raise checks.fail(
            where, f"labels[{wrong[0]}]",
            f"a class below {classes}, "
            + ("n_classes" if classes < output.n else f"the size of population {output.name!r}"),
            int(found[wrong[0]]),
        )  # fmt: skip
    return found


def _spreads(where: str, disc: Discretization, spread: Any, spreads: Any) -> tuple[float, ...]:
    """Pulse widths to compare, the one the verdict is about first, none twice."""
    widths = [disc.spread if spread is None else _width(where, "spread", spread)]
    if isinstance(spreads, str) or not isinstance(spreads, Sequence | np.ndarray):
        raise InvalidType(f"{where}: spreads: expected a list of seconds, got {spreads!r}")
    widths += [_width(where, f"spreads[{k}]", value) for k, value in enumerate(spreads)]
    return tuple(dict.fromkeys(widths))


def _width(where: str, field: str, value: Any) -> float:
    width = checks.scalar(where, field, value)
    if width < 0:
        raise checks.fail(where, field, "seconds >= 0 (0: deltas)", width)
    return width


def _extend(where: str, disc: Discretization, extend: Any) -> float:
    if isinstance(extend, bool):
        return disc.dt if extend else 0.0
    seconds = checks.scalar(where, "extend", extend)
    if seconds < 0:
        raise checks.fail(where, "extend", "seconds >= 0, or True for one step", seconds)
    return seconds


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
