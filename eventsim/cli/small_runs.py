"""Small runs that together use every kernel, for ``eventsim warmup``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventsim.network import Network

__all__ = ["PARTS"]

#: One step of the small networks, in seconds.
DT = 1e-3

#: Neurons of a recurrent network: so many that each loop takes it, and that threads share a visit.
RECURRENT = 512

#: A number that float32 holds, and one that it does not: tables of synapses have either type.
WEIGHTS = (0.25, 0.1)


def _network(tau_syn: float | list[float] | None = None) -> Network:
    """A small network with each kind of projection that has a kernel of its own.

    With ``tau_syn`` its output neurons have exponential receptors.
    """
    import numpy as np

    from eventsim.convolution import Conv2d
    from eventsim.network import Network
    from eventsim.pooling import MaxPool2d
    from eventsim.populations import Input, Population, Relay
    from eventsim.projections import Dense, Sparse

    arrivals = {"spread": DT} if tau_syn is None else {"receptor": 0}
    return Network(
        [
            Input("image", (1, 4, 4)),
            Population("conv", (2, 4, 4), tau_mem=4 * DT, t_ref=DT),
            Relay("pool", (2, 2, 2)),
            Population("hidden", 4, tau_mem=4 * DT, t_ref=DT),
            Population("out", 2, tau_mem=4 * DT, t_ref=DT, tau_syn=tau_syn),
        ],
        [
            Conv2d("image", "conv", np.ones((2, 1, 3, 3)), padding=1, spread=DT),
            MaxPool2d("conv", "pool", 2),
            Sparse("pool", "hidden", [0, 1, 2], [0, 1, 2], [1.5, 1.5, 1.5], spread=DT),
            Dense("hidden", "out", np.ones((4, 2)), **arrivals),
        ],
    )


def _feed_forward() -> None:
    """The discrete twin in both arithmetics, each engine, potentials."""
    import numpy as np

    from eventsim.discretization import Discretization
    from eventsim.encode import to_spike_trains
    from eventsim.simulate import simulate

    net = _network()
    steps = np.ones((1, 4, 16), dtype=np.uint8)
    disc = Discretization(dt=DT, steps=4)
    for dtype in (np.float64, np.float32):
        disc.run(net, steps, dtype=dtype)
    inputs = {"image": to_spike_trains(steps, DT)}
    for engine in ("layered", "windowed", "queue"):
        simulate(net, inputs, disc.duration, engine=engine, record_v={"out": [0]})
    _above_threshold()


def _above_threshold() -> None:
    """All-to-all neurons, one of which a bias or a step takes above threshold."""
    import numpy as np

    from eventsim.network import Network
    from eventsim.populations import Input, Population
    from eventsim.projections import Dense
    from eventsim.simulate import simulate

    bias = np.array([0.0, 2.0])
    net = Network(
        [Input("in", 2), Population("out", 2, tau_mem=4 * DT, t_ref=DT, i_bias=bias)],
        [Dense("in", "out", np.ones((2, 2)))],
    )
    for currents in (None, {"out": [(0.0, 0, 2.0)]}):
        simulate(net, {"in": ([0.0], [0])}, 4 * DT, engine="layered", currents=currents)


def _receptors() -> None:
    """The engines for networks with receptors, which have kernels of their own."""
    from eventsim.simulate import simulate

    for tau_syn in (DT, [DT, DT / 2.0]):
        net = _network(tau_syn)
        for engine in ("layered", "windowed", "queue"):
            simulate(net, {"image": ([0.0], [0])}, 4 * DT, engine=engine, record_v={"out": [0]})


def _recurrent(weight: float, tau_syn: float | None = None) -> None:
    """The loops for recurrent networks of neurons without and with receptors.

    All inputs spike at once, which is more than one thread takes; beside them each neuron has a
    Poisson source of its own.
    """
    import numpy as np

    from eventsim.network import Network
    from eventsim.populations import Input, Poisson, Population
    from eventsim.projections import Dense, Sparse
    from eventsim.random_links import Normal, Random
    from eventsim.simulate import simulate

    every, receptor = np.arange(RECURRENT), None if tau_syn is None else 0
    drawn = Normal(weight, 0.1 * weight)  # in float32, whatever the tables hold
    net = Network(
        [
            Input("image", RECURRENT),
            Poisson("outside", RECURRENT, rate=1.0 / DT),
            Population("cells", RECURRENT, tau_mem=4 * DT, t_ref=DT, tau_syn=tau_syn),
        ],
        [
            Dense("image", "cells", np.full((RECURRENT, RECURRENT), weight), receptor=receptor),
            Sparse("outside", "cells", every, every, weight, receptor=receptor),
            Sparse("cells", "cells", every, every[::-1], weight, delay=DT, receptor=receptor),
            Random("cells", "cells", weight=drawn, indegree=1, delay=DT, receptor=receptor),
        ],
    )
    inputs = {"image": (np.zeros(RECURRENT), every)}
    simulate(net, inputs, 4 * DT, engine="windowed", record="counts", threads=2)
    simulate(net, inputs, 2 * DT, engine="windowed", record_v={"cells": [0]}, threads=1)


def _deltas() -> None:
    for weight in WEIGHTS:
        _recurrent(weight)


def _currents() -> None:
    for weight in WEIGHTS:
        _recurrent(weight, tau_syn=DT)


def _compare() -> None:
    """What a comparison does beside: matching, the ladder, clock-driven runs, close-ups."""
    import numpy as np

    from eventsim.discretization import Discretization
    from eventsim.fidelity.closeup import closeups
    from eventsim.fidelity.compare import validate
    from eventsim.fidelity.task import check_task

    net, disc = _network(), Discretization(dt=DT, steps=4)
    images, labels = np.ones((2, 1, 4, 4), dtype=np.float32), [0, 1]
    validate(net, disc, images, labels, spreads=[0.0], ladder=True, time_steps=[1.0])
    closeups(check_task(net, disc, images, labels), [0])


def _measure() -> None:
    """Metrics of spike trains that have kernels of their own."""
    from eventsim.fidelity import metrics

    first, second = [0.0, DT, 3 * DT], [0.5 * DT, 2 * DT]
    window = {"t_start": 0.0, "t_stop": 4 * DT}
    metrics.victor_purpura_distance(first, second, cost_factor=1 / DT)
    metrics.van_rossum_distance(first, second, time_constant=DT)
    metrics.isi_distance(first, second, **window)
    metrics.spike_distance(first, second, **window)
    metrics.cross_correlation_histogram(first, second, bin_size=DT, max_lag=2 * DT)


#: What is compiled -> the runs that need it.
PARTS: dict[str, Callable[[], None]] = {
    "layers, delays, and networks of any kind": _feed_forward,
    "the same with exponential receptors": _receptors,
    "recurrent networks": _deltas,
    "recurrent networks with exponential receptors": _currents,
    "comparisons": _compare,
    "distances of spike trains": _measure,
}
