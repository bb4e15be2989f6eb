"""Figures in files, and in the axes that one brings."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from eventsim import plot
from eventsim.errors import FileError, InvalidType, InvalidValue
from tests.plot.figures import drawn, run


def test_plots_draw_into_the_axes_given(tmp_path):
    figure = Figure(figsize=(4, 3))
    ax = figure.subplots()
    assert plot.raster(run([50, 50, 5]), ax=ax) is ax
    drawn(figure, tmp_path)
    left, right = Figure().subfigures(1, 2)
    ax = left.subplots()
    assert plot.rates(run([50, 50, 5]), ax=ax) is ax
    assert drawn(ax, tmp_path, "sub.png").exists()
    assert drawn(right, tmp_path, "right.png").exists()


def test_plots_leave_the_settings_of_matplotlib_alone(tmp_path):
    before = matplotlib.rcParams.copy()
    drawn(plot.raster(run([50, 50, 5])), tmp_path, "figure.svg")
    assert matplotlib.rcParams == before


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])
def test_save_writes_whole_reproducible_files(suffix, tmp_path):
    result = run([300, 50, 5])
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert plot.save(plot.raster(result), first) == first
    plot.save(plot.raster(result), second)
    assert first.read_bytes() == second.read_bytes()
    magic = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix.lower()]
    assert first.read_bytes().startswith(magic)
    assert sorted(p.name for p in tmp_path.iterdir()) == [first.name, second.name]


def test_save_rasterizes_spikes_inside_svg(tmp_path):
    few = drawn(plot.raster(run([300, 50, 5])), tmp_path, "few.svg").read_text()
    many = drawn(plot.raster(run([30_000, 50, 5])), tmp_path, "many.svg").read_text()
    assert "<image" in few
    assert many.count("<path") < few.count("<path") + 50


def test_save_replaces_a_file_only_when_told(tmp_path):
    ax = plot.accuracy_bars(["a"], [0.5], [0.4], [0.6])
    path = tmp_path / "figure.png"
    path.write_text("mine")
    with pytest.raises(FileError, match="overwrite=True"):
        plot.save(ax, path)
    assert path.read_text() == "mine"
    plot.save(ax, path, overwrite=True)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_save_refuses_other_things(tmp_path):
    ax = plot.accuracy_bars(["a"], [0.5], [0.4], [0.6])
    with pytest.raises(InvalidValue, match=r"path: expected a name that ends in one of .*'\.png'"):
        plot.save(ax, tmp_path / "figure.jpg")
    with pytest.raises(FileError, match="folder: expected an existing one"):
        plot.save(ax, tmp_path / "none" / "figure.png")
    with pytest.raises(InvalidType, match="figure: expected Axes or a Figure, got str"):
        plot.save("figure", tmp_path / "figure.png")
    with pytest.raises(InvalidValue, match="at least one Axes"):
        plot.save(np.array([]), tmp_path / "figure.png")
    assert not list(tmp_path.iterdir())
