"""
Waves on a ring
===============

Delays let activity travel: two waves that end each other, and one that circles for good.

200 neurons stand on a ring. Each excites its five nearest neighbours on either side, with a delay
of 0.5 ms for each neuron of distance. Ten of them are made to spike, once: two waves leave, one to
either side, meet on the far side of the ring and end, as each runs into neurons that are
refractory. At the second kick the ten neurons on one side are inhibited, so one wave leaves alone
and circles. The third kick makes a pair again: one of the two meets the circling wave and both
end, the other goes on in its place, in the same direction.
"""

import matplotlib.pyplot as plt
import numpy as np

import eventsim as es

N, REACH, DELAY = 200, 5, 0.5e-3  # neurons, neighbours to a side, s for each neuron of distance

pre, distance = np.meshgrid(np.arange(N), np.r_[-REACH:0, 1 : REACH + 1], indexing="ij")
neurons = np.arange(N)
net = es.Network(
    [
        es.Input("kick", N),
        es.Input("hold", N),
        es.Population("ring", N, tau_mem=5e-3, t_ref=15e-3),
    ],
    [
        es.Sparse("kick", "ring", neurons, neurons, weight=1.5),
        es.Sparse("hold", "ring", neurons, neurons, weight=-20),
        es.Sparse(
            "ring",
            "ring",
            pre=pre.ravel(),
            post=((pre + distance) % N).ravel(),
            weight=0.4,
            delay=DELAY * np.abs(distance).ravel(),
        ),
    ],
)

# %%
# Three arrivals of weight 0.4 fire a neuron. All five that a wave sends ahead reach a neuron at
# once, so the wave moves one neuron in each 0.5 ms and needs 100 ms for the ring.

KICKS = ((0.03, 50), (0.12, 50), (0.33, 150))  # (s, first of ten neurons)
kicks = es.SpikeTrain.sorted(
    np.repeat([t for t, _ in KICKS], 10), np.concatenate([i + np.arange(10) for _, i in KICKS])
)
hold = es.SpikeTrain(np.full(10, 0.119), np.arange(40, 50))
result = es.simulate(net, {"kick": kicks, "hold": hold}, t_stop=0.5)

visits = result.spikes["ring"].of(190)
print("neuron 190 spikes at", visits.round(4), "s")

ax = es.plot.raster(result, populations=["ring"])
for k, (t, first) in enumerate(KICKS):
    ax.annotate(
        f"kick {k + 1}",
        (t * 1e3, (first + 5) / N),
        xytext=(22, 0),
        textcoords="offset points",
        va="center",
        arrowprops={"arrowstyle": "->"},
    )
plt.show()
