"""PyTorch and safetensors files: code in them, damage, other content."""

from __future__ import annotations

import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import eventsim as es
from eventsim.errors import FileError, MissingExtra
from tests.described import GOOD


class Touch:
    """Unpickling this creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_named_and_not_run(tmp_path, zipped):
    trap = tmp_path / "trap"
    torch.save({"w": Touch(trap)}, tmp_path / "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileError, match=r"evil\.pt: .*code \(posix\.mkdir\); .* never allowed"):
        es.load(tmp_path / "evil.pt", GOOD)
    assert not trap.exists()


def test_whole_modules_are_refused(tmp_path):
    torch.save(nn.Linear(4, 3), tmp_path / "net.pt")
    with pytest.raises(FileError, match=r"pickled code \(torch\.nn\.modules\.linear\.Linear\)"):
        es.load(tmp_path / "net.pt", GOOD)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "expected named tensors, got a list"),
        ({}, "expected named tensors, got the entries"),
        ({"w": 3}, "w: expected a tensor, got int"),
        ({"model": {"w": torch.ones(3, 4)}}, r"nested entries \['model'\]"),
        ({"w": torch.ones(3, 4, dtype=torch.complex64)}, "tensor 'w': expected real numbers"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(FileError, match=message):
        es.load(tmp_path / "net.pt", GOOD)


def test_checkpoint_with_an_entry_for_the_tensors(tmp_path):
    torch.save({"model": {"w": torch.ones(3, 4)}, "epoch": 3}, tmp_path / "net.pt")
    net, _ = es.load(tmp_path / "net.pt", GOOD | {"state_dict": "model"})
    assert net["out"].n == 3
    with pytest.raises(FileError, match=r"state_dict: expected an entry 'x', got the entries"):
        es.load(tmp_path / "net.pt", GOOD | {"state_dict": "x"})


def test_damaged_files(tmp_path):
    torch.save({"w": torch.ones(3, 4)}, tmp_path / "net.pt")
    save_file({"w": torch.ones(3, 4)}, tmp_path / "net.safetensors")
    for name in ("net.pt", "net.safetensors"):
        path = tmp_path / name
        data = path.read_bytes()
        for size in (12, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:size])
            with pytest.raises(FileError, match=f"{name}: file: expected .* got a damaged"):
                es.load(path, GOOD)


def test_dispatch_needs_the_right_partner(tmp_path):
    torch.save({"w": torch.ones(3, 4)}, tmp_path / "net.pt")
    with pytest.raises(FileError, match=r"net\.pt: architecture: expected a description"):
        es.load(tmp_path / "net.pt")
    es.save(tmp_path / "net.h5", es.Network([es.Input("a", 1)]))
    with pytest.raises(FileError, match=r"net\.h5: architecture: expected none"):
        es.load(tmp_path / "net.h5", GOOD)
    (tmp_path / "net.toml").write_text("dt = 1")
    with pytest.raises(FileError, match=r"net\.toml: file: expected an eventsim network .* b'dt"):
        es.load(tmp_path / "net.toml")


@pytest.mark.parametrize(
    ("package", "begins"), [("torch", b"PK\x03\x04"), ("safetensors", b"\x02" + b"\0" * 7 + b"{}")]
)
def test_missing_packages_name_their_extra(tmp_path, monkeypatch, package, begins):
    (tmp_path / "net").write_bytes(begins)
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install \"eventsim\[{package}\]\""):
        es.load(tmp_path / "net", GOOD)
