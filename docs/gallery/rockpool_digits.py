"""
Synaptic currents of a network trained with Rockpool
====================================================

Two ways to carry a synapse from steps into continuous time, and what each of them keeps.

In Rockpool a spike adds to a synaptic current, the current decays, and what is left of it is added
to the membrane, once a step. A current that flows all the time can bring the same charge to the
membrane, or it can be as strong as Rockpool's is at the steps, but not both. ``jump`` says which.

The page needs Rockpool and scikit-learn: ``pip install "eventsim[rockpool]" scikit-learn``. The
import of Rockpool looks for hardware drivers on the net; ``PIP_NO_INDEX=1`` in the environment
keeps it from that.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from rockpool.nn.combinators import Sequential
from rockpool.nn.modules import LIFTorch, LinearTorch
from rockpool.parameters import Constant
from sklearn.datasets import load_digits

import eventsim as es
from eventsim.encode import encode, to_spike_trains

DT, STEPS = 1e-3, 20

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
TRAIN = 1297  # the last 500 images are for tests


def neurons(n):
    """Membranes of ten milliseconds behind synapses of three."""
    fixed = {"tau_mem": Constant(10e-3), "tau_syn": Constant(3e-3), "threshold": Constant(1.0)}
    return LIFTorch(n, **fixed, learning_window=2.0, dt=DT)


net = Sequential(LinearTorch((64, 48)), neurons(48), LinearTorch((48, 10)), neurons(10))

# %%
# Training: in each step a pixel spikes with its brightness as probability; the class is the output
# neuron with most spikes. The weights start small and the learning window is wide, so that silent
# neurons learn; the biases of the membranes are trained too.

with torch.no_grad():
    for layer in (net[0], net[2]):
        layer.weight *= 0.2
optimizer = torch.optim.Adam(net.parameters().astorch(), lr=1e-2)
for _ in range(8):
    for batch in torch.randperm(TRAIN).split(128):
        net.reset_state()
        x = torch.bernoulli(images[batch, None].expand(-1, STEPS, -1))
        out, _, _ = net(x)
        loss = torch.nn.functional.cross_entropy(out.sum(1) / 2, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# Sums of multiples of 1/1024 are exact in float32, in whatever order a library adds them up.
with torch.no_grad():
    for layer in (net[0], net[2]):
        layer.weight.copy_(torch.round(layer.weight * 1024) / 1024)

# %%
# The module runs once on a sample input for each of both ways. The populations have the names that
# Rockpool gave the modules.

sample = torch.bernoulli(images[:8, None].expand(-1, STEPS, -1))
made = {jump: es.from_torch(net, sample, dt=DT, jump=jump) for jump in ("charge", "current")}
network, disc = made["charge"]
print(network)
for name, value, why in disc.assumptions():
    print(f"{name}: {value}" + (f"\n    {why}" if why else ""))

# %%
# The discrete twin is the same for both: on 500 images that neither training nor the conversion has
# seen, its spikes are those of the module.

x = encode(images[TRAIN:].numpy(), disc, seed=0)
net.reset_state()
with torch.no_grad():
    theirs = net(torch.tensor(x, dtype=torch.float32))[0].numpy()
twin = disc.run(network, x)
different = int((twin != theirs).sum())
print(f"{different} of {int(theirs.sum())} output spikes differ")

# %%
# The continuous networks get the same images and are not trained anew.

reports = {
    jump: es.validate(*pair, images[TRAIN:].numpy(), labels[TRAIN:].numpy(), spread=0.0)
    for jump, pair in made.items()
}
for jump, report in reports.items():
    print(jump, report.summary(), sep="\n")

# %%
# Accuracies; and all spikes of the hidden neurons under one image, counted from its beginning. With
# the charge of the steps the continuous neurons keep up with those of the module; with the current
# of the steps they stay behind, as a current that decays all the time brings less than one that
# holds for a step. The classes hardly change: what all neurons lose alike does not decide.

SHOWN = 3
HIDDEN = network.populations[1].name
spikes = to_spike_trains(x[SHOWN : SHOWN + 1], DT, seed=0)[0]
steps = disc.run(network, x[SHOWN : SHOWN + 1], layers=True)[HIDDEN][0].sum(axis=1)

figure, (above, below) = plt.subplots(
    2, 1, figsize=(7.5, 5.5), height_ratios=(1, 2), layout="constrained"
)
runs = [reports["charge"].coarse] + [report.continuous[0].runs[0] for report in reports.values()]
shares = [run.accuracy for run in runs]
es.plot.accuracy_bars(
    ["Rockpool's steps", *(f'jump="{jump}"' for jump in made)],
    [share.value for share in shares],
    [share.low for share in shares],
    [share.high for share in shares],
    ax=above,
)
edges = np.arange(STEPS + 1) * DT * 1e3
below.step(
    edges, np.append(0, np.cumsum(steps)), where="post", color="0.3", label="Rockpool's steps"
)
for jump, (continuous, _) in made.items():
    result = es.simulate(continuous, {"input": spikes}, t_stop=STEPS * DT)
    times = result.spikes[HIDDEN].times * 1e3
    below.step(times, np.arange(len(times)) + 1, where="post", label=f'jump="{jump}"')
below.set(xlabel="time (ms)", ylabel="spikes of hidden neurons", xlim=(0, STEPS * DT * 1e3))
below.legend(frameon=False, loc="upper left")
below.spines[["top", "right"]].set_visible(False)
plt.show()
