"""NIR files that frameworks wrote: with their exporter named, the network is the trained one.

The files are recorded (tests/frameworks/record_snntorch_nir.py); they hold the networks of
snntorch.npz.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim import Dense, Input, Network, SpikeTrain
from eventsim.cli import main
from eventsim.discrete.counterpart import Options, counterpart
from eventsim.errors import EventsimError, FileError, InvalidValue, UnsupportedNetwork
from tests.frameworks import records
from tests.test_framework_records import FILES, rule_of

DT = 2e-3
CASES = [case for case in FILES["snntorch"]["cases"] if case["layers"][0]["weight"] is not None]
RESETS = {"subtract": "subtract", "zero": "value"}


def path_of(number: int) -> Path:
    return records.FOLDER / f"snntorch_{number}.nir"


def reset_of(case: dict[str, Any]) -> str:
    return RESETS[case["layers"][0]["arguments"]["reset_mechanism"]]


def trained(case: dict[str, Any], decay: str) -> Network:
    """The continuous network as from_torch makes it of the same modules."""
    parts: list[Any] = [Input("input", case["x"].shape[2])]
    links = []
    for k, layer in enumerate(case["layers"]):
        n = len(layer["weight"])
        made = counterpart(rule_of(layer), f"layer{k}", n, DT, Options(decay=decay))
        link = {"receptor": made.receptor}
        links.append(Dense(parts[-1].name, f"layer{k}", layer["weight"].T, **link))
        if layer["recurrent"] is not None:
            back = layer["recurrent"].T
            links.append(Dense(f"layer{k}", f"layer{k}", back, delay=DT, **link))
        parts.append(made.population)
    return Network(parts, links)


@pytest.mark.parametrize("decay", ["exact", "euler"])
@pytest.mark.parametrize("number", range(len(CASES)))
def test_same_network(number: int, decay: str) -> None:
    """Parameters within the file's precision, and the same spikes."""
    case = CASES[number]
    # The time constants of Options(decay="euler") are those that stand in the file.
    how = {"exact": None, "euler": "exact"}[decay]
    read = es.load_nir(
        path_of(number), dt=DT, exporter="snntorch", reset=reset_of(case), decay=how
    ).network
    made = trained(case, decay)
    for ours, theirs in zip(read.populations[1:], made.populations[1:], strict=True):
        for field in ("tau_mem", "r", "i_bias", "v_threshold", "v_reset", "v_leak", "t_ref"):
            drive = "r" if field == "i_bias" and ours.tau_syn is None else None
            values = [p.array(field) * (p.array(drive) if drive else 1) for p in (ours, theirs)]
            if field == "r" and ours.tau_syn is None:
                continue  # only multiplies the bias, as deltas do not pass it
            np.testing.assert_allclose(*values, rtol=1e-6, atol=1e-9)
        assert (ours.tau_syn is None) == (theirs.tau_syn is None)
        if ours.tau_syn is not None:
            np.testing.assert_allclose(ours.tau_syn, theirs.tau_syn, rtol=1e-6)
        assert ours.reset == theirs.reset and not ours.multi_spike
        assert ours.fires_at_equality == theirs.fires_at_equality
    rng = np.random.default_rng(number)
    times = np.sort(rng.uniform(0.0, 40 * DT, 300))
    drive = {"input": SpikeTrain(times, rng.integers(0, read.populations[0].n, 300))}
    found = [es.simulate(net, drive, t_stop=40 * DT) for net in (read, made)]
    for ours, theirs in zip(read.populations[1:], made.populations[1:], strict=True):
        one, two = found[0].spikes[ours.name], found[1].spikes[theirs.name]
        assert len(one) == len(two) > 5
        # Neuron by neuron: two that spike almost together may come in the other order.
        first, second = (np.lexsort((train.times, train.senders)) for train in (one, two))
        np.testing.assert_array_equal(one.senders[first], two.senders[second])
        np.testing.assert_allclose(one.times[first], two.times[second], rtol=0, atol=1e-4 * DT)


def test_every_correction_is_in_the_table() -> None:
    rows = es.load_nir(path_of(1), dt=DT, exporter="snntorch", reset="value").assumptions
    table = {name: (value, why) for name, value, why in rows}
    assert len(table) == len(rows)
    assert table["exporter"][0] == "snntorch"
    assert table["step"] == ("0.002 s", "given")
    assert table["unit of time"][0] == "0.0001 in the file is a step"
    assert table["time constants"][0] == "-dt / ln(factor)"
    assert table["r of LIF and CubaLIF nodes"][0] == "made anew"
    assert table["w_in of CubaLIF nodes"][0] == "made anew"
    assert table["reset"] == (
        "to v_reset",
        "given; v_reset = 0 is written for every reset_mechanism",
    )
    assert table["time of the reset in training"][0] == "in the next step"
    assert table["steps of a presentation"][0] == "not known"
    assert table["arithmetic of the steps"][0] == "float32"
    assert any(name.startswith("delay of") for name in table)


def test_without_it_the_file_means_what_nir_says() -> None:
    plain = es.load_nir(path_of(0), dt=DT)
    assert "exporter" not in {name for name, _, _ in plain.assumptions}
    # A spike of one step of 2 ms into a membrane with r = tau / 0.1 ms.
    right = es.load_nir(path_of(0), dt=DT, exporter="snntorch", reset="value")
    ratio = plain.network.projections[0].weight / right.network.projections[0].weight
    np.testing.assert_allclose(ratio, DT / 1e-4, rtol=1e-6)


def test_load_and_command_line(tmp_path: Path) -> None:
    given = {"dt": DT, "exporter": "snntorch", "reset": "subtract"}
    net, disc = es.load(path_of(0), **given)
    read = es.load_nir(path_of(0), **given).network
    assert disc is not None and disc.dt == DT and disc.steps is None
    assert repr(net.populations) == repr(read.populations)
    options = ["--dt", "2 ms", "--reset", "subtract", "--exporter", "snntorch"]
    done = CliRunner().invoke(main, ["info", str(path_of(0)), *options])
    assert done.exit_code == 0, done.output
    assert "snntorch" in done.output


@pytest.mark.parametrize(
    "options, message",
    [
        ({"exporter": "sntorch"}, r"exporter: expected one of \['snntorch'"),
        ({"reset": None}, "reset: expected 'subtract' or 'value'"),
        ({"dt": None}, "dt: expected the seconds that a step stands for"),
        ({"dt": -1.0}, "dt: expected"),
        ({"time_unit": "ms"}, "time_unit: expected None"),
        ({"spike_area": "dt"}, "spike_area: expected None"),
    ],
)
def test_refused_options(options: dict[str, Any], message: str) -> None:
    given = {"dt": DT, "exporter": "snntorch", "reset": "subtract", **options}
    with pytest.raises(InvalidValue, match=message):
        es.load_nir(path_of(0), **given)


@pytest.mark.parametrize(
    "node, message",
    [
        ({"tau": 2e-3, "r": 1.0}, r"r: expected tau / 0.0001, as snnTorch writes it"),
        ({"tau": 1e-4, "r": 1.0}, "tau: expected more than 0.0001"),
        ({"tau": -1e-3, "r": -10.0}, "tau: expected more than 0.0001"),
    ],
)
def test_files_of_others_are_refused(node: dict[str, float], message: str) -> None:
    one = np.ones(1)
    neuron = nir.LIF(tau=node["tau"] * one, r=node["r"] * one, v_leak=0 * one, v_threshold=one)
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((1, 1))), neuron)
    with pytest.raises(UnsupportedNetwork, match=message):
        es.load_nir(graph, dt=DT, exporter="snntorch", reset="value")


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    cut = tmp_path / "cut.nir"
    cut.write_bytes(path_of(0).read_bytes())
    with h5py.File(cut, "a") as file:
        nodes = file["node/nodes"]
        name = next(key for key in nodes if "tau" in nodes[key])
        del nodes[name]["r"]
    with pytest.raises((FileError, UnsupportedNetwork), match="r: expected") as caught:
        es.load_nir(cut, dt=DT, exporter="snntorch", reset="value")
    assert isinstance(caught.value, EventsimError)
