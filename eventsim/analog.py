"""Analog images as constant currents: what the encoder ``"constant"`` means in continuous time.

In the discrete model the image is the input of every step. Where it reaches neurons through the
weights of linear projections, each neuron gets the same charge ``q = sum_i w_i x_i`` in every
step, and the constant current that brings it is

.. math:: i = \\frac{\\tau_\\mathrm{mem}}{r \\, dt} \\, q \\quad (\\text{deltas and pulses}),
    \\qquad i = \\frac{\\tau_\\mathrm{syn}}{dt} \\, q \\quad (\\text{exponential synapses})

the second being the current that a synapse with such an input every step has on average.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim import checks
from eventsim.discrete.charge import link
from eventsim.discretization import Discretization
from eventsim.encode import to_currents
from eventsim.errors import UnsupportedNetwork
from eventsim.network import Network
from eventsim.pooling import MaxPool2d
from eventsim.populations import Population

__all__ = ["analog_currents"]

Float = NDArray[np.float64]


def analog_currents(net: Network, disc: Discretization, images: ArrayLike) -> list[dict[str, Any]]:
    """Argument ``currents`` of :func:`eventsim.simulate` for analog images.

    Parameters
    ----------
    net : Network
        With one Input, which gets the image, or with none: then the only population that nothing
        drives takes the image itself; see :func:`eventsim.encode.to_currents`.
    disc : Discretization
        Step and scale.
    images : array [sample, ...]
        Pixels, as many as the Input, or the population, has units.

    Returns
    -------
    list of dict
        For each sample population name -> list of (0.0, neuron, current); currents of 0 are left
        out.

    Raises
    ------
    UnsupportedNetwork
        The image goes to several populations or none, or through a max pooling.
    InvalidValue, InvalidType
        Wrong number of pixels, or ``r = 0``.

    Examples
    --------
    >>> from eventsim import Dense, Input
    >>> net = Network([Input("image", 2), Population("out", 1, tau_mem=4e-3)],
    ...               [Dense("image", "out", [[0.5], [0.25]])])
    >>> disc = Discretization("lif", dt=1e-3, steps=4, encoder="constant")
    >>> analog_currents(net, disc, [[1.0, 0.0], [0.0, 0.0]])
    [{'out': [(0.0, 0, 2.0)]}, {'out': []}]
    """
    where = "analog_currents"
    driven = {projection.target for projection in net.projections}
    names = net.inputs or tuple(p.name for p in net.populations if p.name not in driven)
    if len(names) != 1:
        raise UnsupportedNetwork(
            f"{where}: net: expected one population for the image, got {list(names)}"
        )
    target = net[names[0]]
    if isinstance(target, Population):
        return to_currents(images, disc, target)
    pixels = checks.real_array(where, "images", images).astype(np.float64)
    pixels = pixels.reshape(len(pixels), -1)
    if pixels.shape[1] != target.n:
        raise checks.fail(where, "images", f"{target.n} pixels", pixels.shape[1])
    currents: dict[str, Float] = {}
    for projection in net.projections:
        if projection.source != target.name:
            continue
        population = net[projection.target]
        if isinstance(projection, MaxPool2d) or not isinstance(population, Population):
            raise UnsupportedNetwork(
                f"{projection.where}: source: expected spikes, got an analog image"
            )
        charge = np.zeros((len(pixels), population.n))
        link(net, projection, np.float64).add(pixels * disc.encoder_scale, charge)
        factor = _current_for_charge(population, projection.receptor, disc.dt)  # type: ignore[attr-defined]
        currents[population.name] = currents.get(population.name, 0.0) + charge * factor
    return [
        {
            name: [(0.0, int(j), float(values[sample, j])) for j in np.flatnonzero(values[sample])]
            for name, values in currents.items()
        }
        for sample in range(len(pixels))
    ]


def _current_for_charge(population: Population, receptor: int | None, dt: float) -> Float:
    """The constant current that brings a charge of 1 in every step."""
    if receptor is not None:
        return population.receptor_times[receptor] / dt
    gain, tau = population.array("r"), population.array("tau_mem")
    if (gain == 0).any():
        raise checks.fail("analog_currents", f"population {population.name!r}: r", "not 0", 0.0)
    return np.where(np.isinf(tau), 1.0, tau) / (gain * dt)
