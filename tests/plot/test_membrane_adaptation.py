"""The membrane plot of neurons whose threshold adapts, and of those with receptors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import eventsim as es
from eventsim import plot
from tests.plot.figures import artist


@pytest.fixture(scope="module")
def adapting():
    """A driven neuron with an adaptive threshold, one with a spike-triggered current."""
    cells = es.Population(
        "cells", 2, tau_mem=10e-3, i_bias=2.0, t_ref=1e-3,
        adapt_beta=[0.5, 0.0], tau_adapt=20e-3, ahp_jump=[0.0, 0.5], tau_ahp=20e-3,
    )  # fmt: skip
    return es.simulate(es.Network([cells]), {}, t_stop=0.1, record_v={"cells": [1, 0]})


def test_an_adaptive_threshold_is_its_exact_curve(adapting, tmp_path):
    ax = plot.membrane(adapting, "cells", 0)
    line = artist(ax, "threshold")
    t, theta = line.get_data()
    assert line.get_linestyle() == "--"
    spikes = adapting.spikes["cells"].of(0)
    assert len(spikes) > 3
    between = ~np.isin(t, spikes * 1e3)
    exact = adapting.v["cells"].threshold_at(t[between] / 1e3)[:, 1]
    np.testing.assert_allclose(theta[between], exact, rtol=1e-12)
    # It jumps by adapt_beta at a spike: vertical, as both sides are there.
    for spike in spikes:
        sides = theta[t == spike * 1e3]
        assert sides[-1] - sides[0] == pytest.approx(0.5)
    plot.save(ax, tmp_path / "figure.png")


def test_a_spike_stands_at_the_height_of_its_threshold(adapting):
    ax = plot.membrane(adapting, "cells", 0)
    t, v = artist(ax, "exact").get_data()
    theta = artist(ax, "threshold").get_ydata()
    heights = [v[t == spike * 1e3].max() for spike in adapting.spikes["cells"].of(0)]
    np.testing.assert_allclose(
        heights, [theta[t == spike * 1e3].min() for spike in adapting.spikes["cells"].of(0)]
    )
    assert heights[0] == 1.0
    assert heights[-1] > 1.2
    strokes = np.array(artist(ax, "spike").get_segments())
    assert strokes[..., 1].min() > theta.max()
    low, high = ax.get_ylim()
    assert low < v.min()
    assert high > strokes[..., 1].max()


def test_a_jump_that_fires_passes_through_the_adapted_threshold():
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=4e-3, adapt_beta=1.0, tau_adapt=8e-3)],
        [es.Dense("in", "out", [[3.0]])],
    )
    train = es.SpikeTrain([1e-3, 3e-3], [0, 0])
    result = es.simulate(net, {"in": train}, t_stop=8e-3, record_v={"out": [0]})
    assert result.spikes["out"].times.tolist() == [1e-3, 3e-3]
    t, v = artist(plot.membrane(result, "out", 0), "exact").get_data()
    assert v[t == 1.0].tolist() == [0.0, 1.0, 0.0]
    np.testing.assert_allclose(v[t == 3.0], [0.0, 1.0 + np.exp(-0.25), 0.0])


def test_a_flat_threshold_stays_a_line(adapting):
    axes = plot.membrane(adapting, "cells", [1, 0])
    assert list(artist(axes[0], "threshold").get_ydata()) == [1.0, 1.0]
    key = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert key == ["exact", "threshold", "spike", "refractory"]
    before_spikes = plot.membrane(adapting, "cells", 0, t_range=(0.0, 5e-3))
    assert list(artist(before_spikes, "threshold").get_ydata()) == [1.0, 1.0]


def test_the_threshold_ends_where_the_run_stopped(adapting):
    stopped = dataclasses.replace(adapting, t_reached=0.05, complete=False)
    t = artist(plot.membrane(stopped, "cells", 0), "threshold").get_xdata()
    assert (t[0], t[-1]) == (0.0, pytest.approx(50.0))


def test_without_recorded_spikes_the_threshold_jumps_all_the_same(adapting):
    quiet = dataclasses.replace(adapting, spikes={})
    t, theta = artist(plot.membrane(quiet, "cells", 0), "threshold").get_data()
    spike = adapting.spikes["cells"].of(0)[0]
    np.testing.assert_allclose(theta[t == spike * 1e3], [1.0, 1.5])


def test_the_response_to_a_receptor_is_drawn_as_it_is(tmp_path):
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=10e-3, tau_syn=2e-3)],
        [es.Dense("in", "out", [[1.0]], receptor=0)],
    )
    result = es.simulate(net, {"in": ([1e-3], [0])}, t_stop=0.03, record_v={"out": [0]})
    ax = plot.membrane(result, "out", 0)
    t, v = artist(ax, "exact").get_data()
    late = np.maximum(t / 1e3 - 1e-3, 0.0)
    psp = 0.25 * (np.exp(-late / 10e-3) - np.exp(-late / 2e-3))
    np.testing.assert_allclose(v, psp, atol=1e-12)
    plot.save(ax, tmp_path / "figure.png")
