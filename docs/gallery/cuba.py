"""
CUBA, a benchmark
=================

4,000 neurons with exponential currents, a network on which simulators are compared.

Four neurons excite to one that inhibits, and each is joined to each other with a probability of
2 %. The resting potential lies above the threshold, so the network runs without input. It is the
second benchmark of Brette et al. (2007), at its full size; here no spike is bound to a grid.
"""

import matplotlib.pyplot as plt
import numpy as np

import eventsim as es

N, EXCITATORY, PROBABILITY = 4000, 3200, 0.02

rng = np.random.default_rng(1)
cells = es.Population(
    "cells",
    N,
    tau_mem=20e-3,
    v_leak=-49.0,  # mV, as all potentials
    v_threshold=-50.0,
    v_reset=-60.0,
    v_init=rng.uniform(-60.0, -50.0, N),
    t_ref=5e-3,
    tau_syn=[5e-3, 10e-3],
)
pre, post = np.nonzero(rng.random((N, N)) < PROBABILITY)
exciting = pre < EXCITATORY

# %%
# An excitatory spike adds 1.62 mV to the current of the first receptor, an inhibitory one takes
# 9 mV from that of the second. Currents are given in mV, as the gain ``r`` is 1.

delay = 0.1e-3
net = es.Network(
    [cells],
    [
        es.Sparse("cells", "cells", pre[exciting], post[exciting], 1.62, delay, receptor=0),
        es.Sparse("cells", "cells", pre[~exciting], post[~exciting], -9.0, delay, receptor=1),
    ],
)
result = es.simulate(net, {}, t_stop=0.5, record_v={"cells": [0]})
print(result)

# %%
# Above all spikes, the inhibitory neurons on top; below the exact potential of one neuron.

figure, (above, below) = plt.subplots(
    2, 1, figsize=(7.5, 6.4), layout="constrained", height_ratios=(2, 1), sharex=True
)
es.plot.raster(result, ax=above)
above.axhline(EXCITATORY / N, color="0.3", linewidth=0.8)
above.set_xlabel("")
es.plot.membrane(result, "cells", 0, ax=below)
below.set_ylabel("v of neuron 0 (mV)")
plt.show()
