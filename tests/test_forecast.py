"""The forecast: its numbers against closed forms and brute force."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import eventsim as es
from eventsim import encode
from eventsim.discrete import rates
from eventsim.fidelity.drive import DriveSums
from tests.forecasts import DT, NEURON, ONES, chain, disc

# Numbers of a layer


def test_charge_of_a_constant_input():
    weight = np.array([[0.3, -0.2], [0.5, 0.1], [0.4, 0.9]])
    net = chain(weight, v_threshold=2.0, v_leak=0.5, v_reset=0.5, i_bias=[0.6, 0.0])
    layer = es.forecast(net, disc(), ONES)["out"]
    charge = (weight.sum(axis=0) + [0.6 / 4, 0.0]) / 1.5
    assert layer.mean == pytest.approx(charge.mean(), rel=1e-14)
    assert layer.sd == pytest.approx(charge.std(), rel=1e-14)
    assert layer.sd_in_time == pytest.approx(0.0, abs=1e-15)
    assert layer.constant == pytest.approx(1.0)
    squares = (weight**2).sum(axis=0) / 1.5**2
    assert layer.excursion == pytest.approx(math.sqrt(squares.mean()), rel=1e-14)
    assert layer.from_neurons == 0.0
    assert (layer.name, layer.n, layer.strong) == ("out", 2, 0.0)


def test_charge_of_a_periodic_input():
    # A pixel of one half spikes in every second step.
    layer = es.forecast(chain([[0.6]]), disc(8, encoder="periodic"), [[0.5], [0.5]])["out"]
    assert layer.mean == pytest.approx(0.3)
    assert layer.sd == layer.sd_in_time == pytest.approx(0.3)
    assert layer.constant == pytest.approx(0.0)
    assert layer.excursion == pytest.approx(0.6 / math.sqrt(2))


def test_a_layer_fed_by_neurons():
    # The first layer spikes in every step, so the second one gets all of its weights in each.
    weight = np.array([[0.2, -0.4], [0.1, 0.3]])
    found = es.forecast(chain([[3.0, 3.0]], weight), disc(5), [[1.0], [1.0]])
    assert found["layer1"].rate == 1.0 and found["layer1"].saturated == 1.0
    layer = found["out"]
    assert layer.excursion == layer.from_neurons
    assert layer.from_neurons == pytest.approx(math.sqrt((weight**2).sum(axis=0).mean()))
    assert found.excursion == pytest.approx(layer.from_neurons / math.sqrt(5))
    assert found["layer1"].from_neurons == 0.0


def test_a_recurrent_delay_of_whole_steps():
    net = chain([[3.0]], [[0.0]])
    back = es.Dense("layer1", "layer1", [[-0.5]], delay=DT)
    net = es.Network(net.populations, [*net.projections, back])
    layer = es.forecast(net, disc(), [[1.0], [1.0]])["layer1"]
    spikes = disc().run(net, np.ones((1, 4, 1), np.uint8), layers=True)["layer1"][0, :, 0]
    arrived = np.concatenate([[0], spikes[:-1]])
    assert layer.from_neurons == pytest.approx(math.sqrt((0.25 * arrived).mean()))
    assert layer.excursion == pytest.approx(math.sqrt((9.0 + 0.25 * arrived).mean()))


@pytest.mark.parametrize("kind", ["conv", "average", "sparse", "max"])
def test_squares_of_arrivals_against_brute_force(kind):
    rng = np.random.default_rng(3)
    shape = (2, 4, 4)
    out = es.Population("out", {"conv": (3, 4, 4), "average": (2, 2, 2)}.get(kind, 5), **NEURON)
    links = {
        "conv": lambda: es.Conv2d("image", "out", rng.normal(size=(3, 2, 3, 3)), padding=1),
        "average": lambda: es.AvgPool2d("image", "out", 2, weight=1.5),
        "sparse": lambda: es.Sparse(
            "image", "out", rng.integers(32, size=40), rng.integers(5, size=40),
            rng.normal(size=40),
        ),
        "max": lambda: es.Dense("pool", "out", rng.normal(size=(8, 5))),
    }  # fmt: skip
    populations, projections = [es.Input("image", shape), out], [links[kind]()]
    if kind == "max":
        populations.insert(1, es.Relay("pool", (2, 2, 2)))
        projections.append(es.MaxPool2d("image", "pool", 2, window=DT))
    net = es.Network(populations, projections)
    images = rng.uniform(size=(6, 32))
    found = es.forecast(net, disc(), images, seed=5)["out"]
    x = encode.encode(images, disc(), seed=5)
    spikes = disc().run(net, x, layers=True)[projections[0].source].astype(float)
    rows = projections[0].rows(net[projections[0].source].shape, out.shape)
    total = 0.0
    for i in range(rows.indptr.size - 1):
        squares = (rows.weight[rows.indptr[i] : rows.indptr[i + 1]] ** 2).sum()
        total += squares * spikes[:, :, i].sum()
    entries = spikes.shape[0] * spikes.shape[1] * out.n
    assert found.excursion == pytest.approx(math.sqrt(total / entries), rel=1e-12)
    assert found.from_neurons == 0.0


def test_strong_weights():
    b = 4 * (1 - math.exp(-1 / 4))
    # Below the threshold; between v0 and v0 / b; above both; strong but inhibitory.
    layer = es.forecast(chain([[0.9, 1.05], [1.0 / b + 0.01, -2.0]]), disc(), [[0.0, 0.0]] * 2)
    assert layer["out"].strong == 2 / 4
    assert layer["out"].unseen == 1 / 4
    weights = np.array([[1.1, 1.1]])
    net = chain(weights, v_threshold=[1.0, 2.0])
    assert es.forecast(net, disc(), [[0.0]] * 2)["out"].strong == 1 / 2


@pytest.mark.parametrize(("charge", "beyond"), [(0.99, 0.0), (1.01, 1.0)])
def test_the_knee_is_that_of_the_staircase(charge, beyond):
    knee = rates.drive_for_period(2, 4.0)
    layer = es.forecast(chain([[charge * knee]]), disc(), [[1.0]] * 2)["out"]
    assert layer.above_knee == beyond


def test_silent_and_full_neurons():
    layer = es.forecast(chain([[0.01, 3.0, 1.0]]), disc(), [[1.0]] * 2)["out"]
    assert layer.silent == layer.saturated == pytest.approx(1 / 3)
    assert layer.rate == pytest.approx((4 + 2) / 12)


@pytest.mark.parametrize("tau", [0.7, 4.0, math.inf])
@pytest.mark.parametrize("charge", [2.2, 4.0, 9.0])
def test_the_phase_is_the_time_of_an_even_charge(tau, charge):
    neuron = {"tau_mem": tau * DT, "t_ref": DT}
    layer = es.forecast(chain([[charge]], **neuron), disc(1), [[1.0]] * 2)["out"]
    current = charge / DT if math.isinf(tau) else tau * charge
    even = es.Network([es.Population("out", 1, **neuron, i_bias=current)])
    first = es.simulate(even, {}, t_stop=DT).spikes["out"].times[0] / DT
    assert layer.phase == pytest.approx(first, abs=1e-3)
    assert layer.phase_distance == pytest.approx(max(first, 1 - first), abs=2e-3)


def test_uniform_phases_are_at_no_distance():
    # Thresholds of which an even charge of 2 reaches one every hundredth of a step.
    share = (np.arange(100) + 0.5) / 100
    net = chain(np.full((1, 100), 2.0), tau_mem=math.inf, v_threshold=2.0 * share)
    layer = es.forecast(net, disc(1), [[1.0]] * 2)["out"]
    assert layer.phase == pytest.approx(0.5, abs=1e-3)
    assert layer.phase_distance < 0.012


def test_analog_input_is_counted_as_charge():
    image = es.Population("image", 2, **NEURON)
    net = es.Network(
        [image, es.Population("out", 2, **NEURON)], [es.Dense("image", "out", np.eye(2))]
    )
    description = disc(encoder="constant", variants={"image": "constant_potential"})
    found = es.forecast(net, description, [[0.5, 0.5], [0.9, 0.9]])
    c = 4 * (1 - 4 * (1 - math.exp(-1 / 4)))
    assert found["image"].mean == pytest.approx(0.7 / c)
    assert found["image"].excursion == 0.0 and found["image"].strong is None
    assert found["out"].from_neurons > 0.0
    assert found.answers.second_draw is None
    assert found.delay == 0.5 / 4


def test_nothing_that_spikes_has_no_phase():
    layer = es.forecast(chain([[0.1]]), disc(), [[0.0]] * 2)["out"]
    assert (layer.phase, layer.phase_distance, layer.isi_cv) == (None, None, None)
    assert (layer.sd, layer.constant, layer.silent) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("rule", ["lif", "if", "mcculloch_pitts", "coarse_drop"])
def test_other_rules(rule):
    t_ref = DT if rule == "coarse_drop" else 0.0
    net = chain([[2.0]], t_ref=t_ref)
    layer = es.forecast(net, disc(rule=rule), [[1.0]] * 2)["out"]
    assert layer.above_knee == 1.0
    assert layer.rate == (0.5 if rule == "coarse_drop" else 1.0)
    assert 0.0 < layer.phase < 1.0


def test_sums_of_parts_are_those_of_the_whole():
    rng = np.random.default_rng(1)
    net = chain(rng.normal(0.1, 0.4, (6, 8)), rng.normal(0.2, 0.5, (8, 3)))
    x = encode.encode(rng.uniform(size=(9, 6)), disc(), seed=2)
    whole, parts = DriveSums(net, disc(), "out"), DriveSums(net, disc(), "out")
    for part in (slice(0, 4), slice(4, 9)):
        parts.add(*(disc().run(net, x[part], layers=True, record=r)
                    for r in ("spikes", "drive", "potential")))  # fmt: skip
    whole.add(*(disc().run(net, x, layers=True, record=r)
                for r in ("spikes", "drive", "potential")))  # fmt: skip
    for field in dataclasses.fields(whole.layer()):
        a, b = getattr(whole.layer(), field.name), getattr(parts.layer(), field.name)
        assert a == b or a == pytest.approx(b, rel=1e-12), field.name


# Answers


def test_answers_that_hang_on_late_spikes():
    # Without leak a charge of 0.3 fires in the fourth step alone. Pulses come half a step later,
    # so half of that step is left to one layer, and nothing of it to two.
    slow = {"tau_mem": math.inf}
    one = es.forecast(chain([[0.3, 0.0]], **slow), disc(4), [[1.0]] * 2)
    assert (one.late, one.delay) == (0.0, 0.125)
    two = es.forecast(chain([[0.3]], [[3.0, 0.0]], **slow), disc(4), [[1.0]] * 2)
    assert (two.late, two.delay) == (1.0, 0.25)
    assert two.risk["pulses"] == "high"
    longer = es.forecast(chain([[0.3]], [[3.0, 0.0]], **slow), disc(9), [[1.0]] * 2)
    assert longer.late == 0.0


def test_an_answer_that_turns_late_hangs_on_late_spikes():
    # Neuron 0 spikes in the third step, neuron 1 in the second and the fourth.
    slow = {"tau_mem": math.inf}
    one = es.forecast(chain([[0.4, 0.7]], **slow), disc(4), [[1.0]] * 2)
    assert one.late == 0.0  # half of the fourth step is left
    two = es.forecast(chain([[3.0]], [[0.4, 0.7]], **slow), disc(4), [[1.0]] * 2)
    assert two.answers.ties.value == 0.0 and two.answers.close.value == 1.0
    assert two.late == 1.0
    assert two.answers.margin == 1.0


def test_the_answers_are_those_of_validate():
    rng = np.random.default_rng(4)
    net = chain(rng.normal(0.2, 0.4, (12, 14)), rng.normal(0.1, 0.6, (14, 4)))
    images, labels = rng.uniform(size=(12, 12)), rng.integers(4, size=12)
    answers = es.forecast(net, disc(), images, labels, seed=7).answers
    report = es.validate(net, disc(), images, labels, seed=7)
    assert answers.accuracy == report.coarse.accuracy
    assert answers.second_draw == report.second_draw.agreement
    assert answers.ties == report.coarse.runs[0].ties
    assert answers.silent == report.coarse.runs[0].silent
    assert es.forecast(net, disc(), images).answers.accuracy is None


def test_samples_are_spread_and_keep_their_spikes():
    rng = np.random.default_rng(4)
    net = chain(rng.normal(0.2, 0.4, (12, 3)))
    images = rng.uniform(size=(9, 12))
    some = es.forecast(net, disc(), images, samples=3)
    assert (some.settings["samples"], some.settings["images"]) == (3, 9)
    x = encode.encode(images, disc())[[0, 3, 6]]
    assert some["out"].mean == pytest.approx(disc().run(net, x, record="drive").mean())
    progress = []
    es.forecast(net, disc(), images, progress=lambda done, total: progress.append((done, total)))
    assert progress[-1] == (9, 9)


def test_threads_change_nothing():
    rng = np.random.default_rng(6)
    net = chain(rng.normal(0.1, 0.4, (12, 14)), rng.normal(0.1, 0.6, (14, 4)))
    images = rng.uniform(size=(130, 12))
    one, two = (es.forecast(net, disc(), images, threads=n).to_dict() for n in (1, 2))
    assert one == two
