"""Live modules of Rockpool: the twin of what from_torch makes of them, against the modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from rockpool.nn.combinators import Residual, Sequential
from rockpool.nn.modules import ExpSynTorch, LIFTorch, LinearTorch
from rockpool.nn.modules.torch.lif_neuron_torch import LIFNeuronTorch
from rockpool.nn.modules.torch.lif_torch import PeriodicExponential

from eventsim import from_torch
from eventsim.errors import UnsupportedNetwork
from tests.frameworks.comparing import assert_same, differences, inputs, roundings, twin
from tests.frameworks.drawn import dyadic
from tests.frameworks.record_rockpool import MODES, neurons

DT = 1e-3
STEPS, SAMPLES = 40, 4


def linear(rng: np.random.Generator, n_in: int, n: int, exact: bool) -> Any:
    """Weights [source, target], and a bias now and then."""
    made = LinearTorch((n_in, n), has_bias=bool(rng.integers(2)))
    for name in ("weight", "bias")[: 1 + (made.bias is not None)]:
        shape = tuple(getattr(made, name).shape)
        values = dyadic(rng, shape, -40, 120) if exact else rng.uniform(-0.2, 0.5, shape)
        getattr(made, name).data = torch.tensor(values, dtype=torch.float32)
    return made


def stack(rng: np.random.Generator, exact: bool, loops: bool) -> tuple[Any, int]:
    """Linear layers and neurons in turn."""
    sizes = [int(n) for n in rng.integers(3, 9, 4)]
    parts: list[Any] = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        parts.append(linear(rng, n_in, n, exact))
        parts.append(neurons(rng, str(rng.choice(list(MODES))), n, loops and n % 2 == 0, DT)[0])
    return Sequential(*parts), sizes[0]


@torch.no_grad()
def observed(net: Any, x: Any) -> dict[str, tuple[Any, Any]]:
    """Spikes and membranes [sample, step, n] of all LIF modules by path."""
    net.reset_state()
    record = net(x, record=True)[2]
    net.reset_state()
    return {
        path: (record[f"{path}_output"].numpy(), record[path]["vmem"].numpy())
        for path, part in net.named_children()
        if isinstance(part, LIFTorch)
    }


def compare(net: Any, made: Any, x: Any) -> int:
    """All spikes of all layers, and all membranes bit for bit; the number of spikes."""
    return assert_same(observed(net, x), made, x.numpy())


@pytest.mark.parametrize("seed", range(12))
def test_dyadic_networks(seed: int) -> None:
    """On other inputs than those of from_torch: spike for spike, and membranes bit for bit."""
    net, n = stack(np.random.default_rng(seed), exact=True, loops=True)
    x = inputs((SAMPLES, STEPS, n), 1)
    made = from_torch(net, x, dt=DT, accept=("max_spikes",))
    assert compare(net, made, inputs((SAMPLES, STEPS, n), 2)) > 20


@pytest.mark.parametrize("seed", range(6))
def test_free_weights(seed: int) -> None:
    """Where a spike differs, its potential is at a multiple of the threshold within roundings."""
    net, n = stack(np.random.default_rng(100 + seed), exact=False, loops=False)
    x = inputs((16, STEPS, n), seed)
    made = from_torch(net, x, dt=DT, accept=("max_spikes",))
    spikes, v = twin(made, x.numpy())
    for path, sample, step, wrong in differences(observed(net, x), spikes):
        theta = made[0][path].array("v_threshold")[wrong]
        left = v[path][sample, step][wrong]
        # what is left is next to 0 or, one spike fewer, next to the threshold
        assert (np.minimum(np.abs(left), np.abs(left - theta)) < roundings(256, theta)).all()
    assert sum(s.sum() for s in spikes.values()) > 100


def test_readout_and_residual() -> None:
    """A branch around a layer, and currents as the last layer."""
    rng = np.random.default_rng(0)
    net = Sequential(
        linear(rng, 5, 6, True), neurons(rng, "decays", 6, True, DT)[0],
        Residual(linear(rng, 6, 6, True), neurons(rng, "taus", 6, False, DT)[0]),
        linear(rng, 6, 3, True), ExpSynTorch(3, tau=8e-3),
    )  # fmt: skip
    network, disc = from_torch(net, inputs((SAMPLES, STEPS, 5), 1), dt=DT, accept=("max_spikes",))
    x = inputs((SAMPLES, STEPS, 5), 2)
    net.reset_state()
    with torch.no_grad():
        theirs = net(x)[0].numpy()
    v = disc.run(network, x.numpy(), layers=True, record="potential")["4_ExpSynTorch"]
    np.testing.assert_allclose(v, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_torch_api() -> None:
    """A network that was given torch's ways of calling."""
    net, n = stack(np.random.default_rng(1), exact=True, loops=True)
    x = inputs((SAMPLES, STEPS, n), 2)
    made = from_torch(net, x, dt=DT, accept=("max_spikes",))
    spikes = made[1].run(made[0], x.numpy())
    found = from_torch(net.to_torch(), x, dt=DT, accept=("max_spikes",))
    np.testing.assert_array_equal(found[1].run(found[0], x.numpy()), spikes)


def test_state_is_left_as_it_was() -> None:
    net, n = stack(np.random.default_rng(3), exact=True, loops=True)
    x = inputs((SAMPLES, STEPS, n), 1)
    with torch.no_grad():
        net(x)
    before, parameters = str(net.state()), str(net.parameters())
    from_torch(net, x, dt=DT, accept=("max_spikes",))
    assert (str(net.state()), str(net.parameters())) == (before, parameters)


def test_one_channel_goes_to_all_neurons() -> None:
    net = Sequential(LIFTorch(4, threshold=torch.tensor([0.25, 0.5, 1.0, 2.0])))
    made = from_torch(net, inputs((SAMPLES, STEPS, 1), 1), dt=DT)
    assert compare(net, made, inputs((SAMPLES, STEPS, 1), 2)) > 20


def test_other_surrogate() -> None:
    net = Sequential(LIFTorch(4, spike_generation_fn=PeriodicExponential))
    made = from_torch(net, inputs((SAMPLES, STEPS, 4), 1), dt=DT)
    assert compare(net, made, inputs((SAMPLES, STEPS, 4), 2)) > 20


class Own(LIFTorch):
    def forward(self, x: Any) -> Any:
        return super().forward(2 * x)


@pytest.mark.parametrize(
    "module, message",
    [
        (Own(4), "forward: expected that of LIFTorch, got one of its own"),
        (LIFTorch((4, 2)), "n_synapses: expected 1"),
        (LIFTorch(4, noise_std=0.1), "noise_std: expected 0"),
        (LIFTorch(4, max_spikes_per_dt=1.5), "max_spikes_per_dt: expected a whole number"),
        (LIFTorch(4, max_spikes_per_dt=2), "max_spikes: at most 2 spikes"),
        (
            LIFNeuronTorch(4),
            "type: expected LIFTorch, or ExpSynTorch as a last layer, got LIFNeuronTorch",
        ),
    ],
)
def test_refusals(module: Any, message: str) -> None:
    with pytest.raises(UnsupportedNetwork, match=rf"^1_.* \(.*\): .*{message}"):
        from_torch(Sequential(LinearTorch((3, 4)), module), inputs((SAMPLES, STEPS, 3), 0), dt=DT)


def test_currents_reach_no_neurons() -> None:
    net = Sequential(LinearTorch((3, 4)), ExpSynTorch(4), LIFTorch(4))
    with pytest.raises(UnsupportedNetwork, match=r"^2_LIFTorch \(.*\): input: expected"):
        from_torch(net, inputs((SAMPLES, STEPS, 3), 0), dt=DT)


def test_another_step() -> None:
    """The modules say how long a step is; from_torch has to agree."""
    net = Sequential(LinearTorch((3, 4)), LIFTorch(4, dt=2e-3))
    with pytest.raises(UnsupportedNetwork, match=r"dt: expected .* 0.001 s, got 0.002 s"):
        from_torch(net, inputs((SAMPLES, STEPS, 3), 0), dt=DT)
