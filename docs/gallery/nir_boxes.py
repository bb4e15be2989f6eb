"""
A network from NIR, driven by box currents
==========================================

What a NIR file leaves open, and a neuron whose spikes have their exact times.

A NIR file says what the neurons and weights are. It leaves open how strong a spike is, when the
threshold is tested and what a reset does, so eventsim lists what it was told and what it took for
granted. The neuron is the one on which the NIR paper compares simulators: a membrane of 2.5 ms
with a threshold of 0.1, driven by 34 boxes of current that last 0.1 ms each. A simulator with a
step sees the threshold passed at the end of a step; here the spikes fall inside the boxes.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nir
import numpy as np

import eventsim as es

STEP = 1e-4  # s

one = np.ones(1)
graph = nir.NIRGraph.from_list(
    nir.Linear(np.ones((1, 1))),
    nir.LIF(tau=2.5e-3 * one, r=one, v_leak=0 * one, v_threshold=0.1 * one),
)

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "lif.nir")
    nir.write(path, graph)
    net, assumptions, ports = es.load_nir(path, dt=STEP, spike_area="dt", reset="value")

for name, value, why in assumptions:
    print(f"{name}: {value}\n    {why}")

# %%
# NIR means currents: a spike is a current of 1 that lasts one step, and so is a box. The boxes are
# steps of the external current of the population (time in s, neuron, value from then on).

starts = np.r_[6, 22, 27, 31, 32, 35, 37, 40, 41, 43:54, 67:79, 84, 85] * 10  # in steps
boxes = [(k * STEP, 0, 1.0) for k in starts] + [((k + 1) * STEP, 0, 0.0) for k in starts]
result = es.simulate(net, {}, t_stop=0.1, currents={"lif": boxes}, record_v={"lif": [0]})
print("spikes at", (result.spikes["lif"].times * 1e3).round(6), "ms")

# %%
# The same boxes as spikes. A delta brings the charge of a box at once, so the neuron spikes at the
# beginning of a box if at all; a pulse of one step is the box itself.

spikes = es.SpikeTrain(starts * STEP, 0 * starts)
for spread, what in ((0.0, "deltas"), (STEP, "pulses")):
    times = es.simulate(net.with_spread(spread), {"input": spikes}, t_stop=0.1).spikes["lif"].times
    print(f"as {what}: {(times * 1e3).round(6)} ms")

# %%
# The exact potential with the boxes in grey; below, the one in which the first spike falls.

figure, (above, below) = plt.subplots(2, 1, figsize=(7.5, 5), layout="constrained")
es.plot.membrane(result, "lif", 0, ax=above)
es.plot.membrane(result, "lif", 0, ax=below, t_range=(45.9e-3, 46.3e-3))
for ax in (above, below):
    ax.set_ylabel("v")
    for k in starts:
        ax.axvspan(k * STEP * 1e3, (k + 1) * STEP * 1e3, ymax=0.05, color="0.45")
below.get_legend().remove()
plt.show()
