"""
Several spikes a step with sinabs
=================================

What becomes of spikes that a network trained in steps gives all at once.

A neuron of sinabs gives as many spikes in a step as its potential holds thresholds, and passes the
number on. Trained networks make use of that. In continuous time there are no such numbers: input
that comes little by little makes single spikes, and only what arrives in one instant can make
several. :func:`eventsim.from_torch` turns the module into that network.

The page needs sinabs and scikit-learn: ``pip install "eventsim[sinabs]" scikit-learn``. The import
of sinabs may look for hardware drivers on the net; ``PIP_NO_INDEX=1`` in the environment keeps it
from that.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sinabs.activation import MultiSpike, SingleExponential
from sinabs.layers import LIF
from sklearn.datasets import load_digits

import eventsim as es
from eventsim.encode import encode, to_spike_trains

DT, STEPS = 1e-3, 12  # a step is said to last one millisecond

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
TRAIN = 1297  # the last 500 images are for tests


def neurons():
    """Leaky neurons of eight steps, which subtract a threshold for each spike."""
    surrogate = SingleExponential(grad_width=0.5, grad_scale=0.5)
    return LIF(8.0, spike_fn=MultiSpike, norm_input=False, surrogate_grad_fn=surrogate)


net = torch.nn.Sequential(
    torch.nn.Linear(64, 48, bias=False), neurons(), torch.nn.Linear(48, 10, bias=False), neurons()
)


def forget():
    """sinabs keeps potentials from call to call."""
    net[1].reset_states()
    net[3].reset_states()


# %%
# Training: in each step a pixel spikes with its brightness as probability; the class is the output
# neuron with most spikes.

optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
weights = [net[0].weight, net[2].weight]
for _ in range(8):
    for batch in torch.randperm(TRAIN).split(128):
        forget()
        x = torch.bernoulli(images[batch, None].expand(-1, STEPS, -1))
        counts = net(x).sum(1)
        loss = torch.nn.functional.cross_entropy(counts / 2, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# Sums of multiples of 1/1024 are exact in float32, in whatever order a library adds them up.
with torch.no_grad():
    for weight in weights:
        weight.copy_(torch.round(weight * 1024) / 1024)

# %%
# The module runs once on a sample input and becomes a network with its twin; what was assumed of
# the continuous neurons is written down.

forget()
sample = torch.bernoulli(images[:8, None].expand(-1, STEPS, -1))
network, disc = es.from_torch(net, sample, dt=DT)
print(network)
for name, value, why in disc.assumptions():
    print(f"{name}: {value}" + (f"\n    {why}" if why else ""))

# %%
# On 500 images that neither training nor the conversion has seen, the numbers of spikes that the
# twin gives in each step are those of the module.

x = encode(images[TRAIN:].numpy(), disc, seed=0)
forget()
with torch.no_grad():
    theirs = net(torch.tensor(x, dtype=torch.float32)).numpy()
twin = disc.run(network, x, layers=True)
different = int((twin["3"] != theirs).sum())
print(f"{different} of {theirs.size} numbers of output spikes differ")
print(f"at most {int(twin['1'].max())} spikes of a hidden neuron in a step")

# %%
# In continuous time each spike of a pixel comes somewhere within its step, as a delta or as a
# pulse that is as wide as a step. Nothing is trained anew.

report = es.validate(
    network, disc, images[TRAIN:].numpy(), labels[TRAIN:].numpy(), spread=DT, spreads=[0.0]
)
print(report.summary())

# %%
# The hidden neurons under one image: in steps, where the size of a dot is the number of spikes, and
# in continuous time, where the same neurons spread about as many spikes over the time.

SHOWN = 3
spikes = to_spike_trains(x[SHOWN : SHOWN + 1], DT, seed=0)[0]
result = es.simulate(network.with_spread(DT), {"input": spikes}, t_stop=STEPS * DT)
steps, senders = np.nonzero(twin["1"][SHOWN])
number = twin["1"][SHOWN][steps, senders]

figure = plt.figure(figsize=(7.5, 5.5), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(1, 2))
runs = [report.coarse] + [variant.runs[0] for variant in report.continuous]
shares = [run.accuracy for run in runs]
es.plot.accuracy_bars(
    ["sinabs' steps"] + [variant.name for variant in report.continuous],
    [share.value for share in shares],
    [share.low for share in shares],
    [share.high for share in shares],
    ax=above.subplots(),
)
coarse, exact = below.subplots(1, 2, sharey=True)
coarse.scatter((steps + 0.5) * DT * 1e3, senders, s=6.0 * number**2, lw=0, alpha=0.7)
coarse.set(title=f"in steps: {int(number.sum())} spikes", ylabel="hidden neuron")
train = result.spikes["1"]
exact.scatter(train.times * 1e3, train.senders, s=6.0, lw=0)
exact.set(title=f"in continuous time: {len(train)} spikes")
for ax in (coarse, exact):
    ax.set(xlabel="time (ms)", xlim=(0, STEPS * DT * 1e3), ylim=(-1, 48))
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
