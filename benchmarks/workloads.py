"""The workloads: a network, its input spikes and how long it runs. Always the same bits.

W1
    Feed-forward 784-800-800-10, all-to-all, delta synapses, Gaussian weights, tau = 4 t_ref.
    Poisson input at 0.2 per t_ref for 16 t_ref; hidden neurons fire at about 0.12 per t_ref.
W1p
    The same with pulses of width t_ref.
W1x
    The same with one exponential receptor, tau_syn = tau / 2, and weights four times as large:
    hidden neurons fire at about 0.11 per t_ref.
W2
    Recurrent, delta synapses: 12,500 neurons, each with 1,250 random inputs and a Poisson source of
    20 kHz outside (`benchmarks.brunel`). 50 ms.
W3
    Recurrent, exponential currents: 4,000 neurons without input (`benchmarks.cuba`). 1 s.
W4
    Convolutional 28x28 - 16@5x5 - max-pool 2 - 32@5x5 - max-pool 2 - 10, padding 2 (so that images
    keep their size: 28, 14, 7), delta synapses, max pooling by first spike. Poisson input at 0.2
    per t_ref for 16 t_ref. The weights' standard deviation is 1.4 / sqrt(inputs of a neuron), as
    in W1, which gives rates of the same order.
W5
    The cortical microcircuit of Potjans and Diesmann, exponential currents, Poisson sources outside
    (`benchmarks.microcircuit`), at a tenth of its size: 7,717 neurons. 100 ms.
W5-full
    The same at full size: 77,169 neurons, 299 million synapses. It needs some GiB of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

import eventsim as es
from benchmarks import brunel, cuba, microcircuit

__all__ = [
    "LARGE",
    "WORKLOADS",
    "Workload",
    "convolutional",
    "cortical",
    "feed_forward",
    "random_deltas",
    "random_exponentials",
]

T_REF = 2e-3
TAU = 4 * T_REF
INPUT_RATE = 0.2 / T_REF


@dataclass(frozen=True)
class Workload:
    """What every contender gets."""

    name: str
    title: str
    net: es.Network
    trains: list[es.SpikeTrain]  # of the Input, one for each sample; empty where there is none
    t_stop: float
    queue_samples: int = 1  # so many samples are enough for the slow engine
    #: Contender -> it takes part in so many rounds at most; 0 leaves it out.
    rounds: Mapping[str, int] = field(default_factory=dict)
    #: The same kind of network, small: runs through the same kernels.
    small: Callable[[], Workload] | None = None
    #: Spikes a second that populations are known to have.
    expected: Mapping[str, float] = field(default_factory=dict)

    @property
    def recurrent(self) -> bool:
        """Whether spikes lead back to where they came from, after a delay."""
        return any(link.min_delay > 0.0 for link in self.net.projections)

    @property
    def samples(self) -> int:
        """How many there are; a network without an Input runs once."""
        return max(1, len(self.trains))

    @property
    def steps(self) -> int:
        """Steps of a coarse model that cover the run."""
        return round(self.t_stop / T_REF)

    def batch(self, samples: int) -> Workload:
        """The same network with so many samples, drawn anew."""
        rng, (name,) = np.random.default_rng(samples), self.net.inputs
        n = self.net[name].n
        return replace(self, trains=[_poisson(n, self.t_stop, rng) for _ in range(samples)])

    def inputs(self, samples: int) -> dict[str, list[es.SpikeTrain]]:
        """Input of the first samples, as `eventsim.simulate` takes it."""
        return {name: self.trains[:samples] for name in self.net.inputs}


def _poisson(n: int, t_stop: float, rng: np.random.Generator) -> es.SpikeTrain:
    senders = np.repeat(np.arange(n), rng.poisson(INPUT_RATE * t_stop, n))
    return es.SpikeTrain.sorted(rng.uniform(0.0, t_stop, senders.size), senders)


def feed_forward(
    name: str,
    spread: float = 0.0,
    tau_syn: float | None = None,
    sizes: tuple[int, ...] = (784, 800, 800, 10),
    std: tuple[float, ...] = (0.052, 0.068, 0.068),
    samples: int = 32,
    steps: int = 16,
) -> Workload:
    """All-to-all layers of deltas, of pulses where they have a spread, or with a receptor."""
    rng = np.random.default_rng(0)
    names = ["input", *(f"layer{k}" for k in range(1, len(sizes)))]
    layers = [
        es.Population(layer, n, tau_mem=TAU, t_ref=T_REF, tau_syn=tau_syn)
        for layer, n in zip(names[1:], sizes[1:], strict=True)
    ]
    receptor = None if tau_syn is None else 0
    links = [
        es.Dense(*names[k : k + 2], rng.normal(0.0, s, sizes[k : k + 2]), 0.0, spread, receptor)
        for k, s in enumerate(std)
    ]
    kind = "deltas" if tau_syn is None else "exponential currents"
    t_stop = steps * T_REF
    return Workload(
        name,
        "-".join(map(str, sizes)) + (", pulses of width t_ref" if spread else f", {kind}"),
        es.Network([es.Input("input", sizes[0]), *layers], links),
        [_poisson(sizes[0], t_stop, rng) for _ in range(samples)],
        t_stop,
        queue_samples=2,
    )


def convolutional(
    name: str,
    spread: float = 0.0,
    side: int = 28,
    channels: tuple[int, int] = (16, 32),
    outputs: int = 10,
    samples: int = 32,
    steps: int = 16,
) -> Workload:
    """Two convolutions of 5x5 with max pooling, and an all-to-all output; deltas or pulses."""
    rng = np.random.default_rng(0)
    first, second = channels
    half, quarter = side // 2, side // 4

    def neurons(layer: str, *shape: int) -> es.Population:
        return es.Population(layer, shape, tau_mem=TAU, t_ref=T_REF)

    def weights(fan_in: int, *shape: int) -> np.ndarray:
        return rng.normal(0.0, 1.4 / np.sqrt(fan_in), shape)

    flat = second * quarter * quarter
    net = es.Network(
        [
            es.Input("input", (1, side, side)),
            neurons("conv1", first, side, side),
            es.Relay("pool1", (first, half, half)),
            neurons("conv2", second, half, half),
            es.Relay("pool2", (second, quarter, quarter)),
            neurons("output", outputs),
        ],
        [
            es.Conv2d("input", "conv1", weights(25, first, 1, 5, 5), padding=2, spread=spread),
            es.MaxPool2d("conv1", "pool1", 2),
            es.Conv2d(
                "pool1",
                "conv2",
                weights(25 * first, second, first, 5, 5),
                padding=2,
                spread=spread,
            ),
            es.MaxPool2d("conv2", "pool2", 2),
            es.Dense("pool2", "output", weights(flat, flat, outputs), spread=spread),
        ],
    )
    t_stop = steps * T_REF
    kind = "pulses of width t_ref" if spread else "deltas"
    title = f"{side}x{side} - {first}@5x5 - pool 2 - {second}@5x5 - pool 2 - {outputs}, {kind}"
    trains = [_poisson(side * side, t_stop, rng) for _ in range(samples)]
    return Workload(name, title, net, trains, t_stop)


def random_deltas(
    name: str, excitatory: int = 10_000, inhibitory: int = 2_500, t_stop: float = 0.05
) -> Workload:
    """Recurrent network of delta neurons with input from outside."""
    net = brunel.brunel(excitatory, inhibitory)
    n = excitatory + inhibitory
    title = f"Brunel, {n} neurons, deltas, {1e3 * t_stop:g} ms"
    return Workload(
        name,
        title,
        net,
        [],
        t_stop,
        rounds={"queue": 1, "nest": 2, "nest_grid": 3},
        small=lambda: random_deltas(name, 160, 40, 0.02),
    )


def random_exponentials(
    name: str,
    excitatory: int = 3200,
    inhibitory: int = 800,
    probability: float = 0.02,
    t_stop: float = cuba.T_STOP,
) -> Workload:
    """Recurrent network with exponential currents that runs on its own."""
    net = cuba.cuba(excitatory, inhibitory, probability)
    title = f"CUBA, {excitatory + inhibitory} neurons, exponential currents, {1e3 * t_stop:g} ms"
    return Workload(
        name, title, net, [], t_stop, small=lambda: random_exponentials(name, 160, 40, 0.2, 0.1)
    )


def cortical(name: str, scale: float, t_stop: float = 0.1) -> Workload:
    """Layers of a cortex, exponential currents, Poisson sources outside."""
    net = microcircuit.microcircuit(scale)
    n = sum(p.n for p in net.populations if isinstance(p, es.Population))
    title = f"Potjans-Diesmann, {n} neurons, exponential currents, {1e3 * t_stop:g} ms"
    return Workload(
        name,
        title,
        net,
        [],
        t_stop,
        rounds={"queue": 1 if scale < 0.5 else 0},
        small=lambda: cortical(name, 0.01, 0.005),
        expected=microcircuit.RATES,
    )


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "W1": lambda: feed_forward("W1"),
    "W1p": lambda: feed_forward("W1p", spread=T_REF),
    "W1x": lambda: feed_forward("W1x", tau_syn=TAU / 2, std=(0.208, 0.272, 0.272)),
    "W2": lambda: random_deltas("W2"),
    "W3": lambda: random_exponentials("W3"),
    "W4": lambda: convolutional("W4"),
    "W5": lambda: cortical("W5", 0.1),
    "W5-full": lambda: cortical("W5-full", 1.0),
}

#: Run only where they are asked for.
LARGE = ("W5-full",)
