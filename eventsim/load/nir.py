"""Reading a NIR graph as a network (Neuromorphic Intermediate Representation, https://neuroir.org).

A NIR file says what the neurons and weights are and leaves open how strong a spike is, the step,
the unit of time, what a reset does, and the delay of recurrence. These are options of
:func:`load_nir`; what was given, found or assumed is listed in the table that comes with the
network. What would be a guess that changes results is refused.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from eventsim.discretization import Discretization
from eventsim.errors import EventsimError, FileError, InvalidType, UnsupportedNetwork
from eventsim.load import hdf5
from eventsim.load.nir_exporters import corrected, merged
from eventsim.load.nir_file import flatten, is_nir, is_nir_data, read_raw
from eventsim.load.nir_options import Options, Row
from eventsim.load.nir_table import table
from eventsim.load.nir_twins import (
    Corrected,
    Rules,
    check_training,
    discretization,
    noted,
)
from eventsim.load.nir_walk import Walk
from eventsim.network import Network
from eventsim.populations import Population

__all__ = ["NirNetwork", "load_nir", "load_with_steps"]

_WHAT = "a NIR file"


class NirNetwork(NamedTuple):
    """A network from NIR, with what was assumed.

    Attributes
    ----------
    network : Network
        Neuron nodes are its populations, by their names; those of inner graphs are
        ``outer.inner``.
    assumptions : list of tuple of str
        The table of assumptions: rows of what it is, its value, and why.
    ports : dict of str to tuple of str
        Output node -> populations whose spikes or potentials it stands for.
    """

    network: Network
    assumptions: list[Row]
    ports: dict[str, tuple[str, ...]]


def load_nir(
    path: str | os.PathLike[str] | Any,
    *,
    dt: float | None = None,
    time_unit: str | float | None = None,
    spike_area: str | float | None = None,
    decay: str | None = None,
    reset: str | None = None,
    multi_spike: bool | None = None,
    t_ref: float | None = None,
    recurrent_delay: float | None = None,
    fires_at_equality: bool | None = None,
    norm_input: bool | Mapping[str, bool] | None = None,
    exporter: str | None = None,
    reset_delay: bool | None = None,
    steps: int | None = None,
    encoder: str | None = None,
    encoder_scale: float | None = None,
) -> NirNetwork:
    """Read a NIR file.

    :func:`eventsim.load` takes the same options and gives, with ``exporter``, the discrete model
    of the framework besides.

    An option that is None is what eventsim noted in the file, where it wrote it, or else the
    default named below.

    Parameters
    ----------
    path : str, Path or nir.NIRGraph
        A NIR file, or a graph in memory.
    dt : float or None
        Step of the training in seconds, > 0. It is the default of ``spike_area`` and
        ``recurrent_delay``. None: the step that all CubaLIF nodes imply
        (``tau_syn / w_in = tau_mem / r``), if they do.
    time_unit : {"s", "ms", "us", "ns", "step"} or float
        Unit of the times in the file; a number is seconds, ``"step"`` is ``dt``. Default ``"s"``.
    spike_area : "dt" or float
        Area of a spike, in the file's unit of time: ``"dt"`` is a current of 1 for one step.
        Default ``"dt"``, if the step is known.
    decay : {"exact", "euler"}
        Whether time constants are meant as they stand (default), or were made of a decay per
        step as ``tau = dt / (1 - decay)``; then the exact one is ``-dt / ln(1 - dt / tau)``.
    reset : {"value", "subtract"}
        Default ``"value"``: to ``v_reset``, as NIR defines it.
    multi_spike : bool
        With ``"subtract"``: repeat in one instant. Default False.
    t_ref : float
        Refractory period in seconds of every population. Default 0.
    recurrent_delay : float
        Seconds, > 0, for the projections that close a cycle without a Delay node. Default ``dt``.
    fires_at_equality : bool
        Default False: a neuron fires above its threshold, as NIR defines it.
    norm_input : bool or mapping of str to bool
        With ``exporter="sinabs"``, for its LIF and LI nodes: whether the layer multiplied its
        input by ``1 - exp(-1 / tau)``; a mapping says it for each node.
    exporter : {"snntorch", "norse", "spikingjelly", "sinabs", "rockpool"} or None
        Framework that wrote the file, whose known departures from NIR are then corrected, each
        with a row in the table. Default None: the file means what NIR defines.
    reset_delay : bool or None
        With ``exporter="snntorch"``: whether a reset acts in the step after the spike, in the
        discrete model. Default True, as snnTorch's.
    steps, encoder, encoder_scale
        With an exporter: of the :class:`~eventsim.Discretization`. Without ``steps`` what needs
        them asks; default encoder ``"bernoulli"``.

    Returns
    -------
    NirNetwork
        A tuple (network, assumptions, ports).

    Raises
    ------
    FileError
        The file is missing, damaged or no valid graph; the message names node and field.
    UnsupportedNetwork
        What the file leaves open would have to be guessed, or eventsim cannot express it; the
        message names the node and what to do.
    InvalidValue, InvalidType
        An option is out of range or of the wrong type.

    Examples
    --------
    >>> import nir, numpy as np
    >>> one = np.ones(1)
    >>> graph = nir.NIRGraph.from_list(
    ...     nir.Linear(np.array([[0.5]])), nir.LIF(10e-3 * one, 10 * one, 0 * one, one))
    >>> net, assumptions, ports = load_nir(graph, dt=1e-3)
    >>> net.projections[0].weight, ports
    (array([[0.5]]), {'output': ('lif',)})
    >>> for name, value, why in assumptions[:3]:
    ...     print(f"{name}: {value} ({why})")
    unit of time: s (assumed; NIR does not say it (time_unit))
    step: 0.001 s (given)
    area of a spike: 0.001 s (one step) (a spike is a current of 1 for one step)
    """
    given = {
        "dt": dt, "time_unit": time_unit, "spike_area": spike_area, "decay": decay, "reset": reset,
        "multi_spike": multi_spike, "t_ref": t_ref, "recurrent_delay": recurrent_delay,
        "fires_at_equality": fires_at_equality, "norm_input": norm_input,
        "reset_delay": reset_delay, "steps": steps, "encoder": encoder,
        "encoder_scale": encoder_scale,
    }  # fmt: skip
    return _read(path, given, exporter)[0]


def load_with_steps(
    path: str | os.PathLike[str] | Any, exporter: str | None = None, **given: Any
) -> tuple[NirNetwork, Discretization | None]:
    """What :func:`load_nir` gives, and the discrete model where an exporter is named.

    Parameters
    ----------
    path, exporter, **given
        As for :func:`load_nir`.
    """
    signature = inspect.signature(load_nir)
    bound = signature.bind(path, exporter=exporter, **given)
    bound.apply_defaults()
    options = {name: bound.arguments[name] for name in signature.parameters}
    return _read(options.pop("path"), options, options.pop("exporter"))


def _read(
    path: Any, given: Mapping[str, Any], exporter: str | None
) -> tuple[NirNetwork, Discretization | None]:
    if not isinstance(path, str | os.PathLike):
        return _network(_raw_of_graph(path), "NIRGraph", given, exporter)
    with hdf5.opened(path, _WHAT) as file:
        raw = _raw_of_file(file)
    return _network(raw, str(path), given, exporter)


def _raw_of_file(file: Any) -> dict[str, Any]:
    """The graph of an open HDF5 file as nested dicts."""
    if is_nir_data(file):
        raise FileError(
            f"{file.filename}: file: expected a NIR graph, got NIRData, which is recorded spikes: "
            "eventsim.load.nirdata.load_nirdata reads them"
        )
    if not is_nir(file):
        raise FileError(f"{file.filename}: file: expected {_WHAT}, got another HDF5 file")
    return read_raw(file)


def _network(
    raw: Mapping[str, Any], name: str, given: Mapping[str, Any], exporter: str | None
) -> tuple[NirNetwork, Discretization | None]:
    """The network of nested dicts, with the options of :func:`load_nir`."""
    graph = flatten(raw, name)
    found = Corrected(graph, dict(given), [])
    if exporter is None:
        check_training(given)
    else:
        found = corrected(exporter, graph, given)
    options = Options.of(found.graph, found.options)
    rules = Rules(found, options)
    walk = Walk(found.graph, options, rules)
    try:
        network = walk.network()
    except RecursionError as error:
        raise FileError(f"{name}: edges: expected shorter chains of linear nodes") from error
    except EventsimError as error:
        if str(error).startswith(name):
            raise
        kind = UnsupportedNetwork if isinstance(error, UnsupportedNetwork) else FileError
        raise kind(f"{name}: {error}") from error
    rows = merged(table(found.graph, options, walk.rows), found)
    if exporter is None:
        disc = noted(graph, rows)
    else:
        neurons = [p.name for p in network if isinstance(p, Population)]
        disc = discretization(graph, rules, neurons, given, options, rows)
    return NirNetwork(network, rows, walk.ports), disc


def _raw_of_graph(graph: Any) -> dict[str, Any]:
    from nir import NIRNode

    if not isinstance(graph, NIRNode):
        raise InvalidType(
            f"load_nir: path: expected a str, Path or nir.NIRGraph, got {type(graph).__name__}"
        )
    return graph.to_dict()
