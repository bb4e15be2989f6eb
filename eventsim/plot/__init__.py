"""Pictures of runs: spikes of a network, potentials of neurons, comparisons of two models.

Every function takes and returns Matplotlib Axes: pass ``ax`` to draw into a figure of your own,
or leave it out and a new figure is made with :mod:`matplotlib.pyplot`. No global setting of
Matplotlib is changed. Layers have colours that the colour-blind can tell apart.
"""

from __future__ import annotations

from eventsim.plot.charts import accuracy_bars, accuracy_curve, counts_scatter, rates
from eventsim.plot.episode import episode
from eventsim.plot.membrane import membrane
from eventsim.plot.raster import raster
from eventsim.plot.style import layer_colors, save
from eventsim.plot.sweep import sweep

__all__ = [
    "accuracy_bars",
    "accuracy_curve",
    "counts_scatter",
    "episode",
    "layer_colors",
    "membrane",
    "raster",
    "rates",
    "save",
    "sweep",
]
