"""The shape of a NIR graph: names, inner graphs, outputs; and what is refused."""

from __future__ import annotations

import math

import nir
import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType, InvalidValue, UnsupportedNetwork
from tests.nir_graphs import DT, chain, cuba, filled, graph_of, lif, matrix, pool

# Graphs


def test_inner_graphs_are_written_out_flat():
    inner = nir.NIRGraph(
        {"input": nir.Input(np.array([2])), "lif": lif(), "w": nir.Linear(np.ones((2, 2))),
         "output": nir.Output(np.array([2]))},
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )  # fmt: skip
    outer = chain([2], nir.Linear(np.eye(2)), inner, nir.Linear(np.eye(2)), lif())
    loaded = es.load_nir(outer, dt=DT)
    assert [p.name for p in loaded.network] == ["input", "n1.lif", "n3"]
    links = [(p.source, p.target) for p in loaded.network.projections]
    assert sorted(links) == [("input", "n1.lif"), ("n1.lif", "n1.lif"), ("n1.lif", "n3")]
    assert loaded.ports == {"output": ("n3",)}
    bare = graph_of({"lif": lif(), "w": nir.Linear(np.ones((2, 2)))}, [("lif", "w"), ("w", "lif")])
    assert es.load_nir(chain([2], bare, lif()), dt=DT).network["n0.lif"].n == 2


def test_names_with_slashes_are_written_with_dots():
    nodes = {"in/x": nir.Input(np.array([2])), "a/b": lif()}
    net = es.load_nir(graph_of(nodes, [("in/x", "a/b")]), dt=DT).network
    assert [p.name for p in net] == ["in.x", "a.b"]


def test_potentials_go_to_outputs_only():
    li = nir.LI(*(filled(2, v) for v in (1e-2, 10.0, 0.0)))
    loaded = es.load_nir(chain([2], lif(), li, nir.Flatten(np.array([2]), 0, -1)), dt=DT)
    assert loaded.ports == {"output": ("n1",)}
    match = r"node 'n0' \(LI\): edges: expected it to lead to Output nodes only.*'n1' \(Linear\)"
    with pytest.raises(UnsupportedNetwork, match=match):
        es.load_nir(chain([2], li, nir.Linear(np.eye(2)), lif()), dt=DT)


def test_weighted_spikes_at_an_output_are_summed_over_time():
    weight = np.array([[2.0, 1.0]])
    loaded = es.load_nir(chain([2], lif(), nir.Linear(weight), end=[1]), dt=DT)
    assert loaded.ports == {"output": ("output",)}
    out = loaded.network["output"]
    assert (out.tau_mem, out.v_threshold) == (math.inf, math.inf)
    assert matrix(loaded.network, "n0", "output") == pytest.approx(weight.T * DT)


def test_a_single_node_is_a_graph(tmp_path):
    nir.write(tmp_path / "one.nir", lif(3))
    net, disc = es.load(tmp_path / "one.nir")
    assert (net["lif"].n, disc) == (3, None)


def test_a_graph_in_memory_is_the_same_as_its_file(tmp_path, rng):
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array([1, 6, 6])),
        nir.Conv2d((6, 6), rng.normal(size=(2, 1, 3, 3)), 1, 1, 1, 1, np.ones(2)),
        lif((2, 6, 6)),
        pool(kind=nir.SumPool2d),
        nir.Flatten(np.array([2, 3, 3]), 0, -1),
        nir.Affine(rng.normal(size=(4, 18)), np.ones(4)),
        cuba(4),
    )
    nir.write(tmp_path / "net.nir", graph)
    read = es.load_nir(tmp_path / "net.nir", dt=DT)
    memory = es.load_nir(graph, dt=DT)
    assert read.network.fingerprint() != ""
    assert {p.name for p in read.network} == {p.name for p in memory.network}
    for link in memory.network.projections:
        pair = link.source, link.target
        assert np.array_equal(matrix(read.network, *pair), matrix(memory.network, *pair))
    assert es.load(tmp_path / "net.nir", dt=DT)[0].fingerprint() == read.network.fingerprint()


# Refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda n: n["n0"].weight.__setitem__((0, 1), np.nan), ["'n0'", "weight[0, 1]", "nan"]),
        (lambda n: n["n1"].tau.__setitem__(1, 0.0), ["'n1'", "tau", "> 0", "0.0"]),
        (lambda n: n["n1"].tau.__setitem__(1, np.inf), ["'n1'", "tau[1]", "finite"]),
        (lambda n: n["n1"].v_threshold.__setitem__(0, np.nan), ["'n1'", "v_threshold[0]"]),
        (lambda n: n["n1"].v_reset.__setitem__(0, 2.0), ["'n1'", "v_reset[0]", "2.0"]),
        (lambda n: setattr(n["n1"], "r", np.ones(3)), ["'n1'", "(2,)", "(3,)"]),
        (lambda n: setattr(n["n0"], "weight", np.ones((2, 5))), ["'n0'", "weight", "2 inputs"]),
        (lambda n: setattr(n["n0"], "weight", np.ones(2)), ["'n0'", "weight", "[out, in]"]),
        (lambda n: setattr(n["n1"], "tau", None), ["'n1'", "tau", "got nothing"]),
        (lambda n: n.update(n0=nir.Scale(np.ones(3))), ["'n0'", "scale", "(3,)"]),
        (lambda n: n.update(n0=nir.Delay(-np.ones(2))), ["'n0'", "delay", "-1.0"]),
        (lambda n: n.update(n0=pool()), ["'n0'", "kernel_size", "channel"]),
        (lambda n: n.update(n0=nir.Conv2d(None, np.ones((1, 1, 2, 2)), 1, 0, 1, 1, np.zeros(1))),
         ["'n0'", "weight", "channel first"]),
    ],
)  # fmt: skip
def test_what_is_wrong_names_node_and_field(change, words):
    graph = chain([2], nir.Linear(np.eye(2)), lif(reset=0.0))
    change(graph.nodes)
    with pytest.raises(FileError) as error:
        es.load_nir(graph, dt=DT)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dt": -1.0}, "dt: expected"),
        ({"time_unit": "hour"}, "time_unit: expected one of"),
        ({"time_unit": "step"}, "dt: expected the step in seconds"),
        ({"spike_area": "dt"}, "dt: expected the step in seconds"),
        ({"spike_area": "one"}, "spike_area: expected 'dt' or a number"),
        ({"spike_area": 0.0}, "spike_area: expected"),
        ({"dt": 1.0, "reset": "zero"}, "reset: expected one of"),
        ({"dt": 1.0, "decay": "fast"}, "decay: expected one of"),
        ({"dt": 1.0, "t_ref": -1.0}, "t_ref: expected seconds >= 0"),
        ({"dt": 1.0, "recurrent_delay": 0.0}, "recurrent_delay: expected"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises(InvalidValue, match=words):
        es.load_nir(chain([2], lif()), **options)


def test_types_are_checked():
    with pytest.raises(InvalidType, match="multi_spike"):
        es.load_nir(chain([2], lif()), dt=DT, multi_spike="yes")
    with pytest.raises(InvalidType, match="nir.NIRGraph"):
        es.load_nir(3)
    with pytest.raises(TypeError, match="spike_aera"):
        es.load_nir(chain([2], lif()), spike_aera=1.0)


def test_a_cycle_without_neurons_is_refused():
    nodes = {"in": nir.Input(np.array([2])), "a": nir.Scale(np.ones(2)), "b": nir.Scale(np.ones(2))}
    nodes["lif"] = lif()
    edges = [("in", "a"), ("a", "b"), ("b", "a"), ("b", "lif")]
    with pytest.raises(UnsupportedNetwork, match="cycle of linear nodes only"):
        es.load_nir(graph_of(nodes, edges), dt=DT)


def test_a_linear_node_without_input_is_refused():
    nodes = {"w": nir.Linear(np.eye(2)), "lif": lif()}
    with pytest.raises(FileError, match=r"'w' \(Linear\): edges: expected a node that leads"):
        es.load_nir(graph_of(nodes, [("w", "lif")]), dt=DT)
