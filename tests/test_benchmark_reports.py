"""Tables, targets and pages of the benchmarks, from records. Nothing is timed here."""

from __future__ import annotations

import argparse
import json
import re

import numpy as np
import pytest

import eventsim as es
from benchmarks import __main__ as command
from benchmarks import (
    cores,
    exactness,
    growth,
    growth_nets,
    latency,
    page,
    parts,
    report,
    shares,
    targets,
    variants,
)
from benchmarks.build import Built
from benchmarks.timing import Measured
from benchmarks.workloads import (
    Workload,
    cortical,
    feed_forward,
    random_deltas,
    random_exponentials,
)
from tests import references

SMALL = {
    "W1": lambda: feed_forward("W1", sizes=(20, 30, 5), std=(0.4, 0.3), samples=3, steps=4),
    "W5-full": lambda: cortical("W5-full", 0.01, t_stop=0.01),
}


def test_table_and_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "WORKLOADS", SMALL)
    monkeypatch.setattr(command.memory, "peak_mib", lambda *names: 12.0)
    path = tmp_path / "speed.json"
    command.main(["--workload", "W1", "--repeat", "2", "--json", str(path)])
    said = capsys.readouterr().out
    assert "| layered | 3 | 2 |" in said and "as fast as CoarseLIF: not measured" in said
    kept = json.loads(path.read_text(encoding="utf-8"))
    rows = kept["workloads"]["W1"]["contenders"]
    assert [len(row["cpu_s"]) for row in rows] == [2, 2, 2]
    assert kept["versions"]["numba"] and kept["machine"]["cores"]
    with pytest.raises(SystemExit):
        command.main(["--json", str(path)])
    assert "--overwrite" in capsys.readouterr().err
    assert set(kept["workloads"]["W1"]["time_over"]) == {"queue", "roofline"}
    assert report.machine()["processor"]


def kept(name, *rows, built=None):
    """Record of contenders (key, CPU seconds of each round, synaptic events)."""
    work = Workload(name, "title", None, [], 0.5, expected={"a": 2.0} if built else {})
    measured = [Measured(key, 1, events, seconds, 2048.0) for key, seconds, events in rows]
    measured[0].rates = {"a": 2.5}
    return report.record(work, [key for key, *_ in rows], measured, built)


def found(records, name):
    return [(verdict.found, verdict.reached) for verdict in targets.verdicts(records, name)]


def test_targets_are_held_against_medians():
    records = {
        "W1": kept(
            "W1",
            ("layered", [1.0, 2.0], 10),
            ("coarse", [1.5, 3.2], None),
            ("roofline", [0.5, 1.0], 10),
        ),
        "W1x": kept("W1x", ("layered", [1.0], 10), ("queue", [25.0], 10)),
        "W1p": kept("W1p", ("layered", [6.0, 3.0], 10)),
        "W4": kept("W4", ("layered", [1.0, 1.0], 10**9)),
    }
    assert found(records, "W1") == [(1.55, True), (None, None), (2.0, False)]
    assert found(records, "W1x") == [(25.0, True)]
    assert found(records, "W1p") == [(3.0, True)]
    assert found(records, "W4") == [(1.0, True)]
    assert found({"W1p": records["W1p"]}, "W1p") == [(None, None)]
    slow = {"W3": kept("W3", ("windowed", [1.0], 10), ("brian", [1.9], None))}
    assert found(slow, "W3") == [(1.9, False), (None, None)]


def test_targets_of_the_large_network():
    built = Built(10, 20.0, 41.0, 12.0)
    records = {"W5-full": kept("W5-full", ("windowed", [1.0], 10), built=built)}
    assert found(records, "W5-full") == [(61.0, False), (12.0, True), (2.0, True)]
    records["W5-full"]["contenders"][0]["peak_mib"] = None
    assert found(records, "W5-full")[2] == (None, None)


def test_summary_has_a_line_for_each_workload():
    records = {
        "W1": kept("W1", ("layered", [1.0], 10**6), ("coarse", [0.5], None)),
        "W2": kept("W2", ("windowed", [2.0], 10**6)),
    }
    lines = report.summary(records).splitlines()
    assert lines[2].startswith("| W1 | layered | 1000 | 2 | 1 | coarse 0.5 | 2048 | at least as")
    assert "CoarseLIF: missed (0.5); at least 200 times" in lines[2]
    assert lines[3].startswith("| W2 | windowed | 2000 | 4 | 0.5 |") and len(lines) == 4


def test_table_tells_of_building_rates_and_missing_peers():
    record = kept("W5-full", ("windowed", [1.0], 10), built=Built(2_000_000, 1.0, 2.0, 8.5))
    record["missing"] = ["brian2"]
    said = report.table("W5-full", record)
    assert "2 million synapses" in said and "8.5 bytes a synapse" in said
    assert "| published | 2 |" in said and "| this run | 2.5 |" in said
    assert "Without brian2: not installed." in said


def test_page_is_made_from_what_is_kept():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, page.read(page.FOLDER)) == text
    assert set(re.findall(r"<!-- measured: (\w+) -->", text)) == set(page.SECTIONS)


CONDITIONS = {
    "machine": {
        "processor": "P",
        "cores": 2,
        "caches": {"L1": "32K", "L2": "1024K"},
        "system": "S",
        "load": 0.25,
    },
    "versions": {"numpy": "2"},
    "command": "python -m something",
}


def test_page_is_filled_between_its_marks(tmp_path):
    written = tmp_path / "page.md"
    written.write_text("a\n" + "".join(PARTS) + "b\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        page.main([str(tmp_path), "--page", str(written)])
    speed = {"W1": kept("W1", ("layered", [1.0], 10**6), ("coarse", [0.5], None))}
    (tmp_path / "speed.json").write_text(json.dumps({**CONDITIONS, "workloads": speed}))
    for _ in range(2):
        page.main([str(tmp_path), "--page", str(written)])
        text = written.read_text(encoding="utf-8")
        assert text.startswith("a\n<!-- measured: conditions -->\n\nP, 2 cores (L1 32K, L2 1024K)")
        assert text.count("| W1 | layered | 1000 |") == 1 and text.endswith("<!-- end -->\nb\n")
        assert "Command: `python -m something`" in text
        of_speed = [name for name, part in page.SECTIONS.items() if part.file == "speed"]
        assert text.count("Not measured yet.") == len(page.SECTIONS) - len(of_speed)


PARTS = [f"<!-- measured: {name} -->\n<!-- end -->\n" for name in page.SECTIONS]


@pytest.mark.parametrize("work", [SMALL["W1"](), cortical("W5", 0.01, t_stop=0.01)])
def test_threads_give_the_same_bits(work):
    record = cores.measure(work, threads=2, repeat=1)
    assert record["same_bits"] and set(record["wall_s"]) == {"1", "2"}
    assert "| yes |" in cores.table({work.name: record})


def test_a_small_batch_has_no_target(monkeypatch):
    monkeypatch.setattr(cores, "BATCH", 3)
    monkeypatch.setattr(cores, "SMALL", 2)
    monkeypatch.setattr(cores, "WORKLOADS", {"W1": SMALL["W1"]})
    chosen = argparse.Namespace(workload=["W1"], threads=2, repeat=1)
    rows = dict(cores._measure(chosen))
    assert [(row["samples"], row["target"]) for row in rows.values()] == [(3, 1.8), (2, None)]
    assert all(row["same_bits"] for row in rows.values())


def test_other_bits_are_seen():
    work = SMALL["W1"]()

    def run(t_stop):
        return es.simulate(work.net, work.inputs(2), t_stop)

    assert cores.same_bits(run(work.t_stop), run(work.t_stop))
    assert not cores.same_bits(run(work.t_stop), run(0.8 * work.t_stop))
    record = {
        "engine": "layered",
        "samples": 2,
        "threads": 2,
        "target": 1.8,
        "wall_s": {"1": [2.0], "2": [1.0]},
        "same_bits": False,
    }
    assert "| 2 / 2 / 2 | 1.8: reached | NO |" in cores.table({"W1": record})
    assert "| 2 / 2 / 2 | - | NO |" in cores.table({"W1": {**record, "target": None}})


GROWING = {
    "deltas": lambda: growth_nets.deltas(500, fan_out=20, t_stop=0.01),
    "exponentials": lambda: growth_nets.exponentials(500, fan_out=20, t_stop=0.02),
    "layers": lambda: growth_nets.layers(30, depth=2, samples=2),
}


def test_growth_is_measured_and_drawn(tmp_path):
    record = {"title": "t", "quantity": "neurons", "flat": True}
    series = {}
    for name, make in GROWING.items():
        point = growth.measure(make(), repeat=2)
        assert point["events"] > 0 and point["rate"] > 0.0 and len(point["cpu_s"]) == 2
        larger = {**point, "synapse_bytes": 100 * point["synapse_bytes"], "cpu_s": [1.0, 2.0]}
        points = [{"value": 1e3, **point, "cpu_s": [0.25, 0.5]}, {"value": 1e5, **larger}]
        series[name] = {**record, "points": points}
        assert growth.steepness(points) == 4.0
    assert "4 (target at most 2: missed)" in growth.table(series)
    source = tmp_path / "growth.json"
    source.write_text(json.dumps({**CONDITIONS, "series": series}), encoding="utf-8")
    growth.main(["--draw", str(source), "--figure", str(tmp_path / "figure")])
    for suffix in (".png", ".svg"):
        assert (tmp_path / "figure").with_suffix(suffix).stat().st_size > 1000


def test_growing_networks_keep_their_inputs():
    for n in (100, 1000):
        net = growth_nets.deltas(n, fan_out=20).net
        assert sum(net.synapses(p) for p in net.projections) == n * 21  # one from outside
        net = growth_nets.exponentials(n, fan_out=20).net
        assert sum(net.synapses(p) for p in net.projections) == n * 20
    assert [p.n for p in growth_nets.layers(30, depth=3).net.populations] == [
        784, 30, 30, 30, 800, 10,
    ]  # fmt: skip


def test_latency_of_commands():
    records = latency.measure(["python", "import"], repeat=2, cold_repeat=1)
    assert all(0.0 < wall for kept in records.values() for wall in kept["wall_s"])
    assert all(len(kept["cpu_s"]) == 2 for kept in records.values())
    said = latency.table(records)
    assert "| Python alone | 2 | - |" in said and "under 0.3: " in said
    broken = latency.Start("broken", ("-c", "import sys; sys.exit(3)"), None)
    with pytest.raises(RuntimeError, match="status 3"):
        latency._run(broken, {})


def test_parts_of_a_layer_make_up_most_of_a_call(monkeypatch, capsys):
    monkeypatch.setattr(parts, "WORKLOADS", SMALL)
    spent = parts.measure(SMALL["W1"](), 2)
    assert list(spent) == [*parts.PARTS, "whole call"]
    assert 0.0 < sum(spent[name] for name in parts.PARTS) < spent["whole call"]
    parts.main(["--repeat", "1"])
    assert capsys.readouterr().out.count("ms a sample") == len(spent)


@pytest.mark.parametrize(
    "work", [SMALL["W1"](), random_deltas("W2", 160, 40, t_stop=0.03)], ids=["W1", "W2"]
)
def test_variants_are_those_they_say(work):
    """Each differs from the workload as it is, which keeps all of its speed."""
    made = variants.FAMILIES[work.name](work)
    record = variants.measure(made, repeat=2)
    rows = record["variants"]
    assert [row["name"] for row in rows] == [variant.title for variant in made]
    assert all(len(row["cpu_s"]) == 2 and row["rate"] > 0.0 for row in rows)
    plain = es.simulate(work.net, work.inputs(work.samples), work.t_stop)
    assert rows[0]["events"] == plain.n_events
    fingerprints = [(v.work.net.fingerprint(), str(v.currents)) for v in made]
    assert len(set(fingerprints)) == len(made)
    said = variants.table({work.name: record}).splitlines()
    assert said[4].endswith("| 1 / 1 / 1 |") and len(said) == 4 + len(made)


def test_many_delays_are_no_shorter():
    """So that the windows of the engine stay as long as they are."""
    work = random_deltas("W2", 160, 40)
    one, many = (variant.work.net for variant in variants.recurrent(work))
    for before, after in zip(one.projections, many.projections, strict=True):
        assert after.min_delay == before.min_delay
        if before.source not in one.drives:
            assert np.unique(after.delay).size == variants.DELAYS.size


@pytest.mark.parametrize(
    "work",
    [
        random_deltas("W2", 160, 40, t_stop=0.03),
        random_exponentials("W3", 400, 200, 0.05, t_stop=0.1),
        cortical("W5", 0.01, t_stop=0.02),
    ],
    ids=["W2", "W3", "W5"],
)
def test_each_step_does_more(work):
    """The last one but one handles what the whole run does, as nobody fires."""
    whole = es.simulate(work.net, {}, work.t_stop)
    nothing, outside, within, last = (
        es.simulate(net, inputs, work.t_stop) for net, inputs in shares.steps(work)
    )
    assert nothing.n_events == 0 and last.n_events == whole.n_events == within.n_events
    assert (outside.n_events > 0) == bool(work.net.drives)
    assert sum(whole.counts[name].sum() for name in shares.neurons(work.net)) > 0
    for result in (nothing, outside, within):
        cells = [p.name for p in result.network.populations if isinstance(p, es.Population)]
        assert not any(result.counts[name].any() for name in cells)


def test_shares_are_differences():
    rows = [
        {"name": name, "events": events, "cpu_s": seconds}
        for name, events, seconds in zip(
            shares.STEPS,
            (0, 10**6, 3 * 10**6, 3 * 10**6),
            ([1.0], [3.0, 2.0, 9.0], [5.0], [10.0]),
            strict=True,
        )
    ]
    said = shares.table({"W2": {"title": "t", "steps": rows, "peak_mib": 12.0}}).splitlines()
    assert said[4] == "| windows | - | 1000 | 10 % | - |"
    assert said[5] == "| sources outside | 1 | 2000 | 20 % | 2000 |"
    assert said[6] == "| spikes from within | 2 | 2000 | 20 % | 1000 |"
    assert said[7] == "| following and firing | - | 5000 | 50 % | - |"
    assert said[-1] == "Peak memory 12 MiB."
    alone = [{**row, "events": 0} for row in rows]
    assert "outside" not in shares.table({"W3": {"title": "t", "steps": alone, "peak_mib": None}})


def test_errors_are_those_of_matched_spikes():
    """In whatever order spikes come; another number of them is no match."""
    exact = references.Reference(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 0]), "")
    apart = exactness.errors(np.array([3e-3, 2.5e-3, 1e-3]), np.array([0, 1, 0]), exact)
    np.testing.assert_allclose(apart, [0.0, 0.0, 5e-4], atol=1e-18)
    with pytest.raises(ValueError, match="do not match"):
        exactness.errors(np.array([1e-3, 2e-3]), np.array([0, 1]), exact)


def test_searches_are_counted():
    """Each spike needs one."""
    work = random_exponentials("W3", 400, 200, 0.05, t_stop=0.1)
    spikes = es.simulate(work.net, {}, work.t_stop).counts["cells"].sum()
    assert 0 < spikes <= exactness.searches(work.net, work.t_stop) < 2 * spikes
    kept = {"title": "windowed", "spikes": 4, "median_s": 1e-16, "largest_s": 2e-16, "searches": 5}
    assert exactness.table({"windowed": kept}).endswith("| 4 | 1.0e-16 | 2.0e-16 | 1.2500 |")
