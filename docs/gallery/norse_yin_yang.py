"""
Yin and yang with Norse
=======================

Where in the plane a network trained in steps and its continuous form disagree.

Norse writes its neurons as differential equations and steps them with forward Euler: an input adds
to a synaptic current, the current moves the membrane, and both decay by ``dt / tau`` in a step.
The continuous counterpart is a population with exponential synapses. A step of Euler's is not
exactly a step of the equation, and a spike can only come at the end of a step: both show.

The page needs Norse: ``pip install "eventsim[norse]"``.
"""

import matplotlib.pyplot as plt
import norse.torch as norse
import numpy as np
import torch

import eventsim as es
from eventsim.analog import analog_currents

DT, STEPS = 1e-3, 25

# %%
# Three classes: the dark part, the bright part, and the two dots. The network gets ``x``, ``y``,
# ``1 - x`` and ``1 - y`` as constant currents.


def yin_yang(points):
    """Class of points [n, 2] of the unit square; -1 outside of the figure."""
    x, y = points[:, 0] - 0.5, points[:, 1] - 0.5
    left, right = np.hypot(x + 0.25, y), np.hypot(x - 0.25, y)
    yin = (right <= 0.1) | ((left > 0.1) & (left <= 0.25)) | ((y > 0) & (right > 0.25))
    dots = (left < 0.1) | (right < 0.1)
    return np.where(np.hypot(x, y) > 0.5, -1, np.where(dots, 2, np.where(yin, 1, 0)))


def currents(points):
    return np.concatenate([points, 1 - points], axis=1).astype(np.float32)


rng = np.random.default_rng(0)
points = np.round(rng.random((60000, 2)) * 256) / 256
points = points[yin_yang(points) >= 0]
classes = yin_yang(points)
# as many points of each class
chosen = np.concatenate([rng.permutation(np.flatnonzero(classes == k))[:700] for k in range(3)])
inputs, labels = torch.tensor(currents(points[chosen])), torch.tensor(classes[chosen])

# %%
# 60 hidden neurons and one for each class, trained on the number of spikes.


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        parameters = norse.LIFParameters(tau_syn_inv=torch.tensor(200.0))
        self.layers = norse.SequentialState(
            torch.nn.Linear(4, 60),
            norse.LIFCell(parameters, dt=DT),
            torch.nn.Linear(60, 3),
            norse.LIFCell(parameters, dt=DT),
        )

    def forward(self, x):
        state, spikes = None, []
        for _ in range(STEPS):
            out, state = self.layers(x, state)
            spikes.append(out)
        return torch.stack(spikes)


torch.manual_seed(0)
net = Net()
with torch.no_grad():
    net.layers[0].weight *= 6.0
    net.layers[2].weight *= 4.0
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(20):
    for batch in torch.randperm(len(labels)).split(64):
        loss = torch.nn.functional.cross_entropy(0.3 * net(inputs[batch]).sum(0), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# Sums of multiples of 1/1024 are exact in float32, in whatever order a library adds them up.
with torch.no_grad():
    for parameter in net.parameters():
        parameter.copy_(torch.round(parameter * 1024) / 1024)

# %%
# The module is run once, and becomes a network; ``jump="charge"`` makes a spike bring the charge
# that it brings in Norse. All that was assumed is told.

network, disc = es.from_torch(net, inputs[:8], dt=DT, jump="charge")
print(network)
for name, value, why in disc.assumptions():
    print(f"{name}: {value}" + (f" ({why})" if why else ""))

# %%
# A grid of points that were not seen: the twin gives the module's spikes, all of them.

grid = (np.stack(np.meshgrid(*2 * [np.arange(0, 257, 8) / 256]), axis=-1)).reshape(-1, 2)
truth = yin_yang(grid)
seen, labels_seen = grid[truth >= 0], truth[truth >= 0]
with torch.no_grad():
    theirs = net(torch.tensor(currents(seen))).numpy().transpose(1, 0, 2)
twin = disc.run(network, currents(seen))
different = int((twin != theirs).sum())
print(f"{different} of {int(theirs.sum())} output spikes differ")

# %%
# In continuous time the currents flow all the time, and nothing is rounded to a step. The network
# is not trained anew.

report = es.validate(network, disc, currents(seen), labels_seen)
print(report.summary())
drive = analog_currents(network, disc, currents(seen))
exact = es.simulate(network, {}, t_stop=STEPS * DT, currents=drive).counts["layers.3"]

# %%
# The class that each point gets: the one of most spikes. In a step of Norse's a neuron spikes once
# at most, and what it had above the threshold is gone with the reset; in continuous time it spikes
# when it gets there, so it spikes more often. The borders between the classes move.

steps_class, exact_class = es.decode.classes(twin.sum(axis=1)), es.decode.classes(exact)
colors = np.array([[0.20, 0.24, 0.35], [0.93, 0.80, 0.45], [0.80, 0.35, 0.25], [1.0, 1.0, 1.0]])
moved = np.where(steps_class != exact_class, 2, 3)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for ax, picture, title in zip(
    axes,
    (steps_class, exact_class, moved),
    (
        f"Norse's steps: {(steps_class == labels_seen).mean():.0%} right",
        f"continuous time: {(exact_class == labels_seen).mean():.0%} right",
        f"another class: {(steps_class != exact_class).mean():.0%}",
    ),
    strict=True,
):
    image = np.full((33 * 33, 3), 1.0)
    image[truth >= 0] = colors[picture]
    ax.imshow(image.reshape(33, 33, 3), origin="lower", extent=(0, 1, 0, 1))
    ax.add_patch(plt.Circle((0.5, 0.5), 0.5, fill=False, color="0.5", linewidth=0.8))
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
plt.show()
