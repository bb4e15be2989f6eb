"""NIR files that Norse and SpikingJelly wrote: the network is the one of their step rules.

The files are recorded (tests/frameworks/record_norse_nir.py, record_spikingjelly_nir.py), and the
parameters below are those of these scripts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

import eventsim as es
from eventsim import Dense, Input, Network, SpikeTrain
from eventsim.discrete.counterpart import Options, counterpart
from eventsim.discrete.frameworks import norse, spikingjelly
from eventsim.errors import InvalidValue, UnsupportedNetwork
from eventsim.step_rule import StepRule

FOLDER = Path(__file__).parent / "frameworks"
DT = 2e-3
BOX: dict[str, Any] = {"tau_mem_inv": 80.0, "v_leak": 0.125, "v_th": 0.75, "dt": DT}
LIF: dict[str, Any] = {"tau_mem_inv": 125.0, "tau_syn_inv": 250.0, "v_th": 0.5, "dt": DT}
#: File -> exporter, reset, and the rules of its layers.
FILES: dict[str, tuple[str, str, list[StepRule]]] = {
    "norse_0": ("norse", "value", [norse.lif_box(**BOX), norse.lif(**LIF), norse.iaf(v_th=0.625)]),
    "norse_1": ("norse", "subtract", [norse.lif_box(**BOX, reset="subtract")]),
    "spikingjelly_0": (
        "spikingjelly",
        "value",
        [
            spikingjelly.lif_node(tau=4.5, v_reset=-0.25),
            spikingjelly.if_node(v_threshold=0.75),
            spikingjelly.parametric_lif_node(
                w=np.float32(-np.log(2.25)), decay_input=False, v_threshold=1.25
            ),
            spikingjelly.lif_node(tau=2.5, decay_input=False),
        ],
    ),
}


def read(name: str, **options: Any) -> Any:
    exporter, reset, _ = FILES[name]
    given = {"dt": DT, "exporter": exporter, "reset": reset, **options}
    return es.load_nir(FOLDER / f"{name}.nir", **given)


def trained(name: str, decay: str) -> Network:
    """The continuous network as from_torch makes it of the same modules."""
    # nir itself refuses Norse's files, whose Input has an axis of samples.
    with h5py.File(FOLDER / f"{name}.nir") as file:
        nodes = [node for node in file["node/nodes"].values() if "weight" in node]
        linear = [(node["weight"][()], node["bias"][()]) for node in nodes]
    parts: list[Any] = [Input("input", 5)]
    links = []
    for k, (rule, (matrix, bias)) in enumerate(zip(FILES[name][2], linear, strict=True)):
        rule = StepRule.from_dict({**rule.to_dict(), "bias": bias.tolist()})
        made = counterpart(rule, f"layer{k}", len(bias), DT, Options(decay=decay))
        weight = matrix.T.astype(float) * made.gain
        links.append(Dense(parts[-1].name, f"layer{k}", weight, receptor=made.receptor))
        parts.append(made.population)
    return Network(parts, links)


@pytest.mark.parametrize("decay", ["exact", "euler"])
@pytest.mark.parametrize("name", FILES)
def test_same_network(name: str, decay: str) -> None:
    """Parameters within the file's precision, and the same spikes."""
    # The time constants of Options(decay="euler") are those that stand in the file.
    found = read(name, decay={"exact": None, "euler": "exact"}[decay]).network
    made = trained(name, decay)
    for ours, theirs in zip(found.populations[1:], made.populations[1:], strict=True):
        for field in ("tau_mem", "v_threshold", "v_reset", "v_leak", "t_ref"):
            np.testing.assert_allclose(ours.array(field), theirs.array(field), rtol=2e-7)
        drives = [p.array("r") * p.array("i_bias") for p in (ours, theirs)]
        np.testing.assert_allclose(*drives, rtol=1e-6)
        assert ours.reset == theirs.reset and not ours.multi_spike
        assert ours.fires_at_equality == theirs.fires_at_equality
        assert (ours.tau_syn is None) == (theirs.tau_syn is None)
        if ours.tau_syn is not None:
            np.testing.assert_allclose(ours.tau_syn, theirs.tau_syn, rtol=1e-6)
            np.testing.assert_allclose(ours.array("r"), theirs.array("r"), rtol=1e-6)
    weights = [{p.target: p.weight for p in net.projections} for net in (found, made)]
    for ours, theirs in zip(found.populations[1:], made.populations[1:], strict=True):
        pair = weights[0][ours.name], weights[1][theirs.name]
        np.testing.assert_allclose(*pair, rtol=1e-6)
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.0, 60 * DT, 400))
    drive = SpikeTrain(times, rng.integers(0, 5, 400))
    one, two = (es.simulate(net, {net.inputs[0]: drive}, t_stop=60 * DT) for net in (found, made))
    for ours, theirs in zip(found.populations[1:], made.populations[1:], strict=True):
        a, b = one.spikes[ours.name], two.spikes[theirs.name]
        assert len(a) == len(b) > 5
        np.testing.assert_array_equal(a.senders, b.senders)
        np.testing.assert_allclose(a.times, b.times, rtol=0, atol=1e-6 * DT)


def test_every_correction_is_in_the_table() -> None:
    rows = {name: (value, why) for name, value, why in read("norse_0").assumptions}
    assert rows["unit of time"] == ("s", "time constants are written times the step")
    assert rows["w_in of CubaLIF nodes"][0] == "tau_syn / dt"
    assert rows["r of IF nodes"][0] == "1 / dt"
    assert rows["reset"] == ("to 0", "neither the kind of reset nor v_reset is written")
    rows = {name: (value, why) for name, value, why in read("spikingjelly_0").assumptions}
    assert rows["threshold test"] == ("v >= v_threshold", "as the nodes do; NIR has v >")
    assert rows["time constants"][0] == "-dt / ln(1 - dt / tau)"
    assert read("spikingjelly_0", fires_at_equality=False).network["_1"].fires_at_equality is False


def test_times_that_were_not_multiplied() -> None:
    """Norse's exporter called with a step of 1 writes time constants in seconds."""
    one = np.ones(1)
    graph = nir.NIRGraph.from_list(
        nir.Linear(np.ones((1, 1))),
        nir.LIF(tau=0.0125 * one, r=one, v_leak=0 * one, v_threshold=one),
    )
    found = es.load_nir(graph, dt=DT, exporter="norse", reset="value")
    tau = found.network.populations[-1].tau_mem
    assert tau == pytest.approx(-DT / np.log1p(-DT / 0.0125), rel=1e-7)
    rows = {name: value for name, value, _ in found.assumptions}
    assert rows["unit of time"] == "s"


@pytest.mark.parametrize("name", ["norse_0", "spikingjelly_0"])
@pytest.mark.parametrize(
    "options, message",
    [
        ({"reset": None}, "reset: expected 'value'"),
        ({"dt": None}, "dt: expected the seconds of a step"),
        ({"time_unit": "ms"}, "time_unit: expected None"),
        ({"spike_area": "dt"}, "spike_area: expected None"),
    ],
)
def test_refused_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        read(name, **options)


def test_files_of_others_are_refused() -> None:
    with pytest.raises(UnsupportedNetwork, match="reset: expected 'value', as Norse's LIFCell"):
        read("norse_0", reset="subtract")
    with pytest.raises(UnsupportedNetwork, match="r: expected 1, as Norse writes it"):
        es.load_nir(FOLDER / "snntorch_1.nir", dt=1e-5, exporter="norse", reset="value")
    with pytest.raises(UnsupportedNetwork, match="tau: expected more than a step of 0.02"):
        read("spikingjelly_0", dt=2e-2)
    with pytest.raises(UnsupportedNetwork, match="is dt the step that was given"):
        read("spikingjelly_0", dt=1e-3)
    with pytest.raises(UnsupportedNetwork, match="time constants: expected numbers between"):
        read("norse_0", dt=1e-5)
    with pytest.raises(UnsupportedNetwork, match="type: expected LIF or IF from SpikingJelly"):
        es.load_nir(FOLDER / "snntorch_0.nir", dt=1e-4, exporter="spikingjelly", reset="value")
