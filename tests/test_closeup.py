"""Close-ups against the same runs made by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import eventsim as es
from eventsim.encode import encode, to_currents, to_spike_trains
from eventsim.errors import InvalidType, InvalidValue
from eventsim.fidelity.closeup import Divergence, closeups
from eventsim.fidelity.counterparts import Counterparts
from eventsim.fidelity.task import check_task
from tests.reports import DT, analog_problem, problem

SAMPLES = [11, 3, 7, 0, 5, 6]

#: Engines may differ by a rounding error of a time.
SAME_TIME = 1e-12


@pytest.fixture(scope="module", params=[problem, analog_problem], ids=["spikes", "analog"])
def case(request):
    """A task with an odd seed, and the close-ups of some of its samples."""
    task = check_task(*request.param(), extend=0.5 * DT, seed=4)
    return task, closeups(task, SAMPLES)


def by_hand(task, sample):
    """Coarse spikes and potentials, and the exact result, of one sample."""
    ids = np.array([sample])
    x = encode(task.pixels[ids], task.disc, seed=task.seed, sample_ids=ids)
    spikes = task.disc.run(task.net, x, layers=True)
    potentials = task.disc.run(task.net, x, layers=True, record="potential")
    more = {}
    if task.disc.encoder == "constant":
        inputs = {}
        more["currents"] = to_currents(x, task.disc, task.entry)[0]
    else:
        trains = to_spike_trains(x, task.disc.dt, seed=task.seed, sample_ids=ids)
        inputs = {task.entry.name: trains[0]}
    every = {
        name: list(range(task.net[name].n))
        for name in task.layers
        if isinstance(task.net[name], es.Population)
    }
    net = task.net.with_spread(task.spreads[0])
    result = es.simulate(net, inputs, t_stop=task.window, record_v=every, **more)
    return spikes, potentials, result


def diverging(task, spikes, result, names):
    """All spikes of some layers without a counterpart, in the order of the module's docstring."""
    found = []
    for depth, name in enumerate(names):
        pairs = Counterparts.of(spikes[name], [result.spikes[name]], DT)
        for k in np.flatnonzero(pairs.missing):
            step = int(pairs.step[k])
            found.append((step, depth, (step + 1) * DT, int(pairs.unit[k]), name, True))
        for k in np.flatnonzero(pairs.extra):
            time = float(result.spikes[name].times[k])
            step = int(time // DT)
            found.append((step, depth, time, int(pairs.other_unit[k]), name, False))
    found.sort()
    return [Divergence(name, unit, step, time, own) for step, _, time, unit, name, own in found]


def test_spikes_and_classes_are_those_of_run_0(case):
    task, found = case
    report = es.validate(
        task.net, task.disc, task.pixels, task.labels, extend=task.extend, seed=task.seed
    )
    for sample, one in zip(SAMPLES, found, strict=True):
        coarse, main = report.coarse.runs[0], report.continuous[0].runs[0]
        assert (one.sample, one.label) == (sample, task.labels[sample])
        assert (one.coarse_counts == coarse.counts[sample]).all()
        assert (one.continuous_counts == main.counts[sample]).all()
        assert one.coarse_class == coarse.classes[sample]
        assert one.continuous_class == main.classes[sample]
        assert [layer.name for layer in one.layers] == task.layers
        spikes, _, result = by_hand(task, sample)
        for layer in one.layers:
            again = np.zeros_like(spikes[layer.name][0])
            again[layer.step, layer.unit] = 1
            assert (again == spikes[layer.name][0]).all()
            assert layer.time == pytest.approx(result.spikes[layer.name].times, rel=1e-9)
            assert (layer.sender == result.spikes[layer.name].senders).all()
            assert layer.missing.sum() == layer.step.size - (layer.partner >= 0).sum()
            assert layer.extra.sum() == layer.time.size - (layer.partner >= 0).sum()


def test_the_first_diverging_spike_is_the_first_one(case):
    task, found = case
    neurons = [name for name in task.layers if isinstance(task.net[name], es.Population)]
    shown = 0
    for one in found:
        spikes, _, result = by_hand(task, one.sample)
        everywhere = diverging(task, spikes, result, task.layers)
        assert one.first == everywhere[0]
        wanted = diverging(task, spikes, result, neurons)[:1]
        wanted += diverging(task, spikes, result, [task.output.name])[:1]
        assert [m.spike for m in one.membranes] == list(dict.fromkeys(wanted))
        shown += len(one.membranes)
    assert shown > len(found)


def test_potentials_are_exact_and_those_of_the_coarse_model(case):
    task, found = case
    pairs = [(membrane, one) for one in found for membrane in one.membranes]
    for membrane, one in pairs:
        spike = membrane.spike
        _, potentials, result = by_hand(task, one.sample)
        trace = result.v[spike.layer]
        assert (np.diff(membrane.t) >= 0).all()
        assert membrane.t[0] == 0 and membrane.t[-1] == task.window
        inside = np.flatnonzero(np.diff(membrane.t) > SAME_TIME)
        middle = (membrane.t[inside] + membrane.t[inside + 1]) / 2
        exact = trace.at(middle)[:, spike.unit]
        assert (membrane.v[inside] + membrane.v[inside + 1]) / 2 == pytest.approx(exact, abs=2e-3)
        own = result.spikes[spike.layer].of(spike.unit)
        for time in own:
            at = membrane.v[np.abs(membrane.t - time) < SAME_TIME]
            assert at.size >= 3 and membrane.threshold in at and at[-1] == 0.0
        assert membrane.refractory[:, 0] == pytest.approx(own)
        assert (membrane.coarse == potentials[spike.layer][0, :, spike.unit]).all()
        assert membrane.threshold == 1.0


def test_potentials_have_the_zero_of_the_network():
    net, disc, images, labels = problem()
    raised = net.replace("hidden", v_leak=-2.0, v_reset=-2.0, v_threshold=-1.0, v_init=-2.0)
    plain, moved = (
        closeups(check_task(n, disc, images, labels), [0])[0].membranes[0] for n in (net, raised)
    )
    assert plain.spike.layer == "hidden"
    assert dataclasses.astuple(moved.spike)[:4] == pytest.approx(
        dataclasses.astuple(plain.spike)[:4]
    )
    assert moved.threshold == -1.0
    assert moved.coarse == pytest.approx(plain.coarse - 2)
    assert moved.v.min() == pytest.approx(plain.v.min() - 2)


def test_a_pooling_that_differs_first_leaves_the_membrane_to_a_neuron():
    # Two units fire a little more than a step apart, so the pooling passes the first alone.
    net = es.Network(
        [
            es.Input("image", (1, 1, 2)),
            es.Relay("pool", (1, 1, 1)),
            es.Population("out", 1, tau_mem=4 * DT, t_ref=DT),
        ],
        [
            es.MaxPool2d("image", "pool", (1, 2), window=DT),
            es.Dense("pool", "out", [[3.0]], spread=0.0),
        ],
    )
    disc = es.Discretization(dt=DT, steps=8, spread=0.0)
    images = np.full((30, 1, 1, 2), 0.4)
    found = closeups(check_task(net, disc, images, np.zeros(30, dtype=int)), range(30))
    pooled = [one for one in found if one.first is not None and one.first.layer == "pool"]
    assert pooled
    assert {m.spike.layer for one in pooled for m in one.membranes} == {"out"}


def test_models_that_agree_have_no_diverging_spike():
    net = es.Network(
        [es.Input("image", 1), es.Population("out", 2, tau_mem=4 * DT, t_ref=DT)],
        [es.Dense("image", "out", [[3.0, -1.0]], spread=0.0)],
    )
    disc = es.Discretization(dt=DT, steps=4, encoder="periodic", encoder_scale=0.5, spread=0.0)
    task = check_task(net, disc, [[1.0], [1.0]], [0, 0])
    one, = closeups(task, [1])  # fmt: skip
    assert one.first is None and one.membranes == ()
    assert one.coarse_counts.tolist() == one.continuous_counts.tolist() == [2, 0]


def test_threads_and_engines_change_nothing(case):
    task, found = case
    again = closeups(task, SAMPLES[:1], threads=2, engine="queue")[0]
    for membrane, other in zip(found[0].membranes, again.membranes, strict=True):
        assert membrane.spike == other.spike
        assert membrane.v[-1] == pytest.approx(other.v[-1])


def test_samples_must_be_there(case):
    task, _ = case
    assert closeups(task, []) == ()
    with pytest.raises(InvalidValue, match=f"below {task.samples}"):
        closeups(task, [task.samples])
    with pytest.raises((InvalidType, InvalidValue), match="samples"):
        closeups(task, [0.5])
