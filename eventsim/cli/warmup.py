"""``eventsim warmup``: compile every kernel now, so that nothing has to wait later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eventsim.cli.terminal import Work, line

if TYPE_CHECKING:
    from eventsim.network import Network

#: One step of the small network, in seconds.
DT = 1e-3


@click.command()
def warmup() -> None:
    """Compile everything into the cache, which takes a minute or two.

    Commands do this by themselves when they first need something; after this one, none has
    to. The cache holds until eventsim, Python, NumPy or Numba is changed.

    \b
    Example:
      eventsim warmup
    """
    from eventsim.jit import cache_folder

    with Work("compiling") as work:
        _run_everything(_network())
        for tau_syn in (DT, [DT, DT / 2.0]):
            _run_with_currents(_network(tau_syn))
        _compare(_network())
        _measure()
    seconds = work.watch.seconds
    line(f"compiled in {seconds:.1f} s" if seconds else "everything was compiled already")
    line(f"kept in {cache_folder()}")


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


def _run_everything(net: Network) -> None:
    """The discrete twin in both arithmetics, each engine, potentials."""
    import numpy as np

    from eventsim.discretization import Discretization
    from eventsim.encode import to_spike_trains
    from eventsim.simulate import simulate

    steps = np.ones((1, 4, 16), dtype=np.uint8)
    disc = Discretization(dt=DT, steps=4)
    for dtype in (np.float64, np.float32):
        disc.run(net, steps, dtype=dtype)
    inputs = {"image": to_spike_trains(steps, DT)}
    for engine in ("layered", "windowed", "queue"):
        simulate(net, inputs, disc.duration, engine=engine, record_v={"out": [0]})


def _run_with_currents(net: Network) -> None:
    """The engines for networks with receptors, which have kernels of their own."""
    from eventsim.simulate import simulate

    for engine in ("layered", "windowed", "queue"):
        simulate(net, {"image": ([0.0], [0])}, 4 * DT, engine=engine, record_v={"out": [0]})


def _compare(net: Network) -> None:
    """What a comparison does beside: matching, the ladder, clock-driven runs, close-ups."""
    import numpy as np

    from eventsim.discretization import Discretization
    from eventsim.fidelity.closeup import closeups
    from eventsim.fidelity.compare import validate
    from eventsim.fidelity.task import check_task

    disc = Discretization(dt=DT, steps=4)
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
