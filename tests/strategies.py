"""Hypothesis strategies: random networks with what is fed to them.

Structure and options are drawn one by one, so that a failing example shrinks; weights and times
come from a generator with a drawn seed. Half of the draws live on grids (weights in eighths, times
in quarters), where arrivals coincide and sums meet thresholds exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

import eventsim as es

INF = float("inf")

#: Time constants of receptors in those of the membrane: equal, nearly equal, apart, far apart.
RATIOS = (1.0, 1.0 + 1e-9, 1.0 - 1e-6, 0.5, 2.0, 0.25, 0.1, 1e-3, 1e3)


@dataclass
class Problem:
    """A network and all arguments of one run."""

    net: es.Network
    inputs: dict[str, es.SpikeTrain]
    currents: dict[str, list[tuple[float, int, float]]]
    t_stop: float

    @property
    def neurons(self) -> list[str]:
        """Names of the populations with membranes."""
        return [p.name for p in self.net if isinstance(p, es.Population)]

    def __repr__(self) -> str:
        trains = {k: (v.times.tolist(), v.senders.tolist()) for k, v in self.inputs.items()}
        parts = [
            *map(repr, self.net.populations),
            *map(repr, self.net.projections),
            repr(trains),
            repr(self.currents),
            f"t_stop={self.t_stop}",
        ]
        return "Problem(\n    " + ",\n    ".join(parts) + ")"


@dataclass
class _Maker:
    """The drawn generator and the options that hold for a whole problem."""

    rng: np.random.Generator
    grid: bool
    pulses: bool
    delays: bool
    receptors: bool
    adaptation: bool

    def weights(self, shape: Any, fan_in: float) -> np.ndarray:
        w = self.rng.uniform(-0.5, 1.0, shape) * 2.5 / max(1.0, fan_in) ** 0.5
        if self.grid:
            w = np.round(w * 8) / 8
        return w.astype(np.float32) if self.rng.random() < 0.3 else w

    def times(self, n: int, t_stop: float) -> np.ndarray:
        t = self.rng.uniform(0.0, 1.1 * t_stop, n)
        return np.round(t * 4) / 4 if self.grid else t

    def delay(self, shape: Any, *, positive: bool = False) -> Any:
        """Zero, one for all, or one for each synapse (some of them zero unless positive)."""
        kind = self.rng.integers(3 if self.delays else 1)
        if kind == 0 and not positive:
            return 0.0
        if kind < 2 or shape is None:
            return 0.75 if self.grid else float(self.rng.uniform(0.3, 2.0))
        d = self.rng.uniform(0.3, 2.0, shape)
        if self.grid:
            d = np.ceil(d * 2) / 2
        return d if positive else d * (self.rng.random(shape) < 0.7)

    def spread(self) -> float:
        if not self.pulses or self.rng.random() < 0.4:
            return 0.0
        return float(self.rng.choice([0.5, 1.0, 2.5]) if self.grid else self.rng.uniform(0.1, 3))

    def tau_syn(self, tau_mem: Any, n: int) -> list[Any]:
        """One to three receptors, each a number or an array."""
        taus = []
        for _ in range(self.rng.integers(1, 4)):
            base = np.where(np.isinf(tau_mem), 2.0, tau_mem)
            tau = base * self.rng.choice(RATIOS)
            if not self.grid and self.rng.random() < 0.3:
                tau = self.rng.uniform(0.2, 4.0, n)
            taus.append(float(tau) if np.ndim(tau) == 0 else tau)
        return taus

    def leftovers(self) -> dict[str, Any]:
        """What spikes leave behind: an adaptive threshold, a current, or both."""
        rng, parameters, kind = self.rng, {}, self.rng.integers(3)
        if kind != 0:
            parameters["adapt_beta"] = float(rng.choice([-0.05, 0.0625, 0.25, 0.5]))
            # A threshold that drops for long runs away.
            slow = [2.0, 10.0, 1e3] if parameters["adapt_beta"] > 0.0 else []
            parameters["tau_adapt"] = float(rng.choice([0.5, *slow]))
        if kind != 1:
            parameters["ahp_jump"] = float(rng.choice([-0.0625, 0.125, 0.5, 1.0]))
            parameters["tau_ahp"] = float(rng.choice([0.01, 0.5, 2.0, 5.0, 10.0]))
        return parameters

    def aimed(self, link: Any, target: Any) -> Any:
        """The projection as it is, or at a receptor, with weights that still make spikes."""
        receptors = getattr(target, "n_receptors", 0)
        if not receptors or self.rng.random() < 0.3:
            return link
        k = int(self.rng.integers(receptors))
        tau_mem, tau = target.array("tau_mem"), target.receptor_times[k]
        # Roughly the largest potential that a current of 1 leaves: it grows up to tau_mem.
        share = np.where(np.isinf(tau_mem), np.minimum(tau, 4.0), tau / (tau + tau_mem))
        peak = target.array("r") * share
        if isinstance(link, es.Sparse):
            peak = peak[link.post]
        elif not isinstance(link, es.Dense):
            peak = peak.mean()
        weight = link.weight / peak
        if np.ndim(weight) == 0:
            weight = float(weight)
        return replace(link, weight=weight, spread=0.0, receptor=k)


def _flat(draw: Any, make: _Maker, source: Any, target: Any, *, recurrent: bool = False) -> Any:
    """A Dense or Sparse projection between two populations of any shapes."""
    gain = 8.0 if recurrent else 1.0
    spread = make.spread()
    if draw(st.booleans(), label="sparse"):
        k = int(make.rng.integers(1, 2 * max(source.n, target.n) + 1))
        return es.Sparse(
            source.name,
            target.name,
            make.rng.integers(source.n, size=k),
            make.rng.integers(target.n, size=k),
            make.weights(k, gain * k / target.n),
            delay=make.delay((k,), positive=recurrent),
            spread=spread,
        )
    shape = (source.n, target.n)
    return es.Dense(
        source.name,
        target.name,
        make.weights(shape, gain * source.n),
        delay=make.delay(shape, positive=recurrent),
        spread=spread,
    )


def _image_map(draw: Any, make: _Maker, source: Any, name: str) -> tuple[Any, tuple[int, ...]]:
    """A convolution or pool from an image-shaped population, and the shape that it gives."""
    channels, height, width = source.shape
    smallest = min(height, width)
    kinds = ["conv", "sum", "average"]
    if isinstance(source, es.Population) or smallest > 1:
        kinds += ["max"] * 2
    kind = draw(st.sampled_from(kinds), label="image map")
    stride = tuple(int(s) for s in make.rng.integers(1, 3, 2))
    if kind == "conv":
        groups = int(make.rng.integers(1, 3)) if channels == 2 else 1
        padding = tuple(int(p) for p in make.rng.integers(0, 3, 2))
        room = [n + 2 * p for n, p in zip((height, width), padding, strict=True)]
        kernel = [int(make.rng.integers(1, min(3, r) + 1)) for r in room]
        dilation = [
            int(make.rng.integers(1, 3)) if 2 * (k - 1) < r else 1
            for k, r in zip(kernel, room, strict=True)
        ]
        shape = (2, channels // groups, *kernel)
        link: Any = es.Conv2d(
            source.name,
            name,
            make.weights(shape, float(np.prod(shape[1:]))),
            stride=stride,
            padding=padding,
            dilation=tuple(dilation),
            groups=groups,
            delay=make.delay(None),
            spread=make.spread(),
        )
    else:
        kernel = [int(make.rng.integers(1, min(3, smallest) + 1)) for _ in range(2)]
        options: dict[str, Any] = {
            "kernel_size": tuple(kernel),
            "stride": stride,
            "padding": tuple(int(make.rng.integers(0, k // 2 + 1)) for k in kernel),
            "delay": make.delay(None),
        }
        if kind == "max":
            rule = draw(st.sampled_from(es.MaxPool2d.RULES), label="rule")
            window: float | None = float(make.rng.choice([0.5, 1.0, 2.0]))
            refractory = isinstance(source, es.Population) and source.array("t_ref").max() > 0
            if refractory and make.rng.random() < 0.5:
                window = None
            link = es.MaxPool2d(source.name, name, rule=rule, window=window, **options)
        else:
            pool = es.SumPool2d if kind == "sum" else es.AvgPool2d
            weight = float(make.rng.choice([0.5, 1.0]))
            link = pool(source.name, name, spread=make.spread(), weight=weight, **options)
    return link, link.output_shape(source.shape)


def _population(
    draw: Any, make: _Maker, name: str, shape: tuple[int, ...], *, driven: bool
) -> es.Population:
    n, rng = int(np.prod(shape)), make.rng

    def some(low: float, high: float, choices: list[float]) -> Any:
        """One of some round numbers, or an array of random ones."""
        if make.grid or rng.random() < 0.5:
            return float(rng.choice(choices))
        return rng.uniform(low, high, n)

    tau = INF if draw(st.integers(0, 3), label="no leak") == 0 else some(1.0, 10.0, [2.0, 5.0])
    v_leak = some(-0.3, 0.1, [0.0, 0.0, -0.25])
    parameters: dict[str, Any] = {
        "tau_mem": tau,
        "v_leak": v_leak,
        "v_threshold": some(0.5, 1.5, [0.5, 1.0]),
        "v_reset": some(-0.5, 0.3, [0.0, 0.0, -0.25]),
        "t_ref": some(0.1, 2.0, [0.0, 0.5, 1.0]),
    }
    if driven:
        # A bias of 1 r (times tau or not) rests near the threshold.
        parameters["r"] = some(0.5, 1.5, [1.0, 2.0])
        parameters["i_bias"] = rng.uniform(-0.2, 0.9, n) if rng.random() < 0.6 else 0.0
    if draw(st.booleans(), label="subtract"):
        parameters["reset"] = "subtract"
        parameters["multi_spike"] = draw(st.booleans(), label="multi_spike")
    parameters["fires_at_equality"] = draw(st.booleans(), label="fires_at_equality")
    if rng.random() < 0.3:
        near = 1.0 if make.grid else 0.9
        parameters["v_init"] = rng.choice([-0.5, 0.25, near, 1.75], n)
    if make.receptors and rng.random() < 0.8:
        parameters["tau_syn"] = make.tau_syn(tau, n)
    if make.adaptation and rng.random() < 0.7:
        parameters |= make.leftovers()
    return es.Population(name, shape, **parameters)


@st.composite
def problems(
    draw: Any,
    *,
    feed_forward: bool = False,
    delta_only: bool = False,
    delays: bool = True,
    exponentials: bool = True,
    adaptation: bool = True,
) -> Problem:
    """Networks with inputs and currents.

    ``feed_forward`` leaves out recurrence, ``delays=False`` all delays (which leaves no
    recurrence either), ``exponentials=False`` receptors, ``adaptation=False`` adaptive
    thresholds and currents, and ``delta_only`` these two, pulses, biases and currents.
    """
    make = _Maker(
        rng=np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed")),
        grid=draw(st.booleans(), label="grid"),
        pulses=not delta_only and draw(st.integers(0, 3), label="pulses") > 0,
        delays=delays,
        receptors=exponentials and not delta_only and draw(st.booleans(), label="receptors"),
        adaptation=adaptation and not delta_only and draw(st.booleans(), label="adaptation"),
    )
    driven = not delta_only and draw(st.booleans(), label="bias")
    t_stop = 8.0
    image = tuple(int(make.rng.integers(1, high)) for high in (3, 5, 5))
    populations: list[Any] = [es.Input("in", image)]
    if draw(st.booleans(), label="second input"):
        populations.append(es.Input("other", 3))
    links: list[Any] = []
    for k in range(draw(st.integers(1, 3), label="layers")):
        name = f"layer{k}"
        source = draw(st.sampled_from(populations[-2:]), label="source")
        link = None
        if len(source.shape) == 3 and draw(st.integers(0, 2), label="image map") > 0:
            link, shape = _image_map(draw, make, source, name)
        else:
            shape = (int(make.rng.integers(1, 6)),)
        if isinstance(link, es.MaxPool2d):
            populations.append(es.Relay(name, shape))
            links.append(link)
            continue
        target = _population(draw, make, name, shape, driven=driven)
        link = link if link is not None else _flat(draw, make, source, target)
        links.append(make.aimed(link, target))
        for _ in range(draw(st.integers(0, 2), label="more projections")):
            link = _flat(draw, make, draw(st.sampled_from(populations)), target)
            links.append(make.aimed(link, target))
        populations.append(target)
    neurons = [p for p in populations if isinstance(p, es.Population)]
    if neurons and delays and not feed_forward:
        sources = populations[-3:]
        for _ in range(draw(st.integers(0, 2), label="recurrent projections")):
            source, target = draw(st.sampled_from(sources)), draw(st.sampled_from(neurons))
            link = _flat(draw, make, source, target, recurrent=True)
            links.append(make.aimed(link, target))
    if draw(st.booleans(), label="other order of declaration"):
        make.rng.shuffle(populations)
        make.rng.shuffle(links)

    inputs = {}
    for p in populations:
        if isinstance(p, es.Input):
            count = int(make.rng.integers(0, 4 * p.n + 3))
            spikes = {
                (float(t), int(i))
                for t, i in zip(
                    make.times(count, t_stop), make.rng.integers(p.n, size=count), strict=True
                )
            }
            rows = sorted(spikes)
            inputs[p.name] = es.SpikeTrain([t for t, _ in rows], [i for _, i in rows])
    currents: dict[str, list[tuple[float, int, float]]] = {}
    if driven and neurons and draw(st.booleans(), label="currents"):
        for p in neurons[:2]:
            steps = {
                (float(t), int(i)): float(make.rng.choice([-0.5, 0.0, 0.25, 1.0, 2.0]))
                for t, i in zip(make.times(4, t_stop), make.rng.integers(p.n, size=4), strict=True)
            }
            currents[p.name] = [(t, i, value) for (t, i), value in sorted(steps.items())]
    return Problem(es.Network(populations, links), inputs, currents, t_stop)
