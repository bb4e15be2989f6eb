"""A run to draw, and what is looked for in figures. Looks are seen by eye."""

from __future__ import annotations

import numpy as np

import eventsim as es
from eventsim import plot

SIZES = {"image": (1, 28, 28), "hidden": 256, "out": 10}


def run(counts, t_stop=0.016, t_reached=None, sizes=SIZES):
    """A result with so many random spikes in each layer."""
    rng = np.random.default_rng(7)
    net = es.Network([es.Input(name, n) for name, n in sizes.items()])
    t_reached = t_stop if t_reached is None else t_reached
    spikes = {
        p.name: es.SpikeTrain.sorted(rng.random(m) * t_reached, rng.integers(0, p.n, m))
        for p, m in zip(net, counts, strict=True)
    }
    totals = {p.name: spikes[p.name].counts(p.n) for p in net}
    return es.Result(net, spikes, totals, 0.0, t_stop, t_reached)


def drawn(figure, tmp_path, name="figure.png"):
    """Write the figure, which draws it: warnings of the layout are errors here."""
    return plot.save(figure, tmp_path / name)


def artist(ax, label):
    handles, labels = ax.get_legend_handles_labels()
    return handles[labels.index(label)]
