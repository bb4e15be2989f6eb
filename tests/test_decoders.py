"""Classes of outputs that do not spike, and of several output neurons for each class."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import eventsim as es
from eventsim import encode, plot
from eventsim.discrete.frameworks import norse
from eventsim.errors import InvalidValue, UnsupportedNetwork
from eventsim.fidelity.potentials import exact_scores, step_ends
from eventsim.fidelity.sweep.run import SWEEPS
from eventsim.fidelity.task import check_task
from tests.madeup import Reading, Sequence

DT, STEPS, SAMPLES = 1e-3, 8, 10
REDUCTIONS = {
    "last": lambda v: v[:, -1],
    "mean": lambda v: v.mean(axis=1),
    "max": lambda v: v.max(axis=1),
}


def readout(hidden=True, n=4, seed=3, framework=False):
    """A network whose output has no threshold, its discretization, images and labels."""
    rng = np.random.default_rng(seed)
    populations = [es.Input("image", 6)]
    links, source, size = [], "image", 6
    if hidden:
        populations.append(es.Population("hidden", 9, tau_mem=4 * DT, t_ref=DT))
        links.append(es.Dense("image", "hidden", rng.normal(0.5, 0.5, (6, 9))))
        source, size = "hidden", 9
    populations.append(
        es.Population("out", n, tau_mem=6 * DT, t_ref=DT, v_leak=0.25, v_threshold=np.inf,
                      v_reset=0.25)
    )  # fmt: skip
    links.append(es.Dense(source, "out", rng.normal(0.0, 1.0, (size, n))))
    disc = es.Discretization(dt=DT, steps=STEPS, spread=0.0)
    labels = rng.integers(min(n, 4), size=SAMPLES)
    return es.Network(populations, links), disc, rng.uniform(size=(SAMPLES, 6)), labels


@pytest.mark.parametrize("decoder", REDUCTIONS)
@pytest.mark.parametrize("hidden", [True, False])
def test_both_models_are_read_at_the_ends_of_the_steps(decoder, hidden):
    net, disc, images, labels = readout(hidden)
    report = es.validate(net, disc, images, labels, decoder=decoder, jitter_seeds=2)
    x = encode.encode(images, disc, seed=0)
    v = disc.run(net, x, record="potential") + 0.25
    np.testing.assert_array_equal(report.coarse.runs[0].counts, REDUCTIONS[decoder](v))
    for run, seed in zip(report.continuous[0].runs, (0, (0, 1)), strict=True):
        trains = encode.to_spike_trains(x, DT, seed=seed)
        found = es.simulate(net, {"image": trains}, STEPS * DT, record_v={"out": range(4)})
        exact = np.stack([one.v["out"].at(DT * np.arange(1, STEPS + 1)) for one in found])
        np.testing.assert_array_equal(run.counts, REDUCTIONS[decoder](exact))
        np.testing.assert_array_equal(run.classes, run.counts.argmax(axis=1))
        assert run.silent is None
    again = disc.run(net, encode.encode(images, disc, seed=(0, 1)), record="potential") + 0.25
    np.testing.assert_array_equal(report.second_draw.runs[0].counts, REDUCTIONS[decoder](again))


def test_potentials_of_deltas_are_those_of_the_textbook():
    """Without hidden neurons v(t) is a sum of exponentials, whatever the engine."""
    net, disc, images, labels = readout(hidden=False)
    report = es.validate(net, disc, images, labels, decoder="last")
    trains = encode.to_spike_trains(encode.encode(images, disc, seed=0), DT, seed=0)
    weight, end = net.projections[0].weight, STEPS * DT
    for train, v in zip(trains, report.continuous[0].runs[0].counts, strict=True):
        decay = np.exp((train.times - end) / (6 * DT))
        expected = 0.25 + (decay[:, None] * weight[train.senders] / 6e-3 * 6e-3).sum(axis=0)
        np.testing.assert_allclose(v, expected, rtol=1e-12, atol=1e-13)


def test_without_a_word_it_is_the_mean_and_the_report_says_so():
    net, disc, images, labels = readout()
    report = es.validate(net, disc, images, labels)
    said = es.validate(net, dataclasses.replace(disc, decoder="mean"), images, labels)
    assert report.settings["decoder"] == "mean"
    np.testing.assert_array_equal(report.coarse.runs[0].counts, said.coarse.runs[0].counts)
    assert any("assumed to be mean" in value for _, value, _ in report.assumptions)
    assert not any("assumed to be mean" in value for _, value, _ in said.assumptions)
    for summary in (report.summary(), said.summary()):
        assert "Layer out has potentials and no spikes" in summary
    assert [layer.name for layer in report.coarse.layers] == ["hidden"]


def test_a_decoder_that_is_given_takes_the_place_of_what_was_assumed():
    net, disc, images, labels = readout()
    noted = dataclasses.replace(disc, decoder="mean", notes=("decoder: mean (assumed)", "else: 1"))
    rows = es.validate(net, noted, images, labels, decoder="max").assumptions
    assert [value for name, value, _ in rows if name in ("decoder", "note")] == ["max", "else: 1"]


@pytest.mark.parametrize("hidden", [True, False])
def test_pages_files_and_figures_of_potentials(hidden, tmp_path):
    net, disc, images, labels = readout(hidden)
    report = es.validate(
        net, disc, images, labels, ladder=True, time_steps=[0.1], closeups=3, spread=DT,
        spreads=[0.0],
    )  # fmt: skip
    assert report.disagreements or not hidden
    assert report.time_steps is None
    assert "Clock-driven runs (time-step) are left out" in report.summary()
    page = report.to_html(tmp_path / "report.html").read_text()
    assert "Layer out has potentials and no spikes" in page
    assert not re.search(r"\b(nan|inf)\b", page.lower().partition("<body>")[2])
    values = json.loads(report.to_json(tmp_path / "report.json").read_text())
    assert values["variants"][0]["runs"][0]["silent"] is None
    assert "Layer out has" in " ".join(report.ladder.summary().split())
    swept = es.sweep("pulse-width", net, disc, images, labels, [0.0, 1.0])
    assert "Layer out has" in " ".join(swept.summary().split())
    plot.save(plot.sweep(swept), tmp_path / "sweep.png")


def test_the_same_in_parts_and_at_once(tmp_path):
    case = readout()
    assert (
        es.validate(*case, out=tmp_path / "parts").to_dict()["variants"]
        == es.validate(*case).to_dict()["variants"]
    )
    again = es.validate(*case, out=tmp_path / "parts")
    np.testing.assert_array_equal(
        again.coarse.runs[0].counts, es.validate(*case).coarse.runs[0].counts
    )


@pytest.mark.parametrize("decoder", REDUCTIONS)
def test_rungs_of_the_ladder_read_the_same_potentials(decoder):
    """With no layer before the output all rungs but the coarse ones are the exact run."""
    net, disc, images, labels = readout(hidden=False)
    report = es.attribute(net, disc, images, labels, decoder=decoder)
    exact = report["continuous"].counts
    for name in ("isolated", "rejit"):
        np.testing.assert_allclose(report[name].counts, exact, rtol=1e-12)
    assert "endcheck" not in [rung.name for rung in report.rungs]
    assert report.first_exact == "isolated" and "endcheck" not in report.summary()
    late = report["delay of 0.5 steps"].counts
    assert (late != exact).any()
    compared = es.validate(net, disc, images, labels, decoder=decoder)
    np.testing.assert_array_equal(compared.continuous[0].runs[0].counts, exact[0])


def test_the_ladder_with_hidden_neurons():
    net, disc, images, labels = readout()
    report = es.attribute(net, disc, images, labels)
    names = [rung.name for rung in report.rungs if rung.kind == "rung"]
    assert names == ["coarse", "endcheck", "isolated", "rejit", "continuous"]
    assert all([layer.name for layer in rung.layers] == ["hidden"] for rung in report.rungs)
    assert all(np.ptp(rung.counts) > 0 for rung in report.rungs)


def test_rules_of_frameworks_have_their_rest_in_their_potentials():
    """Neurons of Norse's rules, whose rest is not 0."""
    rng = np.random.default_rng(1)
    weights = [rng.normal(2.0, 2.0, (6, 5)), rng.normal(0.0, 2.0, (5, 3))]
    rules = {
        "hidden": norse.lif(tau_mem_inv=200.0, v_leak=0.1, v_th=0.5, dt=DT),
        "out": dataclasses.replace(
            norse.lif(tau_mem_inv=100.0, v_leak=-0.2, dt=DT), v_threshold=np.inf, reset="none"
        ),
    }
    from eventsim.discrete.counterpart import Options, counterpart

    made = [counterpart(rule, name, size, DT, Options()) for (name, rule), size in
            zip(rules.items(), ((5,), (3,)), strict=True)]  # fmt: skip
    links = [
        es.Dense(a, m.population.name, w * m.gain, receptor=m.receptor)
        for a, m, w in zip(("image", "hidden"), made, weights, strict=True)
    ]
    net = es.Network([es.Input("image", 6), *(m.population for m in made)], links)
    disc = es.Discretization("framework", dt=DT, steps=20, cells=rules, spread=0.0, decoder="last")
    images, labels = rng.uniform(size=(SAMPLES, 6)), rng.integers(3, size=SAMPLES)
    report = es.validate(net, disc, images, labels)
    x = encode.encode(images, disc, seed=0)
    v = disc.run(net, x, record="potential")
    np.testing.assert_array_equal(report.coarse.runs[0].counts, v[:, -1])
    # of quiet samples both models give the potential at rest
    nothing = es.validate(net, disc, np.zeros((2, 6)), [0, 0])
    exact = nothing.continuous[0].runs[0].counts
    np.testing.assert_allclose(nothing.coarse.runs[0].counts, exact, atol=1e-9)
    assert nothing.coarse.runs[0].ties.value == 1.0
    assert es.attribute(net, disc, images, labels).verdict


def test_longer_windows_are_read_to_their_end():
    task = check_task(*readout(), extend=2.5 * DT, decoder="mean")
    np.testing.assert_allclose(step_ends(task, task.window), DT * np.arange(1, STEPS + 3))
    np.testing.assert_allclose(step_ends(task, STEPS * DT), DT * np.arange(1, STEPS + 1))
    last = check_task(*readout(), extend=2.5 * DT, decoder="last")
    assert step_ends(last, last.window) == [last.window]
    settled = dataclasses.replace(task, settle=3)
    assert step_ends(settled, STEPS * DT)[0] == pytest.approx(4 * DT)
    assert exact_scores(check_task(*population()), [], 1.0) is None


@pytest.mark.parametrize(
    "name", [name for name in SWEEPS if name not in ("time-step", "readout", "pooling")]
)
def test_sweeps_of_potentials(name):
    report = es.sweep(name, *readout())
    assert report.summary() and report.to_dict()
    assert "membrane readout" not in [point.label for point in report.points]


@pytest.mark.parametrize(
    ("name", "values"),
    [("time-step", None), ("readout", None), ("remedies", ["membrane readout"])],
)
def test_sweeps_that_need_output_spikes(name, values):
    with pytest.raises(UnsupportedNetwork, match=rf"^sweep: net: .*{(values or [name])[0]}"):
        es.sweep(name, *readout(), values)


def test_decoders_that_do_not_fit():
    with pytest.raises(InvalidValue, match=r"^validate: decoder: expected 'last', 'mean' or 'max'"):
        es.validate(*readout(), decoder="count")
    with pytest.raises(InvalidValue, match=r"^validate: decoder: expected 'count', as population"):
        es.validate(*population(), decoder="mean")
    with pytest.raises(InvalidValue, match=r"^validate: decoder: expected one of"):
        es.validate(*readout(), decoder="first")
    net, disc, images, labels = readout()
    mixed = net.replace("out", v_threshold=np.array([1.0, np.inf, np.inf, 1.0]))
    with pytest.raises(UnsupportedNetwork, match="v_threshold = inf for 2 of 4"):
        es.validate(mixed, disc, images, labels)
    with pytest.raises(UnsupportedNetwork, match=r"^forecast: net: .*v_threshold = inf"):
        es.forecast(net, disc, images)


# -- several output neurons for a class ----------------------------------------------------


def population(n=12):
    """A network whose output has several neurons for each class."""
    rng = np.random.default_rng(2)
    net = es.Network(
        [es.Input("image", 6), es.Population("out", n, tau_mem=4 * DT, t_ref=DT)],
        [es.Dense("image", "out", rng.normal(0.4, 0.5, (6, n)))],
    )
    disc = es.Discretization(dt=DT, steps=STEPS)
    return net, disc, rng.uniform(size=(SAMPLES, 6)), np.arange(SAMPLES) % 3


@pytest.mark.parametrize("case", [population(), readout(n=12)])
def test_neighbours_stand_for_a_class(case):
    plain = es.validate(*case)
    grouped = es.validate(*case, n_classes=4, ladder=True, closeups=2)
    for one, other in zip(plain.variants, grouped.variants, strict=True):
        scores = one.runs[0].counts
        expected = np.stack([scores[:, 3 * k : 3 * k + 3].sum(axis=1) for k in range(4)], axis=1)
        np.testing.assert_array_equal(other.runs[0].counts, expected)
        assert len(other.classes) == 4
        assert one.layers == other.layers
    assert ("classes", "4, of 3 output neurons each") in [row[:2] for row in grouped.assumptions]
    told = "The 12 output neurons are those of 4 classes, 3 neighbours"
    assert told in " ".join(grouped.ladder.summary().split())
    assert all(len(item.coarse_counts) == 4 for item in grouped.disagreements)
    assert all(len(one.coarse_counts) == 4 for one in grouped.closeups)


def test_a_population_code_that_was_not_said_is_told():
    net, disc, images, labels = population()
    told = "The labels name 3 classes, and each of the 12 output neurons counts as"
    assert told in " ".join(es.validate(net, disc, images, labels).summary().split())
    grouped = es.validate(net, disc, images, labels, n_classes=3)
    assert told not in " ".join(grouped.summary().split())


@pytest.mark.parametrize("kind", ["count", "membrane", "first spike"])
def test_readouts_of_neighbours(kind):
    net, disc, images, labels = population()
    plain = es.sweep("readout", net, disc, images, labels, [kind])[kind].rung.counts[0]
    found = es.sweep("readout", net, disc, images, labels, [kind], n_classes=4)[kind].rung.counts
    groups = plain.reshape(SAMPLES, 4, 3)
    expected = groups.max(axis=2) if kind == "first spike" else groups.sum(axis=2)
    np.testing.assert_array_equal(found[0], expected)


def test_classes_that_do_not_fit():
    with pytest.raises(InvalidValue, match=r"^validate: n_classes: expected a divisor of 12"):
        es.validate(*population(), n_classes=5)
    with pytest.raises(InvalidValue, match=r"^validate: labels\[2\]: expected a class below 2"):
        es.validate(*population(), n_classes=2)


# -- what from_torch takes for the decoder -------------------------------------------------


class Reduced(nn.Module):
    """A hidden layer and a readout, whose potentials are reduced over the steps."""

    def __init__(self, reduction):
        super().__init__()
        self.reduction = reduction
        self.fc1, self.lif, self.fc2 = nn.Linear(5, 6), Sequence(), nn.Linear(6, 3)
        self.reading = Reading(0.75)
        for weight in self.parameters():
            weight.data = torch.randint(-64, 192, weight.shape) / 256.0
        self.fc2.weight.data = torch.randint(-64, 64, (3, 6)) / 64.0

    def forward(self, x):
        return self.reduction(self.reading(self.fc2(self.lif(self.fc1(x)))))


@pytest.mark.usefixtures("madeup")
@pytest.mark.parametrize(
    ("reduction", "decoder", "why"),
    [
        (lambda v: v, "mean", "assumed"),
        (lambda v: v[-1], "last", "what the module returned"),
        (lambda v: torch.log_softmax(v.max(0).values, 1), "max", "what the module returned"),
        (lambda v: v.sum(0), "mean", "what the module returned"),
        (lambda v: (v.max(0).values, v[-1]), "max", "what the module returned"),
        (lambda v: (v.mean(0), v), "mean", "what the module returned"),
        (list, "mean", "assumed"),
        (lambda v: v.max(0).values.argmax(1), "mean", "assumed"),
    ],
)
def test_the_reduction_of_a_module_is_found(reduction, decoder, why):
    x = (torch.rand(12, 3, 5) < 0.4).float()
    net, disc = es.from_torch(Reduced(reduction), x, dt=DT)
    assert disc.decoder == decoder
    assert any(note.startswith(f"decoder: {decoder} ({why}") for note in disc.notes)


@pytest.mark.usefixtures("madeup")
def test_a_last_linear_layer_is_summed_over_the_steps():
    module = nn.Sequential(nn.Linear(5, 6), Sequence(), nn.Linear(6, 3))
    for weight in module.parameters():
        weight.data = torch.randint(-64, 192, weight.shape) / 256.0
    images = np.random.default_rng(0).uniform(size=(SAMPLES, 5))
    net, disc = es.from_torch(module, (torch.rand(8, 3, 5) < 0.5).float(), dt=DT)
    assert disc.decoder == "last"
    report = es.validate(net, disc, images, np.arange(SAMPLES) % 3)
    x = encode.encode(images, disc, seed=0)
    with torch.no_grad():
        summed = module(torch.from_numpy(x).float().transpose(0, 1)).sum(0)
    np.testing.assert_array_equal(report.coarse.runs[0].counts, summed.numpy())
