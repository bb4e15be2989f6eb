"""The comparison against its parts done by hand."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import eventsim as es
from eventsim import decode, encode
from eventsim.analog import analog_currents
from eventsim.errors import EventsimError, FileError, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.fidelity import metrics, samples, task, words
from tests.networks import classifier

DT = 1e-3
SAMPLES = 12


@pytest.fixture(scope="module")
def case():
    return classifier(SAMPLES)


@pytest.fixture(scope="module")
def report(case):
    return es.validate(*case, jitter_seeds=2, spreads=[0.0], extend=0.5 * DT)


def reproducible(report) -> dict:
    found = report.to_dict()
    del found["provenance"]["engine"]
    return found


def test_the_parts_are_those_that_can_be_run_by_hand(case, report):
    net, disc, images, labels = case
    x = encode.encode(images, disc, seed=0)
    coarse = disc.run(net, x, layers=True)
    counts = {name: spikes.sum(axis=1, dtype=np.int64) for name, spikes in coarse.items()}
    assert (report.coarse.runs[0].counts == counts["out"]).all()
    reference = decode.classes(counts["out"])
    assert report.coarse.accuracy.value == decode.accuracy(labels, reference)
    assert report.coarse.agreement is None

    for k, run in enumerate(report.second_draw.runs):
        other = disc.run(net, encode.encode(images, disc, seed=(0, k + 1)))
        assert (run.counts == decode.count(other)).all()
        assert run.agreement.value == np.mean(run.classes == reference)

    for variant, spread in zip(report.continuous, (DT, 0.0), strict=True):
        assert variant.spread == spread
        every = {name: [] for name in ("hidden", "out")}
        for k, seed in enumerate((0, (0, 1))):
            trains = encode.to_spike_trains(x, DT, seed=seed)
            batch = es.simulate(net.with_spread(spread), {"image": trains}, 5.5 * DT)
            assert (variant.runs[k].counts == batch.counts["out"]).all()
            for name, parts in every.items():
                parts.append(batch.counts[name])
            if k == 0:
                intervals = np.concatenate([metrics.isi(r.spikes["hidden"]) for r in batch])
        layer = variant.layers[0]
        sums = metrics.CountSums.of([counts["hidden"]] * 2, every["hidden"])
        assert (layer.bias, layer.mae) == (sums.bias, sums.mae)
        assert layer.correlation == sums.correlation
        assert layer.rate == pytest.approx(metrics.rate(every["hidden"], 5.5 * DT))
        assert layer.spikes == pytest.approx(14 * np.mean(every["hidden"]))
        assert layer.silent == metrics.silent_share(every["hidden"])
        assert layer.saturated == metrics.saturated_share(every["hidden"], 5)
        assert layer.isi_n == intervals.size
        assert layer.isi_mean == pytest.approx(float(intervals.mean()))
        assert layer.isi_cv == pytest.approx(metrics.cv(intervals))
        right = np.mean([run.classes == labels for run in variant.runs], axis=0)
        assert variant.change == metrics.paired_difference(reference == labels, right)
        assert variant.mcnemar == metrics.mcnemar(
            reference == labels, variant.runs[0].classes == labels
        )
        assert variant.events > 0

    coarse_layer = report.coarse.layers[0]
    steps = [
        np.diff(np.flatnonzero(sample[:, i])) for sample in coarse["hidden"] for i in range(14)
    ]
    assert coarse_layer.isi_mean == pytest.approx(float(np.concatenate(steps).mean()) * DT)
    assert coarse_layer.rate == pytest.approx(metrics.rate(counts["hidden"], 5 * DT))
    assert coarse_layer.bias is coarse_layer.correlation is None


def test_beyond_noise_pairs_the_changes_with_those_of_the_second_draw(report):
    reference = report.coarse.runs[0].classes

    def changed(variant):
        return np.mean([run.classes != reference for run in variant.runs], axis=0)

    for variant in report.continuous:
        expected = metrics.paired_difference(changed(report.second_draw), changed(variant))
        assert variant.beyond_noise == expected
    assert report.second_draw.beyond_noise is None


@pytest.mark.parametrize(("chunk", "threads"), [(1, 1), (5, 2)])
def test_results_do_not_depend_on_chunks_or_threads(case, report, monkeypatch, chunk, threads):
    monkeypatch.setattr(task, "SHARD_SAMPLES", chunk)
    again = es.validate(*case, jitter_seeds=2, spreads=[0.0], extend=0.5 * DT, threads=threads)
    assert reproducible(again) == reproducible(report)


def test_engines_differ_in_the_last_bits_of_spike_times_alone(case, report):
    again = es.validate(*case, jitter_seeds=2, spreads=[0.0], extend=0.5 * DT, engine="queue")
    assert again.verdict == report.verdict
    for a, b in zip(again.variants, report.variants, strict=True):
        assert all((p.counts == q.counts).all() for p, q in zip(a.runs, b.runs, strict=True))
        for p, q in zip(a.layers, b.layers, strict=True):
            times = ("isi_mean", "isi_cv")
            assert all(getattr(p, t) == pytest.approx(getattr(q, t), rel=1e-9) for t in times)
            rest = dict.fromkeys(times)
            assert dataclasses.replace(p, **rest) == dataclasses.replace(q, **rest)


def test_the_seed_decides(case, report):
    other = es.validate(*case, jitter_seeds=2, spreads=[0.0], extend=0.5 * DT, seed=1)
    assert reproducible(other)["variants"] != reproducible(report)["variants"]


def test_shards_hold_no_more_spikes_than_fit(case, monkeypatch):
    checked = task.check_task(*case)
    assert checked.shard_samples == task.SHARD_SAMPLES
    monkeypatch.setattr(task, "SHARD_NUMBERS", 3 * 5 * 30)
    assert checked.shard_samples == 3
    monkeypatch.setattr(task, "SHARD_NUMBERS", 1)
    assert checked.shard_samples == 1


def test_options(case):
    net, disc, images, labels = case
    report = es.validate(*case, steps=3, spread=0.0, spreads=[0.0, 2 * DT, 0.5 * DT], extend=True)
    assert [v.name for v in report.continuous] == [
        "continuous, deltas",
        "continuous, pulses of 2 steps",
        "continuous, pulses of 0.5 steps",
    ]
    assert report.settings["window"] == pytest.approx(4 * DT)
    assert report.second_draw.name == "coarse, second draw"
    short = decode.count(disc.run(net, encode.encode(images, disc, steps=3)))
    assert (report.coarse.runs[0].counts == short).all()


def test_bytes_are_pixels(case):
    net, disc, images, labels = case
    stored = np.rint(images * 255).astype(np.uint8)
    a = es.validate(net, disc, stored, labels)
    b = es.validate(net, disc, stored.astype(np.float32) / np.float32(255), labels)
    assert reproducible(a) == reproducible(b)


def test_analog_images_go_in_as_currents(case):
    net, _, images, labels = case
    eye = es.Population("eye", (1, 3, 4), tau_mem=4 * DT, t_ref=DT)
    analog = es.Network(
        [eye, *net.populations[1:]],
        [dataclasses.replace(net.projections[0], source="eye"), net.projections[1]],
    )
    disc = es.Discretization(
        dt=DT, steps=5, encoder="constant", variants={"eye": "constant_potential"}
    )
    report = es.validate(analog, disc, images, labels, jitter_seeds=3)
    assert report.second_draw is None
    assert len(report.continuous[0].runs) == 1
    assert report.continuous[0].beyond_noise is None
    assert "no noise" in report.verdict
    assert "None" not in report.summary()
    currents = encode.to_currents(images, disc, eye)
    batch = es.simulate(analog, {}, 5 * DT, currents=currents)
    assert (report.continuous[0].runs[0].counts == batch.counts["out"]).all()
    assert [layer.name for layer in report.coarse.layers] == ["eye", "hidden", "out"]


def test_a_periodic_encoder_has_no_second_draw_but_placements(case):
    net, _, images, labels = case
    disc = es.Discretization(dt=DT, steps=5, encoder="periodic")
    report = es.validate(net, disc, images, labels, jitter_seeds=2)
    assert report.second_draw is None
    assert len(report.continuous[0].runs) == 2


def test_disagreements_are_ranked_by_margin(case, report):
    labels = case[3]
    a, b = report.coarse.runs[0].counts, report.continuous[0].runs[0].counts
    found = report.disagreements
    assert found
    expected = np.flatnonzero(decode.classes(a) != decode.classes(b))
    assert sorted(d.sample for d in found) == expected.tolist()
    for d in found:
        assert d.label == labels[d.sample]
        lead = a[d.sample][d.coarse] - a[d.sample][d.continuous]
        assert d.margin == lead + b[d.sample][d.continuous] - b[d.sample][d.coarse]
        assert d.coarse_counts == tuple(a[d.sample])
        assert report.pictures[d.sample].shape == (3, 4)
    order = [(-d.margin, d.sample) for d in found]
    assert order == sorted(order)


def test_progress_rises_to_the_end(case):
    calls = []
    es.validate(*case, jitter_seeds=2, spreads=[0.0], progress=lambda *a: calls.append(a))
    done = [d for d, _ in calls]
    assert done == sorted(done)
    assert set(t for _, t in calls) == {SAMPLES * (1 + 2 + 2 * 2)}
    assert calls[-1][0] == calls[-1][1]


def test_json_is_plain_and_holds_no_nan(report, tmp_path):
    path = report.to_json(tmp_path / "report.json")
    found = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert found == report.to_dict()
    assert [v["kind"] for v in found["variants"]] == [
        "coarse",
        "second draw",
        "continuous",
        "continuous",
    ]
    with pytest.raises(FileError, match="overwrite"):
        report.to_json(path)
    report.to_json(path, overwrite=True)


def test_summary_names_all_variants_and_fits_a_terminal(report):
    text = report.summary()
    for variant in report.variants:
        assert variant.name in text
    assert report.verdict.split()[0] in text
    assert max(map(len, text.splitlines())) <= 100


def with_main(report, **changes):
    main = dataclasses.replace(report.continuous[0], **changes)
    return dataclasses.replace(report, continuous=(main, *report.continuous[1:]))


@pytest.mark.parametrize(
    ("change", "noise", "grade", "phrase"),
    [
        ((-0.01, -0.03, 0.01), (0.0, -0.02, 0.02), "holds", "cannot be told from chance"),
        ((-0.02, -0.03, -0.01), (0.0, -0.02, 0.02), "costs", "loss of 2.0 points is beyond"),
        ((0.02, 0.01, 0.03), (-0.03, -0.05, -0.01), "holds", "less than the noise"),
        ((0.0, -0.01, 0.01), (0.06, 0.03, 0.09), "costs", "more than the noise"),
        ((-0.3, -0.35, -0.25), (0.3, 0.25, 0.35), "fails", "Transfer fails"),
        ((-0.3, -0.65, 0.05), (0.0, -0.02, 0.02), "holds", "below about 35 points"),
    ],
)
def test_the_verdict_weighs_loss_and_noise(report, change, noise, grade, phrase):
    found = with_main(
        report, change=metrics.Difference(*change), beyond_noise=metrics.Difference(*noise)
    )
    assert words.grade(found) == grade
    assert phrase in found.verdict


@pytest.mark.parametrize("reason", ["event budget used up", "interrupted"])
def test_half_a_run_is_no_comparison(case, monkeypatch, reason):
    def cut_short(*args, **kwargs):
        batch = es.simulate(*args, **kwargs)
        late = [dataclasses.replace(r, complete=False, stop_reason=reason) for r in batch]
        return type(batch)(late, batch.wall_s)

    monkeypatch.setattr(samples, "simulate", cut_short)
    with pytest.raises(KeyboardInterrupt if reason == "interrupted" else EventsimError):
        es.validate(*case)


@pytest.mark.parametrize(
    ("changes", "error", "words_"),
    [
        ({"net": "net.h5"}, InvalidType, ["net", "Network", "str"]),
        ({"disc": None}, InvalidValue, ["disc", "disc=Discretization(", "None"]),
        ({"disc": 5e-3}, InvalidType, ["disc", "Discretization", "float"]),
        ({"images": np.zeros((SAMPLES, 5, 5))}, InvalidValue, ["images", "12 pixels", "5, 5"]),
        ({"images": np.zeros(12)}, InvalidValue, ["images", "12 pixels", "(12,)"]),
        ({"images": np.full((SAMPLES, 12), 255.0)}, InvalidValue, ["images[0, 0]", "0 to 1"]),
        ({"images": np.full((SAMPLES, 12), np.nan)}, InvalidValue, ["images[0, 0]", "finite"]),
        ({"images": np.ones((SAMPLES, 12), np.uint8)}, InvalidValue, ["images", "bytes"]),
        ({"images": np.zeros((0, 12)), "labels": []}, InvalidValue, ["images", "two samples"]),
        ({"images": np.zeros((1, 12)), "labels": [0]}, InvalidValue, ["images", "two samples"]),
        ({"labels": [0, 1]}, InvalidValue, ["labels", "12", "2"]),
        ({"labels": np.full(SAMPLES, 4)}, InvalidValue, ["labels[0]", "below 4", "out"]),
        ({"labels": np.full(SAMPLES, -1)}, InvalidValue, ["labels[0]", "-1"]),
        ({"labels": np.zeros(SAMPLES)}, InvalidType, ["labels", "integers"]),
        ({"steps": 0}, InvalidValue, ["steps", "0"]),
        ({"jitter_seeds": 0}, InvalidValue, ["jitter_seeds", "0"]),
        ({"jitter_seeds": 1.5}, InvalidType, ["jitter_seeds", "1.5"]),
        ({"spread": -1e-3}, InvalidValue, ["spread", "-0.001"]),
        ({"spreads": 1e-3}, InvalidType, ["spreads", "list"]),
        ({"spreads": [1e-3, np.nan]}, InvalidValue, ["spreads[1]", "finite"]),
        ({"extend": -1.0}, InvalidValue, ["extend", "-1"]),
        ({"seed": -1}, InvalidValue, ["seed", "-1"]),
        ({"threads": 0}, InvalidValue, ["threads", "0"]),
        ({"engine": "fast"}, InvalidValue, ["engine", "fast"]),
    ],
)
def test_bad_input_is_named(case, changes, error, words_):
    arguments = dict(zip(("net", "disc", "images", "labels"), case, strict=True)) | changes
    with pytest.raises(error) as caught:
        es.validate(**arguments)
    for word in words_:
        assert word in str(caught.value)


def test_networks_without_one_way_in_and_out_are_refused(case):
    net, disc, images, labels = case
    forked = es.Network(
        [*net.populations, es.Population("other", 4, tau_mem=4 * DT, t_ref=DT)],
        [*net.projections, es.Dense("hidden", "other", np.ones((14, 4)))],
    )
    with pytest.raises(UnsupportedNetwork, match="one output population"):
        es.validate(forked, disc, images, labels)
    doubled = es.Network(
        [*net.populations, es.Input("extra", 3)],
        [*net.projections, es.Dense("extra", "hidden", np.ones((3, 14)))],
    )
    with pytest.raises(UnsupportedNetwork, match="one Input"):
        es.validate(doubled, disc, images, labels)
    constant = dataclasses.replace(disc, encoder="constant")
    two = es.Network(
        [es.Population("other", 4, tau_mem=4 * DT, t_ref=DT), *net.populations[1:]],
        [*net.projections[1:], es.Dense("other", "out", np.ones((4, 4)))],
    )
    with pytest.raises(UnsupportedNetwork, match="analog image as a current"):
        es.validate(two, constant, images, labels)


def test_analog_image_reaches_neurons_through_weights(case):
    """Its constant current is the charge of every step, with weights of the first layer."""
    net, disc, images, labels = case
    constant = dataclasses.replace(disc, encoder="constant", spread=0.0)
    report = es.validate(net, constant, images, labels)
    assert report.second_draw is None and len(report.continuous[0].runs) == 1
    currents = analog_currents(net, constant, images)
    first = es.simulate(net, {}, t_stop=disc.duration, currents=currents[0])
    charge = images[0].reshape(-1) @ net.projections[0].weight
    for _, neuron, current in currents[0]["hidden"]:
        assert current * DT / net["hidden"].tau_mem == pytest.approx(charge[neuron])
    assert first.counts["hidden"].sum() > 0
