"""
A coarse network of spikingtorch
================================

Four steps, each as long as a refractory period, and how wide a synapse has to be.

The coarse LIF neuron of spikingtorch takes one step in every refractory period, and its
coefficients are averages over arrivals that are spread evenly over that step. A network of it is
trained on spike trains of four steps only. In continuous time it needs synapses that deliver their
charge as evenly: with deltas, its answers fall apart.

The page needs spikingtorch and scikit-learn: ``pip install spikingtorch scikit-learn``.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from spikingtorch.layers import CoarseLIF

import eventsim as es
from eventsim.encode import encode

DT, STEPS, TAU = 1e-3, 4, 4.0  # a refractory period of one millisecond, and tau_mem of four

torch.manual_seed(1)
digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
TRAIN = 1297  # the last 500 images are for tests


class Net(torch.nn.Module):
    """64 pixels, 96 hidden neurons, one output neuron for each class."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = torch.nn.Linear(64, 96), CoarseLIF(TAU)
        self.fc2, self.lif2 = torch.nn.Linear(96, 10, bias=False), CoarseLIF(TAU)

    def forward(self, x):  # [step, sample, pixel]
        out = []
        for k, step in enumerate(x):
            hidden = self.lif1(self.fc1(step), init=k == 0)
            out.append(self.lif2(self.fc2(hidden), init=k == 0))
        return torch.stack(out)


# %%
# Training: in each step a pixel spikes with its brightness as probability; the class is the output
# neuron with most spikes.

net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for _ in range(25):
    for batch in torch.randperm(TRAIN).split(64):
        counts = net(torch.bernoulli(images[batch].expand(STEPS, -1, -1))).sum(0)
        loss = torch.nn.functional.cross_entropy(2.0 * (counts - 0.5 * STEPS), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# Sums of multiples of 1/1024 are exact in float32, in whatever order a library adds them up.
with torch.no_grad():
    for parameter in net.parameters():
        parameter.copy_(torch.round(parameter * 1024) / 1024)

# %%
# The module becomes a network with refractory periods of one step and pulses that are as wide, and
# its twin gives the spikes of the module.

network, disc = es.from_torch(net, torch.bernoulli(images[:8].expand(STEPS, -1, -1)), dt=DT)
print(network)
x = encode(images[TRAIN:].numpy(), disc, seed=0)
with torch.no_grad():
    theirs = net(torch.tensor(x, dtype=torch.float32).transpose(0, 1)).transpose(0, 1).numpy()
different = int((disc.run(network, x) != theirs).sum())
print(f"{different} of {int(theirs.sum())} output spikes differ")

# %%
# The same network in continuous time, with pulses from nothing (deltas) to two steps wide. Nothing
# is trained anew.

report = es.sweep("pulse-width", network, disc, images[TRAIN:].numpy(), labels[TRAIN:].numpy())
print(report.summary())

# %%
# Accuracy and agreement with the coarse network over the width of the pulses.

es.plot.sweep(report)
plt.show()
