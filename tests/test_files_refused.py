"""Network files that are damaged, of another kind, or hold bad content."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from eventsim.errors import FileError
from eventsim.load import hdf5
from eventsim.load.native import load_network, read_provenance
from eventsim.save.native import save_network
from tests.everything import DISC, everything


@pytest.fixture
def net(rng):
    return everything(rng)


@pytest.fixture
def path(net, tmp_path):
    return save_network(tmp_path / "net.h5", net, DISC, {"a": 1})


def test_missing_empty_and_foreign_files(tmp_path):
    with pytest.raises(FileError, match=r"none\.h5: .* expected .* got no such file"):
        load_network(tmp_path / "none.h5")
    with pytest.raises(FileError, match="got no such file"):
        load_network(tmp_path / ("x" * 300))
    with pytest.raises(FileError, match="got a folder"):
        load_network(tmp_path)
    empty = tmp_path / "empty.h5"
    empty.touch()
    with pytest.raises(FileError, match="got an empty file"):
        load_network(empty)
    text = tmp_path / "text.h5"
    text.write_text("hello, this is no network file")
    with pytest.raises(FileError, match="expected an eventsim network file .* another kind"):
        load_network(text)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    with pytest.raises(FileError, match="format: expected 'eventsim-network', got None"):
        load_network(other)
    with pytest.raises(FileError, match="format: expected 'eventsim-network', got None"):
        read_provenance(other)


def test_every_truncation_is_noticed(path):
    data = path.read_bytes()
    in_the_checksum = [len(data) - cut for cut in (1, 30, 65)]
    for size in [*range(1, len(data) - 100, len(data) // 40), len(data) - 200, *in_the_checksum]:
        path.write_bytes(data[:size])
        with pytest.raises(FileError, match=r"net\.h5"):
            load_network(path)


def test_every_changed_byte_is_noticed(net, path):
    data = path.read_bytes()
    for place in range(0, len(data), len(data) // 150):
        changed = bytearray(data)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        try:
            loaded, disc = load_network(path)
        except FileError as error:
            assert "net.h5" in str(error)
        else:
            # The mark of the checksum itself: then the content is whole.
            assert place >= len(data) - 100
            assert (loaded.fingerprint(), disc) == (net.fingerprint(), DISC)


def test_seal_is_checked_first(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(FileError, match="checksum: expected [0-9a-f]{64} .* the file is damaged"):
        load_network(path)


def changed(path, change):
    """Rewrite a file of eventsim with another content."""
    with h5py.File(path, "r+") as file:
        change(file)
    assert not hdf5.check_seal(path, "a file")


def _delete(where):
    def change(file):
        del file[where]

    return change


def _attribute(where, name, value):
    def change(file):
        if value is None:
            del file[where].attrs[name]
        else:
            file[where].attrs[name] = value

    return change


def _dataset(where, value):
    def change(file):
        if where in file:
            del file[where]
        file[where] = value

    return change


def _external(file):
    file["projections/0/weight2"] = h5py.ExternalLink("/etc/hostname", "/")


def _elsewhere(file):
    group = file["projections/4"]
    del group["weight"]
    group.create_dataset(
        "weight", (8, 3), "f8", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_attribute("/", "version", 99), "version: expected at most 1, got 99"),
        (_attribute("/", "version", "one"), "attribute version: expected int, got 'one'"),
        (_attribute("/", "format", "nir"), "format: expected 'eventsim-network', got 'nir'"),
        (_delete("populations"), "/populations: expected a group, got nothing"),
        (_delete("populations/0"), "/populations/0: expected a group, got nothing"),
        (_delete("projections/4/weight"), "projections/4: expected the fields of Dense, .*weight"),
        (_attribute("projections/0", "kind", "Conv9d"), "kind: expected one of .* got 'Conv9d'"),
        (_attribute("projections/0", "kind", None), "attribute kind: expected str, got none"),
        (_attribute("populations/1", "taumem", 1.0), "expected some of .* got .'taumem'"),
        (_attribute("populations/1", "t_ref", -1.0), "Population 'conv': t_ref: expected .* >= 0"),
        (_attribute("populations/4", "tau_mem", "fast"), "Population 'avg': tau_mem"),
        (_attribute("projections/4", "source", "nobody"), "source: expected one of"),
        (_dataset("projections/4/weight", np.full((8, 3), np.nan)), "expected a finite number"),
        (_dataset("projections/5/weight", np.ones((3, 32))), r"expected shape \(32, 3\)"),
        (_dataset("projections/4/weight", "text"), "expected numbers, got dtype"),
        (_dataset("discretization", "{"), "discretization: expected JSON text"),
        (_dataset("discretization", "[]"), "discretization: expected a JSON object, got list"),
        (_dataset("discretization", 3), "discretization: expected one text"),
        (_dataset("discretization", json.dumps({"dt": 1e-3})), "expected dt and steps"),
        (_external, "weight2: expected a dataset, got a link"),
        (_elsewhere, "weight: expected data in this file, got it elsewhere"),
    ],
)  # fmt: skip
def test_bad_content_names_the_field(path, change, message):
    changed(path, change)
    with pytest.raises(FileError, match=message) as error:
        load_network(path)
    assert "net.h5" in str(error.value)
