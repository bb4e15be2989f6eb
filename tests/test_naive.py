"""The naive simulator against cases of one neuron worked out by hand, one for each rule."""

from __future__ import annotations

import math

import pytest

import eventsim as es
from tests import naive

INF = math.inf


def one(weights, trains, t_stop=100.0, *, spread=0.0, delay=0.0, currents=(), **parameters):
    """Run one neuron; input k has weight ``weights[k]`` and spikes at ``trains[k]``."""
    parameters = {"tau_mem": INF, **parameters}
    net = es.Network(
        [es.Input("in", max(1, len(weights))), es.Population("out", 1, **parameters)],
        [es.Dense("in", "out", [[w] for w in weights or [0.0]], delay=delay, spread=spread)],
    )
    spikes = sorted((t, k) for k, train in enumerate(trains) for t in train)
    inputs = {"in": ([t for t, _ in spikes], [k for _, k in spikes])}
    steps = {"out": [(t, 0, value) for t, value in currents]}
    return naive.simulate(net, inputs, t_stop, currents=steps)


# Deltas, the test, the instant.


def test_delta_adds_its_weight_and_decays():
    # 0.8 at 0; at 1 with tau = 1/ln 2 half is left: 0.4 + 0.8 = 1.2 >= 1 fires.
    result = one([0.8], [[0.0, 1.0]], tau_mem=1 / math.log(2))
    assert result.times() == [1.0]
    assert result.v_at("out", 0, [0.0, 0.5, 1.0]) == pytest.approx([0.8, 0.8 * 0.5**0.5, 0.0])


def test_leak_goes_to_v_leak():
    # x = v - v_leak = 4 halves to 2 in one unit: v = -3.
    result = one([4.0], [[0.0]], tau_mem=1 / math.log(2), v_leak=-5.0)
    assert result.v_at("out", 0, [1.0]) == pytest.approx([-3.0])


def test_arrivals_of_an_instant_are_summed_then_tested_once():
    # 1.5 - 0.75 = 0.75 < 1; tested one by one, 1.5 would have fired.
    assert one([1.5, -0.75], [[2.0], [2.0]]).times() == []
    # 0.5 + 0.5 = 1 fires; 3.0 is three thresholds, and one spike.
    assert one([0.5, 0.5], [[2.0], [2.0]]).times() == [2.0]
    assert one([1.5, 1.5], [[2.0], [2.0]]).times() == [2.0]


def test_sum_runs_over_projections_then_sources():
    # (0.1 + 0.2) + 0.3 = 0.6000000000000001, but (0.3 + 0.2) + 0.1 = 0.6.
    def fires(*projections):
        net = es.Network(
            [
                es.Input("in", 3),
                es.Population("out", 1, tau_mem=INF, v_threshold=0.6000000000000001),
            ],
            [es.Sparse("in", "out", list(p), [0] * len(p), list(p.values())) for p in projections],
        )
        result = naive.simulate(net, {"in": ([1.0] * 3, [0, 1, 2])}, 2.0)
        return result.times() == [1.0]

    assert fires({0: 0.1, 1: 0.2, 2: 0.3})
    assert fires({2: 0.3, 1: 0.2, 0: 0.1})  # sources ascend in whatever order they are given
    assert not fires({0: 0.3, 1: 0.2, 2: 0.1})
    assert not fires({1: 0.2, 2: 0.3}, {0: 0.1})  # the first projection first


def test_the_sum_of_an_instant_starts_from_zero():
    # v = 1e16: one by one each 1.0 would be lost (ties to even); their sum 2.0 is not.
    result = one([1e16, 1.0, 1.0], [[0.0], [1.0], [1.0]], v_threshold=1e17)
    assert result.v_at("out", 0, [1.0]) == [1e16 + 2.0]


def test_strict_threshold():
    assert one([0.5], [[1.0, 2.0, 3.0]]).times() == [2.0]
    # 0.5, 1.0 (not above), 1.5 fires.
    assert one([0.5], [[1.0, 2.0, 3.0]], fires_at_equality=False).times() == [3.0]


def test_strict_threshold_fires_when_the_drive_carries_it_above():
    # Drive 1: v = 1 at t = 1 is the infimum of the times above threshold.
    assert one([], [], 1.5, i_bias=1.0, fires_at_equality=False).times() == [1.0]
    # v = 1 without drive at t = 1 stands; a current at t = 2 carries it above: fires at 2.
    result = one([1.0], [[1.0]], 3.0, currents=[(2.0, 0.25)], fires_at_equality=False)
    assert result.times() == [2.0]
    # A current that pulls it down at t = 2 does not.
    result = one([1.0], [[1.0]], 3.0, currents=[(2.0, -0.25)], fires_at_equality=False)
    assert result.times() == []


def test_zero_weights_are_instants():
    # Subtract without repetition leaves 2.0 of 3.0 at t = 1; the zero weight at 2 tests again.
    result = one([3.0, 0.0], [[1.0], [2.0]], reset="subtract")
    assert result.times() == [1.0, 2.0]
    assert result.v_at("out", 0, [1.0, 2.0]) == [2.0, 1.0]


# Resets.


def test_reset_to_value_and_by_subtraction():
    result = one([1.75], [[1.0]], v_reset=-0.5)
    assert result.v_at("out", 0, [1.0]) == [-0.5]
    # 1.75 - (1 - -0.5) = 0.25
    result = one([1.75], [[1.0]], v_reset=-0.5, reset="subtract")
    assert result.v_at("out", 0, [1.0]) == [0.25]


def test_multi_spike_repeats_in_the_instant():
    # 3.75 -> 3 spikes, 0.75 left; at 2 another 0.75 makes 1.5: one spike, 0.5 left.
    result = one([3.75, 0.75], [[1.0], [2.0]], reset="subtract", multi_spike=True)
    assert result.times() == [1.0, 1.0, 1.0, 2.0]
    assert result.v_at("out", 0, [1.0, 2.0]) == [0.75, 0.5]
    # Equality: 3.0 gives 3 spikes; the strict test only 2, and 1.0 stays.
    options = {"reset": "subtract", "multi_spike": True}
    assert one([3.0], [[1.0]], **options).times() == [1.0] * 3
    assert one([3.0], [[1.0]], fires_at_equality=False, **options).times() == [1.0] * 2


def test_a_residue_above_threshold_decays_without_firing():
    # 2.5 - 1 = 1.5 at t = 0 falls through threshold at tau ln 1.5 = 0.58 tau. At 1 half is left.
    result = one([2.5, 0.25], [[0.0], [1.0]], reset="subtract", tau_mem=1 / math.log(2))
    assert result.times() == [0.0, 1.0]  # 0.75 + 0.25 = 1.0 at the next instant: fires again
    result = one([2.5, 0.125], [[0.0], [1.0]], reset="subtract", tau_mem=1 / math.log(2))
    assert result.times() == [0.0]  # 0.875


def test_a_residue_is_tested_at_each_kind_of_instant():
    # 5.5 at 0 leaves 4.5. Step at 1 (3.5), end of the pulse of weight 0 at 3 (2.5).
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 1, tau_mem=INF, reset="subtract")],
        [
            es.Sparse("in", "out", [0], [0], 5.5),
            es.Sparse("in", "out", [1], [0], 0.0, spread=1.0),
        ],
    )
    steps = {"out": [(1.0, 0, 0.0)]}
    result = naive.simulate(net, {"in": ([0.0, 2.0], [0, 1])}, 4.0, currents=steps)
    assert result.times() == [0.0, 1.0, 2.0, 3.0]  # pulse starts at 2 and ends at 3
    # The end of refractoriness: 3.5 -> 2.5 at 0, 1.5 at 0.5, 0.5 at 1.
    assert one([3.5], [[0.0]], reset="subtract", t_ref=0.5).times() == [0.0, 0.5, 1.0]


# Refractoriness.


def test_refractory_interval_is_half_open():
    # Spike at 1, t_ref 2: lost at the last float below 3, counted at 3.
    below = math.nextafter(3.0, 0.0)
    assert one([1.0], [[1.0, below]], t_ref=2.0).times() == [1.0]
    assert one([1.0], [[1.0, 3.0]], t_ref=2.0).times() == [1.0, 3.0]


def test_the_end_of_refractoriness_is_a_float_sum():
    # 0.1 + 0.2 = 0.30000000000000004 > 0.3.
    assert one([1.0], [[0.1, 0.3]], t_ref=0.2).times() == [0.1]
    assert one([1.0], [[0.1, 0.1 + 0.2]], t_ref=0.2).times() == [0.1, 0.1 + 0.2]


def test_potential_is_held_in_refractoriness():
    # Subtract leaves 0.5, held in [1, 3), then it halves each unit.
    result = one([1.5], [[1.0]], reset="subtract", t_ref=2.0, tau_mem=1 / math.log(2))
    assert result.v_at("out", 0, [2.0, 3.0, 4.0]) == pytest.approx([0.5, 0.5, 0.25])


def test_drive_is_not_integrated_in_refractoriness():
    # Drive 1: fires at 1, rests until 1.5, fires at 2.5, and so on.
    assert one([], [], 6.0, i_bias=1.0, t_ref=0.5).times() == [1.0, 2.5, 4.0, 5.5]


def test_no_refractory_period():
    # Each delta of one threshold fires, also drive-caused spikes follow at once from reset.
    assert one([1.0], [[1.0, 1.25]]).times() == [1.0, 1.25]
    assert one([], [], 3.5, i_bias=1.0).times() == [1.0, 2.0, 3.0]


# Drives.


def test_bias_crossing():
    # v = 2 (1 - exp(-t / 10)) reaches 1 at 10 ln 2; the period is that plus t_ref.
    result = one([], [], 20.0, i_bias=2.0, tau_mem=10.0, t_ref=1.0)
    assert result.times() == pytest.approx([10 * math.log(2), 20 * math.log(2) + 1], rel=1e-15)
    # r scales currents: r = 4 with half of the current is the same drive.
    assert one([], [], 10.0, i_bias=0.5, r=4.0, tau_mem=10.0).times() == result.times()[:1]


def test_a_drive_that_rests_at_threshold_does_not_fire():
    assert one([], [], 1e6, i_bias=1.0, tau_mem=1.0).times() == []


def test_r_scales_neither_deltas_nor_pulses():
    assert one([1.0], [[1.0]], r=0.5).times() == [1.0]
    assert one([1.0], [[1.0]], r=0.5, spread=1.0).times() == [2.0]


def test_pulse_is_the_weight_spread_evenly():
    # Without leak 2.0 over 4 s: 1 is reached after 2 s; the rest, 1.0, arrives after the reset.
    result = one([2.0], [[1.0]], spread=4.0)
    assert result.times() == [3.0, 5.0]
    # With leak: v = w tau / T (1 - exp(-s / tau)) = 4 (1 - exp(-s)) for w = 8, T = 2, tau = 1.
    result = one([8.0], [[1.0]], 1.5, spread=2.0, tau_mem=1.0)
    assert result.times() == pytest.approx([1 + math.log(4 / 3)], rel=1e-15)


def test_pulses_overlap_and_end():
    # 0.5 over [0, 2) and [1, 3): slopes 0.25, 0.5, 0.25, 0; v = 0.25, 0.75, 1.0 at 1, 2, 3.
    result = one([0.5], [[0.0, 1.0]], spread=2.0)
    assert result.v_at("out", 0, [0.5, 1.0, 2.0, 2.5]) == [0.125, 0.25, 0.75, 0.875]
    assert result.times() == [3.0]
    # No residue: after +w and -w pulses the drive is exactly zero.
    result = one([0.3, -0.1], [[0.0], [0.5]], spread=1.0)
    assert result.knots("out", 0)[-1].motion.pull == 0.0


def test_the_part_of_a_pulse_in_refractoriness_is_lost():
    # Fires at 1 (delta), refractory to 3. A pulse of 2.0 over [2, 6) gives 0.5 per s from 3 on:
    # threshold at 5, refractory to 7, so its last second is lost as well.
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 1, tau_mem=INF, t_ref=2.0)],
        [
            es.Sparse("in", "out", [0], [0], 1.0),
            es.Sparse("in", "out", [1], [0], 2.0, spread=4.0),
        ],
    )
    result = naive.simulate(net, {"in": ([1.0, 2.0], [0, 1])}, 20.0)
    assert result.times() == [1.0, 5.0]
    assert result.v_at("out", 0, [2.5, 3.0, 4.0, 6.5, 10.0]) == [0.0, 0.0, 0.5, 0.0, 0.0]
    # A pulse that begins and ends inside leaves nothing.
    result = naive.simulate(net, {"in": ([1.0, 1.0], [0, 1])}, 3.0)
    assert result.v_at("out", 0, [2.999]) == [0.0]


def test_stepped_current():
    # 0 until 2, then 0.5 until 3, then 1.0: v = 0.5 at 3, threshold at 3.5.
    result = one([], [], 4.0, currents=[(2.0, 0.5), (3.0, 1.0)])
    assert result.times() == [3.5]
    assert result.v_at("out", 0, [1.0, 2.5, 3.0, 3.25]) == [0.0, 0.25, 0.5, 0.75]
    # It adds to the bias.
    assert one([], [], 4.0, i_bias=0.25, currents=[(2.0, 0.25)]).times() == [3.0]


def test_a_crossing_that_coincides_with_arrivals():
    # Drive 1 reaches threshold at 1. A delta of -0.25 at 1 is summed first: 0.75, fires at 1.25.
    assert one([-0.25], [[1.0]], 2.0, i_bias=1.0).times() == [1.25]
    assert one([0.0], [[1.0]], 2.0, i_bias=1.0).times() == [1.0]
    assert one([0.5], [[1.0]], 1.5, i_bias=1.0).times() == [1.0]


def test_a_crossing_between_instants_is_found():
    # Crosses at 1 although the next instant, a delta of -5 at 1.5, finds it far below.
    assert one([-5.0], [[1.5]], 2.0, i_bias=1.0).times() == [1.0]


# Start and end.


def test_v_init():
    assert one([], [], v_init=0.5).v_at("out", 0, [1.0]) == [0.5]
    assert one([], [], v_init=1.0).times() == [0.0]
    assert one([], [], v_init=1.0, fires_at_equality=False).times() == []
    assert one([], [], v_init=2.5, reset="subtract", multi_spike=True).times() == [0.0, 0.0]
    # Arrivals at the start are summed first.
    assert one([-0.5], [[0.0]], v_init=1.25).times() == []


def test_the_run_is_half_open():
    assert one([1.0], [[1.0]], 1.0).times() == []
    assert one([1.0], [[1.0]], math.nextafter(1.0, 2.0)).times() == [1.0]
    assert one([], [], 1.0, i_bias=1.0).times() == []


def test_non_spiking_readout():
    result = one([5.0], [[1.0]], i_bias=1.0, v_threshold=INF)
    assert result.times() == []
    assert result.v_at("out", 0, [2.0]) == [7.0]


# The margin.


def test_margin_tells_close_decisions_from_exact_ones():
    assert one([0.5], [[1.0, 2.0]]).margin == INF  # 0.5 + 0.5 is exact
    assert one([0.1, 0.9], [[1.0], [2.0]], tau_mem=10.0).margin > 1e10
    # 0.1 ten times is 0.9999999999999999, and another order of rounding gives 1.
    assert one([0.1], [[float(t) for t in range(10)]]).margin < 10
    # A crossing at 10 ln 2 beside an arrival one ulp later.
    near = math.nextafter(10 * math.log(2), 20)
    assert one([-0.5], [[near]], i_bias=2.0, tau_mem=10.0).margin < 10
    assert one([-0.5], [[near + 1.0]], i_bias=2.0, tau_mem=10.0).margin > 1e9
    # A drive whose resting potential is the threshold.
    assert one([], [], i_bias=1.0, tau_mem=1.0).margin < 1e-9
