"""Sweeps: every value against a plain run of what it stands for."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim import decode, encode, plot
from eventsim.cli import main
from eventsim.cli.sweep import SWEEPS as LISTED
from eventsim.discrete.stepped import stepped
from eventsim.errors import FileError, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.fidelity import metrics
from eventsim.fidelity.plans import PlanJob
from eventsim.fidelity.shares import mean_share
from eventsim.fidelity.sweep.remedies import NOTHING
from eventsim.fidelity.sweep.run import SWEEPS, _Build
from eventsim.fidelity.task import check_task
from eventsim.fidelity.variants import with_exponentials
from tests.networks import classifier

DT = 1e-3
STEPS = 5
SAMPLES = 12


@pytest.fixture(scope="module")
def case():
    return classifier(SAMPLES)


@pytest.fixture(scope="module")
def trains(case):
    _, disc, images, _ = case
    return encode.to_spike_trains(encode.encode(images, disc), DT)


def counts(net, trains, window=STEPS * DT, **options):
    return es.simulate(net, {"image": trains}, window, **options).counts["out"]


def swept(name, case, values=None, **options):
    report = es.sweep(name, *case, values, **options)
    return {point.label: point.rung.counts[0] for point in report.points}


def test_pulses_exponentials_and_thresholds_are_those_of_the_network(case, trains):
    net = case[0]
    found = swept("pulse-width", case, [1.0, 0, 0.5])
    assert list(found) == ["0", "0.5", "1"]
    for width, there in found.items():
        assert (there == counts(net.with_spread(float(width) * DT), trains)).all()
    found = swept("tau-syn", case, [0, 0.5])
    assert (found["0"] == counts(net.with_spread(0.0), trains)).all()
    assert (found["0.5"] == counts(with_exponentials(net, 0.5 * DT), trains)).all()
    higher = [
        dataclasses.replace(p, v_threshold=1.25) if p.name != "image" else p
        for p in net.populations
    ]
    found = swept("threshold", case, [1, 1.25])
    assert (found["1"] == counts(net, trains)).all()
    assert (found["1.25"] == counts(es.Network(higher, net.projections), trains)).all()


def test_delays_are_those_of_the_network(case, trains):
    net = case[0]
    late = [dataclasses.replace(link, delay=0.3 * DT) for link in net.projections]
    found = swept("delay", case, [0, 0.3])
    assert (found["0"] == counts(net, trains)).all()
    assert (found["0.3"] == counts(es.Network(net.populations, late), trains)).all()

    keys = np.random.SeedSequence(0, spawn_key=(2, 1))
    delays = 0.7 * DT * np.random.Generator(np.random.PCG64(keys)).random(14)
    pre, post = np.divmod(np.arange(14 * 4), 4)
    own = es.Sparse(
        "hidden", "out", pre, post, net.projections[1].weight.reshape(-1), delay=delays[pre],
        spread=DT,
    )  # fmt: skip
    found = swept("random-delay", case, [0.7])
    assert (found["0.7"] == counts(es.Network(net.populations, [net.projections[0], own]),
                                   trains)).all()  # fmt: skip


def test_a_verdict_names_the_best_and_the_worst_unless_all_are_alike(case):
    alike = es.sweep("delay", *case, [0.3])
    assert alike.verdict.startswith("Accuracy is the same throughout: ")
    assert es.sweep("pulse-width", *case, [0, 8]).verdict.startswith("Accuracy is highest, at a")


def test_presentations_are_those_of_validate(case):
    for name, value, options in (
        ("steps", 3, {"steps": 3}),
        ("window", 1.5, {"extend": 1.5 * DT}),
        ("jitter", 1.0, {}),
    ):
        plain = es.validate(*case, jitter_seeds=2, **options)
        point = es.sweep(name, *case, [value], jitter_seeds=2)[f"{value:g}"]
        main_ = plain.continuous[0]
        assert (point.rung.counts == [run.counts for run in main_.runs]).all()
        assert point.rung.change == main_.change
        assert point.rung.beyond_noise == main_.beyond_noise
        assert point.coarse.accuracy[0] == plain.coarse.accuracy
        assert point.second_draw.agreement == tuple(r.agreement for r in plain.second_draw.runs)
        assert [layer.rate for layer in point.rung.layers] == pytest.approx(
            [layer.rate for layer in main_.layers]
        )


def test_input_spikes_move_within_their_steps(case):
    net, disc, images, _ = case
    x = encode.encode(images, disc)
    for name, value, where in (
        ("jitter", 0.25, {"jitter": 0.25}),
        ("jitter", 0, {"jitter": 0.0}),
        ("phase", 0.5, {"jitter": 0.0, "phase": 0.5}),
        ("phase", 1, {"jitter": 0.0, "phase": 1.0}),
    ):
        placed = encode.to_spike_trains(x, DT, **where)
        assert all((encode.to_steps(t, 12, DT, STEPS) == x[k]).all() for k, t in enumerate(placed))
        assert (swept(name, case, [value])[f"{value:g}"] == counts(net, placed)).all()


def test_settling_counts_the_same_steps_in_both_models(case):
    net, disc, images, _ = case
    longer = dataclasses.replace(disc, steps=STEPS + 2)
    x = encode.encode(images, longer)
    report = es.sweep("settling", *case, [0, 2])
    point = report["2"]
    coarse = disc.run(net, x)[:, 2:].sum(1)
    assert (point.coarse.counts[0] == coarse).all()
    batch = es.simulate(net, {"image": encode.to_spike_trains(x, DT)}, (STEPS + 2) * DT)
    late = [np.bincount(r.spikes["out"].senders[r.spikes["out"].times >= 2 * DT], minlength=4)
            for r in batch]  # fmt: skip
    assert (point.rung.counts[0] == late).all()
    assert point.rung.layers[1].rate == pytest.approx(np.mean(late) / (STEPS * DT))
    assert point.coarse.layers[1].rate == pytest.approx(np.mean(coarse) / (STEPS * DT))
    plain = es.validate(*case)
    assert (report["0"].rung.counts[0] == plain.continuous[0].runs[0].counts).all()


def test_readouts(case, trains):
    net, _, _, labels = case
    report = es.sweep("readout", *case)
    assert [point.label for point in report.points] == ["count", "membrane", "first spike"]
    assert (report["count"].rung.counts[0] == counts(net, trains)).all()

    silent = es.Network(
        [*net.populations[:2], dataclasses.replace(net["out"], v_threshold=math.inf)],
        net.projections,
    )
    every = list(range(4))
    batch = es.simulate(silent, {"image": trains}, STEPS * DT, record_v={"out": every})
    last = np.stack([r.v["out"].at(STEPS * DT)[0] for r in batch])
    assert (report["membrane"].rung.counts[0] == last).all()
    assert report["membrane"].rung.layers[1].rate == 0.0
    right = decode.classes(last) == labels
    assert report["membrane"].rung.accuracy[0] == metrics.share(right)

    first = []
    for result in es.simulate(net, {"image": trains}, STEPS * DT):
        train = result.spikes["out"]
        first.append(train.senders[0] if len(train) else 0)
    found = decode.classes(report["first spike"].rung.counts[0])
    assert found.tolist() == first


def test_pooling_rules(rng):
    conv = es.Population("conv", (2, 4, 4), tau_mem=4 * DT, t_ref=DT)
    net = es.Network(
        [es.Input("image", (1, 4, 4)), conv, es.Relay("pool", (2, 2, 2)),
         es.Population("out", 3, tau_mem=4 * DT, t_ref=DT)],
        [es.Conv2d("image", "conv", rng.normal(0.3, 0.4, (2, 1, 3, 3)), padding=1, spread=DT),
         es.MaxPool2d("conv", "pool", 2),
         es.Dense("pool", "out", rng.normal(0.2, 0.6, (8, 3)), spread=DT)],
    )  # fmt: skip
    disc = es.Discretization(dt=DT, steps=STEPS)
    images = rng.uniform(size=(6, 4, 4))
    placed = encode.to_spike_trains(encode.encode(images, disc), DT)
    found = swept("pooling", (net, disc, images, [0, 1, 2, 0, 1, 2]))
    assert list(found) == ["first spike", "every spike", "leader"]
    for rule, there in found.items():
        links = [
            dataclasses.replace(link, rule=rule.replace(" ", "_"))
            if isinstance(link, es.MaxPool2d) else link
            for link in net.projections
        ]  # fmt: skip
        assert (there == counts(es.Network(net.populations, links), placed)).all()


def test_every_sweep_takes_convolutions(rng):
    conv = es.Population("conv", (2, 4, 4), tau_mem=4 * DT, t_ref=DT)
    net = es.Network(
        [es.Input("image", (1, 4, 4)), conv, es.Relay("pool", (2, 2, 2)),
         es.Population("out", (1, 1, 3), tau_mem=4 * DT, t_ref=DT)],
        [es.Conv2d("image", "conv", rng.normal(0.3, 0.4, (2, 1, 3, 3)), padding=1, spread=DT),
         es.MaxPool2d("conv", "pool", 2),
         es.Conv2d("pool", "out", rng.normal(0.2, 0.6, (1, 2, 2, 2)), padding=(0, 1), spread=DT)],
    )  # fmt: skip
    disc = es.Discretization(dt=DT, steps=STEPS)
    images = rng.uniform(size=(6, 4, 4))
    for name, kind in SWEEPS.items():
        report = es.sweep(name, net, disc, images, [0, 1, 2, 0, 1, 2])
        assert len(report.points) >= len(kind.values), name


def test_clock_driven_runs_are_compared_with_the_exact_one(case, trains):
    net = case[0]
    report = es.sweep("time-step", *case, [0.01, 0.5])
    assert [point.label for point in report.points] == [
        "exact", "exponential, 0.01", "exponential, 0.5", "forward Euler, 0.01",
        "forward Euler, 0.5",
    ]  # fmt: skip
    exact = es.simulate(net, {"image": trains}, STEPS * DT)
    assert (report["exact"].rung.counts[0] == exact.counts["out"]).all()
    assert report["exact"].errors is None
    for label, method, h in (("exponential, 0.01", "exponential", 0.01 * DT),
                             ("forward Euler, 0.5", "euler", 0.5 * DT)):  # fmt: skip
        clocked = stepped(net, {"image": trains}, STEPS * DT, h, method)
        point = report[label]
        assert (point.rung.counts[0] == clocked.counts["out"]).all()
        same = decode.classes(exact.counts["out"]) == decode.classes(clocked.counts["out"])
        assert point.as_exact == (metrics.share(same),)
        errors = point.errors["hidden"]
        difference = clocked.counts["hidden"] - exact.counts["hidden"]
        assert errors["count_error"] == pytest.approx(np.abs(difference).mean())
        assert errors["count_bias"] == pytest.approx(difference.mean())
        pairs = [
            metrics.match_spikes(a.spikes["hidden"], b.spikes["hidden"], window=0.5 * DT)
            for a, b in zip(exact, clocked, strict=True)
        ]
        distances = np.abs(np.concatenate([pair.errors for pair in pairs]))
        assert errors["matched"] == distances.size / exact.counts["hidden"].sum()
        assert errors["time_error_median"] == pytest.approx(
            np.quantile(distances, 0.5, method="inverted_cdf"), rel=0.13
        )
    fine, rough = (report[f"exponential, {h}"].errors["hidden"] for h in ("0.01", "0.5"))
    assert fine["time_error_median"] < 0.02 * DT < rough["time_error_median"] <= 0.5 * DT
    assert fine["matched"] > rough["matched"]
    assert "exact class" in report.verdict and "spikes found" in report.summary()


def test_remedies_are_measured_against_deltas(case, trains):
    net, disc, _, labels = case
    report = es.sweep("remedies", *case)
    assert [point.label for point in report.points] == [NOTHING, *SWEEPS["remedies"].values]
    bare = counts(net.with_spread(0.0), trains)
    assert (report[NOTHING].rung.counts[0] == bare).all()
    right = decode.classes(bare) == labels
    pulses = report["pulses of 1 step"].rung
    assert (pulses.counts[0] == counts(net, trains)).all()
    assert pulses.change == metrics.paired_difference(
        right, decode.classes(pulses.counts[0]) == labels
    )
    assert report[NOTHING].rung.change == report[NOTHING].rung.from_coarse
    longer = es.validate(*case, steps=2 * STEPS, spread=0.0)
    found = report["trains twice as long"]
    assert (found.rung.counts[0] == longer.continuous[0].runs[0].counts).all()
    assert found.rung.from_coarse == longer.continuous[0].change
    assert found.coarse.accuracy[0] == longer.coarse.accuracy
    delayed = es.sweep("random-delay", *case, [1.0], spread=0.0)["1"]
    there = report["random delays up to 1 step"].rung.counts
    assert (there == delayed.rung.counts).all()


def test_means_over_runs_are_no_surer_than_one_run():
    shares = [metrics.share([True] * 3 + [False]), metrics.share([True] * 4)]
    mean = mean_share(shares)
    assert mean.value == 7 / 8
    assert mean_share(shares[:1]) == shares[0]
    assert mean_share([metrics.share([])]) == metrics.share([])


def test_a_sweep_can_be_sent_to_other_processes(case):
    job = PlanJob(check_task(*case), _Build("readout", ("count",)), "sweep readout")
    before = job.run(0, 4, 1, None)
    again = pickle.loads(pickle.dumps(job))
    assert again.describe() == job.describe()
    assert again.run(0, 4, 1, None) == before


def test_a_stopped_sweep_goes_on(case, tmp_path):
    def die(done, total):
        raise InterruptedError

    folder = tmp_path / "sweep"
    with pytest.raises(InterruptedError):
        es.sweep("pulse-width", *case, [0, 1], out=folder, progress=die)
    report = es.sweep("pulse-width", *case, [0, 1], out=folder, threads=1)
    assert json.loads((folder / "sweep.json").read_text()) == json.loads(
        json.dumps(report.to_dict())
    )
    with pytest.raises(FileError, match="another"):
        es.sweep("pulse-width", *case, [0, 2], out=folder)
    with pytest.raises(FileError, match="another"):
        es.sweep("delay", *case, [0, 1], out=folder)


@pytest.mark.parametrize(
    ("name", "values", "error", "words"),
    [
        ("width", None, InvalidValue, "one of pulse-width, .*remedies, got 'width'"),
        ("pulse-width", "1", InvalidType, "values: expected a list"),
        ("pulse-width", [], InvalidValue, "at least one"),
        ("pulse-width", [-1], InvalidValue, r"values\[0\]: expected a number from 0 on"),
        ("pulse-width", ["wide"], InvalidType, "expected a number, got 'wide'"),
        ("steps", [1.5], InvalidValue, "whole number"),
        ("steps", [0], InvalidValue, "from 1 on"),
        ("jitter", [1.2], InvalidValue, "from 0 to 1"),
        ("readout", ["rate"], InvalidValue, "one of count, membrane, first spike, got 'rate'"),
        ("pooling", None, UnsupportedNetwork, "expected max pooling"),
    ],
)
def test_bad_values_are_named(case, name, values, error, words):
    with pytest.raises(error, match=words):
        es.sweep(name, *case, values)


def test_recurrent_and_analog_networks_are_refused_where_they_do_not_fit(case):
    net, disc, images, labels = case
    back = es.Dense("out", "hidden", np.full((4, 14), 0.1), delay=DT)
    end = es.Population("end", 2, tau_mem=DT)
    looped = es.Network(
        [*net.populations, end], [*net.projections, back, es.Dense("out", "end", np.ones((4, 2)))]
    )
    with pytest.raises(UnsupportedNetwork, match="cycle"):
        es.sweep("delay", looped, disc, images, labels % 2)
    eye = es.Population("eye", (1, 3, 4), tau_mem=4 * DT, t_ref=DT)
    analog = es.Network(
        [eye, *net.populations[1:]],
        [dataclasses.replace(net.projections[0], source="eye"), net.projections[1]],
    )
    constant = es.Discretization(
        dt=DT, steps=STEPS, encoder="constant", variants={"eye": "constant_potential"}
    )
    with pytest.raises(UnsupportedNetwork, match="analog images"):
        es.sweep("jitter", analog, constant, images, labels)
    found = es.sweep("pulse-width", analog, constant, images, labels, [0.0, 1.0])
    assert found.points[0].second_draw is None
    assert "None" not in found.summary()


def test_figures_have_what_they_should(case):
    numbers = plot.sweep(es.sweep("steps", *case, [1, 2, 4]))
    assert numbers[0].get_xscale() == "log"
    assert {t.get_text() for t in numbers[1].get_legend().get_texts()} == {
        "hidden",
        "out",
        "coarse",
    }
    assert len(plot.sweep(es.sweep("time-step", *case, [0.1, 0.5]))) == 3
    named = plot.sweep(es.sweep("readout", *case))
    assert [t.get_text() for t in named[0].get_yticklabels()] == [
        "count",
        "membrane",
        "first spike",
    ]
    with pytest.raises(InvalidType, match="SweepReport"):
        plot.sweep("readout")


def test_the_command(case, tmp_path):
    net, disc, images, labels = case
    es.save(tmp_path / "net.h5", net, disc)
    np.savez(tmp_path / "images.npz", images=images.astype(np.float32), labels=labels)
    files = [str(tmp_path / "net.h5"), "--data", str(tmp_path / "images.npz")]
    outputs = ["--plot", str(tmp_path / "s.png"), "--json", str(tmp_path / "s.json")]
    done = CliRunner().invoke(main, ["sweep", "pulse-width", *files, "--values", "0,1", *outputs])
    assert done.exit_code == 0, done.output
    assert "How wide must the pulses" in done.output
    assert done.output.rstrip().splitlines()[-1].startswith(f"wrote {tmp_path / 's.png'}")
    assert json.loads((tmp_path / "s.json").read_text())["name"] == "pulse-width"
    assert (tmp_path / "s.png").stat().st_size > 10_000
    done = CliRunner().invoke(main, ["sweep", "readout", *files, "--values", "count, rate"])
    assert done.exit_code == 2
    assert "expected one of count, membrane" in done.output
    assert list(LISTED) == list(SWEEPS)
