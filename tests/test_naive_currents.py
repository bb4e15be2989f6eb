"""The naive simulator's receptors and adaptation against cases worked out by hand."""

from __future__ import annotations

import math

import pytest
from scipy.optimize import brentq
from scipy.special import lambertw

import eventsim as es
from tests import naive

INF = math.inf


def one(synapses, t_stop=100.0, *, currents=(), **parameters):
    """Run one neuron; a synapse is (weight, receptor or None, spike times)."""
    parameters = {"tau_mem": INF, **parameters}
    net = es.Network(
        [es.Input("in", max(1, len(synapses))), es.Population("out", 1, **parameters)],
        [
            es.Sparse("in", "out", [k], [0], weight, receptor=receptor)
            for k, (weight, receptor, _) in enumerate(synapses)
        ],
    )
    spikes = sorted((t, k) for k, (_, _, train) in enumerate(synapses) for t in train)
    inputs = {"in": ([t for t, _ in spikes], [k for _, k in spikes])}
    steps = {"out": [(t, 0, value) for t, value in currents]}
    return naive.simulate(net, inputs, t_stop, currents=steps)


# One arrival.


def test_without_leak_a_current_integrates():
    # v = 2 * 4 (1 - exp(-h / 4)) reaches 1 at 4 ln(8/7), then goes on from the reset.
    result = one([(2.0, 0, [1.0])], 3.0, tau_syn=4.0)
    first = 1 + 4 * math.log(8 / 7)
    assert result.times()[:2] == pytest.approx([first, 1 + 4 * math.log(8 / 6)], rel=1e-15)
    # r scales currents.
    assert one([(1.0, 0, [1.0])], 3.0, tau_syn=4.0, r=2.0).times() == result.times()


def test_equal_time_constants_make_an_alpha_function():
    # v = w h / tau exp(-h / tau), at most w / e: w = 2 e crosses 1 where u exp(-u) = 1 / (2 e).
    result = one([(2 * math.e, 0, [3.0])], 8.0, tau_mem=10.0, tau_syn=10.0, t_ref=20.0)
    u = -lambertw(-0.5 / math.e).real
    assert result.times() == pytest.approx([3 + 10 * u], rel=1e-15)
    result = one([(2.5, 0, [3.0])], tau_mem=10.0, tau_syn=10.0)
    assert result.times() == []
    assert result.v_at("out", 0, [3.0, 13.0, 23.0]) == pytest.approx(
        [0.0, 2.5 / math.e, 2.5 * 2 * math.exp(-2)], rel=1e-15
    )


@pytest.mark.parametrize(("tau_mem", "tau_syn"), [(10.0, 5.0), (5.0, 10.0)])
def test_a_ratio_of_two_makes_a_quadratic(tau_mem, tau_syn):
    # v = a (q - q q) with q = exp(-h / 10), where a = r w tau_syn / |tau_mem - tau_syn|: at most
    # a / 4, and 1 where q = (1 + sqrt(1 - 4 / a)) / 2.
    def psp(a):
        weight = a * 5.0 / tau_syn
        return one([(weight, 0, [0.0])], tau_mem=tau_mem, tau_syn=tau_syn, t_ref=200.0)

    for a in (4.001, 5.0, 16.0):
        q = (1 + math.sqrt(1 - 4 / a)) / 2
        assert psp(a).times() == pytest.approx([-10 * math.log(q)], rel=1e-12)
    assert psp(3.999).times() == []
    assert psp(3.999).v_at("out", 0, [10 * math.log(2)]) == pytest.approx([3.999 / 4])


@pytest.mark.parametrize("excess", [1e-6, 1e-9, 1e-12])
def test_grazes(excess):
    for weight, count in ((4 * (1 + excess), 1), (4 * (1 - excess), 0)):
        result = one([(weight, 0, [0.0])], tau_mem=10.0, tau_syn=5.0, t_ref=200.0)
        assert len(result.times()) == count
        assert result.margin > 100 * excess / 1e-12
        if count:
            assert result.times()[0] < 10 * math.log(2)


@pytest.mark.parametrize("ratio", [1e-6, 1e6])
def test_far_time_constants(ratio):
    # Fast: a delta of w ratio = 2. Slow: a constant current of 2.
    weight = 2 / ratio if ratio < 1 else 2.0
    result = one([(weight, 0, [1.0])], 8.0, tau_mem=10.0, tau_syn=10.0 * ratio, t_ref=100.0)
    expected = 1 + (10 * ratio * math.log(2) if ratio < 1 else 10 * math.log(2))
    assert result.times() == pytest.approx([expected], rel=1e-5 if ratio > 1 else 1e-11)


# Several currents.


def test_receptors_deltas_and_pulses_add():
    # Inhibition of -1 (tau 2) against excitation of 3 (tau 4), bias -0.25 and a delta of 0.5.
    def f(h):
        rise = 3 * 4 * -math.expm1(-h / 4) - 2 * -math.expm1(-h / 2)
        return 0.5 - 0.25 * (1 + h) + rise - 1

    synapses = [(3.0, 0, [1.0]), (-1.0, 1, [1.0]), (0.5, None, [0.0])]
    result = one(synapses, 1.5, tau_syn=[4.0, 2.0], i_bias=-0.25)
    assert result.times() == pytest.approx([1 + brentq(f, 0.0, 0.5, xtol=1e-15)], rel=1e-14)
    assert result.n_events == 3


def test_opposite_currents_of_one_receptor_cancel_exactly():
    result = one([(0.7, 0, [1.0]), (-0.7, 0, [1.0])], tau_syn=4.0)
    assert result.v_at("out", 0, [5.0]) == [0.0]
    assert result.knots("out", 0)[-1].motion.forces == ()


def test_a_short_stay_above_threshold_is_found():
    # The excitation alone would reach 1 at ln 2 / 10; the inhibition of the next instant kills it.
    late = math.log(2) / 10 + 1e-3
    synapses = [(20.0, 0, [0.0]), (-9.0, None, [late])]
    result = one(synapses, 5.0, tau_syn=0.1, t_ref=10.0)
    assert result.times() == pytest.approx([math.log(2) / 10])
    assert one([(20.0, 0, [0.0]), (-9.0, None, [late - 2e-3])], tau_syn=0.1).times() == []


def test_currents_receive_and_decay_in_refractoriness():
    # A delta fires at 1. I = 3 from 2 on, exp(-1/2) of it is left at the end, 3.
    result = one([(1.0, None, [1.0]), (3.0, 0, [2.0])], 4.0, tau_syn=2.0, t_ref=2.0)
    left = 3 * math.exp(-0.5)
    assert result.times() == pytest.approx([1.0, 3 - 2 * math.log(1 - 1 / (2 * left))], rel=1e-15)
    assert result.v_at("out", 0, [2.5, 3.0]) == [0.0, 0.0]


def test_a_strict_neuron_at_threshold_fires_if_it_rises():
    # Two deltas of 0.5 stand at threshold. An arrival at 3 says where it goes.
    for weight, expected in ((0.125, [3.0]), (-0.125, []), (0.0, [])):
        synapses = [(0.5, None, [1.0, 2.0]), (weight, 0, [3.0])]
        assert one(synapses, 8.0, tau_syn=2.0, fires_at_equality=False).times() == expected


def test_a_residue_that_dips_below_threshold_fires_when_it_is_back():
    # 2.5 - 1 = 1.5 is left; -8 (tau 0.5) pulls it below 1 and 3 (tau 20) lifts it again, tau 1.
    synapses = [(2.5, None, [0.0]), (-8.0, 0, [0.0]), (3.0, 1, [0.0])]
    result = one(synapses, 3.0, tau_mem=1.0, tau_syn=[0.5, 20.0], reset="subtract", t_ref=0.0)

    def v(h):
        slow = 3 * 20 / 19 * (math.exp(-h / 20) - math.exp(-h))
        return 1.5 * math.exp(-h) - 8 * (math.exp(-h) - math.exp(-2 * h)) + slow

    assert result.times()[:2] == pytest.approx([0.0, brentq(lambda h: v(h) - 1, 0.5, 5.0)])


def test_readout_of_a_current():
    result = one([(5.0, 0, [1.0])], tau_mem=2.0, tau_syn=2.0, v_threshold=INF, v_leak=-1.0)
    assert result.times() == []
    assert result.v_at("out", 0, [1.0, 3.0]) == pytest.approx([-1.0, 5 / math.e - 1])


def test_receptors_for_each_neuron():
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 2, tau_mem=INF, tau_syn=[[1.0, 4.0]])],
        [es.Dense("in", "out", [[2.0, 2.0]], receptor=0)],
    )
    result = naive.simulate(net, {"in": ([0.0], [0])}, 0.8)
    expected = [(4 * math.log(8 / 7), 1), (math.log(2), 0)]
    for (t, i), (exact, k) in zip(result.spikes["out"], expected, strict=True):
        assert i == k and t == pytest.approx(exact, rel=1e-14)


# Adaptive threshold.


def test_a_threshold_falls_onto_a_constant_potential():
    # A spike at 0 lifts it to 1.5. 1.2 at 1 waits until 0.5 exp(-t / 4) = 0.2.
    deltas = [(1.0, None, [0.0]), (1.2, None, [1.0])]
    result = one(deltas, adapt_beta=0.5, tau_adapt=4.0)
    assert result.times() == pytest.approx([0.0, 4 * math.log(2.5)], rel=1e-15)
    # After the second one b = 1 + 0.4: a delta of 1.2 at 5 waits for 0.7 exp(-h / 4) = 0.2.
    result = one([*deltas, (1.2, None, [5.0])], adapt_beta=0.5, tau_adapt=4.0)
    assert result.times()[2] == pytest.approx(4 * math.log(2.5) + 4 * math.log(3.5), rel=1e-15)


def test_a_threshold_falls_in_refractoriness():
    # The residue of 1.1 meets 1 + exp(-t / 4) at 4 ln 10 = 9.2, after its refractoriness.
    residue = {"reset": "subtract", "adapt_beta": 1.0, "tau_adapt": 4.0}
    result = one([(2.1, None, [0.0])], t_ref=2.0, **residue)
    assert result.times()[:2] == pytest.approx([0.0, 4 * math.log(10)], rel=1e-14)
    # Refractory for longer than that: it fires at the end.
    assert one([(2.1, None, [0.0])], t_ref=12.0, **residue).times()[:2] == [0.0, 12.0]


def test_each_spike_of_an_instant_lifts_the_threshold():
    # 3.5 >= 1, 2.5 >= 2, but 1.5 < 3.
    options = {"reset": "subtract", "multi_spike": True, "adapt_beta": 1.0, "tau_adapt": 1.0}
    assert one([(3.5, None, [1.0])], 1.1, **options).times() == [1.0, 1.0]
    # 2.5 - 1 = 1.5 is the raised threshold, which falls: a strict neuron fires too.
    options |= {"adapt_beta": 0.5, "fires_at_equality": False}
    assert one([(2.5, None, [1.0])], 1.1, **options).times() == [1.0, 1.0]


def test_reset_subtracts_the_base_threshold():
    # At the second crossing the threshold is 1.5, and 0.5 is left.
    result = one([], 3.0, i_bias=1.0, reset="subtract", adapt_beta=0.5, tau_adapt=1e9)
    assert result.times() == pytest.approx([1.0, 2.5], rel=1e-8)
    assert result.v_at("out", 0, [2.75]) == pytest.approx([0.75], rel=1e-8)


def test_a_threshold_that_drops_below_the_potential():
    # beta -0.5: after the spike at 1 the threshold is 0.5 and rises: the drive of 1 meets it
    # where h = 1 - 0.5 exp(-h / 2).
    result = one([], 1.7, i_bias=1.0, adapt_beta=-0.5, tau_adapt=2.0)
    h = brentq(lambda h: h - 1 + 0.5 * math.exp(-h / 2), 0.0, 1.0, xtol=1e-16)
    assert result.times() == pytest.approx([1.0, 1.0 + h], rel=1e-14)


# Current after a spike.


def test_ahp_holds_the_potential_back():
    # v = h - 0.5 * 2 (1 - exp(-h / 2)) = 1 after the first spike at 1.
    result = one([], 3.0, i_bias=1.0, ahp_jump=0.5, tau_ahp=2.0)
    h = brentq(lambda h: h - 2 + math.exp(-h / 2), 0.0, 4.0, xtol=1e-16)
    assert result.times() == pytest.approx([1.0, 1.0 + h], rel=1e-14)
    # A negative one drives: v = 2 (1 - exp(-h / 2)) = 1 after a delta.
    result = one([(1.0, None, [1.0])], 3.0, ahp_jump=-1.0, tau_ahp=2.0)
    assert result.times()[:2] == pytest.approx([1.0, 1 + 2 * math.log(2)], rel=1e-14)


def test_ahp_and_a_receptor_of_one_time_constant_cancel():
    result = one([(1.0, None, [1.0]), (0.5, 0, [1.0])], ahp_jump=0.5, tau_ahp=2.0, tau_syn=2.0)
    assert result.v_at("out", 0, [5.0]) == [0.0]


def test_regular_firing_under_bias():
    # Period t_ref + tau ln 2, a thousand times: only the resolution of time is lost.
    result = one([], 1000.0, i_bias=2.0, tau_mem=1.0, t_ref=0.25, tau_syn=3.0)
    period = 0.25 + math.log(2)
    expected = [math.log(2) + k * period for k in range(len(result.times()))]
    assert len(expected) > 1000
    assert result.times() == pytest.approx(expected, abs=1e-10)


# Networks and the margin.


def test_spikes_of_a_layer_of_currents_reach_the_next():
    def crossing(start):
        return start + 4 * math.log(8 / 7)  # of a current 2, without leak

    cell = {"tau_mem": INF, "tau_syn": 4.0, "t_ref": 50.0}
    net = es.Network(
        [es.Input("in", 1), *(es.Population(name, 1, **cell) for name in "ab")],
        [
            es.Dense("in", "a", [[2.0]], receptor=0),
            es.Dense("a", "b", [[2.0]], delay=1.5, receptor=0),
        ],
    )
    result = naive.simulate(net, {"in": ([1.0], [0])}, 10.0)
    (a, _), (b, _) = *result.spikes["a"], *result.spikes["b"]
    assert a == pytest.approx(crossing(1.0), rel=1e-15)
    assert b == pytest.approx(crossing(a + 1.5), rel=1e-15)
    assert 0.0 < result.errors["a"][0] < result.errors["b"][0] < 1e-13
    assert result.margin > 1e12


def test_margin_of_arrivals_next_to_a_crossing():
    crossing = one([(2.0, 0, [0.0])], 1.0, tau_syn=4.0).times()[0]
    for gap, decided in ((1e-15, False), (-1e-15, False), (1e-9, True), (-1e-9, True)):
        result = one([(2.0, 0, [0.0]), (-1.0, None, [crossing + gap])], 1.0, tau_syn=4.0)
        assert (result.margin > 1000) == decided
    # The end of the run cuts as well.
    assert one([(2.0, 0, [0.0])], crossing - 1e-15, tau_syn=4.0).margin < 100


def test_runaway_of_spikes():
    with pytest.raises(naive.Runaway):
        net = es.Network([es.Population("a", 1, tau_mem=1.0, i_bias=1e6)])
        naive.simulate(net, {}, 1.0, max_events=1000)
    options = {"reset": "subtract", "multi_spike": True, "adapt_beta": -1.0, "tau_adapt": 1.0}
    with pytest.raises(naive.Runaway):
        one([(1.0, None, [1.0])], **options)
