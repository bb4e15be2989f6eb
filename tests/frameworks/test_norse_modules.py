"""Live modules of Norse: the twin of what from_torch makes of them, against the modules."""

from __future__ import annotations

from typing import Any

import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.lsnn import LSNNParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.module.snn import SNNCell
from torch import nn

from eventsim import from_torch
from eventsim.errors import UnsupportedNetwork
from tests.frameworks.comparing import assert_same, by_sample, differences, inputs, roundings, twin
from tests.frameworks.drawn import dyadic

DT = 1e-3
STEPS, SAMPLES = 40, 4
KINDS = (
    "LIFBoxCell", "LIFCell", "LSNNCell", "IAFCell", "LIFRecurrentCell", "LSNNRecurrentCell",
    "LIF", "LSNN", "LIFRecurrent", "LSNNRecurrent",
)  # fmt: skip


def neurons(rng: np.random.Generator, kind: str, n_in: int, n: int) -> nn.Module:
    """A linear layer and neurons behind it; recurrent neurons have their own weights."""
    per_neuron = bool(rng.integers(2)) and kind in ("LIFBoxCell", "LIFCell")

    def some(low: float, high: float) -> Any:
        values = rng.uniform(low, high, n if per_neuron else ())
        return torch.tensor(values, dtype=torch.float32)

    p: dict[str, Any] = {"v_th": some(0.3, 1.2), "v_reset": some(-0.4, 0.2)}
    if not kind.startswith("IAF"):
        p |= {"tau_mem_inv": some(50.0, 600.0), "v_leak": some(-0.3, 0.25)}
    if not kind.startswith(("IAF", "LIFBox")):
        p["tau_syn_inv"] = some(50.0, 600.0)
    parameters: Any = norse.LIFParameters
    if kind.startswith("LSNN"):
        parameters = LSNNParameters
        p |= {"tau_adapt_inv": some(2.0, 300.0), "beta": some(0.05, 0.5)}
    elif kind.startswith("LIFBox"):
        parameters = norse.LIFBoxParameters
        p["reset_method"] = (reset_value, reset_subtract)[rng.integers(2)]
    elif kind.startswith("IAF"):
        parameters = IAFParameters
    make = getattr(norse, kind)
    if "Recurrent" in kind:
        return make(n_in, n, p=parameters(**p), dt=float(rng.uniform(5e-4, 1.5e-3)))
    strength = {"LIFBoxCell": 4.0}.get(kind, 1.0)
    linear = nn.Linear(n_in, n, bias=bool(rng.integers(2)))
    linear.strength = strength  # type: ignore[assignment]
    return norse.SequentialState(linear, make(parameters(**p), dt=float(rng.uniform(5e-4, 1.5e-3))))


def stack(rng: np.random.Generator, kinds: tuple[str, ...], exact: bool) -> Any:
    """Layers in turn; weights are dyadic or free."""
    sizes = rng.integers(3, 9, len(kinds) + 1)
    net = norse.SequentialState(
        *(neurons(rng, *layer) for layer in zip(kinds, sizes, sizes[1:], strict=False))
    )
    for part in net.modules():
        strength = getattr(part, "strength", 1.0)
        for tensor in part.parameters(recurse=False):
            values = dyadic(rng, tuple(tensor.shape), -100, 200)
            if not exact:
                values = rng.uniform(-0.4, 0.8, tuple(tensor.shape))
            tensor.data = torch.tensor(strength * values, dtype=torch.float32)
    for part in net.modules():
        if hasattr(part, "recurrent_weights") and not part.autapses:
            part.recurrent_weights.data.fill_diagonal_(0.0)
    return net, int(sizes[0])


def by_step(net: Any, x: Any) -> Any:
    """Run a stack of cells over the steps."""
    state, out = None, []
    for step in x:
        z, state = net(step, state)
        out.append(z)
    return torch.stack(out)


@torch.no_grad()
def observed(net: nn.Module, x: Any, run: Any) -> dict[str, tuple[Any, Any]]:
    """Spikes [sample, step, n] of all neurons by path, and the membranes of cells."""
    seen: dict[str, list[Any]] = {}
    handles = []
    for path, part in net.named_modules():
        if hasattr(part, "activation"):

            def note(module: Any, _: Any, out: Any, path: str = path) -> None:
                seen.setdefault(path, []).append((out[0].numpy(), out[1].v.numpy().copy()))

            handles.append(part.register_forward_hook(note))
    run(net, x)
    for handle in handles:
        handle.remove()
    found = {}
    for path, calls in seen.items():
        if len(calls) == 1:
            found[path] = (calls[0][0].swapaxes(0, 1).reshape(x.shape[1], len(x), -1), None)
        else:
            spikes, v = (np.stack(parts, 1) for parts in zip(*calls, strict=True))
            flat = (x.shape[1], len(x), -1)
            found[path] = (spikes.reshape(flat), v.reshape(flat))
    return found


def compare(net: Any, made: Any, x: Any, run: Any) -> int:
    """All spikes of all layers, and all membranes of cells bit for bit; the number of spikes."""
    return assert_same(observed(net, x, run), made, by_sample(x))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("sequence", [False, True])
def test_dyadic_networks(seed: int, sequence: bool) -> None:
    """On other inputs than those of from_torch: spike for spike, and membranes bit for bit."""
    rng = np.random.default_rng(seed)
    kinds = tuple(rng.choice(KINDS[6:] if sequence else KINDS[:6], 3))
    net, n = stack(rng, kinds, exact=True)
    run = (lambda net, x: net(x)) if sequence else by_step
    made = from_torch(net, inputs((STEPS, SAMPLES, n), 1), dt=DT, run=run)
    assert compare(net, made, inputs((STEPS, SAMPLES, n), 2), run) > 20


@pytest.mark.parametrize("seed", range(8))
def test_free_weights(seed: int) -> None:
    """Where a spike differs, its potential is at the threshold within a few roundings."""
    rng = np.random.default_rng(100 + seed)
    net, n = stack(rng, ("LIFBoxCell", "LIFRecurrentCell", "LIFCell"), exact=False)
    x = inputs((STEPS, 16, n), seed)
    made = from_torch(net, x, dt=DT, run=by_step)
    spikes, v = twin(made, by_sample(x))
    theirs = observed(net, x, by_step)
    for path, sample, step, wrong in differences(theirs, spikes):
        theta = made[0][path].array("v_threshold")[wrong]
        # the potential of whichever of both has not been reset
        both = np.stack([v[path][sample, step], theirs[path][1][sample, step]])[:, wrong]
        assert (np.abs(both - theta).min(axis=0) < roundings(64, theta)).all()
    assert sum(s.sum() for s in spikes.values()) > 100


def test_images() -> None:
    """Convolutions lifted over the steps, a threshold for each channel."""
    p = norse.LIFParameters(v_th=torch.tensor([0.5, 0.75, 1.0, 0.25]).view(4, 1, 1))
    net = norse.SequentialState(
        norse.Lift(nn.Conv2d(1, 4, 3, padding=1)),
        norse.LIF(p),
        norse.Lift(nn.AvgPool2d(2)),
        nn.Flatten(2),
        norse.LSNNRecurrent(36, 5),
    )
    rng = np.random.default_rng(0)
    for tensor in net.parameters():
        values = dyadic(rng, tuple(tensor.shape), -60, 160)
        tensor.data = torch.tensor(values, dtype=torch.float32)
    net[4].recurrent_weights.data.fill_diagonal_(0.0)

    def run(net: Any, x: Any) -> Any:
        return net(x)

    made = from_torch(net, inputs((STEPS, SAMPLES, 1, 6, 6), 1), dt=DT)
    assert made[0]["1"].shape == (4, 6, 6)
    np.testing.assert_array_equal(np.unique(made[0]["1"].v_threshold), [0.25, 0.5, 0.75, 1.0])
    assert compare(net, made, inputs((STEPS, SAMPLES, 1, 6, 6), 2), run) > 500


def readout(rng: np.random.Generator, kind: str, n: int) -> list[nn.Module]:
    """A leaky integrator of three neurons, with a linear layer where it has no weights."""
    p: dict[str, Any] = {"tau_mem_inv": torch.tensor(rng.uniform(50.0, 600.0, 3))}
    p["v_leak"] = torch.tensor(rng.uniform(-0.3, 0.25))
    parameters: Any = norse.LIBoxParameters
    if kind != "LIBoxCell":
        parameters = norse.LIParameters
        p["tau_syn_inv"] = torch.tensor(rng.uniform(50.0, 600.0))
    given = parameters(**{name: value.float() for name, value in p.items()})
    if kind == "LILinearCell":
        return [norse.LILinearCell(n, 3, given)]
    return [nn.Linear(n, 3), getattr(norse, kind)(given)]


@pytest.mark.parametrize("kind", ["LICell", "LIBoxCell", "LILinearCell", "LI"])
@pytest.mark.parametrize("seed", range(3))
def test_leaky_integrators(kind: str, seed: int) -> None:
    """As the last layer; their potentials are the twin's, bit for bit."""
    rng = np.random.default_rng(seed)
    sequence = kind == "LI"
    hidden = norse.LIF() if sequence else norse.LIFCell()
    net = norse.SequentialState(nn.Linear(5, 6), hidden, *readout(rng, kind, 6))
    for tensor in net.parameters():
        values = dyadic(rng, tuple(tensor.shape), -100, 200)
        tensor.data = torch.tensor(values, dtype=torch.float32)
    run = (lambda net, x: net(x)[0]) if sequence else by_step
    network, disc = from_torch(net, inputs((STEPS, SAMPLES, 5), 1), dt=DT, run=run)
    name = network.outputs[0]
    assert np.isinf(network[name].v_threshold)
    assert any(note.startswith(f"readout {name}: neurons without threshold") for note in disc.notes)
    x = inputs((STEPS, SAMPLES, 5), 2)
    with torch.no_grad():
        theirs = run(net, x).numpy().swapaxes(0, 1)
    v = disc.run(network, x.numpy().swapaxes(0, 1), layers=True, record="potential")[name]
    np.testing.assert_array_equal(v, theirs)


def test_nothing_behind_a_leaky_integrator() -> None:
    net = norse.SequentialState(nn.Linear(3, 4), norse.LICell(), nn.Linear(4, 2), norse.LIFCell())
    with pytest.raises(UnsupportedNetwork, match=r"^3 \(.*\): input: expected spikes, got a state"):
        from_torch(net, inputs((STEPS, SAMPLES, 3), 0), dt=DT, run=by_step)


def test_double() -> None:
    """Modules in double precision whose parameters are too."""
    double = {"dtype": torch.float64}
    p = norse.LIFParameters(*(torch.tensor(v, **double) for v in (301.7, 123.4, 0.25, 0.7, -0.1)))
    net = norse.SequentialState(nn.Linear(5, 6), norse.LIFCell(p), norse.LIFRecurrentCell(6, 4, p))
    rng = np.random.default_rng(0)
    net.double()
    for tensor in net.parameters():
        tensor.data = torch.tensor(dyadic(rng, tuple(tensor.shape), -100, 200, np.float64))
    net[2].recurrent_weights.data.fill_diagonal_(0.0)
    x = inputs((STEPS, SAMPLES, 5), 1).double()
    made = from_torch(net, x, dt=DT, run=by_step)
    assert made[1].dtype == "float64"
    assert compare(net, made, inputs((STEPS, SAMPLES, 5), 2).double(), by_step) > 50


class Own(norse.LIFCell):
    def forward(self, x: Any, state: Any = None) -> Any:
        return super().forward(2 * x, state)


def own_reset(z: Any, v: Any, reset: Any, th: Any) -> Any:
    return v - z


def own_step(x: Any, state: Any, p: Any, dt: float) -> Any:
    return (x > 0.5).float(), state


@pytest.mark.parametrize(
    "module, message",
    [
        (Own(), "forward: expected that of norse's SNNCell"),
        (norse.LIFBoxCell(norse.LIFBoxParameters(reset_method=own_reset)), "p.reset_method"),
        (norse.LIFAdExCell(), "activation: expected a function of Norse's .* not linear"),
        (norse.LIFRefracCell(), "activation: expected a function of Norse's .* t_ref="),
        (SNNCell(own_step, lambda x: None, None), "activation: expected .* got own_step"),
        (
            norse.LIFCell(norse.LIFParameters(v_th=torch.rand(SAMPLES, 4))),
            r"p.v_th: expected one number, or some that fit neurons arranged as \(4,\)",
        ),
    ],
)
def test_refusals(module: nn.Module, message: str) -> None:
    net = norse.SequentialState(nn.Linear(3, 4), module)
    with pytest.raises(UnsupportedNetwork, match=rf"^1 \(.*\): .*{message}"):
        from_torch(net, inputs((STEPS, SAMPLES, 3), 0), dt=DT, run=by_step)


def test_first_potentials_in_float32() -> None:
    p = norse.LIFParameters(v_leak=torch.tensor(0.1, dtype=torch.float64))
    net = norse.SequentialState(norse.LIFRecurrentCell(3, 4, p)).double()
    with pytest.raises(UnsupportedNetwork, match=r"^0 \(norse.LIFRecurrentCell\): p.v_leak"):
        from_torch(net, inputs((STEPS, SAMPLES, 3), 0).double(), dt=DT, run=by_step)
