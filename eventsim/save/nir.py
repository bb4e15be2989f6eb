"""Writing a network as a NIR graph; :func:`eventsim.load_nir` reads it back.

Times are in seconds and a spike has the area 1, so that the file's numbers are eventsim's own:
with ``r = tau`` (LIF), ``r = 1`` (IF) and ``w_in = tau_syn`` (CubaLIF), weights are the jumps that
arrivals make, bit for bit. What NIR leaves open (unit of time, area, rules of reset and threshold,
the gain ``r`` of currents, the order of populations) is noted in the metadata, as entries that
begin with ``eventsim_``; :func:`eventsim.load` then needs no options.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import nir
import numpy as np

from eventsim import __version__
from eventsim.discretization import Discretization
from eventsim.errors import InvalidType, UnsupportedNetwork
from eventsim.load import hdf5
from eventsim.load.nir_file import NOTE
from eventsim.load.nir_maps import image
from eventsim.network import Network
from eventsim.populations import Input, Poisson, Population, Relay
from eventsim.projections import Shape
from eventsim.save.files import new_file
from eventsim.save.nir_links import Links, is_image_map
from eventsim.save.nir_neurons import neuron_node

__all__ = ["save_nir", "to_nir"]


def save_nir(
    path: str | os.PathLike[str],
    net: Network,
    disc: Discretization | None = None,
    *,
    lossy: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a network to a NIR file.

    Parameters
    ----------
    path : str or Path
        The file to write, usually with suffix ``.nir``.
    net : Network
        Neurons with delta synapses only become LIF, IF, LI or I nodes, those with one receptor
        CubaLIF or CubaLI; projections become Linear, Affine, Conv2d, SumPool2d, AvgPool2d, Scale
        and Delay.
    disc : Discretization, optional
        The discrete model, for the metadata; only :func:`eventsim.load` reads it.
    lossy : bool
        What NIR cannot hold is refused by default. True: refractory periods, subtracting resets,
        initial potentials, adaptation and the width of pulses are left to the metadata, which
        only eventsim reads; other programs run another network.
    overwrite : bool
        Whether an existing file may be replaced. Default False.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UnsupportedNetwork
        NIR cannot hold the network; the message names the population or projection and why. Or
        the installed nir is older than 1.0.5.
    FileError
        The file exists or cannot be written.
    InvalidType
        ``net`` is no Network, or ``disc`` no Discretization.

    Examples
    --------
    >>> import tempfile
    >>> from eventsim import Dense, load
    >>> net = Network([Input("in", 2), Population("out", 1, tau_mem=4e-3)],
    ...               [Dense("in", "out", [[1.0], [0.5]])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     loaded, _ = load(save_nir(f"{folder}/net.nir", net))
    >>> loaded.fingerprint() == net.fingerprint()
    True
    """
    graph = to_nir(net, disc, lossy=lossy)
    with new_file(path, overwrite) as temporary:
        nir.write(temporary, graph)
        hdf5.seal(temporary)
    return Path(path)


def to_nir(
    net: Network, disc: Discretization | None = None, *, lossy: bool = False
) -> nir.NIRGraph:
    """The network as a graph in memory; parameters and errors are those of :func:`save_nir`."""
    if not isinstance(net, Network):
        raise InvalidType(f"save_nir: net: expected a Network, got {type(net).__name__}")
    if disc is not None and not isinstance(disc, Discretization):
        raise InvalidType(f"save_nir: disc: expected a Discretization, got {type(disc).__name__}")
    if "v_reset" not in {field.name for field in dataclasses.fields(nir.LIF)}:
        raise UnsupportedNetwork(
            "save_nir: nir: expected version 1.0.5 or newer, whose neurons have v_reset, got "
            f"{nir.__version__}"
        )
    lost: list[str] = []
    shapes = {p.name: _shape(net, p) for p in net}
    nodes: dict[str, Any] = {}
    for population in net:
        if isinstance(population, Relay):
            raise UnsupportedNetwork(
                f"save_nir: Relay {population.name!r}: expected no max pooling, as NIR has none, "
                "got a MaxPool2d"
            )
        if isinstance(population, Poisson):
            raise UnsupportedNetwork(
                f"save_nir: Poisson {population.name!r}: expected an Input, as NIR has no sources"
            )
        if isinstance(population, Input):
            shape = shapes[population.name]
            own = {} if shape == population.shape else {f"{NOTE}shape": np.array(population.shape)}
            nodes[population.name] = nir.Input(np.array(shape), metadata=own)
        else:
            nodes[population.name] = _neurons(net, population, shapes[population.name], lost)
    links = Links(net, shapes, nodes, lost)
    for projection in net.projections:
        links.add(projection)
    edges = links.finish()
    if lost and not lossy:
        raise UnsupportedNetwork(
            f"save_nir: {lost[0]} (lossy=True leaves it to the metadata, which only eventsim reads)"
        )
    _outputs(net, shapes, nodes, edges)
    metadata = {
        "format": f"eventsim {__version__}",
        "time_unit": "s",
        "spike_area": 1.0,
        "populations": json.dumps([p.name for p in net]),
    }
    if disc is not None:
        metadata["discretization"] = json.dumps(disc.to_dict())
    if lost:
        metadata["lost"] = json.dumps(lost)
    return nir.NIRGraph(
        nodes, edges, {NOTE + key: value for key, value in metadata.items()}, type_check=False
    )


def _shape(net: Network, population: Any) -> Shape:
    """How the file arranges a population: as an image where a map of images reads or writes it.

    Elsewhere its units are in one row, since a Linear node of NIR makes and takes rows.
    """
    touched = any(
        is_image_map(link) and population.name in (link.source, link.target)
        for link in net.projections
    )
    if touched:
        return image(population.shape) if len(population.shape) == 3 else (1, *population.shape)
    return population.shape if isinstance(population, Input) else (population.n,)


def _neurons(net: Network, population: Population, shape: Shape, lost: list[str]) -> Any:
    """The node of a population; receptors have to be all or nothing."""
    where = f"Population {population.name!r}"
    incoming = [link for link in net.projections if link.target == population.name]
    plain = [link for link in incoming if link.receptor is None]  # type: ignore[attr-defined]
    if population.n_receptors > 1:
        raise UnsupportedNetwork(
            f"save_nir: {where}: tau_syn: expected at most one receptor, as NIR has no more, "
            f"got {population.n_receptors}"
        )
    if population.n_receptors and plain:
        raise UnsupportedNetwork(
            f"save_nir: {plain[0].where}: receptor: expected 0, as all that reaches a CubaLIF node "
            "goes through its synapse, got None"
        )
    return neuron_node(population, shape, lost)


def _outputs(
    net: Network, shapes: dict[str, Shape], nodes: dict[str, Any], edges: list[tuple[str, str]]
) -> None:
    """An Output for each population that projects nowhere, or only to itself."""
    feeding = {link.source for link in net.projections if link.source != link.target}
    shown = [p.name for p in net if isinstance(p, Population) and p.name not in feeding]
    for name in shown or [p.name for p in net][-1:]:
        output = "output" if len(shown) < 2 else f"output_{name}"
        while output in nodes:
            output += "_"
        nodes[output] = nir.Output(np.array(shapes[name]))
        edges.append((name, output))
