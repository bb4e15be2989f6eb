"""The ladder: each rung against a slow run of its own, its two ends, and a job that is resumed."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim import decode, encode
from eventsim.cli import main
from eventsim.errors import FileError, InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.fidelity import metrics, task
from eventsim.fidelity.ladder import Effect
from eventsim.fidelity.parts import Parts
from eventsim.fidelity.variants import depth, with_exponentials
from tests.naive_endcheck import naive_endcheck
from tests.networks import classifier

DT = 1e-3
STEPS = 5
SAMPLES = 12
LAYERS = ("hidden", "out")


# The rungs


@pytest.fixture(scope="module")
def case():
    return classifier(SAMPLES)


@pytest.fixture(scope="module")
def report(case):
    return es.attribute(*case, jitter_seeds=2)


def test_the_rungs_have_the_names_of_the_ladder(report):
    assert [rung.name for rung in report.rungs if rung.kind != "variant"] == [
        "coarse", "second draw", "endcheck", "isolated", "rejit", "continuous",
    ]  # fmt: skip
    assert [rung.name for rung in report.rungs if rung.kind == "variant"] == [
        "deltas", "exponential, 0.5 steps", "delay of 0.5 steps",
        "window + 0.5 steps", "window + 1 step", "window + 2 steps",
    ]  # fmt: skip
    references = {rung.name: rung.reference for rung in report.rungs}
    assert references["endcheck"] == "coarse" and references["isolated"] == "endcheck"
    assert references["deltas"] == "continuous"
    assert report.first_exact == "endcheck"
    assert "second draw and endcheck: against coarse" in report.summary()


def test_the_ends_are_the_plain_runs(case, report):
    net, disc, images, _ = case
    plain = es.validate(*case, jitter_seeds=2, spreads=[0.0])
    assert (report["coarse"].counts[0] == disc.run(net, encode.encode(images, disc)).sum(1)).all()
    pairs = {"coarse": plain.coarse, "second draw": plain.second_draw,
             "continuous": plain.continuous[0], "deltas": plain.continuous[1]}  # fmt: skip
    for name, variant in pairs.items():
        rung = report[name]
        assert (rung.counts == [run.counts for run in variant.runs]).all()
        assert rung.accuracy == tuple(run.accuracy for run in variant.runs)
        assert rung.ties == tuple(run.ties for run in variant.runs)
        assert rung.from_coarse == variant.change
        assert rung.beyond_noise == variant.beyond_noise
        for a, b in zip(rung.layers, variant.layers, strict=True):
            assert all(getattr(b, f.name) == getattr(a, f.name) for f in dataclasses.fields(a))
    assert report["continuous"].agreement == tuple(r.agreement for r in plain.continuous[0].runs)
    assert report.gap.change == plain.continuous[0].change


def places(layer, run, n):
    """The time of each possible spike [sample, step, n], from trains in which all are there."""
    every = np.ones((SAMPLES, STEPS, n), dtype=np.uint8)
    trains = encode.to_spike_trains(every, DT, seed=(0, run, layer, 0))
    return np.array([[np.sort(t.of(j)) for j in range(n)] for t in trains]).transpose(0, 2, 1)


def placed(spikes, where):
    """Trains of spikes in steps of one sample, at the times of their places."""
    step, unit = np.nonzero(spikes)
    return es.SpikeTrain.sorted(where[step, unit], unit)


@pytest.mark.parametrize("run", [0, 1])
def test_each_rung_is_what_a_slow_run_of_it_gives(case, report, run):
    net, disc, images, _ = case
    x = encode.encode(images, disc)
    coarse = disc.run(net, x, layers=True)
    trains = encode.to_spike_trains(x, DT, seed=0 if run == 0 else (0, run))
    where = {"hidden": places(1, run, 14), "out": places(2, run, 4)}
    one = {
        "hidden": es.Network(net.populations[:2], net.projections[:1]),
        "out": es.Network([es.Input("hidden", 14), net["out"]], net.projections[1:]),
    }

    def alone(name, source, train):
        result = es.simulate(one[name], {source: train}, STEPS * DT, engine="queue")
        return encode.to_steps(result.spikes[name], net[name].n, DT, STEPS)

    for k in range(SAMPLES):
        tested = naive_endcheck(net, "hidden", DT, {"image": trains[k]}, where["hidden"][k])
        given = {"hidden": placed(tested, where["hidden"][k])}
        tested = naive_endcheck(net, "out", DT, given, where["out"][k])
        assert (report["endcheck"].counts[run, k] == tested.sum(0)).all()

        fed = placed(coarse["hidden"][k], where["hidden"][k])
        isolated = alone("out", "hidden", fed)
        assert (report["isolated"].counts[run, k] == isolated.sum(0)).all()

        again = placed(alone("hidden", "image", trains[k]), where["hidden"][k])
        assert (report["rejit"].counts[run, k] == alone("out", "hidden", again).sum(0)).all()


def test_each_variant_is_its_network(case, report):
    net, _, images, _ = case
    trains = encode.to_spike_trains(encode.encode(images, case[1]), DT)
    late = es.Network(
        net.populations, [dataclasses.replace(link, delay=0.5 * DT) for link in net.projections]
    )
    factor = 4 * DT / (0.5 * DT)
    exponential = es.Network(
        [net["image"], *(dataclasses.replace(net[n], tau_syn=0.5 * DT) for n in LAYERS)],
        [
            es.Dense(link.source, link.target, factor * link.weight, receptor=0)
            for link in net.projections
        ],
    )
    for name, changed, window in (
        ("delay of 0.5 steps", late, STEPS),
        ("exponential, 0.5 steps", exponential, STEPS),
        ("window + 0.5 steps", net, STEPS + 0.5),
        ("window + 2 steps", net, STEPS + 2),
    ):
        batch = es.simulate(changed, {"image": trains}, window * DT, engine="queue")
        assert (batch.counts["out"] == report[name].counts[0]).all()
        assert report[name].window == pytest.approx(window * DT)


@pytest.mark.parametrize(("tau", "r"), [(4.0, 2.0), (math.inf, 0.5)])
def test_exponential_synapses_bring_the_same_charge(tau, r):
    out = es.Population("out", 1, tau_mem=tau * DT, r=r, v_threshold=math.inf)
    net = es.Network([es.Input("in", 1), out], [es.Dense("in", "out", [[0.3]], spread=DT)])
    changed = with_exponentials(net, 0.5 * DT)
    kick = {"in": es.SpikeTrain([0.0], [0])}
    end = 200 * DT
    both = [es.simulate(n, kick, end, record_v={"out": [0]}).v["out"] for n in (net, changed)]
    if math.isinf(tau):
        assert both[1].at([end])[0, 0] == pytest.approx(0.3)
    times = np.linspace(0.0, end, 400_001, endpoint=False)
    areas = [np.trapezoid(trace.at(times)[..., 0].reshape(-1), times) for trace in both]
    assert areas[1] == pytest.approx(areas[0], rel=1e-3)


def test_changes_are_paired_with_the_rung_before(case, report):
    labels = case[3]
    for rung in report.rungs[1:]:
        before = report[rung.reference]
        right = [np.mean([decode.classes(c) == labels for c in r.counts], 0)
                 for r in (before, rung)]  # fmt: skip
        assert rung.change == metrics.paired_difference(*right)
        first = [decode.classes(r.counts[0]) for r in (before, rung)]
        assert rung.mcnemar == metrics.mcnemar(*(classes == labels for classes in first))
        reference = decode.classes(report["coarse"].counts[0])
        assert rung.agreement[0] == metrics.agreement(reference, first[1])
    parts = [e.change.value for e in report.effects if e.part]
    assert sum(parts) == pytest.approx(report.gap.change.value)


def test_results_do_not_depend_on_parts_or_threads(case, report, monkeypatch):
    monkeypatch.setattr(task, "SHARD_SAMPLES", 5)
    again = es.attribute(*case, jitter_seeds=2, threads=1)
    assert again.to_dict() == report.to_dict()


def test_the_seed_decides(case, report):
    other = es.attribute(*case, jitter_seeds=2, seed=1)
    for name in ("coarse", "endcheck", "isolated", "rejit"):
        assert (other[name].counts != report[name].counts).any()


def test_a_clear_case_has_no_gap():
    """One bright pixel for each class: no change of the neuron changes an answer."""
    net = es.Network(
        [es.Input("image", 3), es.Population("out", 3, tau_mem=4 * DT, t_ref=DT)],
        [es.Dense("image", "out", 1.6 * np.eye(3), spread=DT)],
    )
    images, labels = np.eye(3)[[0, 1, 2, 2, 1]], [0, 1, 2, 2, 1]
    report = es.attribute(net, es.Discretization(dt=DT, steps=8), images, labels)
    for rung in report.rungs:
        assert rung.accuracy[0].value == 1.0
        assert rung.change is None or rung.change.value == 0.0
    assert all(effect.within_noise for effect in report.effects)
    assert "No single cause" in report.verdict
    assert depth(net) == 1 and "window + 2 steps" not in [r.name for r in report.rungs]


def pooled(rule="first_spike"):
    rng = np.random.default_rng(8)
    conv = es.Population("conv", (2, 4, 4), tau_mem=4 * DT, t_ref=DT)
    return es.Network(
        [es.Input("image", (1, 4, 4)), conv, es.Relay("pool", (2, 2, 2)),
         es.Population("out", 3, tau_mem=4 * DT, t_ref=DT)],
        [
            es.Conv2d("image", "conv", rng.normal(0.3, 0.5, (2, 1, 3, 3)), padding=1, spread=DT),
            es.MaxPool2d("conv", "pool", 2, rule=rule),
            es.Dense("pool", "out", rng.normal(0.2, 0.6, (8, 3)), spread=DT),
        ],
    )  # fmt: skip


def test_max_pooling_is_an_or_until_its_own_rung(rng):
    net, disc = pooled(), es.Discretization(dt=DT, steps=STEPS)
    images, labels = rng.uniform(size=(SAMPLES, 1, 4, 4)), rng.integers(3, size=SAMPLES)
    report = es.attribute(net, disc, images, labels)
    names = [rung.name for rung in report.rungs]
    assert names[names.index("rejit") + 1 :][:2] == ["pooling", "continuous"]
    coarse, isolated = report["coarse"].layers[1], report["isolated"].layers[1]
    assert (isolated.name, isolated.rate, isolated.mae) == ("pool", coarse.rate, 0.0)
    where = places(2, 0, 8)
    # Steps with a spike in the window, for the same convolution as in the pooling rung.
    trains = encode.to_spike_trains(encode.encode(images, disc), DT)
    for k in range(SAMPLES):
        conv = es.simulate(net, {"image": trains[k]}, STEPS * DT).spikes["conv"]
        steps = encode.to_steps(conv, 32, DT, STEPS).reshape(STEPS, 2, 2, 2, 2, 2)
        windows = (steps.max(axis=(3, 5)) > 0).reshape(1, STEPS, 8)
        train = placed(windows[0], where[k])
        last = es.Network([es.Input("pool", (2, 2, 2)), net["out"]], net.projections[2:])
        expected = es.simulate(last, {"pool": train}, STEPS * DT).counts["out"]
        assert (report["rejit"].counts[0, k] == expected).all()
    assert report["pooling"].layers[0] == report["rejit"].layers[0]
    assert report["pooling"].layers[1].rate < report["rejit"].layers[1].rate
    every = es.attribute(pooled("every_spike"), disc, images, labels)
    assert every["pooling"].layers[1].rate > report["pooling"].layers[1].rate


def test_analog_images_have_places_but_one_exact_run(case):
    net, _, images, labels = case
    eye = es.Population("eye", (1, 3, 4), tau_mem=4 * DT, t_ref=DT)
    analog = es.Network(
        [eye, *net.populations[1:]],
        [dataclasses.replace(net.projections[0], source="eye"), net.projections[1]],
    )
    disc = es.Discretization(
        dt=DT, steps=STEPS, encoder="constant", variants={"eye": "constant_potential"}
    )
    report = es.attribute(analog, disc, images, labels, jitter_seeds=2, extends=[])
    assert "second draw" not in [rung.name for rung in report.rungs]
    assert [len(report[name].counts) for name in ("endcheck", "continuous")] == [2, 1]
    currents = encode.to_currents(images, disc, eye)
    batch = es.simulate(analog, {}, STEPS * DT, currents=currents)
    assert (report["continuous"].counts[0] == batch.counts["out"]).all()
    # The first layer is the same in all rungs that test inside the step.
    assert report["isolated"].layers[0].rate == report["continuous"].layers[0].rate
    charge = np.array([[value for _, _, value in one["eye"]] for one in currents])
    slow = [
        naive_endcheck(analog, "eye", DT, {}, where, current).sum() / (12 * STEPS * DT)
        for run in (0, 1)
        for where, current in zip(places(0, run, 12), charge, strict=True)
    ]
    assert report["endcheck"].layers[0].rate == pytest.approx(np.mean(slow))


# Options, words and files


def test_options_choose_the_synapse_and_the_variants(case):
    report = es.attribute(
        *case, spread=0.0, spreads=[DT], tau_syns=[DT], delays=[], extends=[0.25 * DT], steps=3
    )
    assert report.settings["synapse"] == "delta synapses"
    assert [rung.name for rung in report.rungs[6:]] == [
        "pulses of 1 step", "exponential, 1 step", "window + 0.25 steps",
    ]  # fmt: skip


def test_bad_options_are_refused(case):
    net, disc, images, labels = case
    with pytest.raises(InvalidValue, match=r"extends\[1\].*>= 0"):
        es.attribute(*case, extends=[0.0, -DT])
    with pytest.raises(InvalidType, match="delays"):
        es.attribute(*case, delays=0.5)
    with pytest.raises(InvalidValue, match="tau_syns"):
        es.attribute(*case, tau_syns=[0.0])
    with pytest.raises(InvalidValue, match="Discretization"):
        es.attribute(net, None, images, labels)
    with pytest.raises(InvalidValue, match="labels"):
        es.attribute(net, disc, images, labels[1:])
    loop = es.Network(
        net.populations, [*net.projections, es.Dense("out", "out", np.eye(4), delay=DT)]
    )
    with pytest.raises(UnsupportedNetwork, match="output"):
        es.attribute(loop, disc, images, labels)
    back = es.Dense("hidden", "hidden", np.eye(14), delay=DT)
    recurrent = es.Network(net.populations, [*net.projections, back])
    with pytest.raises(InvalidValue, match="delays: expected none for a recurrent network"):
        es.attribute(recurrent, *case[1:], delays=[DT])


def test_sentences_say_points_and_noise():
    cost = Effect("a change", "a", "b", True, metrics.Difference(-0.012, -0.023, -0.001))
    assert cost.sentence == "a change costs 1.2 points [0.1, 2.3]"
    gain = Effect("a change", "a", "b", True, metrics.Difference(0.012, -0.001, 0.023))
    assert gain.sentence == "a change gains 1.2 points [-0.1, 2.3], within noise"


def test_summary_and_json_hold_all_rungs(report, tmp_path):
    text = report.summary()
    for rung in report.rungs:
        assert f"\n{rung.name}  " in text
    assert "pulses of 1 step" in text and max(map(len, text.splitlines())) <= 110
    path = report.to_json(tmp_path / "ladder.json")
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == report.to_dict()
    noisy = [e.within_noise for e in report.effects if e.part]
    assert noisy == sorted(noisy)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_job_that_was_stopped_goes_on_and_ends_with_the_same_bytes(case, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "SHARD_SAMPLES", 5)
    es.attribute(*case, out=tmp_path / "whole")

    def die(done, total):
        if done > 5 * total // SAMPLES:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        es.attribute(*case, out=tmp_path / "cut", progress=die)
    kept = contents(tmp_path / "cut")
    assert sorted(kept) == ["job.json", "samples-000000-000004.json"]
    calls = []
    es.attribute(*case, out=tmp_path / "cut", progress=lambda *a: calls.append(a), threads=1)
    assert calls[0][0] == 5 * calls[0][1] // SAMPLES and calls[-1][0] == calls[-1][1]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert kept.items() <= contents(tmp_path / "cut").items()
    with pytest.raises(FileError, match="another.* seed"):
        es.attribute(*case, out=tmp_path / "cut", seed=3)


def test_a_folder_of_other_things_and_damaged_parts_are_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="other files"):
        Parts(tmp_path, {})
    with pytest.raises(FileError, match="make it"):
        Parts(tmp_path / "mine.txt", {})
    parts = Parts(tmp_path / "job", {"seed": 0})
    (tmp_path / "job" / "a.json").write_text('{"half":')
    (tmp_path / "job" / "b.json").write_text("[]")
    for name in "ab":
        with pytest.raises(FileError, match="finished part"):
            parts.get(name)


def test_the_command_prints_a_table_and_says_what_it_wrote(case, tmp_path):
    net, disc, images, labels = case
    es.save(tmp_path / "net.h5", net, disc)
    es.save(tmp_path / "bare.h5", net)
    np.savez(tmp_path / "data.npz", images=images, labels=labels)

    def run(*options, file="net.h5"):
        words = ["ladder", tmp_path / file, "--data", tmp_path / "data.npz", *options]
        return CliRunner().invoke(main, [str(word) for word in words])

    json_file, folder = tmp_path / "l.json", tmp_path / "parts"
    done = run("--jitter-seeds", 2, "--samples", 6, "--json", json_file, "--out", folder)
    assert done.exit_code == 0, done.output
    found = json.loads(json_file.read_text())
    assert found == json.loads((folder / "ladder.json").read_text())
    by_hand = es.attribute(net, disc, images[:6], labels[:6], jitter_seeds=2)
    assert found["rungs"] == by_hand.to_dict()["rungs"]
    assert found["verdict"].split(":")[0] in " ".join(done.stdout.split())
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"wrote {json_file}, {folder / 'ladder.json'} (6 images in ")
    plain = run("--no-variants", "--spread", "0")
    assert "deltas" not in plain.stdout and "delta synapses" in plain.stdout
    assert "wrote nothing" in plain.stdout.splitlines()[-1]
    for options, word in (
        (["--json", json_file], "existing"),
        (["--samples", 99], "--samples"),
        (["--no-variants", "--delay", "1 ms"], "--no-variants"),
        (["--out", tmp_path / "net.h5"], "folder"),
    ):
        refused = run(*options)
        assert refused.exit_code == 2 and word in refused.stderr
    assert "discretization" in run(file="bare.h5").stderr
