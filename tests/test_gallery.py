"""The examples of docs/gallery run by themselves, and show what their text says."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

matplotlib.use("Agg")

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCRIPTS = sorted(path.stem for path in (DOCS / "gallery").glob("*.py"))


def grazing_spike(scope):
    assert scope["spikes"].senders.tolist() == [0]
    lead = scope["t_peak"] - scope["spikes"].times[0]
    assert lead == pytest.approx(np.sqrt(2e-9 * scope["TAU"] * scope["TAU_SYN"]), rel=1e-3)


def adaptation(scope):
    for name in ("ALIF", "AHP"):
        intervals = np.diff(scope["result"].spikes[name].times)
        assert intervals[-1] > 1.8 * intervals[0]


def ring(scope):
    np.testing.assert_allclose(np.diff(scope["visits"])[[1, 3]], 0.1)
    last = scope["result"].spikes["ring"].between(0.4, 0.5)
    assert (last.counts(scope["N"]) == 1).all()  # one wave, once around


def brunel(scope):
    assert len(scope["spikes"]) / 0.4 / scope["N_EXC"] == pytest.approx(15, abs=0.5)
    assert 0.8 < np.mean(scope["variation"]) < 1.0


def cuba(scope):
    assert 5 < len(scope["result"].spikes["cells"]) / 0.5 / scope["N"] < 7


def nir_boxes(scope):
    exact = [0.046084386, 0.051089752, 0.071091961, 0.07609089]
    np.testing.assert_allclose(scope["result"].spikes["lif"].times, exact, atol=1e-9)
    np.testing.assert_allclose(scope["times"], exact, atol=1e-9)  # as pulses


def snntorch_digits(scope):
    assert scope["different"] == 0 and scope["theirs"].sum() > 5000
    assert scope["report"].coarse.accuracy.value > 0.85
    assert scope["report"].continuous[0].accuracy.value > 0.8


def norse_yin_yang(scope):
    assert scope["different"] == 0 and scope["theirs"].sum() > 5000
    assert scope["report"].coarse.accuracy.value > 0.75
    assert scope["report"].continuous[0].accuracy.value > 0.65


def spikingjelly_residual(scope):
    assert scope["different"] == 0 and scope["theirs"].sum() > 2000
    arriving = [p.source for p in scope["network"].projections if p.target == "head.2"]
    assert arriving == ["stem.2", "block.5"]
    free, capped = scope["reports"].values()
    assert free.coarse.accuracy.value > 0.8 and free.continuous[0].accuracy.value > 0.8
    assert capped.continuous[0].accuracy.value < free.continuous[0].accuracy.value


def sinabs_digits(scope):
    assert scope["different"] == 0 and scope["theirs"].sum() > 5000
    assert scope["twin"]["1"].max() > 1
    assert scope["report"].coarse.accuracy.value > 0.85
    assert scope["report"].continuous[0].accuracy.value > 0.85


def rockpool_digits(scope):
    assert scope["different"] == 0 and scope["theirs"].sum() > 2000
    charge, current = (scope["reports"][jump] for jump in ("charge", "current"))
    assert charge.coarse.accuracy.value > 0.8
    assert charge.continuous[0].accuracy.value > current.continuous[0].accuracy.value - 0.02


def spikingtorch_digits(scope):
    assert scope["different"] == 0 and scope["theirs"].sum() > 1000
    report = scope["report"]
    assert report["1"].accuracy.value > report["0"].accuracy.value + 0.04


CLAIMS = {
    f.__name__: f
    for f in (
        grazing_spike, adaptation, ring, brunel, cuba, nir_boxes, snntorch_digits, norse_yin_yang,
        spikingjelly_residual, sinabs_digits, rockpool_digits, spikingtorch_digits,
    )
}  # fmt: skip
#: Label of an axis, where it is not time; number of pictures, where there are no axes.
LABELS = {"spikingtorch_digits": "pulse width (steps)"}
PICTURES = {"norse_yin_yang": 3}
#: What an example needs that is not among the development packages.
NEEDS = {
    "snntorch_digits": "snntorch",
    "norse_yin_yang": "norse",
    "spikingjelly_residual": "spikingjelly",
    "sinabs_digits": "sinabs",
    "rockpool_digits": "rockpool",
    "spikingtorch_digits": "spikingtorch",
}


def test_every_example_has_its_place_and_its_test():
    order = re.search(r"ExplicitOrder\((.*?)\)", (DOCS / "conf.py").read_text(), re.DOTALL)
    assert sorted(re.findall(r'"(\w+)\.py"', order[1])) == SCRIPTS == sorted(CLAIMS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_example(name, monkeypatch, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])  # make test-frameworks and make docs run it
    monkeypatch.setattr(pyplot, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    try:
        scope = runpy.run_path(str(DOCS / "gallery" / f"{name}.py"))
        CLAIMS[name](scope)
        figure = pyplot.gcf()
        figure.savefig(tmp_path / "figure.png")  # warnings of the layout are errors here
        if name in PICTURES:
            assert sum(len(ax.images) for ax in figure.axes) == PICTURES[name]
        else:
            label = LABELS.get(name, "time (ms)")
            assert any(label in ax.get_xlabel() for ax in figure.axes)
    finally:
        pyplot.close("all")
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
