"""
A spike that grazes the threshold
=================================

Two potentials, two billionths apart: one peaks just above the threshold, one just below.

One input spike reaches two neurons through an exponential receptor. The weights are such that the
potential of one peaks a billionth (1e-9) above the threshold, that of the other as much below. The
search for crossings is complete, so the first neuron spikes and the second does not. A simulation
with a fixed step sees the potential at its own times only, and would have to look in the 0.4 µs
that the first neuron, left alone, would spend above the threshold.
"""

import matplotlib.pyplot as plt
import numpy as np

import eventsim as es

TAU, TAU_SYN = 10e-3, 2e-3  # membrane and receptor, s
ARRIVAL = 1e-3  # s

# %%
# A weight of 1 raises the potential by this much, and the highest point comes so late:

delay = np.log(TAU / TAU_SYN) / (1 / TAU_SYN - 1 / TAU)
highest = TAU_SYN / (TAU - TAU_SYN) * (np.exp(-delay / TAU) - np.exp(-delay / TAU_SYN))
t_peak = ARRIVAL + delay

# %%
# With a threshold of 1 these weights put the peaks where we want them.

weights = (1 + np.array([1e-9, -1e-9])) / highest
net = es.Network(
    [es.Input("in", 1), es.Population("cell", 2, tau_mem=TAU, tau_syn=TAU_SYN)],
    [es.Dense("in", "cell", weight=[weights], receptor=0)],
)
result = es.simulate(net, {"in": ([ARRIVAL], [0])}, t_stop=15e-3, record_v={"cell": [0, 1]})
spikes = result.spikes["cell"]
print(f"neuron {spikes.senders[0]} spikes at {spikes.times[0] * 1e3:.9f} ms, alone")
print(f"the peak would have come {(t_peak - spikes.times[0]) * 1e6:.3f} µs later")

# %%
# The same neurons in steps of 0.1 ms. The exact update makes no error at its own times, and still
# both neurons stay silent. Forward Euler is wrong by a hundredth, and both neurons spike.


def in_steps(weight, dt=0.1e-3, *, exact):
    """Times and potentials of one neuron without a threshold, step by step."""
    if exact:
        leak, decay = np.exp(-dt / TAU), np.exp(-dt / TAU_SYN)
        gain = TAU_SYN / (TAU - TAU_SYN) * (leak - decay)
    else:
        leak, decay, gain = 1 - dt / TAU, 1 - dt / TAU_SYN, dt / TAU
    steps = 140
    v = np.zeros(steps)
    current = weight
    for k in range(1, steps):
        v[k] = leak * v[k - 1] + gain * current
        current *= decay
    return ARRIVAL + dt * np.arange(steps), v


for exact, name in ((True, "exact update"), (False, "forward Euler")):
    tops = [in_steps(weight, exact=exact)[1].max() for weight in weights]
    print(f"{name}: {tops[0]:.6f} and {tops[1]:.6f} at the highest sample")

# %%
# The inset shows a microsecond around the peak, in billionths of the threshold.

COLORS = ("#0072B2", "#D55E00")
LABELS = ("peak above: spikes", "peak below: does not")
potential = result.v["cell"]

figure, ax = plt.subplots(figsize=(7.5, 4.8), layout="constrained")
t = np.linspace(0, 15e-3, 3001)
for k in (1, 0):
    ax.plot(t * 1e3, potential.at(t)[:, k], color=COLORS[k], label=LABELS[k])
t_step, v_step = in_steps(weights[0], exact=True)
ax.plot(t_step * 1e3, v_step, ".", color="0.35", markersize=3, label="steps of 0.1 ms", zorder=1)
ax.axhline(1, color="0.15", linestyle="--", linewidth=0.9)
ax.set(xlabel="time (ms)", ylabel="v (thresholds)", xlim=(0, 15), ylim=(-0.05, 2.3))
ax.set_yticks((0, 0.5, 1))
ax.legend(frameon=False, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)

inset = ax.inset_axes((0.57, 0.62, 0.42, 0.37))
near = np.linspace(-0.5e-6, 0.5e-6, 1001)
before = near < spikes.times[0] - t_peak
for k, shown in ((1, near), (0, near[before])):
    excess = potential.at(t_peak + shown)[:, k] - 1
    inset.plot(shown * 1e6, excess * 1e9, color=COLORS[k])
spike_at = (spikes.times[0] - t_peak) * 1e6
inset.plot([spike_at, spike_at], [0, -8], color=COLORS[0], linewidth=1)
inset.axhline(0, color="0.15", linestyle="--", linewidth=0.9)
inset.set(xlabel="time from the peak (µs)", ylabel="(v - 1) / 10$^{-9}$", ylim=(-8, 2))
inset.tick_params(labelsize="small")
mark = ax.indicate_inset((t_peak * 1e3 - 0.12, 0.97, 0.24, 0.06), inset, edgecolor="0.5")
mark.connectors[2].set_visible(False)  # it would cross the label
plt.show()
