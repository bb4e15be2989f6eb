"""NIR files of Norse, SpikingJelly, sinabs and Rockpool: the network is that of their step rules.

The files are recorded (tests/frameworks/record_norse_nir.py and so on), and the parameters below
are those of these scripts.
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
from eventsim.discrete.frameworks import norse, rockpool, sinabs, spikingjelly
from eventsim.errors import InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.load.nir_file import flatten, read_raw
from eventsim.load.nir_rockpool import rockpool_rules
from eventsim.load.nir_sinabs import sinabs_rules
from eventsim.step_rule import StepRule

FOLDER = Path(__file__).parent / "frameworks"
DT = 2e-3
BOX: dict[str, Any] = {"tau_mem_inv": 80.0, "v_leak": 0.125, "v_th": 0.75, "dt": DT}
LIF: dict[str, Any] = {"tau_mem_inv": 125.0, "tau_syn_inv": 250.0, "v_th": 0.5, "dt": DT}
SINABS_NEEDS: dict[str, Any] = {"reset": "subtract", "multi_spike": True, "norm_input": True}
SINABS: dict[str, Any] = {"norm_input": {"3": True, "5": False, "7": False}, "dt": DT}


def sinabs_layers(**given: Any) -> list[StepRule]:
    """Rules of sinabs_0.nir, of which the file does not say what is given."""
    return [
        sinabs.iaf(spike_threshold=0.75, **given),
        sinabs.lif(tau_mem=8.0, spike_threshold=0.5, **given),
        sinabs.lif(
            tau_mem=[3.0, 5.5, 8.0, 20.0],
            spike_threshold=[0.5, 1.0, 1.5, 2.0],
            norm_input=False,
            **given,
        ),
        sinabs.exp_leak(tau_mem=6.0),
    ]


#: Case, which begins with the name of its file -> options, and the rules of the layers.
FILES: dict[str, tuple[dict[str, Any], list[StepRule]]] = {
    "norse_0": (
        {"reset": "value"},
        [norse.lif_box(**BOX), norse.lif(**LIF), norse.iaf(v_th=0.625)],
    ),
    "norse_1": ({"reset": "subtract"}, [norse.lif_box(**BOX, reset="subtract")]),
    "sinabs_0": ({**SINABS, "reset": "subtract", "multi_spike": True}, sinabs_layers()),
    "sinabs_0, single spikes": (
        {**SINABS, "reset": "subtract", "multi_spike": False},
        sinabs_layers(max_spikes=1),
    ),
    "sinabs_0, to zero": (
        {**SINABS, "reset": "value", "multi_spike": False},
        sinabs_layers(max_spikes=1, reset="value"),
    ),
    "rockpool_0": (
        {"dt": None},  # the file says it
        [
            rockpool.lif(tau_mem=0.02, tau_syn=0.008, threshold=0.75, dt=DT),
            rockpool.lif(
                tau_mem=[0.01, 0.012, 0.02, 0.03],
                tau_syn=[0.003, 0.005, 0.01, 0.02],
                threshold=[0.5, 0.75, 1.0, 1.25],
                dt=DT,
            ),
            rockpool.exp_syn(tau=[0.005, 0.01, 0.015], dt=DT),
        ],
    ),
    "spikingjelly_0": (
        {"reset": "value"},
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
    file = name.split(",")[0]
    given = {"dt": DT, "exporter": file.split("_")[0], **FILES[name][0], **options}
    return es.load_nir(FOLDER / f"{file}.nir", **given)


def trained(name: str, decay: str) -> Network:
    """The continuous network as from_torch makes it of the same modules."""
    # nir itself refuses Norse's files, whose Input has an axis of samples.
    with h5py.File(FOLDER / f"{name.split(',')[0]}.nir") as file:
        nodes = [node for node in file["node/nodes"].values() if "weight" in node]
        linear = [
            (
                node["weight"][()],
                node["bias"][()] if "bias" in node else np.zeros(len(node["weight"])),
            )
            for node in nodes
        ]
    parts: list[Any] = [Input("input", 5)]
    links = []
    for k, (rule, (matrix, bias)) in enumerate(zip(FILES[name][1], linear, strict=True)):
        rule = StepRule.from_dict({**rule.to_dict(), "bias": bias.tolist()})
        made = counterpart(rule, f"layer{k}", len(bias), DT, Options(decay=decay))
        weight = matrix.T.astype(float) * made.gain
        links.append(Dense(parts[-1].name, f"layer{k}", weight, receptor=made.receptor))
        parts.append(made.population)
    return Network(parts, links)


@pytest.mark.parametrize(
    "name, decay",
    [
        (name, decay)
        for name in FILES
        for decay in ("exact", "euler")
        # The time constants of sinabs and Rockpool are exact ones.
        if decay == "exact" or not name.startswith(("sinabs", "rockpool"))
    ],
)
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
        assert ours.reset == theirs.reset and ours.multi_spike == theirs.multi_spike
        if np.isfinite(ours.array("v_threshold")).any():
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
    one, two = (
        es.simulate(
            net,
            {net.inputs[0]: drive},
            t_stop=60 * DT,
            record_v={net.order[-1]: [0]},
        )
        for net in (found, made)
    )
    for ours, theirs in zip(found.populations[1:], made.populations[1:], strict=True):
        if np.isinf(ours.array("v_threshold")).all():
            at = np.linspace(0.0, 59 * DT, 40)
            readout = one.v[ours.name].at(at), two.v[theirs.name].at(at)
            np.testing.assert_allclose(*readout, rtol=1e-6, atol=1e-6)
            continue
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


def test_sinabs_and_rockpool_in_the_table() -> None:
    """Each thing that the exporters lose or leave open has its row."""
    found = read("sinabs_0")
    rows = {name: (value, why) for name, value, why in found.assumptions}
    assert len(rows) == len(found.assumptions)
    assert rows["unit of time"] == ("one step, 0.002 s", "sinabs counts time constants in steps")
    assert rows["shape of input"][0] == "(5,)"
    assert rows["norm_input"] == ("3: True, 5: False, 7: False", "given, as it is not written")
    assert rows["reset"] == ("v_threshold is subtracted", "given, as it is not written")
    assert rows["spikes in a step"][0] == "several at one time"
    assert rows["tau_syn"][0] == rows["min_v_mem"][0] == "none"
    rows = {name: (value, why) for name, value, why in read("sinabs_0, to zero").assumptions}
    assert rows["reset"][0] == "to 0" and rows["spikes in a step"][0] == "one"
    assert "amount of the reset" not in rows and "residue of a reset" not in rows
    rows = {name: (value, why) for name, value, why in read("rockpool_0").assumptions}
    assert rows["step"] == ("0.002 s", "found in r")
    assert rows["w_in of CubaLIF nodes"] == ("tau_syn / dt", "left at 1, for I += w")
    assert rows["bias of LIFTorch"][0] == "0" and rows["w_rec of LIFTorch"][0] == "none"
    rows = {name: (value, why) for name, value, why in read("rockpool_0", dt=DT).assumptions}
    assert rows["step"] == ("0.002 s", "given; it agrees with r")


@pytest.mark.parametrize("name", ["sinabs_0", "rockpool_0"])
def test_step_rules_of_a_file(name: str) -> None:
    """What a discrete twin needs, from the function beside the exporter."""
    make = {"sinabs_0": sinabs_rules, "rockpool_0": rockpool_rules}[name]
    options = {"decay": None, "reset": None, "multi_spike": None, "dt": DT, **FILES[name][0]}
    with h5py.File(FOLDER / f"{name}.nir") as file:
        made = make(flatten(read_raw(file), name), options)
    assert list(made) == [p.name for p in read(name).network.populations[1:]]
    assert [rule.to_dict() for rule in made.values()] == [r.to_dict() for r in FILES[name][1]]


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("sinabs_0", {"dt": None}, "dt: expected the seconds that a step stands for, as sinabs"),
        ("sinabs_0", {"reset": None}, "reset: expected 'subtract'"),
        ("sinabs_0", {"multi_spike": None}, "multi_spike: expected True"),
        ("sinabs_0", {"reset": "value"}, "multi_spike: expected False with reset='value'"),
        ("sinabs_0", {"norm_input": None}, "norm_input: expected True"),
        ("sinabs_0", {"norm_input": {"3": True}}, "a value for each of"),
        ("sinabs_0", {"decay": "euler"}, "decay: expected None or 'exact'"),
        ("sinabs_0", {"time_unit": "step"}, "time_unit: expected None"),
        ("sinabs_0", {"exporter": None}, "norm_input: expected None without exporter='sinabs'"),
        ("rockpool_0", {"dt": -1.0}, "dt: expected"),
        ("rockpool_0", {"reset": "value"}, "reset: expected None or 'subtract'"),
        ("rockpool_0", {"multi_spike": False}, "multi_spike: expected None or True"),
        ("rockpool_0", {"decay": "euler"}, "decay: expected None or 'exact'"),
        ("rockpool_0", {"spike_area": "dt"}, "spike_area: expected None"),
    ],
)
def test_refused_options_of_sinabs_and_rockpool(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValue, match=message):
        read(name, **options)


@pytest.mark.parametrize("value", ["yes", {"3": 1, "5": True, "7": True}])
def test_norm_input_is_a_bool(value: Any) -> None:
    with pytest.raises(InvalidType, match="norm_input: expected"):
        read("sinabs_0", norm_input=value)


def cuba(**changed: Any) -> Any:
    """The graph of one neuron as Rockpool writes it, with other numbers."""
    one = np.ones(1)
    numbers = {"tau_mem": 0.02, "tau_syn": 0.01, "v_leak": 0.0, "v_threshold": 1.0, "w_in": 1.0}
    numbers |= {"r": 0.02 * np.exp(-DT / 0.02) / DT, **changed}
    neuron = nir.CubaLIF(**{name: value * one for name, value in numbers.items()})
    return nir.NIRGraph.from_list(nir.Linear(np.ones((1, 1))), neuron)


@pytest.mark.parametrize(
    "changed, options, message",
    [
        ({}, {"dt": 1e-3}, "r: expected tau exp.* got one for a step of 0.002"),
        ({"w_in": 5.0}, {}, "w_in: expected 1, as rockpool writes it, got 5"),
        ({"v_leak": 0.5}, {}, "v_leak: expected 0, as rockpool writes it"),
        ({"tau_syn": 1e-5}, {}, "leak: expected a decay per step above 0"),
        ({"tau_syn": 1e6}, {}, "synapse_leak: expected a current that decays"),
    ],
)
def test_files_that_rockpool_did_not_write(
    changed: dict[str, float], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UnsupportedNetwork, match=message):
        es.load_nir(cuba(**changed), exporter="rockpool", **options)


def test_a_factor_that_is_rounded_to_1_is_no_leak() -> None:
    found = es.load_nir(cuba(tau_mem=1e6, r=1e6 / DT), exporter="rockpool")
    assert np.isinf(found.network.populations[-1].tau_mem)


def test_two_steps_are_refused() -> None:
    one = np.ones(2)
    r = 0.02 * np.exp(-np.array([1e-3, 2e-3]) / 0.02) / np.array([1e-3, 2e-3])
    neuron = nir.CubaLIF(0.02 * one, 0.01 * one, r, 0 * one, one, w_in=one)
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 2))), neuron)
    with pytest.raises(UnsupportedNetwork, match="in all neurons, as Rockpool writes it"):
        es.load_nir(graph, exporter="rockpool")


def test_a_residual_of_rockpool_is_refused() -> None:
    """Its direct path is not in the file, which shows in the names of the nodes only."""
    graph = cuba()
    nodes = {"2_TorchResidual.0_Linear" if k == "linear" else k: v for k, v in graph.nodes.items()}
    names = dict(zip(graph.nodes, nodes, strict=True))
    edges = [(names[a], names[b]) for a, b in graph.edges]
    with pytest.raises(UnsupportedNetwork, match="edges: expected no Residual"):
        es.load_nir(nir.NIRGraph(nodes, edges), exporter="rockpool")


def test_options_on_the_command_line() -> None:
    path = str(FOLDER / "sinabs_0.nir")
    options = ["--exporter", "sinabs", "--dt", "2 ms", "--reset", "subtract"]
    options += ["--no-multi-spike", "--no-norm-input"]
    done = CliRunner().invoke(main, ["info", path, *options])
    assert done.exit_code == 0, done.output
    assert "norm_input" in done.output and "residue of a reset" in done.output
    net, disc = es.load(FOLDER / "rockpool_0.nir", exporter="rockpool")
    assert disc is not None and repr(net.populations) == repr(
        read("rockpool_0").network.populations
    )


def test_files_of_others_are_refused() -> None:
    with pytest.raises(UnsupportedNetwork, match="type: expected one of IF"):
        read("rockpool_0", exporter="sinabs", dt=DT, **SINABS_NEEDS)
    with pytest.raises(UnsupportedNetwork, match="type: expected one of CubaLIF"):
        read("sinabs_0", exporter="rockpool", norm_input=None)
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
