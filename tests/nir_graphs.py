"""Small NIR graphs, and what is read from them."""

from __future__ import annotations

import math

import nir
import numpy as np
import torch

DT = 1e-3


def filled(shape, value, dtype=np.float64):
    return np.full(shape, value, dtype)


def lif(shape=2, tau=20e-3, r=None, leak=0.0, threshold=1.0, reset=None, dtype=np.float64):
    """A LIF node; by default an arrival adds its weight, with one step of DT."""
    values = [filled(shape, v, dtype) for v in (tau, tau / DT if r is None else r, leak, threshold)]
    return nir.LIF(*values, None if reset is None else filled(shape, reset, dtype))


def cuba(shape=2, syn=5e-3, mem=20e-3, r=1.0, w_in=1.0, threshold=1.0, dtype=np.float64):
    values = [filled(shape, v, dtype) for v in (syn, mem, r, 0.0, threshold)]
    return nir.CubaLIF(*values, w_in=filled(shape, w_in, dtype))


def chain(shape, *nodes, end=None):
    """Input -> nodes -> Output, without nir's own check of types."""
    named = {f"n{k}": node for k, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    every = {"input": nir.Input(np.array(shape)), **named}
    every["output"] = nir.Output(np.array(end if end is not None else [1]))
    return nir.NIRGraph(every, list(zip(names, names[1:], strict=False)), type_check=False)


def graph_of(nodes, edges, **options):
    return nir.NIRGraph(nodes, edges, type_check=False, **options)


def matrix(net, source, target):
    """Weights [pre, post] that spikes of one population have at another, all paths together."""
    total = np.zeros((net[source].n, net[target].n))
    for link in net.projections:
        if (link.source, link.target) == (source, target):
            rows = link.rows(net[source].shape, net[target].shape)
            pre = np.repeat(np.arange(net[source].n), np.diff(rows.indptr))
            np.add.at(total, (pre, rows.post), rows.weight)
    return total


def by_torch(shape, forward):
    """The same by running unit vectors through torch, in float64."""
    n = math.prod(shape)
    units = torch.eye(n, dtype=torch.float64).reshape(n, *shape)
    return forward(units).reshape(n, -1).numpy()


def pool(kernel=2, stride=None, kind=nir.AvgPool2d):
    return kind(*(np.array([v, v]) for v in (kernel, stride or kernel, 0)))
