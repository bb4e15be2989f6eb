"""NIR graphs against the equations of NIR, and against a time grid."""

from __future__ import annotations

import math

import nir
import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.nn import functional

import eventsim as es
from tests.nir_graphs import chain, cuba, filled, graph_of, lif, pool

# Against the equations of NIR


def integrate(equation, start, threshold, boxes, t_stop, jumps=()):
    """Spike times of one neuron: solve_ivp between the edges of boxes and jumps of the state."""
    edges = sorted({0.0, t_stop, *(t for box in boxes for t in box), *(t for t, _ in jumps)})
    state, spikes = np.array(start, dtype=float), []

    def crossing(_, y):
        return y[0] - threshold

    crossing.terminal, crossing.direction = True, 1.0
    for a, b in zip(edges, edges[1:], strict=False):
        for t, jump in jumps:
            if t == a:
                state = state + jump
                if state[0] > threshold:
                    spikes.append(a)
                    state[0] = 0.0
        drive = float(any(x <= a < y for x, y in boxes))
        while True:
            run = solve_ivp(
                lambda t, y, d=drive: equation(y, d), (a, b), state, events=crossing,
                rtol=1e-11, atol=1e-13, max_step=(b - a) / 4,
            )  # fmt: skip
            state = run.y[:, -1]
            if run.status != 1:
                break
            a = float(run.t_events[0][0])
            spikes.append(a)
            state[0] = 0.0
    return spikes


BOXES = (60, 220, 270, 310, 320, 350, 370, 400, 410, 430, 440, 450, 460, 470, 480, 490, 500)


def test_the_example_of_the_nir_paper():
    """A LIF node and box currents of 0.1 ms: the paper's times, and those of the equation."""
    node = nir.LIF(*(filled(1, v) for v in (2.5e-3, 1.0, 0.0, 0.1)))
    loaded = es.load_nir(chain([1], node), dt=1e-4)
    boxes = [(k * 1e-4, (k + 1) * 1e-4) for k in BOXES]
    steps = [(t, 0, v) for a, b in boxes for t, v in ((a, 1.0), (b, 0.0))]
    run = es.simulate(loaded.network, {}, 0.06, currents={"n0": steps})
    expected = integrate(lambda y, i: [(-y[0] + i) / 2.5e-3], [0.0], 0.1, boxes, 0.06)
    assert run.spikes["n0"].times == pytest.approx(expected, abs=1e-10)
    assert run.spikes["n0"].times[0] == pytest.approx(46.084386e-3, abs=5e-10)
    # The same boxes as spikes that arrive as pulses of one step.
    pulses = loaded.network.with_spread(1e-4)
    spikes = es.SpikeTrain([a for a, _ in boxes], [0] * len(boxes))
    again = es.simulate(pulses, {"input": spikes}, 0.06).spikes["n0"].times
    assert again == pytest.approx(expected, abs=1e-10)


def test_delta_spikes_into_lif_follow_the_equation():
    """tau v' = v_leak - v + r w A delta(t), with a bias and a leak that drive it too."""
    node = lif(1, tau=8e-3, r=2.0, leak=0.2)
    affine = nir.Affine(np.array([[1.5]]), np.array([0.45]))
    net = es.load_nir(chain([1], affine, node), spike_area=1e-3).network
    times = [1e-3, 2e-3, 6e-3, 1.3e-2, 1.4e-2, 1.5e-2]
    run = es.simulate(net, {"input": (times, [0] * 6)}, 0.04, engine="queue")
    jump = 2.0 * 1.5 * 1e-3 / 8e-3
    expected = integrate(
        lambda y, _: [(0.2 - y[0] + 2.0 * 0.45) / 8e-3],
        [0.2], 1.0, [], 0.04, [(t, np.array([jump])) for t in times],
    )  # fmt: skip
    assert len(expected) > 1
    assert run.spikes["n1"].times == pytest.approx(expected, abs=1e-9)


def test_spikes_into_cuba_follow_the_equations():
    node = cuba(1, syn=4e-3, mem=1e-2, r=3.0, w_in=2.0)
    net = es.load_nir(chain([1], nir.Linear(np.array([[1.2]])), node), dt=2e-3).network
    times = [1e-3, 2e-3, 3e-3, 1.1e-2, 2.5e-2, 2.6e-2, 2.7e-2]
    run = es.simulate(net, {"input": (times, [0] * 7)}, 0.05, engine="queue")
    jump = np.array([0.0, 2.0 * 1.2 * 2e-3 / 4e-3])
    expected = integrate(
        lambda y, _: [(-y[0] + 3.0 * y[1]) / 1e-2, -y[1] / 4e-3],
        [0.0, 0.0], 1.0, [], 0.05, [(t, jump) for t in times],
    )  # fmt: skip
    assert len(expected) > 1
    assert run.spikes["n1"].times == pytest.approx(expected, abs=1e-9)


def test_the_grid_of_an_exporter_is_reproduced(rng):
    """snnTorch's Leaky as it is exported: m = beta m + W x, reset to zero in the same step."""
    beta, steps, dt = np.float32(0.8), 60, 1e-4
    weight = rng.normal(0.25, 0.5, size=(6, 5)).astype(np.float32)
    tau = np.float32(dt) / (1 - beta)
    node = lif(6, tau=tau, r=tau / np.float32(dt), dtype=np.float32)
    net = es.load_nir(chain([5], nir.Linear(weight), node), dt=dt, decay="euler").network
    x = rng.random((steps, 5)) < 0.4
    # The decay in a step is what the file's float32 numbers say.
    factor, v, expected = 1 - dt / float(tau), np.zeros(6), []
    for k in range(steps):
        v = factor * v + weight.astype(float) @ x[k]
        expected += [(k, int(j)) for j in np.flatnonzero(v > 1.0)]
        v[v > 1.0] = 0.0
    at, senders = np.nonzero(x)
    spikes = es.simulate(net, {"input": (at * dt, senders)}, steps * dt).spikes["n1"]
    assert [(round(t / dt), int(j)) for t, j in zip(spikes.times, spikes.senders, strict=True)] == (
        expected
    )


# A whole graph against a time grid


def on_a_grid(graph, x, dt):
    """Spikes (step, neuron) of each neuron node: every node once a step, in the order given.

    Written after NIR's equations with exact decay between steps; an edge that leads backwards in
    the order of ``graph.nodes`` brings the spikes of the step before.
    """
    order = list(graph.nodes)
    state = {name: None for name in order}
    last = {name: None for name in order}
    past = {name: [] for name in order}
    found = {name: [] for name in order}
    for step, inputs in enumerate(x):
        now = {}
        for name, node in graph.nodes.items():
            parts = []
            for a, b in graph.edges:
                if b == name:
                    value = now[a] if order.index(a) < order.index(name) else last[a]
                    if value is not None:
                        parts.append(value)
            total = sum(parts) if parts else None
            kind = type(node).__name__
            if kind == "Input":
                now[name] = torch.tensor(inputs, dtype=torch.float64)
            elif kind in ("Linear", "Affine"):
                weight = torch.tensor(node.weight)
                now[name] = weight @ (
                    torch.zeros(weight.shape[1]).double() if total is None else total
                )
            elif kind == "Conv2d":
                now[name] = functional.conv2d(
                    total[None], torch.tensor(node.weight), None, tuple(node.stride),
                    node.padding if isinstance(node.padding, str) else tuple(node.padding),
                )[0]  # fmt: skip
            elif kind in ("AvgPool2d", "SumPool2d"):
                size = tuple(int(k) for k in node.kernel_size)
                mean = functional.avg_pool2d(total[None], size, tuple(map(int, node.stride)))[0]
                now[name] = mean * (math.prod(size) if kind == "SumPool2d" else 1)
            elif kind == "Flatten":
                now[name] = total.reshape(-1)
            elif kind == "Scale":
                now[name] = total * torch.tensor(node.scale)
            elif kind == "Delay":
                past[name].append(total)
                late = np.rint(node.delay / dt).astype(int)
                now[name] = torch.stack(
                    [past[name][step - d][i] if step >= d else torch.tensor(0.0).double()
                     for i, d in enumerate(late)]
                )  # fmt: skip
            elif kind in ("LIF", "IF"):
                v = state[name] if state[name] is not None else torch.zeros(node.r.shape).double()
                gain = torch.tensor(node.r * dt)
                if kind == "LIF":
                    v = v * torch.exp(torch.tensor(-dt / node.tau))
                    gain = gain / torch.tensor(node.tau)
                v = v + gain * (total if total is not None else 0.0)
                fired = v > torch.tensor(node.v_threshold)
                state[name] = torch.where(fired, torch.tensor(node.v_reset), v)
                now[name] = fired.double()
                found[name] += [(step, int(i)) for i in fired.reshape(-1).nonzero()]
        last = now
    return found


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_graph_spikes_as_on_a_grid(seed):
    """Inputs and delays on a grid of a power of 2, so that sums of times are exact."""
    rng = np.random.default_rng(seed)
    dt, steps = 2.0**-10, 40

    def weights(*shape, mean=0.0, spread=1.0):
        return rng.normal(mean, spread / math.sqrt(math.prod(shape[1:])), size=shape)

    def neurons(shape, kind=nir.LIF):
        tau = rng.uniform(4 * dt, 30 * dt, size=shape)
        reset = rng.uniform(-0.3, 0.2, size=shape)
        if kind is nir.IF:
            return nir.IF(filled(shape, 1 / dt), filled(shape, 0.6), reset)
        return nir.LIF(tau, tau / dt, filled(shape, 0.0), filled(shape, 0.5), reset)

    nodes = {
        "input": nir.Input(np.array([1, 7, 6])),
        "conv": nir.Conv2d((7, 6), weights(2, 1, 3, 2, mean=0.2), 1, "same", 1, 1, np.zeros(2)),
        "a": neurons((2, 7, 6)),
        "avg": pool(),
        "conv2": nir.Conv2d(
            None, weights(3, 2, 2, 2, mean=0.3, spread=2.0), (1, 2), (1, 0), 1, 1, np.zeros(3)
        ),
        "b": neurons((3, 4, 1), nir.IF),
        "flat": nir.Flatten(np.array([3, 4, 1]), 0, -1),
        "late": nir.Delay(rng.integers(0, 4, 12) * dt),
        "fc": nir.Linear(weights(5, 12, mean=0.2)),
        "scale": nir.Scale(rng.uniform(0.5, 1.5, 5)),
        "flat0": nir.Flatten(np.array([1, 7, 6]), 0, -1),
        "skip": nir.Linear(weights(5, 42)),
        "c": neurons(5),
        "w": nir.Linear(weights(5, 5)),
        "sum": pool(3, kind=nir.SumPool2d),
        "flat3": nir.Flatten(np.array([2, 2, 2]), 0, -1),
        "side": nir.Linear(weights(4, 8)),
        "mix": nir.Linear(weights(4, 5)),
        "d": neurons(4),
    }
    edges = [
        ("input", "conv"), ("conv", "a"), ("a", "avg"), ("avg", "conv2"), ("conv2", "b"),
        ("b", "flat"), ("flat", "late"), ("late", "fc"), ("fc", "scale"), ("scale", "c"),
        ("input", "flat0"), ("flat0", "skip"), ("skip", "c"), ("w", "c"), ("c", "w"),
        ("a", "sum"), ("sum", "flat3"), ("flat3", "side"), ("side", "d"), ("c", "mix"),
        ("mix", "d"),
    ]  # fmt: skip
    # The loop c -> w -> c is read backwards one step late, at w; w stands before c for that.
    order = [*list(nodes)[:12], "w", "c", *list(nodes)[14:]]
    graph = graph_of({name: nodes[name] for name in order}, edges)
    x = rng.random((steps, 1, 7, 6)) < 0.15
    expected = on_a_grid(graph, x, dt)
    net = es.load_nir(graph, dt=dt).network
    at, senders = np.nonzero(x.reshape(steps, -1))
    found = es.simulate(net, {"input": (at * dt, senders)}, steps * dt, engine="queue").spikes
    for name in "abcd":
        got = zip(np.rint(found[name].times / dt).astype(int), found[name].senders, strict=True)
        assert [(int(k), int(i)) for k, i in got] == expected[name], name
        assert len(expected[name]) > 5
