"""The membrane plot: the exact curve, its marks, and the steps of the twin over it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

import eventsim as es
from eventsim import plot
from eventsim.errors import InvalidType, InvalidValue
from tests.plot.figures import artist, drawn


@pytest.fixture(scope="module")
def trace_run():
    """Three neurons with deltas: one spikes at 2 ms, one is inhibited, one is left alone."""
    net = es.Network(
        [es.Input("in", 2), es.Population("out", 3, tau_mem=4e-3, t_ref=1e-3, v_leak=0.1)],
        [es.Dense("in", "out", [[0.7, -0.5, 0.0], [0.0, 0.0, 0.0]])],
    )
    train = es.SpikeTrain([1e-3, 2e-3, 6e-3], [0, 0, 0])
    return es.simulate(net, {"in": train}, t_stop=8e-3, record_v={"out": [2, 0, 1]})


def test_membrane_draws_the_exact_curve(trace_run, tmp_path):
    ax = plot.membrane(trace_run, "out", 0)
    t, v = artist(ax, "exact").get_data()
    exact = trace_run.v["out"]
    assert t[0] == 0.0
    assert t[-1] == pytest.approx(8.0)
    assert (np.diff(t) >= 0).all()
    # Between events the curve is the closed form; at them both limits are there.
    events = np.isin(t, exact.knots(1) * 1e3)
    np.testing.assert_allclose(v[~events], exact.at(t[~events] / 1e3)[:, 1], atol=1e-12)
    at_1ms = v[t == 1.0]
    np.testing.assert_allclose(at_1ms, [0.1, 0.8], atol=1e-12)
    # The jump that fires goes through the threshold, down to the reset.
    at_2ms = v[t == 2.0]
    np.testing.assert_allclose(at_2ms, [0.1 + 0.7 * np.exp(-0.25), 1.0, 0.0], atol=1e-12)
    drawn(ax, tmp_path)


def test_membrane_draws_threshold_spikes_and_refractory_spans(trace_run):
    ax = plot.membrane(trace_run, "out", 0)
    threshold = artist(ax, "threshold")
    assert threshold.get_linestyle() == "--"
    assert list(threshold.get_ydata()) == [1.0, 1.0]
    (stroke,) = artist(ax, "spike").get_segments()
    assert stroke[:, 0] == pytest.approx([2.0, 2.0])
    assert (stroke[:, 1] > 1.0).all()
    (span,) = artist(ax, "refractory").get_paths()
    assert sorted(set(span.vertices[:, 0])) == pytest.approx([2.0, 3.0])
    assert ax.get_ylim()[1] > stroke[:, 1].max()
    assert ax.get_xlim() == (0.0, 8.0)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time (ms)", "v of out 0")


def test_membrane_of_a_quiet_neuron_has_no_marks(trace_run, tmp_path):
    ax = plot.membrane(trace_run, "out", 2)
    assert ax.get_legend_handles_labels()[1] == ["exact", "threshold"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["exact", "threshold"]
    drawn(ax, tmp_path)


def test_membrane_rows_share_time_and_one_key(trace_run, tmp_path):
    axes = plot.membrane(trace_run, "out", [1, 0, 2])
    assert axes.shape == (3,)
    assert [ax.get_ylabel() for ax in axes] == ["v of out 1", "v of out 0", "v of out 2"]
    assert [ax.get_xlabel() for ax in axes] == ["", "", "time (ms)"]
    assert [ax.get_legend() is not None for ax in axes] == [True, False, False]
    key = [t.get_text() for t in axes[0].get_legend().get_texts()]
    assert key == ["exact", "threshold", "spike", "refractory"]
    drawn(axes, tmp_path)


def test_membrane_one_neuron_in_a_sequence_gives_an_array(trace_run):
    assert plot.membrane(trace_run, "out", [0]).shape == (1,)


def test_membrane_puts_the_discrete_steps_over_the_curve(trace_run, tmp_path):
    v = np.tile(np.linspace(0.2, 1.6, 8)[:, None], (1, 3))
    spikes = (v > 0.9).astype(np.uint8)
    discrete = {"dt": 1e-3, "v": v, "spikes": spikes}
    ax = plot.membrane(trace_run, "out", 0, discrete=discrete)
    values, edges, baseline = artist(ax, "discrete").get_data()
    np.testing.assert_allclose(values, v[:, 0] + 0.1)  # relative to rest
    np.testing.assert_allclose(edges, np.arange(9.0))
    assert baseline is None
    boxes = artist(ax, "discrete spike").get_paths()
    assert len(boxes) == spikes[:, 0].sum()
    assert boxes[0].vertices[:, 1].min() > 1.7
    drawn(ax, tmp_path)
    one = plot.membrane(trace_run, "out", 0, discrete={"dt": 1e-3, "v": v[:, 0]})
    np.testing.assert_allclose(artist(one, "discrete").get_data()[0], values)


def test_membrane_of_a_part_of_the_run(trace_run):
    ax = plot.membrane(trace_run, "out", 0, t_range=(2.5e-3, 4e-3), t_unit="s")
    assert ax.get_xlim() == (2.5e-3, 4e-3)
    assert ax.get_xlabel() == "time (s)"
    assert "spike" not in ax.get_legend_handles_labels()[1]
    (span,) = artist(ax, "refractory").get_paths()
    assert sorted(set(span.vertices[:, 0])) == pytest.approx([2.5e-3, 3e-3])


def test_membrane_of_a_stopped_run(trace_run, tmp_path):
    stopped = dataclasses.replace(trace_run, t_reached=5e-3, complete=False)
    ax = plot.membrane(stopped, "out", 0)
    assert artist(ax, "exact").get_xdata().max() == pytest.approx(5.0)
    assert [t.get_text() for t in ax.texts] == ["not simulated"]
    drawn(ax, tmp_path)
    with pytest.raises(InvalidValue, match="t_range: expected a part of the run, 0 to 0.005 s"):
        plot.membrane(stopped, "out", 0, t_range=(6e-3, 7e-3))


def test_membrane_without_a_threshold_has_no_line(tmp_path):
    net = es.Network(
        [es.Input("in", 1), es.Population("out", 1, tau_mem=4e-3, v_threshold=np.inf)],
        [es.Dense("in", "out", [[2.0]], spread=1e-3)],
    )
    train = es.SpikeTrain([1e-3], [0])
    result = es.simulate(net, {"in": train}, t_stop=8e-3, record_v={"out": [0]}, record="counts")
    ax = plot.membrane(result, "out", 0)
    assert ax.get_legend_handles_labels()[1] == ["exact"]
    assert np.isfinite(ax.get_ylim()).all()
    drawn(ax, tmp_path)


@pytest.mark.parametrize(
    ("population", "neurons", "options", "error", "message"),
    [
        ("in", 0, {}, InvalidValue, "population: expected one with recorded potentials"),
        ("out", 7, {}, InvalidValue, r"neurons: expected recorded ones \(2, 0, 1\), got 7"),
        ("out", [], {}, InvalidValue, "neurons: expected at least one"),
        ("out", [0.5], {}, InvalidType, "neurons: expected integers"),
        ("out", [0, 1], {"ax": [None]}, InvalidType, "expected Matplotlib Axes"),
        ("out", 0, {"discrete": 3}, InvalidType, "discrete: expected a mapping"),
        ("out", 0, {"discrete": {"dt": 1e-3}}, InvalidValue, "'dt' and any of 'v', 'spikes'"),
        ("out", 0, {"discrete": {"dt": 1e-3, "u": [1]}}, InvalidValue, "any of 'v', 'spikes'"),
        ("out", 0, {"discrete": {"dt": 0, "v": [1.0]}}, InvalidValue, "expected a number > 0"),
        ("out", 0, {"discrete": {"dt": 1, "v": []}}, InvalidValue, "at least one step"),
        (
            "out",
            [0, 1],
            {"discrete": {"dt": 1e-3, "v": np.zeros((4, 2))}},
            InvalidValue,
            r"discrete\['v'\]: expected axes \[step, 3\], got shape \(4, 2\)",
        ),
    ],
)
def test_membrane_refuses_bad_arguments(trace_run, population, neurons, options, error, message):
    with pytest.raises(error, match=message):
        plot.membrane(trace_run, population, neurons, **options)


def test_membrane_needs_one_axes_for_each_neuron(trace_run):
    with pytest.raises(InvalidValue, match="ax: expected 2 Axes, one for each neuron, got 3"):
        plot.membrane(trace_run, "out", [0, 1], ax=Figure().subplots(3))
    axes = Figure().subplots(2)
    assert list(plot.membrane(trace_run, "out", [0, 1], ax=axes)) == list(axes)
