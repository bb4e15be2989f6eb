"""Live modules of sinabs: the twin of what from_torch makes of them, against the modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sinabs.activation as activation
import sinabs.layers as layers
import torch
from sinabs.from_torch import from_model
from torch import nn

from eventsim import from_torch
from eventsim.errors import UnsupportedNetwork
from tests.frameworks.comparing import assert_same, differences, inputs, roundings, twin
from tests.frameworks.drawn import dyadic
from tests.frameworks.record_sinabs import KINDS, neurons

DT = 1e-3
STEPS, SAMPLES = 40, 4
ACCEPT = ("v_min", "max_spikes", "several")


def set_weights(net: nn.Module, rng: np.random.Generator, exact: bool) -> None:
    """Dyadic weights, whose sums are exact, or free ones; recurrent ones are as they are."""
    for path, part in net.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d) and "rec_connect" not in path:
            for tensor in part.parameters():
                values = dyadic(rng, tuple(tensor.shape), -60, 180)
                if not exact:
                    values = rng.uniform(-0.3, 0.7, tuple(tensor.shape))
                tensor.data = torch.tensor(values, dtype=torch.float32)


def stack(rng: np.random.Generator, exact: bool) -> tuple[nn.Sequential, int]:
    """Linear layers and neurons in turn."""
    sizes = [int(n) for n in rng.integers(3, 9, 4)]
    parts: list[nn.Module] = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        parts.append(nn.Linear(n_in, n, bias=bool(rng.integers(2))))
        parts.append(neurons(rng, str(rng.choice(list(KINDS))), n)[0])
    net = nn.Sequential(*parts)
    set_weights(net, rng, exact)
    return net, sizes[0]


def forget(net: nn.Module) -> None:
    for part in net.modules():
        if isinstance(part, layers.StatefulLayer):
            part.reset_states()


@torch.no_grad()
def observed(net: nn.Module, x: Any, lead: tuple[int, int]) -> dict[str, tuple[Any, Any]]:
    """Spikes [*lead, n] of all neurons by path, and their membranes in the last step."""
    found: dict[str, Any] = {}
    kept = {p: m for p, m in net.named_modules() if isinstance(m, layers.StatefulLayer)}
    forget(net)
    handles = [
        m.register_forward_hook(lambda m, _, out, path=path: found.update({path: out.numpy()}))
        for path, m in kept.items()
    ]
    net(x)
    for handle in handles:
        handle.remove()
    last = {path: part.v_mem.numpy().copy() for path, part in kept.items()}
    forget(net)
    return {
        path: (spikes.reshape(*lead, -1), last[path].reshape(lead[0], 1, -1))
        for path, spikes in found.items()
    }


def compare(net: Any, made: Any, x: Any, lead: tuple[int, int]) -> int:
    """All spikes of all layers, and the last membranes bit for bit; the number of spikes."""
    return assert_same(observed(net, x, lead), made, x.numpy().reshape(*lead, -1))


@pytest.mark.parametrize("seed", range(16))
def test_dyadic_networks(seed: int) -> None:
    """On other inputs than those of from_torch: spike for spike, and membranes bit for bit."""
    net, n = stack(np.random.default_rng(seed), exact=True)
    made = from_torch(net, inputs((SAMPLES, STEPS, n), 1), dt=DT, accept=ACCEPT)
    other = inputs((SAMPLES, STEPS, n), 2)
    assert compare(net, made, other, (SAMPLES, STEPS)) > 20


@pytest.mark.parametrize("seed", range(8))
def test_free_weights(seed: int) -> None:
    """Where a spike differs, its potential is at a multiple of the threshold within roundings."""
    rng = np.random.default_rng(100 + seed)
    net = nn.Sequential(
        nn.Linear(6, 8), layers.LIF(5.0, tau_syn=3.0),
        nn.Linear(8, 6), layers.IAF(spike_fn=activation.SingleSpike),
        nn.Linear(6, 4), layers.ALIF(8.0, 12.0, norm_input=False),
    )  # fmt: skip
    set_weights(net, rng, exact=False)
    x = inputs((16, STEPS, 6), seed)
    made = from_torch(net, x, dt=DT)
    spikes, v = twin(made, x.numpy())
    for path, sample, step, wrong in differences(observed(net, x, (16, STEPS)), spikes):
        theta = made[0][path].array("v_threshold")[wrong]
        left = v[path][sample, step][wrong]
        # what is left is next to 0 or, one spike fewer, next to the threshold
        assert (np.minimum(np.abs(left), np.abs(left - theta)) < roundings(256, theta)).all()
        assert path != "5"  # whose threshold moves: not seen with these seeds
    assert sum(s.sum() for s in spikes.values()) > 100


def test_readout() -> None:
    """Potentials of a last layer that does not spike."""
    net = nn.Sequential(nn.Linear(5, 6), layers.IAF(), nn.Linear(6, 3), layers.ExpLeak(9.0))
    set_weights(net, np.random.default_rng(0), exact=True)
    network, disc = from_torch(net, inputs((SAMPLES, STEPS, 5), 1), dt=DT)
    x = inputs((SAMPLES, STEPS, 5), 2)
    with torch.no_grad():
        forget(net)
        theirs = net(x).numpy()
    v = disc.run(network, x.numpy(), layers=True, record="potential")["3"]
    np.testing.assert_array_equal(v, theirs)
    told = [row for row in disc.assumptions() if "readout 3" in row[1]]
    assert told


def test_readouts_are_last() -> None:
    net = nn.Sequential(nn.Linear(5, 4), layers.ExpLeak(9.0), nn.Linear(4, 3), layers.IAF())
    with pytest.raises(UnsupportedNetwork, match=r"^3 \(sinabs.IAF\): input: expected"):
        from_torch(net, inputs((SAMPLES, STEPS, 5), 1), dt=DT)


@pytest.mark.parametrize("axis", ["batch_size", "num_timesteps"])
def test_converted_images(axis: str) -> None:
    """Networks that sinabs makes of others: steps and samples share an axis."""
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(), layers.SumPool2d(2), nn.Flatten(),
        nn.Linear(27, 4), nn.ReLU(),
    )  # fmt: skip
    set_weights(net, np.random.default_rng(0), exact=True)
    count = {"batch_size": SAMPLES, "num_timesteps": STEPS}[axis]
    made = from_model(net, input_shape=(1, 8, 8), **{axis: count})
    x = inputs((SAMPLES * STEPS, 1, 8, 8), 1)
    found = from_torch(made, x, dt=DT, accept=("v_min",))
    assert found[0]["spiking_model.1"].shape == (3, 6, 6)
    with torch.no_grad():
        x = inputs((SAMPLES * STEPS, 1, 8, 8), 2)
        assert compare(made.spiking_model, _named(found), x, (SAMPLES, STEPS)) > 500


def _named(found: Any) -> Any:
    """The twin, with the paths that modules have inside ``spiking_model``."""
    network, disc = found

    class Twin:
        def run(self, net: Any, x: Any, **options: Any) -> Any:
            made = disc.run(net, x, **options)
            return {name.removeprefix("spiking_model."): values for name, values in made.items()}

    return network, Twin()


def test_recurrence_through_a_container() -> None:
    """Recurrent weights that get the shape of a step."""
    back = nn.Sequential(nn.Flatten(), nn.Linear(8, 8), nn.Unflatten(1, (2, 2, 2)))
    net = nn.Sequential(
        nn.Flatten(0, 1), nn.Conv2d(1, 2, 3), nn.Unflatten(0, (SAMPLES, STEPS)),
        layers.LIFRecurrent(6.0, back),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    set_weights(net, rng, exact=True)
    back[1].weight.data = torch.tensor(dyadic(rng, (8, 8), -60, 30))
    back[1].bias.data = torch.tensor(dyadic(rng, (8,), -60, 60))
    made = from_torch(net, inputs((SAMPLES, STEPS, 1, 4, 4), 1), dt=DT)
    x = inputs((SAMPLES, STEPS, 1, 4, 4), 2)
    assert compare(net, made, x, (SAMPLES, STEPS)) > 20


def test_state_and_module_are_left_as_they_were() -> None:
    net, n = stack(np.random.default_rng(3), exact=True)
    x = inputs((SAMPLES, STEPS, n), 1)
    with torch.no_grad():
        net(x)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    from_torch(net, x, dt=DT, accept=ACCEPT)
    after = net.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


class Own(layers.LIF):
    def forward(self, x: Any) -> Any:
        return super().forward(2 * x)


@pytest.mark.parametrize(
    "module, message",
    [
        (Own(5.0), "forward: expected that of LIF, got one of its own"),
        (layers.IAF(reset_fn=activation.MembraneReset(0.25)), "reset_fn.reset_value: expected 0"),
        (layers.IAF(reset_fn=lambda s, state, theta: state), "reset_fn: expected MembraneSubtract"),
        (layers.IAF(spike_fn=torch.relu), "spike_fn: expected MultiSpike, SingleSpike or"),
        (layers.LIF(5.0).double(), "alpha_mem: expected float32"),
        (layers.ExpLeak(5.0, min_v_mem=-1.0), "min_v_mem: expected none"),
        (layers.IAF(min_v_mem=-1.0), "v_min: the floor of the potential"),
        (layers.IAF(spike_fn=activation.MaxSpike(3)), "max_spikes: at most 3 spikes"),
        (layers.IAF(reset_fn=activation.MembraneReset()), "several: several spikes of a step with"),
        (layers.LIF(torch.rand(SAMPLES, 4)), r"alpha_mem: expected one number, or some that fit"),
    ],
)
def test_refusals(module: nn.Module, message: str) -> None:
    net = nn.Sequential(nn.Linear(3, 4), module)
    with pytest.raises(UnsupportedNetwork, match=rf"^1 \(.*\): .*{message}"):
        from_torch(net, inputs((SAMPLES, STEPS, 3), 0), dt=DT)


def test_double_input() -> None:
    with pytest.raises(UnsupportedNetwork, match="input: expected float32"):
        from_torch(nn.Sequential(layers.IAF()), inputs((2, 9, 3), 0).double(), dt=DT)
