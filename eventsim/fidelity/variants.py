"""A network with other synapses of the same charge, and how deep a network is."""

from __future__ import annotations

import dataclasses
import graphlib
from typing import Any

import numpy as np

from eventsim import checks
from eventsim.errors import UnsupportedNetwork
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Population
from eventsim.projections import Dense, Projection, Sparse

__all__ = ["depth", "feed_forward_order", "feeds_forward", "with_exponentials"]


def with_exponentials(net: Network, tau_syn: float) -> Network:
    r"""The network with exponential synapses in place of deltas and pulses.

    A delta of weight w moves the potential by w. With :math:`v' = (-v + r I) / \tau_\mathrm{mem}`
    a jump of the current by w' moves it, in sum, by :math:`r w' \tau_\mathrm{syn} /
    \tau_\mathrm{mem}`, so that

    .. math:: w' = w \, \frac{\tau_\mathrm{mem}}{r \, \tau_\mathrm{syn}}

    (without :math:`\tau_\mathrm{mem}` where it is infinite) brings the same charge.

    Parameters
    ----------
    net : Network
        Network without receptors.
    tau_syn : float
        Time constant of all synapses in seconds, > 0.

    Returns
    -------
    Network
        Every population has one receptor, which all projections reach.

    Raises
    ------
    UnsupportedNetwork
        A population has receptors already, or ``r = 0``, or ``tau_mem / r`` that differs between
        neurons that share weights (convolution, pooling).

    Examples
    --------
    >>> from eventsim import Input
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3)],
    ...               [Dense("in", "out", [[0.5]], spread=1e-3)])
    >>> with_exponentials(net, 0.5e-3).projections[0]
    Dense('in', 'out', weight=float64[1, 1], receptor=0)
    >>> float(with_exponentials(net, 0.5e-3).projections[0].weight[0, 0])
    4.0
    """
    tau_syn = checks.positive("with_exponentials", "tau_syn", tau_syn)
    populations: list[Any] = []
    for p in net.populations:
        if isinstance(p, Population):
            if p.n_receptors:
                raise UnsupportedNetwork(
                    f"population {p.name!r}: tau_syn: expected None, as all synapses are to "
                    f"become exponential, got {p.n_receptors} receptors"
                )
            p = dataclasses.replace(p, n=p.shape, tau_syn=[tau_syn])
        populations.append(p)
    return Network(populations, [_exponential(net, link, tau_syn) for link in net.projections])


def _exponential(net: Network, link: Projection, tau_syn: float) -> Projection:
    if isinstance(link, MaxPool2d):
        return link
    target = net[link.target]
    assert isinstance(target, Population)
    tau, r = target.array("tau_mem"), target.array("r")
    if (r == 0).any():
        raise UnsupportedNetwork(
            f"population {target.name!r}: r: expected a gain that currents pass, got 0"
        )
    factor = np.where(np.isinf(tau), 1.0, tau) / (r * tau_syn)
    if isinstance(link, Dense):
        by_weight = factor[None]
    elif isinstance(link, Sparse):
        by_weight = factor[link.post]
    elif (factor == factor[0]).all():
        by_weight = factor[0]
    else:
        raise UnsupportedNetwork(
            f"{link.where}: tau_mem / r of {target.name!r}: expected one for all neurons, which "
            "share weights, got several"
        )
    weight = np.asarray(link.weight, dtype=np.float64) * by_weight  # type: ignore[attr-defined]
    return dataclasses.replace(
        link,
        weight=weight if weight.ndim else float(weight),  # type: ignore[call-arg]
        spread=0.0,
        receptor=0,
    )


def feed_forward_order(net: Network) -> tuple[str, ...]:
    """Names of all populations, each behind all its sources, whatever the delays.

    Raises
    ------
    UnsupportedNetwork
        The network is recurrent; the cycle is named.

    Examples
    --------
    >>> from eventsim import Input
    >>> feed_forward_order(Network([Population("out", 1, tau_mem=4e-3), Input("in", 1)],
    ...                            [Dense("in", "out", [[0.5]], delay=1e-3)]))
    ('in', 'out')
    """
    sources: dict[str, list[str]] = {p.name: [] for p in net.populations}
    for link in net.projections:
        sources[link.target].append(link.source)
    try:
        return tuple(graphlib.TopologicalSorter(sources).static_order())
    except graphlib.CycleError as error:
        raise UnsupportedNetwork(
            "network: projections: expected layers that feed forward, got the cycle "
            f"{' -> '.join(reversed(error.args[1]))}"
        ) from error


def feeds_forward(net: Network) -> bool:
    """Whether no projection leads back, however late.

    >>> from eventsim import Input
    >>> feeds_forward(Network([Input("in", 1), Population("out", 1, tau_mem=4e-3)],
    ...                       [Dense("out", "out", [[0.5]], delay=1e-3)]))
    False
    """
    try:
        feed_forward_order(net)
    except UnsupportedNetwork:
        return False
    return True


def depth(net: Network) -> int:
    """Layers of neurons on the longest way through a network that feeds forward.

    >>> from eventsim import Input
    >>> net = Network([Input("in", 1), Population("out", 1, tau_mem=4e-3)],
    ...               [Dense("in", "out", [[0.5]])])
    >>> depth(net)
    1
    """
    layers: dict[str, int] = {}
    for name in feed_forward_order(net):
        before = [layers[link.source] for link in net.projections if link.target == name]
        layers[name] = max(before, default=0) + isinstance(net[name], Population)
    return max(layers.values())
