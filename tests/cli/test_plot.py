"""``eventsim plot``, and pictures that another process draws."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from eventsim import Network, Population, simulate
from eventsim.cli import drawing
from eventsim.errors import FileError
from tests.cli.commands import refused, run


def test_plots(result_file, tmp_path):
    for name, options in (
        ("raster.png", ["--raster"]),
        ("again.svg", ["--sample", 3]),
        ("membrane.png", ["--membrane", "out:0,1"]),
    ):
        done = run("plot", result_file, "-o", tmp_path / name, *options)
        assert done.exit_code == 0, done.output
        assert done.stdout == f"\nwrote {tmp_path / name}\n"
        assert (tmp_path / name).stat().st_size > 5000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sample", "8"], ("--sample", "below 8")),
        (["--membrane", "out:5"], ("recorded", "5")),
        (["--membrane", "nobody:0"], ("nobody",)),
        (["--raster", "--membrane", "out:0"], ("both",)),
    ],
)
def test_bad_plots_are_refused(result_file, tmp_path, options, words):
    refused(run("plot", result_file, "-o", tmp_path / "x.png", *options), *words)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_needs_a_known_format(result_file, folder, tmp_path):
    refused(run("plot", result_file, "-o", tmp_path / "x.bmp"), ".png")
    refused(run("plot", folder / "net.h5", "-o", tmp_path / "x.png"), "net.h5")


def test_pictures_are_the_same_whoever_draws_them(tmp_path, monkeypatch):
    net = Network([Population("out", 2, tau_mem=1e-2, i_bias=[2.0, 3.0])])
    result = simulate(net, {}, 0.02, record_v={"out": [0, 1]})
    drawn, here = [], []
    for way in ("second process", "one core", "no such program", "a program that fails"):
        pictures = [
            {"what": "raster", "out": str(tmp_path / f"{way}.png"), "options": {"dt": 1e-3}},
            {"what": "membrane", "out": str(tmp_path / f"{way} 2.png"),
             "options": {"population": "out", "neurons": [1, 0]}},
        ]  # fmt: skip
        with monkeypatch.context() as patch:
            here.clear()
            patch.setattr(drawing, "draw_pictures", lambda *given: here.append(given))
            if way == "one core":
                patch.setattr(os, "cpu_count", lambda: 1)
            if way == "no such program":
                patch.setattr(sys, "executable", str(tmp_path / "absent"))
            if way == "a program that fails":
                patch.setattr(sys, "executable", "/bin/false")
            with drawing.Artist(overwrite=False) as artist:
                artist.draw(result, pictures)
                artist.finish()
        if way == "second process":
            assert here == []
        else:
            (given,) = here
            drawing.draw_pictures(*given)
        drawn.append([Path(picture["out"]).read_bytes() for picture in pictures])
    assert drawn[0] == drawn[1] == drawn[2] == drawn[3]


def test_errors_of_drawing_are_told(tmp_path):
    net = Network([Population("out", 1, tau_mem=1e-2, i_bias=2.0)])
    result = simulate(net, {}, 0.02)
    picture = {"what": "raster", "out": str(tmp_path / "no folder" / "a.png"), "options": {}}
    with drawing.Artist(overwrite=False) as artist:
        artist.draw(result, [picture])
        with pytest.raises(FileError, match="no folder"):
            artist.finish()
