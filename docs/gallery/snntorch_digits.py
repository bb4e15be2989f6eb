"""
A network trained with snnTorch
===============================

A module is trained, handed over, checked spike for spike, and run in continuous time.

snnTorch steps its neurons: in each step a membrane decays, gets the weighted spikes of that step,
and is compared with its threshold; a spike is subtracted one step later. The weights are trained
to be right in those steps. What the same neurons do where time goes on by itself, and spikes come
when they come, is another question.

The page needs snnTorch and scikit-learn: ``pip install "eventsim[snntorch]" scikit-learn``.
"""

import matplotlib.pyplot as plt
import snntorch
import torch
from sklearn.datasets import load_digits

import eventsim as es
from eventsim.encode import encode, to_spike_trains

DT, STEPS = 1e-3, 20  # a step is said to last one millisecond

torch.manual_seed(1)
digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
TRAIN = 1297  # the last 500 images are for tests


class Net(torch.nn.Module):
    """64 pixels, 48 hidden neurons, one output neuron for each class."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = torch.nn.Linear(64, 48), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = torch.nn.Linear(48, 10), snntorch.Leaky(beta=0.9)

    def forward(self, x):  # [step, sample, pixel]
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        out = []
        for step in x:
            spk1, mem1 = self.lif1(self.fc1(step), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2)
        return torch.stack(out)


# %%
# Training: in each step a pixel spikes with its brightness as probability; the class is the output
# neuron with most spikes.

net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
for _ in range(10):
    for batch in torch.randperm(TRAIN).split(128):
        x = torch.bernoulli(images[batch].expand(STEPS, -1, -1))
        loss = torch.nn.functional.cross_entropy(net(x).sum(0), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# Sums of multiples of 1/1024 are exact in float32, in whatever order a library adds them up.
with torch.no_grad():
    for parameter in [*net.fc1.parameters(), *net.fc2.parameters()]:
        parameter.copy_(torch.round(parameter * 1024) / 1024)

# %%
# The module runs once on a sample input, and what reaches its neurons becomes a network. The
# discretization that comes with it holds the rule of each layer and all that was assumed.

sample = torch.bernoulli(images[:8].expand(STEPS, -1, -1))
network, disc = es.from_torch(net, sample, dt=DT)
print(network)
for name, value, why in disc.assumptions():
    print(f"{name}: {value}" + (f"\n    {why}" if why else ""))

# %%
# The discrete twin does the steps without torch. On 500 images that neither training nor the
# conversion has seen, its spikes are those of the module.

x = encode(images[TRAIN:].numpy(), disc, seed=0)
with torch.no_grad():
    theirs = net(torch.tensor(x, dtype=torch.float32).transpose(0, 1)).transpose(0, 1).numpy()
twin = disc.run(network, x)
different = int((twin != theirs).sum())
print(f"{different} of {int(theirs.sum())} output spikes differ")

# %%
# In continuous time each spike of a pixel comes somewhere within its step, as a delta or as a
# pulse that is as wide as a step. Nothing is trained anew.

report = es.validate(
    network, disc, images[TRAIN:].numpy(), labels[TRAIN:].numpy(), spread=DT, spreads=[0.0]
)
print(report.summary())

# %%
# The accuracy of the twin and of the continuous networks; and one output neuron under one image,
# with the steps of the twin above the exact potential: they rise over the threshold, as the twin
# subtracts a spike one step late and at most one in a step. The exact neuron is reset at once.

SHOWN = 3
neuron = int(labels[TRAIN + SHOWN])
v = disc.run(network, x[SHOWN : SHOWN + 1], record="potential")[0]
spikes = to_spike_trains(x[SHOWN : SHOWN + 1], DT, seed=0)[0]
result = es.simulate(
    network.with_spread(DT), {"input": spikes}, t_stop=STEPS * DT, record_v={"lif2": [neuron]}
)

figure, (above, below) = plt.subplots(
    2, 1, figsize=(7.5, 5.5), height_ratios=(1, 2), layout="constrained"
)
runs = [report.coarse] + [variant.runs[0] for variant in report.continuous]
names = ["snnTorch's steps"] + [variant.name for variant in report.continuous]
shares = [run.accuracy for run in runs]
es.plot.accuracy_bars(
    names,
    [share.value for share in shares],
    [share.low for share in shares],
    [share.high for share in shares],
    ax=above,
)
es.plot.membrane(
    result, "lif2", neuron, ax=below, discrete={"dt": DT, "v": v, "spikes": twin[SHOWN]}
)
plt.show()
