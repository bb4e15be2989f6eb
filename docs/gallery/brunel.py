"""
A random network that inhibits itself
=====================================

1,250 neurons joined at random, with Poisson input and more inhibition than excitation.

1,000 excitatory and 250 inhibitory neurons are joined by delta synapses, and each has a Poisson
input of its own. Inhibition dominates: single neurons spike at about 15 /s and almost as
irregularly as their input, while the activity of the whole rises and falls within milliseconds.
This is model A of Brunel (2000), scaled down: a tenth of his neurons and of the synapses of each
(100 excitatory and 25 inhibitory), at eight times the weight (0.8 mV). That nearly keeps the mean
input of a neuron, and makes its fluctuations larger.
"""

import matplotlib.pyplot as plt
import numpy as np

import eventsim as es

N_EXC, N_INH = 1000, 250
C_EXC, C_INH = 100, 25  # synapses that a neuron receives
J, G = 0.8, 6.0  # mV; weight of inhibition over that of excitation
TAU, THRESHOLD, RESET = 20e-3, 20.0, 10.0  # s, mV, mV
T_STOP = 0.5

exc, inh = (
    es.Population(name, n, tau_mem=TAU, v_threshold=THRESHOLD, v_reset=RESET, t_ref=2e-3)
    for name, n in (("excitatory", N_EXC), ("inhibitory", N_INH))
)

# %%
# Every neuron has so many synapses from either population, drawn with replacement. Its input from
# outside is a Poisson train at the rate that alone would bring the mean potential just to the
# threshold. The same seeds give the same network and the same trains.

drives, projections = [], []
for k, target in enumerate((exc, inh)):
    drive = es.Poisson(f"drive of {target.name}", target.n, rate=THRESHOLD / (J * TAU))
    drives.append(drive)
    own = np.arange(target.n)
    projections += [
        es.Sparse(drive.name, target.name, own, own, J),
        es.Random(exc.name, target.name, J, delay=1.5e-3, indegree=C_EXC, seed=k),
        es.Random(inh.name, target.name, -G * J, delay=1.5e-3, indegree=C_INH, seed=2 + k),
    ]
net = es.Network([*drives, exc, inh], projections)
result = es.simulate(net, {}, T_STOP, seed=1)
print(result)

# %%
# The coefficient of variation of intervals is 0 for a clock and 1 for a Poisson process.

spikes = result.spikes[exc.name].between(0.1, T_STOP)
intervals = [np.diff(spikes.of(neuron)) for neuron in range(N_EXC)]
variation = [gaps.std() / gaps.mean() for gaps in intervals if gaps.size > 3]
print(f"rate {len(spikes) / (T_STOP - 0.1) / N_EXC:.1f} /s, variation {np.mean(variation):.2f}")

# %%
# Spikes and mean rates, in bins of 1 ms. The first wave comes from the start at rest.

populations = [exc.name, inh.name]
figure, (above, below) = plt.subplots(
    2, 1, figsize=(7.5, 5.6), layout="constrained", height_ratios=(2, 1), sharex=True
)
es.plot.raster(result, populations=populations, ax=above)
es.plot.rates(result, populations=populations, bins=500, ax=below)
above.set_xlabel("")
plt.show()
