"""
Two ways to adapt
=================

A threshold that rises with each spike, and a current that each spike adds to.

Two neurons get the same constant current from 20 ms on. In the first each spike raises the
threshold by ``adapt_beta`` (ALIF), in the second each spike adds ``ahp_jump`` to a current that is
subtracted from the drive (AHP). Both decay with 100 ms, and both neurons slow down: with the
threshold the potential climbs higher, with the current it climbs more slowly. The dashed curve is
the exact threshold, evaluated like the potential; a spike stands where the two meet.
"""

import matplotlib.pyplot as plt
import numpy as np

import eventsim as es

shared = {"tau_mem": 10e-3, "t_ref": 2e-3}
net = es.Network(
    [
        es.Population("ALIF", 1, **shared, adapt_beta=0.15, tau_adapt=0.1),
        es.Population("AHP", 1, **shared, ahp_jump=0.2, tau_ahp=0.1),
    ]
)
step = [(0.02, 0, 2.0)]  # (time in s, neuron, current from then on)
result = es.simulate(
    net, {}, t_stop=0.3, currents={"ALIF": step, "AHP": step}, record_v={"ALIF": [0], "AHP": [0]}
)

# %%
# The current alone would lift the potential to 2, twice the threshold at rest. Potentials are in
# units of this threshold, the instantaneous rate is the inverse of the time since the last spike.

figure, rows = plt.subplots(
    3, 1, sharex=True, figsize=(7.5, 6.4), layout="constrained", height_ratios=(3, 3, 2)
)
colors = {"ALIF": "#0072B2", "AHP": "#D55E00"}
for ax, name in zip(rows, colors, strict=False):
    es.plot.membrane(result, name, 0, ax=ax)
    ax.set(ylabel=f"v of {name}", xlabel="")
    ax.spines[["top", "right"]].set_visible(False)
rows[1].get_legend().remove()  # the same as above
rate = rows[2]
for name, color in colors.items():
    times = result.spikes[name].times
    rate.plot(times[1:] * 1e3, 1 / np.diff(times), "o-", color=color, markersize=4, label=name)
rate.set(xlabel="time (ms)", ylabel="rate (1/s)", ylim=(0, None))
rate.spines[["top", "right"]].set_visible(False)
rate.legend(frameon=False)
figure.align_ylabels()
plt.show()
