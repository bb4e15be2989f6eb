"""The examples of docs/frameworks.md, run with the packages that they are for."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "frameworks.md"
SECTIONS = dict(
    re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S)
)
PACKAGES = ("snnTorch", "Norse", "SpikingJelly", "sinabs", "Rockpool", "spikingtorch")


@pytest.mark.parametrize("section", PACKAGES)
def test_examples_run(section):
    """Each block by itself; the spikes of the twin have samples first."""
    torch = pytest.importorskip("torch")
    pytest.importorskip(section.lower())
    blocks = re.findall(r"```py\n(.*?)```", SECTIONS[section], re.S)
    assert blocks
    for block in blocks:
        torch.manual_seed(5)
        scope: dict[str, object] = {"__name__": "example"}
        exec(compile(block, f"{PAGE.name}, {section}", "exec"), scope)
        disc = scope["disc"]
        assert any("comparison with the module" in note for note in disc.notes)
        if "spikes" in scope:
            spikes = np.asarray(scope["spikes"])
            assert spikes.shape[1] == disc.steps


def test_what_comes_after_the_conversion(tmp_path, monkeypatch):
    """The blocks of docs/modules.md, with a module of snnTorch and random images."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("snntorch")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(6)
    scope: dict[str, object] = {"__name__": "example"}
    exec(re.findall(r"```py\n(.*?)```", SECTIONS["snnTorch"], re.S)[0], scope)
    rng = np.random.default_rng(1)
    images = rng.random((6, 64))
    spikes = rng.random((6, 25, 64)) < images[:, None]
    given = {"images": images, "labels": rng.integers(0, 10, 6), "other": spikes.astype(np.uint8)}
    module = scope["Net"]()
    with torch.no_grad():
        for parameter in module.parameters():  # multiples of 1/256: their sums are exact
            parameter.copy_(torch.round(parameter * 1024) / 256)
    scope |= {**given, "module": module}
    for block in re.findall(r"```py\n(.*?)```", (DOCS / "modules.md").read_text("utf-8"), re.S):
        exec(block, scope)
    x = torch.tensor(spikes, dtype=torch.float32).transpose(0, 1)
    with torch.no_grad():
        theirs = module(x)[0].numpy().transpose(1, 0, 2)
    assert theirs.any()
    np.testing.assert_array_equal(scope["spikes"], theirs)
    assert scope["result"].counts["lif2"].shape == (6, 10)
    assert (tmp_path / "net.h5").exists()
