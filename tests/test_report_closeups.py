"""The figure of a close-up: every mark at its place, a choice of rows, a bounded size."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from eventsim.fidelity.closeup import CloseUp, Divergence, LayerSpikes, Membrane
from eventsim.fidelity.counterparts import Counterparts
from eventsim.recording import SpikeTrain
from eventsim.report import render
from eventsim.report.closeup import closeup_figure, time_ticks
from eventsim.report.rows import CELLS, ROWS, SPAN, TALLEST, choose
from tests.reports import comparison

DT = 1e-3


def test_time_ticks_stand_at_their_times():
    assert [(t.at, t.text) for t in time_ticks(0.0, 2.0, 100.0)][:3] == [
        (0.0, "0"), (10.0, "0.2"), (20.0, "0.4"),
    ]  # fmt: skip


def numbers(d: str) -> np.ndarray:
    return np.array([float(text) for text in re.findall(r"-?\d+\.?\d*", d)])


def closeup(rng, sizes=(300, 40, 10), steps=4, rate=0.3, first=0) -> CloseUp:
    """A made-up one, of layers of some sizes."""
    layers = []
    for k, n in enumerate(sizes):
        spikes = (rng.uniform(size=(1, steps, n)) < rate).astype(np.uint8)
        count = int(rate * steps * n)
        train = SpikeTrain.sorted(rng.uniform(0, steps * DT, count), rng.integers(n, size=count))
        pairs = Counterparts.of(spikes, [train], DT)
        layers.append(
            LayerSpikes(
                f"layer{k}", n, pairs.step, pairs.unit, train.times, train.senders, pairs.partner
            )
        )
    spike = Divergence("layer0", sizes[0] - 1, first, (first + 1) * DT, True)
    t = np.linspace(0, steps * DT, 5000)
    membrane = Membrane(
        spike, t, np.sin(1e4 * t), 1.0, np.array([[0.0, DT]]), rng.normal(size=steps)
    )
    return CloseUp(
        7, 1, 0, 1, np.array([1, 0]), np.array([0, 1]), tuple(layers), spike, (membrane,),
        steps, DT, steps * DT, "pulses of 1 step",
    )  # fmt: skip


def boxes(block) -> int:
    return block.both_coarse.count("M") + block.only_coarse.count("M")


def ticks(block) -> int:
    return block.both_continuous.count("M") + block.only_continuous.count("M")


def test_all_spikes_of_small_layers_are_drawn(rng):
    one = closeup(rng, sizes=(12, 8))
    figure = closeup_figure(one)
    assert [block.name for block in figure.blocks] == ["layer1", "layer0"]  # the output on top
    for block, layer in zip(figure.blocks, reversed(one.layers), strict=True):
        assert boxes(block) == layer.step.size and ticks(block) == layer.time.size
        assert block.only_coarse.count("M") == layer.missing.sum()
        assert block.only_continuous.count("M") == block.only_dots.count("M") == layer.extra.sum()
        places = [row.y for row in block.rows]
        assert places == sorted(places, reverse=True)  # units upwards
    assert [row.only_coarse for row in figure.layers] == [int(x.missing.sum()) for x in one.layers]
    (pin,) = figure.pins
    assert pin.words == "layer0 11, step 0: only the coarse model spikes"
    assert pin.x == pytest.approx(figure.plot_width / 4, abs=0.01)


def test_marks_stand_at_their_times(rng):
    one = closeup(rng, sizes=(6,))
    figure = closeup_figure(one)
    (block,), (layer,) = figure.blocks, one.layers
    places = {row.unit: row.y for row in block.rows}
    found = sorted((float(x), float(y)) for x, y in re.findall(r"M(\S+) (\S+?)h0", block.only_dots))
    times = layer.time[layer.extra] / (4 * DT) * figure.plot_width
    wanted = sorted(
        zip(times.tolist(), [places[u] for u in layer.sender[layer.extra]], strict=True)
    )
    assert np.array(found) == pytest.approx(np.array(wanted), abs=0.01)


def test_big_layers_show_what_differs_first(rng):
    one = closeup(rng)
    shown = choose(one)
    for layer in one.layers:
        units = shown.units[layer.name]
        assert (np.diff(units) > 0).all()
        alone = np.bincount(layer.unit[layer.missing], minlength=layer.n)
        alone += np.bincount(layer.sender[layer.extra], minlength=layer.n)
        chosen = [m.spike.unit for m in one.membranes if m.spike.layer == layer.name]
        assert set(chosen) <= set(units.tolist())
        rest = np.setdiff1d(np.arange(layer.n), units)
        others = np.setdiff1d(units, chosen)
        if rest.size and others.size:
            assert alone[rest].max() <= alone[others].min()
        assert shown.active[layer.name] >= units.size
    assert sum(map(len, shown.units.values())) <= ROWS


@pytest.mark.parametrize("first", [0, 3, 50, 99])
def test_long_presentations_are_cut_around_the_first_difference(rng, first):
    one = closeup(rng, steps=100, first=first)
    figure = closeup_figure(one)
    assert figure.span == SPAN
    assert figure.start <= first < figure.start + SPAN
    assert "of 100" in figure.cut and f"steps {figure.start:.0f} to" in figure.cut
    assert len(figure.panels) == 1
    assert "" == closeup_figure(closeup(rng)).cut


def test_a_membrane_beyond_the_drawn_steps_is_left_out(rng):
    one = closeup(rng, steps=100)
    late = dataclasses.replace(one.membranes[0].spike, step=90, time=91 * DT)
    both = dataclasses.replace(
        one, membranes=(*one.membranes, dataclasses.replace(one.membranes[0], spike=late))
    )
    assert len(closeup_figure(both).panels) == 1


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [((5000, 3000, 2000, 1000, 500, 200, 100, 10), 4), ((800, 10), 24), ((300,) * 20, 100)],
)
def test_close_ups_stay_small(rng, sizes, steps):
    one = closeup(rng, sizes, steps, rate=1.0)
    figure = closeup_figure(one)
    assert sum(len(block.rows) for block in figure.blocks) * figure.span <= CELLS
    page = render(dataclasses.replace(comparison(), closeups=(one,)))
    (section,) = re.findall(r'<figure class="closeup">.*?</figure>', page, re.S)
    assert len(section.encode()) < 60_000
    if len(sizes) < 10:
        assert figure.plot_height <= TALLEST


def test_potentials_keep_their_turns(rng):
    one = closeup(rng, sizes=(5,))
    (panel,) = closeup_figure(one).panels
    x, y = numbers(panel.curve)[::2], numbers(panel.curve)[1::2]
    assert x.size <= 800 and (np.diff(x) >= 0).all()
    # The made-up potential swings between -1 and 1, six times.
    scale = (panel.threshold - y.max()) / (1.0 + 1.0)
    assert y.min() == pytest.approx(panel.threshold, abs=0.02 * abs(scale) + 0.1)
    middle = (y.max() + y.min()) / 2
    assert (np.diff(np.sign(y - middle)) != 0).sum() == 12
    assert panel.below.count("M") + panel.above.count("M") == 4


def test_a_first_difference_in_a_pooling_is_told(rng):
    one = closeup(rng)
    pooled = Divergence("pool", 3, 0, DT, False)
    text = closeup_figure(dataclasses.replace(one, first=pooled)).unseen
    assert "pool 3, step 0: only the continuous network spikes" in text
    assert closeup_figure(one).unseen == ""
    none = dataclasses.replace(one, first=None, membranes=())
    assert closeup_figure(none).panels == () and closeup_figure(none).unseen == ""
