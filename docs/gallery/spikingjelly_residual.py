"""
A residual block of SpikingJelly
================================

Spikes that are added to spikes, in few steps and in continuous time.

Deep networks of SpikingJelly add the spikes of a block to those that entered it. A sum of spikes
is no spike: the next layer reads 0, 1 or 2. Where both spikes come as events there is nothing to
add up, and the sum becomes two sets of synapses with the same weights, one from each layer. Batch
norms disappear into the weights.

The page needs SpikingJelly and scikit-learn: ``pip install "eventsim[spikingjelly]" scikit-learn``.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from spikingjelly.activation_based import functional, layer, neuron, surrogate

import eventsim as es
from eventsim.analog import analog_currents

DT, STEPS = 1e-3, 8

digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target)
TRAIN = 1297  # the last 500 images are for tests


def nodes():
    """Neurons without leak, which subtract their threshold."""
    return neuron.IFNode(v_reset=None, surrogate_function=surrogate.ATan(), detach_reset=True)


class Net(torch.nn.Module):
    """A convolution that gets the image in every step, a residual block, and a readout."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(
            layer.Conv2d(1, 8, 3, stride=2, padding=1, bias=False), layer.BatchNorm2d(8), nodes()
        )
        self.block = torch.nn.Sequential(
            layer.Conv2d(8, 8, 3, padding=1, bias=False), layer.BatchNorm2d(8), nodes(),
            layer.Conv2d(8, 8, 3, padding=1, bias=False), layer.BatchNorm2d(8), nodes(),
        )  # fmt: skip
        self.head = torch.nn.Sequential(layer.Flatten(), layer.Linear(128, 10), nodes())
        functional.set_step_mode(self, "m")

    def forward(self, image):
        x = self.stem(image.expand(STEPS, *image.shape))
        return self.head(self.block(x) + x)


# %%
# Training: the class is the output neuron with most spikes. The potentials stay in the module,
# which is reset after each batch.

torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for _ in range(8):
    for batch in torch.randperm(TRAIN).split(64):
        loss = torch.nn.functional.cross_entropy(net(images[batch]).sum(0), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        functional.reset_net(net)

# %%
# One run of the module, and the network is there: two sets of synapses lead to the output layer,
# from the stem and from the end of the block.

network, disc = es.from_torch(net, images[:4], dt=DT)
for projection in network.projections:
    print(f"{projection.source} -> {projection.target}: {type(projection).__name__}")

# %%
# The twin gives the module's spikes on images that were not used before, up to rounding: a batch
# norm multiplies sums in the module, and weights in the network.

net.eval()
with torch.no_grad():
    theirs = net(images[TRAIN:]).numpy().transpose(1, 0, 2)
functional.reset_net(net)
twin = disc.run(network, images[TRAIN:].numpy().reshape(500, -1))
different = int((twin != theirs).sum())
print(f"{different} of {int(theirs.sum())} output spikes differ")

# %%
# In continuous time the image is a constant current. Spikes of one step no longer come together:
# a layer reads the first ones before the last ones are there, and the block comes after the stem.
# A neuron that is left above its threshold spikes again at the next arrival, where training allows
# for one spike in a step, so deep layers spike more. A refractory period of one step caps the rate
# as well, but it also takes what arrives meanwhile, and the layers spike less than in training.

pixels = images[TRAIN:].numpy().reshape(500, -1)
capped, _ = es.from_torch(net, images[:4], dt=DT, t_ref=DT)
reports = {
    name: es.validate(candidate, disc, pixels, labels[TRAIN:].numpy())
    for name, candidate in (("no refractory period", network), ("one step", capped))
}
for name, report in reports.items():
    print(f"{name}: {report.summary().split(chr(10) * 2)[0]}")

# %%
# One image, layer by layer: the steps of the twin, and the spikes of the exact simulation without
# a refractory period. The numbers count the spikes.

SHOWN = 1
layers = {
    "stem.2": "stem",
    "block.2": "in the block",
    "block.5": "end of the block",
    "head.2": "out",
}
drive = analog_currents(network, disc, pixels[SHOWN : SHOWN + 1])
exact = es.simulate(network, {}, t_stop=STEPS * DT, currents=drive[0])
stepped = disc.run(network, pixels[SHOWN : SHOWN + 1], layers=True)

figure, axes = plt.subplots(2, 4, sharex=True, sharey="col", figsize=(9, 4.6), layout="constrained")
for (name, title), (above, below) in zip(layers.items(), axes.T, strict=True):
    step, unit = np.nonzero(stepped[name][0])
    trains = exact.spikes[name]
    size = 12 if network[name].n == 10 else 3
    above.plot((step + 1) * DT * 1e3, unit, "|", markersize=size, color="#555555")
    below.plot(trains.times * 1e3, trains.senders, "|", markersize=size, color="#0072B2")
    above.set(title=f"{title}\n{len(step)}", ylim=(-1, network[name].n))
    below.set(title=str(len(trains)), xlabel="time (ms)", xlim=(0, STEPS * DT * 1e3 + 0.3))
axes[0, 0].set(ylabel="neuron, in steps")
axes[1, 0].set(ylabel="neuron, continuous")
axes[1, 3].set_yticks(range(0, 10, 3))
for ax in axes.flat:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
