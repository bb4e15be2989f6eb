"""Discrete twins: the models that were trained, run without a training framework.

A twin steps a :class:`~eventsim.Network` by the rules of its
:class:`~eventsim.Discretization`. Each file of this folder that defines update rules has a line
in :data:`CELLS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from eventsim import checks
from eventsim.discrete import coarse
from eventsim.discrete.twin import RECORDS, WHERE, Twin, check_threads
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType
from eventsim.network import Network
from eventsim.populations import Population

__all__ = ["CELLS", "run"]

#: Update rule -> ``cell(population, rule, dt, dtype)`` with ``start`` and ``advance``.
CELLS: dict[str, Callable[[Population, str, float, Any], Any]] = {**coarse.CELLS}


def run(
    net: Network,
    disc: Discretization,
    x: Any,
    *,
    layers: bool = False,
    record: str = "spikes",
    dtype: Any = None,
    threads: int | None = None,
) -> NDArray[Any] | dict[str, NDArray[Any]]:
    """Run the discrete twin of a network.

    In each step every population, in topological order, gets the charge ``x = W s + bias`` and
    applies its rule. A max pooling passes the OR of its window over the step, whatever rule its
    continuous form has. Delays must be whole numbers of steps. The spread of projections is not
    used: the rules themselves say how the arrivals of a step count.

    Parameters
    ----------
    net : Network
        Network of Dense, Sparse, Conv2d and pooling projections.
    disc : Discretization
        Rules, step, encoder.
    x : array [sample, step, n_input] of 0 and 1
        Input spikes; trailing axes such as (channel, y, x) are flattened. A dict of arrays for
        several inputs. With the encoder ``"constant"``: the analog image [sample, n_input],
        which is multiplied by ``disc.encoder_scale`` and is the input of each of ``disc.steps``
        steps. It goes to the Input, or, in a network without one, straight into the population
        without arriving projections.
    layers : bool
        True: arrays of all populations by name. False: the array of the last layer.
    record : {"spikes", "drive", "potential"}
        Spikes (uint8), the charge ``x`` of each step with its bias, or the potential relative
        to rest that is tested at the end of the step. The last two exist for neurons only.
    dtype : float64, float32 or None
        Arithmetic; None: ``disc.dtype``. float64: float32 weights are converted exactly. float32:
        each operation is rounded as a float32 training framework does, but sums run in ascending
        order of sources, so potentials within a few float32 roundings of the threshold may
        differ.
    threads : int or None
        Number of threads; None: all cores. Results do not depend on it, bit for bit, nor on
        which samples share a batch.

    Returns
    -------
    array [sample, step, n] or dict of name to array

    Raises
    ------
    UnsupportedNetwork
        A delay that is no whole number of steps (the projection is named), ``reset="subtract"``,
        ``v_reset`` other than ``v_leak``, or ``t_ref`` other than ``dt`` under a coarse rule.
    InvalidValue, InvalidType
        ``x`` has another shape or other values than 0 and 1; an option is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from eventsim import Dense, Input
    >>> net = Network([Input("in", 2), Population("out", 1, tau_mem=4e-3, t_ref=1e-3)],
    ...               [Dense("in", "out", [[0.5], [0.8]])])
    >>> x = np.array([[[1, 0], [1, 1], [0, 1], [0, 0]]])
    >>> run(net, Discretization(dt=1e-3, steps=4), x)[0, :, 0]
    array([0, 1, 0, 0], dtype=uint8)
    >>> run(net, Discretization(dt=1e-3, steps=4), x, record="drive")[0, :, 0]
    array([0.5, 1.3, 0.8, 0. ])

    Notes
    -----
    Source of the rules: arXiv:2007.06176; see :mod:`eventsim.discrete.coarse`.
    """
    if not isinstance(net, Network):
        raise InvalidType(f"{WHERE}: net: expected a Network, got {type(net).__name__}")
    if record not in RECORDS:
        raise checks.fail(WHERE, "record", f"one of {RECORDS}", repr(record))
    twin = Twin(net, disc, CELLS, dtype)
    if layers:
        names = tuple(
            p.name for p in net.populations if record == "spikes" or isinstance(p, Population)
        )
        return twin.run(x, names, record, check_threads(threads))
    last = twin.last()
    if record != "spikes" and not isinstance(net[last], Population):
        raise checks.fail(WHERE, "record", f"'spikes' for {net[last]!r}", repr(record))
    return twin.run(x, (last,), record, check_threads(threads))[last]
