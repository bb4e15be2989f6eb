"""The forecast: its numbers against closed forms and brute force, its warnings, and the study."""

from __future__ import annotations

import csv
import dataclasses
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim import encode
from eventsim.cli import main
from eventsim.discrete import rates
from eventsim.errors import FileError, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.fidelity import cautions
from eventsim.fidelity.drive import DriveSums
from validation import __main__ as studies
from validation import forecast as study
from validation import forecast_cases as cases
from validation import small_nets
from validation.small_nets import Recipe

DT = 1e-3
NEURON = {"tau_mem": 4 * DT, "t_ref": DT}
ONES = np.ones((2, 3))


def disc(steps=4, **options):
    return es.Discretization(dt=DT, steps=steps, **options)


def chain(*weights, **neuron):
    """Layers that feed forward; the input has as many units as the first weights have rows."""
    names = ["image", *(f"layer{k}" for k in range(1, len(weights))), "out"]
    sizes = [len(weights[0]), *(np.shape(w)[1] for w in weights)]
    populations = [es.Input("image", sizes[0])]
    for name, n in zip(names[1:], sizes[1:], strict=True):
        populations.append(es.Population(name, n, **{**NEURON, **neuron}))
    pairs = zip(names[:-1], names[1:], weights, strict=True)
    return es.Network(populations, [es.Dense(a, b, np.array(w)) for a, b, w in pairs])


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


# Warnings


def test_a_network_within_all_limits_has_no_warnings():
    # Twenty inputs for each class; those of one bring about half a threshold in a step.
    blocks = np.repeat(np.eye(3), 20, axis=0)
    images = 0.5 * blocks.T[np.arange(60) % 3]
    found = es.forecast(chain(0.05 * blocks), disc(16), images, np.arange(60) % 3)
    assert found.warnings == ()
    assert "No warnings." in found.summary()
    assert found.risk == {"deltas": "low", "pulses": "low"}


@pytest.mark.parametrize(
    ("number", "limits", "kind"),
    [
        ("excursion", cautions.EXCURSION, "deltas"),
        ("late", cautions.LATE, "pulses"),
        ("delay", cautions.DELAY, "pulses"),
        ("silent", cautions.SILENT, "both"),
    ],
)
def test_warnings_begin_at_their_limits(number, limits, kind):
    nothing = dict.fromkeys(("excursion", "late", "delay", "silent"), 0.0)
    kinds = ("deltas", "pulses") if kind == "both" else (kind,)

    def risks(value):
        found = cautions.decisive([], "out", **{**nothing, number: value})
        assert len(found) <= 1
        assert all(c.value == value >= c.threshold for c in found)
        levels = {name: cautions.risk(found, name) for name in ("deltas", "pulses")}
        assert all(levels[name] == "low" for name in levels if name not in kinds)
        assert len({levels[name] for name in kinds}) == 1
        return levels[kinds[0]]

    assert risks(np.nextafter(limits.raised, 0.0)) == "low"
    assert risks(limits.raised) == "raised"
    assert risks(100.0) == ("raised" if limits.high is None else "high")
    if limits.high is not None:
        assert risks(np.nextafter(limits.high, 0.0)) == "raised"
        assert risks(limits.high) == "high"


def test_notes_begin_at_their_limits_and_decide_nothing():
    quiet = es.forecast(chain([[0.3]]), disc(), [[1.0]] * 2)["out"]
    plain = dataclasses.replace(quiet, strong=0.0, above_knee=0.0, phase_distance=0.0, silent=0.0)
    assert cautions.notes([plain], "out", 0.0) == []
    for field, limit in (
        ("strong", cautions.STRONG),
        ("above_knee", cautions.ABOVE_KNEE),
        ("phase_distance", cautions.PHASE_DISTANCE),
        ("silent", 1.0),
    ):
        below = dataclasses.replace(plain, **{field: np.nextafter(limit, 0.0)})
        assert cautions.notes([below], "out", 0.0) == []
        (note,) = cautions.notes([dataclasses.replace(plain, **{field: limit})], "out", 0.0)
        assert (note.layer, note.level, note.threshold) == ("out", "note", limit)
    (note,) = cautions.notes([plain], "out", cautions.CLOSE)
    assert note.quantity.startswith("answers")
    assert cautions.risk([note], "pulses") == "low"


def test_the_warning_names_the_layer_with_the_largest_part():
    strong, weak = np.array([[3.0, -2.0]]), np.array([[0.4], [0.1]])
    found = es.forecast(chain([[3.0]], strong, weak), disc(), [[1.0]] * 2)
    first = found.warnings[0]
    assert (first.layer, first.level, first.synapses) == ("layer2", "high", "deltas")
    assert first.value == found.excursion
    assert found.risk["deltas"] == "high"
    assert "most of it in layer2" in found.summary()


# Words and files


@pytest.fixture(scope="module")
def found():
    net, description = es.load("data/lenet5.h5")
    with np.load("data/fashion-mnist_test500.npz") as data:
        return es.forecast(net, description, data["images"], data["labels"], samples=10)


def test_the_summary_is_plain_and_narrow(found):
    text = found.summary()
    assert max(map(len, text.splitlines())) <= 98
    assert text.startswith("From the coarse network alone: the risk is high with deltas and ")
    for word in ("10 of 500 images", "conv1", "Warnings", "deltas, high:", "second draw"):
        assert word in text
    assert repr(found).startswith("Forecast(10 samples; risk: deltas high, pulses ")


def test_json_holds_all_numbers(found, tmp_path):
    path = found.to_json(tmp_path / "forecast.json")
    values = json.loads(path.read_text(encoding="utf-8"))
    assert values == json.loads(json.dumps(found.to_dict()))
    assert values["risk"] == found.risk
    assert [layer["name"] for layer in values["layers"]] == [
        "conv1", "conv2", "fc1", "fc2", "out",
    ]  # fmt: skip
    assert values["limits"]["excursion"]["high"] == cautions.EXCURSION.high
    assert {c["level"] for c in values["warnings"]} <= {"raised", "high", "note"}
    with pytest.raises(FileError, match="exist"):
        found.to_json(path)
    found.to_json(path, overwrite=True)
    with pytest.raises(KeyError, match="none of"):
        found["pool1"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"images": [[1.0]]}, InvalidValue, "images: expected shape"),
        ({"images": np.ones((2, 3)) * 7}, InvalidValue, "images"),
        ({"images": 3.0}, InvalidValue, "images"),
        ({"labels": [0]}, InvalidValue, "labels"),
        ({"labels": [0, 9]}, InvalidValue, r"labels\[1\]"),
        ({"samples": 1}, InvalidValue, "forecast: samples: expected an int >= 2"),
        ({"samples": 3}, InvalidValue, "forecast: samples: expected at most 2, got 3"),
        ({"samples": 2.0}, InvalidType, "samples"),
        ({"steps": 0}, InvalidValue, "forecast: steps"),
        ({"seed": -1}, InvalidValue, "seed"),
        ({"threads": 0}, InvalidValue, "forecast: threads"),
        ({"disc": None}, InvalidValue, "forecast: disc"),
        ({"net": "a file"}, InvalidType, "forecast: net"),
    ],
)
def test_bad_arguments(options, error, words):
    given = {"net": chain(np.eye(3)), "disc": disc(), "images": ONES, "labels": None, **options}
    with pytest.raises(error, match=words):
        es.forecast(given.pop("net"), given.pop("disc"), given.pop("images"),
                    given.pop("labels"), **given)  # fmt: skip


def test_a_network_that_the_twin_cannot_express():
    with pytest.raises(UnsupportedNetwork, match="out"):
        es.forecast(chain(np.eye(3), reset="subtract"), disc(), ONES)


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("check")
    net = chain(2.0 * np.eye(4)[:, :2], [[3.0, -3.0], [-3.0, 3.0]])
    es.save(place / "net.h5", net, disc(8))
    es.save(place / "bare.h5", net)
    images = np.eye(4)[:2].repeat(3, axis=0)
    np.savez(place / "images.npz", images=images, labels=[0, 0, 0, 1, 1, 1])
    np.savez(place / "unlabelled.npz", images=images)
    np.savez(place / "small.npz", images=images[:, :3])
    np.savez(place / "spikes.npz", times=[1e-3], senders=[0])
    return place


def command(*arguments):
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def test_check_prints_and_writes(folder, tmp_path):
    path = tmp_path / "check.json"
    done = command(folder / "net.h5", "--data", folder / "images.npz", "--json", path)
    assert done.exit_code == 0, done.output
    assert "the risk is high with deltas and low with pulses" in done.stdout
    assert "accuracy of the coarse network" in done.stdout
    last = done.stdout.rstrip().splitlines()[-1]
    assert last.startswith(f"wrote {path} (6 images in ")
    assert json.loads(path.read_text(encoding="utf-8"))["risk"]["deltas"] == "high"
    again = command(folder / "net.h5", "--data", folder / "images.npz", "--json", path)
    assert again.exit_code == 2 and "--overwrite" in again.stderr


def test_check_without_labels_and_with_fewer_samples(folder):
    done = command(
        folder / "net.h5", "--data", folder / "unlabelled.npz", "--samples", 4, "--steps", 3
    )
    assert done.exit_code == 0, done.output
    assert "4 of 6 images, 3 steps" in done.stdout
    assert "accuracy" not in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("wrote nothing (4 images in ")


@pytest.mark.parametrize(
    ("net", "data", "options", "words"),
    [
        ("bare.h5", "images.npz", [], "discretization"),
        ("net.h5", "spikes.npz", [], "expected an .npz file with images"),
        ("net.h5", "small.npz", [], "4 pixels"),
        ("net.h5", "images.npz", ["--samples", 7], "at most 6"),
        ("net.h5", "images.npz", ["--samples", 1], "--samples"),
        ("net.h5", "missing.npz", [], "missing.npz"),
        ("net.h5", "images.npz", ["--json", "no/folder/a.json"], "no/folder"),
    ],
)
def test_check_refuses(folder, net, data, options, words):
    done = command(folder / net, "--data", folder / data, *options)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ") and words in done.stderr
    assert done.stdout == ""


# The study


def test_the_trainer_has_the_slopes_of_torch():
    torch = pytest.importorskip("torch")
    from models.cell import CoarseLIF

    recipe = Recipe(hidden=(7,), steps=3)
    random = np.random.default_rng(2)
    weights = small_nets.initial(recipe, 64)
    weights[1] += random.normal(0.0, 0.3, 7)
    x = (random.uniform(size=(5, 3, 64)) < 0.4).astype(float)
    labels = random.integers(10, size=5)
    tensors = [torch.tensor(array, requires_grad=True) for array in weights]
    spikes = torch.tensor(x)
    for k in range(2):
        cell, state, steps = CoarseLIF(4.0), None, []
        for drive in (spikes @ tensors[2 * k] + tensors[2 * k + 1]).unbind(1):
            s, state = cell(drive, state)
            steps.append(s)
        spikes = torch.stack(steps, 1)
    wanted = torch.nn.functional.one_hot(torch.tensor(labels), 10) * 3.0
    torch.nn.functional.mse_loss(spikes.sum(1), wanted.double()).backward()
    slopes = small_nets.gradient(recipe, weights, x, labels)
    assert np.abs(slopes[0]).max() > 0.0
    for slope, tensor in zip(slopes[:3], tensors, strict=False):
        np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
    assert not slopes[3].any()  # the output has no bias


def test_small_networks_learn_and_are_the_same_again():
    digits = small_nets.read_digits()
    recipe = Recipe(hidden=(24,), epochs=4, rate=1e-2)
    (net, description), (again, _) = (small_nets.train(recipe, digits) for _ in range(2))
    assert net.fingerprint() == again.fingerprint()
    spikes = description.run(net, encode.encode(digits.test_images, description, seed=9))
    assert np.mean(spikes.sum(axis=1).argmax(axis=1) == digits.test_labels) > 0.5


def test_rank_correlation_and_its_p_value():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(8)
    a, b = rng.integers(6, size=20).tolist(), rng.normal(size=20).tolist()
    assert study._spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert study._spearman(a, [1.0] * 20) == 0.0
    assert study._p_value(b, b) == 1 / (study.SHUFFLES + 1)
    assert study._p_value(b, [-value for value in b]) == pytest.approx(1.0, abs=1e-3)


def test_frozen_layers_keep_their_random_weights():
    digits = small_nets.read_digits()
    recipe = Recipe(hidden=(8,), epochs=1, frozen=True)
    net, _ = small_nets.train(recipe, digits)
    weights = small_nets.initial(recipe, 64)
    assert (net.projections[0].weight == weights[0]).all()
    assert not np.allclose(net.projections[1].weight, weights[2])


def test_the_study_runs_and_tells_what_fails(tmp_path, capsys, monkeypatch):
    for name, keep in (
        ("FASHION", ["hidden"]),
        ("DIGITS", ["digits, 64"]),
        ("DIGITS_CHANGED", ["digits, 64 x 1.7"]),
        ("MNIST", ["mnist, no hidden layer", "mnist, 80, periodic", "mnist, random 160, small"]),
        ("MNIST_CHANGED", ["mnist, no hidden layer x 1.5"]),
    ):
        monkeypatch.setattr(cases, name, {key: getattr(cases, name)[key] for key in keep})
    monkeypatch.setattr(study, "RANKS", {"deltas": 1.1, "pulses": 1.1})
    arguments = ["run", "forecast", "--quick", "--output-dir", str(tmp_path)]
    assert studies.main(arguments) == 1
    assert "1 of 1 claims failed: forecast" in capsys.readouterr().out
    with (tmp_path / "forecast.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["half"] for row in rows] == ["choose"] * 3 + ["decide"] * 4
    assert all(0.0 <= float(row["coarse_accuracy"]) <= 1.0 for row in rows)
    assert (tmp_path / "forecast.png").stat().st_size > 10_000
    assert (tmp_path / "forecast-numbers.csv").exists()
