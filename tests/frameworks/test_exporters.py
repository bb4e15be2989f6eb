"""What the frameworks' own NIR exporters write, read again: twin and network are the module's."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import nirtorch
import numpy as np
import pytest
import torch
from torch import nn

import eventsim as es
from eventsim import Population
from tests.frameworks import record_nir
from tests.frameworks.conftest import MISSING

DT = 2e-3
STEPS = 40
NEW_NIRTORCH = "type_check" in inspect.signature(nirtorch.torch_to_nir).parameters


def weights(rng: np.random.Generator, net: nn.Module, high: int) -> None:
    """Dyadic weights, whose sums are exact in any order."""
    for part in net.modules():
        if isinstance(part, nn.Linear):
            for tensor in part.parameters():
                values = rng.integers(-50, high if tensor.dim() > 1 else 40, tuple(tensor.shape))
                tensor.data = torch.tensor(values / 256.0, dtype=torch.float32)


def snntorch(rng: np.random.Generator, path: Path) -> Any:
    """Factors of each neuron, of 0.5 and above, which a file tells apart."""
    from tests.frameworks import record_snntorch as record
    from tests.frameworks import record_snntorch_nir as exported

    mechanism = str(rng.choice(["subtract", "zero"]))
    sizes = [int(n) for n in rng.integers(4, 8, 4)]
    layers = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        kind = str(rng.choice(record.KINDS))
        _, layer = record.neurons(rng, kind, n, mechanism, True, "float32", 0.5, 0.95)
        layer["weight"] = record.dyadic(rng, (n, n_in), -50, 200)
        layer["bias"] = record.dyadic(rng, n, -20, 30)
        layers.append(layer)
    case = {"layers": layers}
    late = any(layer["recurrent"] is not None for layer in layers) or bool(rng.integers(2))
    nir.write(path, exported.export(case))
    net = exported.prepared(case, late)
    options = {
        "exporter": "snntorch", "reset_delay": late,
        "reset": {"subtract": "subtract", "zero": "value"}[mechanism],
    }  # fmt: skip
    return net, options, exported.stepping(net), "step"


def norse(rng: np.random.Generator, path: Path) -> Any:
    """Time constants of a few digits."""
    import norse.torch as norse
    from norse.torch.functional.iaf import IAFParameters
    from norse.torch.functional.reset import reset_subtract, reset_value
    from norse.torch.utils.export_nir import to_nir

    from tests.frameworks.record_norse_nir import stepping

    reset = str(rng.choice(["value", "subtract"]))
    sizes = [5, *(int(n) for n in rng.integers(4, 8, 3))]
    parts: list[Any] = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        parts.append(nn.Linear(n_in, n))
        rates = [torch.tensor(1 / np.round(rng.uniform(4e-3, 4e-2, n), 4)) for _ in range(2)]
        rates = [rate.float() for rate in rates]
        level = {
            "v_th": torch.tensor(rng.uniform(0.3, 1.0, n)).float(),
            "v_leak": torch.tensor(rng.uniform(-0.2, 0.2, n)).float(),
        }
        kind = "box" if reset == "subtract" else str(rng.choice(["box", "lif", "iaf"]))
        if kind == "box":
            method = {"value": reset_value, "subtract": reset_subtract}[reset]
            p = norse.LIFBoxParameters(tau_mem_inv=rates[0], reset_method=method, **level)
            parts.append(norse.LIFBoxCell(p, dt=DT))
        elif kind == "lif":
            p = norse.LIFParameters(tau_mem_inv=rates[0], tau_syn_inv=rates[1], **level)
            parts.append(norse.LIFCell(p, dt=DT))
        else:
            parts.append(norse.IAFCell(IAFParameters(v_th=level["v_th"]), dt=DT))
    net = norse.SequentialState(*parts)
    weights(rng, net, 700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = to_nir(net, torch.zeros(1, 5) if NEW_NIRTORCH else torch.zeros(5), dt=DT)
    nir.write(path, graph)

    return net, {"exporter": "norse", "reset": reset}, stepping(net), "step"


def spikingjelly(rng: np.random.Generator, path: Path) -> Any:
    """LIFNodes with few digits, and ParametricLIFNodes as training leaves them."""
    from spikingjelly.activation_based import layer, neuron
    from spikingjelly.activation_based.nir_exchange.to_nir import export_to_nir

    sizes = [5, *(int(n) for n in rng.integers(4, 8, 3))]
    parts: list[Any] = []
    for n_in, n in zip(sizes, sizes[1:], strict=False):
        common = {
            "v_threshold": float(rng.uniform(0.4, 1.2)), "v_reset": float(rng.uniform(-0.3, 0.2)),
        }  # fmt: skip
        halved = {"decay_input": bool(rng.integers(2))}
        tau = float(np.round(rng.uniform(1.5, 6.0), 2))
        kinds = [
            lambda common=common: neuron.IFNode(**common),
            lambda common=common, tau=tau, halved=halved: neuron.LIFNode(tau, **halved, **common),
            lambda common=common, halved=halved: neuron.ParametricLIFNode(3.1, **halved, **common),
        ]
        node = kinds[int(rng.integers(3))]()
        if isinstance(node, neuron.ParametricLIFNode):
            node.w.data = torch.tensor(rng.normal(), dtype=torch.float32)
        parts += [layer.Linear(n_in, n), node]
    net = nn.Sequential(*parts)
    weights(rng, net, 400)
    export_to_nir(net, torch.zeros(1, 5), save_path=path, dt=DT)

    def step(x: Any, state: Any) -> None:
        net(x)

    return net, {"exporter": "spikingjelly", "reset": "value"}, step, "step"


HERE = [make for make in (norse, snntorch, spikingjelly) if make.__name__ not in MISSING]
if not NEW_NIRTORCH:  # spikingjelly's exporter does not run with it
    HERE = [make for make in HERE if make is not spikingjelly]
if "v_reset" not in {field.name for field in dataclasses.fields(nir.LIF)}:  # nor snnTorch's
    HERE = [make for make in HERE if make is not snntorch]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", HERE, ids=lambda make: make.__name__)
def test_file_is_the_module(make: Callable[..., Any], seed: int, tmp_path: Path) -> None:
    """The twin gives the module's spikes, and the network is that of from_torch."""
    rng = np.random.default_rng(seed)
    net, options, step, run = make(rng, tmp_path / "net.nir")
    # Without refractory periods recurrent networks can run away.
    read, disc = es.load(tmp_path / "net.nir", dt=DT, t_ref=DT, **options)
    n = read.populations[0].n
    x = record_nir.inputs(rng, n, STEPS)
    made, twin = es.from_torch(net, torch.tensor(x).transpose(0, 1), dt=DT, run=run, t_ref=DT)
    theirs = record_nir.spikes(list(net)[1::2], x, step)
    ours = disc.run(read, x, layers=True)
    neurons = [p for p in read.populations if isinstance(p, Population)]
    modules = [p for p in made.populations if isinstance(p, Population)]
    assert sum(spikes.sum() for spikes in theirs)
    for one, two, spikes in zip(neurons, modules, theirs, strict=True):
        np.testing.assert_array_equal(ours[one.name], spikes)
        # It counts in recurrent layers only, where both have it.
        same = {"feedback": twin.cells[two.name].feedback}
        assert dataclasses.replace(disc.cells[one.name], **same) == twin.cells[two.name]
        for field in ("tau_mem", "v_threshold", "v_reset", "v_leak", "i_bias", "r", "t_ref"):
            np.testing.assert_array_equal(one.array(field), two.array(field))
    train = es.SpikeTrain(np.sort(rng.uniform(0.0, STEPS * DT, 300)), rng.integers(0, n, 300))
    found = [es.simulate(way, {way.inputs[0]: train}, t_stop=STEPS * DT) for way in (read, made)]
    for one, two in zip(neurons, modules, strict=True):
        first, second = found[0].spikes[one.name], found[1].spikes[two.name]
        np.testing.assert_array_equal(first.senders, second.senders)
        np.testing.assert_array_equal(first.times, second.times)
