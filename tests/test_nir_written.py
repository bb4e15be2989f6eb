"""Networks written as NIR graphs, and read again."""

from __future__ import annotations

import math
import re

import nir
import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType, UnsupportedNetwork
from eventsim.save.nir import to_nir
from tests.nir_graphs import matrix


def run(net, seed=0, t_stop=0.1, engine="queue", rate=60):
    """Spikes of every population for Poisson input; delays and thresholds included."""
    rng = np.random.default_rng(seed)
    inputs = {}
    for name in net.inputs:
        count = rng.poisson(rate * t_stop * net[name].n)
        inputs[name] = es.SpikeTrain.sorted(
            np.sort(rng.uniform(0, t_stop, count)), rng.integers(net[name].n, size=count)
        )
    return es.simulate(net, inputs, t_stop, engine=engine).spikes


def same_spikes(a, b, exact):
    assert a.keys() == b.keys()
    assert sum(map(len, a.values())) > 0
    for name in a:
        assert np.array_equal(a[name].senders, b[name].senders), name
        if exact:
            assert np.array_equal(a[name].times, b[name].times), name
        else:
            assert a[name].times == pytest.approx(b[name].times, rel=1e-11), name


def round_trip(tmp_path, net, **options):
    path = es.save_nir(tmp_path / "net.nir", net, **options)
    nir.read(path)  # other programs read it, types checked
    loaded, disc = es.load(path)
    assert disc is None
    assert [p.name for p in loaded] == [p.name for p in net]
    return loaded


def dense_net(rng, **parameters):
    populations = [
        es.Input("in", (1, 3, 4)),
        es.Population("hidden", 6, tau_mem=rng.uniform(5e-3, 2e-2, 6), **parameters),
        es.Population("other", 5, tau_mem=math.inf, **{**parameters, "v_leak": 0.0}),
        es.Population("out", 3, tau_mem=1e-2, v_threshold=0.8, v_reset=-0.1, **parameters),
    ]
    weights = {
        pair: rng.normal(0.3, 0.4, size=pair) for pair in ((12, 6), (12, 5), (6, 3), (5, 3), (3, 3))
    }
    return es.Network(
        populations,
        [
            es.Dense("in", "hidden", weights[12, 6].astype(np.float32)),
            es.Dense("in", "other", weights[12, 5], delay=2e-3),
            es.Dense("hidden", "out", weights[6, 3], delay=1e-3),
            es.Dense("out", "out", -np.abs(weights[3, 3]), delay=rng.choice([1e-3, 2e-3], (3, 3))),
            es.Sparse("other", "out", [0, 1, 1, 4], [0, 2, 2, 1], [0.4, 0.3, 0.1, 0.7]),
            es.Sparse("hidden", "hidden", range(6), range(6), rng.normal(size=6), delay=3e-3),
        ],
    )


def test_delta_networks_come_back_bit_for_bit(tmp_path, rng):
    net = dense_net(rng)
    loaded = round_trip(tmp_path, net)
    same_spikes(run(net), run(loaded), exact=True)
    assert loaded["hidden"].fires_at_equality is True
    for link in net.projections:
        pair = link.source, link.target
        assert np.array_equal(matrix(net, *pair), matrix(loaded, *pair))


def test_currents_and_gains_come_back(tmp_path, rng):
    net = dense_net(rng, r=1.7, i_bias=0.2, v_leak=0.1, fires_at_equality=False)
    loaded = round_trip(tmp_path, net)
    assert loaded["out"].r == 1.7
    assert loaded["hidden"].i_bias == pytest.approx(0.2)
    assert loaded["other"].fires_at_equality is False
    same_spikes(run(net), run(loaded), exact=False)


def image_net(rng, bias):
    return es.Network(
        [
            es.Input("in", (1, 6, 6)),
            es.Population("conv", (2, 6, 6), tau_mem=1e-2, i_bias=bias),
            es.Population("pool", (2, 3, 3), tau_mem=1e-2, v_threshold=0.5),
            es.Population("avg", (2, 3, 3), tau_mem=1e-2, v_threshold=0.2),
            es.Population("out", 4, tau_mem=1e-2),
        ],
        [
            es.Conv2d("in", "conv", rng.normal(0.2, 0.4, size=(2, 1, 3, 2)), padding=(1, 1),
                      dilation=(1, 2), delay=1e-3),
            es.SumPool2d("conv", "pool", 2, weight=0.7),
            es.AvgPool2d("conv", "avg", 2),
            es.Dense("pool", "out", rng.normal(0.2, 0.3, size=(18, 4))),
            es.Dense("avg", "out", rng.normal(0.2, 0.3, size=(18, 4))),
        ],
    )  # fmt: skip


def test_images_come_back(tmp_path, rng):
    net = image_net(rng, np.repeat([0.3, 0.6], 36))
    loaded = es.load(es.save_nir(tmp_path / "net.nir", net))[0]
    assert [type(link).__name__ for link in loaded.projections] == [
        "Conv2d", "SumPool2d", "AvgPool2d", "Dense", "Dense",
    ]  # fmt: skip
    assert [p.shape for p in loaded] == [p.shape for p in net]
    same_spikes(run(net), run(loaded), exact=False)
    with pytest.raises(UnsupportedNetwork, match="'conv': i_bias: expected one value for each"):
        es.save_nir(tmp_path / "bias.nir", image_net(rng, rng.random(72)))


def test_square_kernels_pass_the_check_of_types(tmp_path, rng):
    net = es.Network(
        [es.Input("in", (1, 6, 6)), es.Population("conv", (2, 4, 4), tau_mem=1e-2)],
        [es.Conv2d("in", "conv", rng.normal(0.4, 0.4, size=(2, 1, 3, 3)))],
    )
    same_spikes(run(net), run(round_trip(tmp_path, net)), exact=True)


def test_receptors_come_back(tmp_path, rng):
    net = es.Network(
        [
            es.Input("in", 5),
            es.Population("a", 4, tau_mem=1e-2, tau_syn=3e-3, r=1.5, i_bias=0.2, v_threshold=0.5),
            es.Population("read", 2, tau_mem=2e-2, tau_syn=[[2e-3, 4e-3]], v_threshold=math.inf),
        ],
        [
            es.Dense("in", "a", rng.normal(1.0, 1.0, size=(5, 4)), receptor=0),
            es.Dense("a", "a", -rng.random((4, 4)), receptor=0, delay=1e-3),
            es.Dense("a", "read", rng.normal(size=(4, 2)), receptor=0),
        ],
    )
    loaded = round_trip(tmp_path, net)
    for link in net.projections:
        pair = link.source, link.target
        assert np.array_equal(matrix(net, *pair), matrix(loaded, *pair))
    assert loaded["read"].receptor_times.tolist() == [[2e-3, 4e-3]]
    same_spikes(run(net), run(loaded), exact=False)


def pair(link=None, **parameters):
    """An Input and one population."""
    values = {"tau_mem": 1e-2, **parameters}
    link = link or es.Dense("in", "out", np.full((2, 2), 0.6))
    return es.Network([es.Input("in", 2), es.Population("out", 2, **values)], [link])


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (pair(t_ref=1e-3), r"'out': t_ref: expected 0"),
        (pair(reset="subtract"), r"'out': reset: expected 'value'"),
        (pair(reset="subtract", multi_spike=True), r"'out': reset: expected 'value'"),
        (pair(v_init=0.5), r"'out': v_init: expected v_leak"),
        (pair(adapt_beta=0.1, tau_adapt=0.1), r"'out': adapt_beta, ahp_jump"),
        (pair(es.Dense("in", "out", np.full((2, 2), 0.6), spread=1e-3)), r"spread: expected 0"),
    ],
)
def test_what_nir_cannot_hold_is_refused_or_noted(tmp_path, net, words):
    with pytest.raises(UnsupportedNetwork, match=words) as error:
        es.save_nir(tmp_path / "net.nir", net)
    assert "lossy=True" in str(error.value)
    assert not (tmp_path / "net.nir").exists()
    loaded = round_trip(tmp_path, net, lossy=True)
    assert loaded.fingerprint() == net.fingerprint()
    noted = nir.read(tmp_path / "net.nir").metadata["eventsim_lost"]
    assert re.search(words, noted)


def max_pooled():
    return es.Network(
        [es.Input("in", (1, 2, 2)), es.Relay("pool", (1, 1, 1))],
        [es.MaxPool2d("in", "pool", 2, rule="every_spike")],
    )


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (pair(tau_syn=[1e-3, 2e-3]), r"'out': tau_syn: expected at most one receptor"),
        (pair(tau_syn=1e-3), r"receptor: expected 0"),
        (pair(tau_mem=[1e-2, math.inf]), r"'out': tau_mem: expected all finite or all inf"),
        (pair(es.Dense("in", "out", np.ones((2, 2)), receptor=0), tau_mem=math.inf, tau_syn=1e-3),
         r"tau_mem: expected a finite one"),
        (max_pooled(), r"Relay 'pool': expected no max pooling"),
        (es.Network([es.Population("out", 1, tau_mem=1.0, i_bias=2.0)]), r"'out': i_bias"),
    ],
)  # fmt: skip
def test_what_no_note_can_save_is_refused(tmp_path, net, words):
    with pytest.raises(UnsupportedNetwork, match=words):
        es.save_nir(tmp_path / "net.nir", net, lossy=True)


def test_options_of_a_call_win_over_notes(tmp_path):
    path = es.save_nir(tmp_path / "net.nir", pair(t_ref=1e-3), lossy=True)
    loaded = es.load_nir(path, t_ref=2e-3, fires_at_equality=False, reset="subtract").network
    assert loaded["out"].t_ref == 2e-3
    assert loaded["out"].fires_at_equality is False
    assert loaded["out"].reset == "subtract"
    halved = es.load_nir(path, spike_area=0.5).network
    assert np.array_equal(matrix(halved, "in", "out"), np.full((2, 2), 0.3))


def test_a_noted_rule_of_another_reset_is_dropped(tmp_path):
    noted = pair(reset="subtract", multi_spike=True)
    path = es.save_nir(tmp_path / "net.nir", noted, lossy=True)
    neurons = es.load_nir(path, reset="value").network["out"]
    assert (neurons.reset, neurons.multi_spike) == ("value", False)
    with pytest.raises(FileError, match="multi_spike"):
        es.load_nir(path, reset="value", multi_spike=True)


def test_biases_without_a_matrix_get_one_of_zeros(tmp_path):
    net = es.Network(
        [es.Input("in", 2), es.Population("a", 2, tau_mem=1e-2, i_bias=[0.5, 1.5])],
        [es.Sparse("in", "a", [0, 1], [0, 1], [0.5, 0.4])],
    )
    loaded = round_trip(tmp_path, net)
    assert len(loaded.projections) == 1
    assert loaded["a"].i_bias == pytest.approx([0.5, 1.5])
    same_spikes(run(net), run(loaded), exact=False)


def test_an_existing_file_stays(tmp_path):
    path = es.save_nir(tmp_path / "net.nir", pair())
    with pytest.raises(FileError, match="overwrite"):
        es.save_nir(path, pair())
    es.save_nir(path, pair(), overwrite=True)
    with pytest.raises(InvalidType, match="expected a Network"):
        es.save_nir(tmp_path / "b.nir", 3)


def test_a_graph_in_memory_can_be_written_by_nir(tmp_path):
    nir.write(tmp_path / "net.nir", to_nir(pair()))
    assert es.load(tmp_path / "net.nir")[0].fingerprint() == pair().fingerprint()
