"""eventsim's own network file: round trips, and whole files or none."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eventsim as es
from eventsim.errors import FileError, InvalidType, UnsupportedNetwork
from eventsim.load import native
from eventsim.load.native import load_network, read_provenance
from eventsim.save.files import new_file
from eventsim.save.native import save_network
from tests.everything import DISC, everything


@pytest.fixture
def net(rng):
    return everything(rng)


# Round trips


def test_round_trip_keeps_everything(net, tmp_path):
    path = save_network(tmp_path / "net.h5", net, DISC, {"seed": 3, "who": "µ"})
    loaded, disc = load_network(path)
    assert loaded.fingerprint() == net.fingerprint()
    assert loaded.describe() == net.describe()
    assert disc == DISC
    assert read_provenance(path) == {"seed": 3, "who": "µ"}
    for old, new in zip(net.projections, loaded.projections, strict=True):
        for field in dataclasses.fields(old):
            a, b = getattr(old, field.name), getattr(new, field.name)
            assert type(a) is type(b), (old, field.name)
            if isinstance(a, np.ndarray):
                assert a.dtype == b.dtype
                assert not b.flags.writeable


def test_round_trip_through_the_public_names(net, tmp_path):
    path = es.save(tmp_path / "net.h5", net, DISC)
    loaded, disc = es.load(path)
    assert loaded.fingerprint() == net.fingerprint()
    assert disc == DISC


def test_nothing_but_a_network_is_needed(tmp_path):
    path = save_network(tmp_path / "net.h5", es.Network([es.Input("a", 1)]))
    net, disc = load_network(path)
    assert net.inputs == ("a",)
    assert disc is None
    assert read_provenance(path) == {}


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(
    weight=st.sampled_from([np.float32, np.float64]).flatmap(
        lambda kind: hnp.arrays(
            kind, (2, 3), elements=st.floats(-10, 10, width=32 if kind is np.float32 else 64)
        )
    ),
    tau=st.floats(min_value=1e-300, allow_nan=False),
    leak=st.one_of(floats, hnp.arrays(np.float64, 3, elements=floats)),
    delay=st.floats(0, 1e300),
    name=st.text(min_size=1).filter(
        lambda s: not s.startswith(".") and not set(s) & {"/", "\0"} and s.isprintable()
    ),
)
def test_any_network_survives(tmp_path_factory, weight, tau, leak, delay, name):
    net = es.Network(
        [es.Input("in", 2), es.Population(f"p{name}", (1, 3), tau_mem=tau, v_leak=leak)],
        [es.Dense("in", f"p{name}", weight, delay=delay)],
    )
    path = tmp_path_factory.mktemp("net") / "net.h5"
    assert load_network(save_network(path, net))[0].fingerprint() == net.fingerprint()


def test_same_network_gives_the_same_bytes(net, tmp_path):
    one = save_network(tmp_path / "one.h5", net, DISC, {"a": 1}).read_bytes()
    assert save_network(tmp_path / "two.h5", net, DISC, {"a": 1}).read_bytes() == one


def test_provenance_takes_numpy_values(tmp_path):
    given_values = {
        "accuracy": np.float32(0.5), "counts": np.arange(3), "path": tmp_path,
        "nested": {"ok": np.True_}, "long": "x" * 200_000,
    }  # fmt: skip
    path = save_network(tmp_path / "n.h5", es.Network([es.Input("a", 1)]), None, given_values)
    assert read_provenance(path) == {
        "accuracy": 0.5, "counts": [0, 1, 2], "path": str(tmp_path),
        "nested": {"ok": True}, "long": "x" * 200_000,
    }  # fmt: skip


def test_float32_weights_are_compressed(tmp_path):
    net = es.Network(
        [es.Input("a", 100), es.Population("b", 100, tau_mem=1.0)],
        [es.Dense("a", "b", np.zeros((100, 100), np.float32))],
    )
    path = save_network(tmp_path / "n.h5", net)
    with h5py.File(path) as file:
        weight = file["projections/0/weight"]
        assert (weight.dtype, weight.compression, weight.shuffle) == (np.float32, "gzip", True)
        assert file.attrs["fingerprint"] == net.fingerprint()


# What is refused when writing


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no network",), "net: expected a Network"),
        ((es.Network([es.Input("a", 1)]), {"dt": 1}), "disc: expected a Discretization"),
        ((es.Network([es.Input("a", 1)]), None, [1]), "provenance: expected a mapping"),
        ((es.Network([es.Input("a", 1)]), None, {"f": open}), "provenance: expected JSON"),
    ],
)
def test_bad_arguments_leave_no_file(tmp_path, arguments, message):
    with pytest.raises(InvalidType, match=message):
        save_network(tmp_path / "net.h5", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_unknown_kind_of_population_is_refused(tmp_path):
    class Special(es.Input):
        """A population that a file cannot name."""

    with pytest.raises(UnsupportedNetwork, match="expected kinds .* got Special"):
        save_network(tmp_path / "net.h5", es.Network([Special("a", 1)]))
    assert list(tmp_path.iterdir()) == []


def test_name_that_hdf5_cannot_hold_is_refused(tmp_path):
    with pytest.raises(UnsupportedNetwork, match="name: expected a value that HDF5 can hold"):
        save_network(tmp_path / "net.h5", es.Network([es.Input("a\0b", 1)]))
    assert list(tmp_path.iterdir()) == []


def test_existing_file_is_kept_unless_overwrite(net, tmp_path):
    path = tmp_path / "net.h5"
    path.write_text("precious")
    with pytest.raises(FileError, match=r"net\.h5: output: expected a new file"):
        save_network(path, net)
    assert path.read_text() == "precious"
    save_network(path, net, overwrite=True)
    assert load_network(path)[0].fingerprint() == net.fingerprint()
    assert [p.name for p in tmp_path.iterdir()] == ["net.h5"]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), new_file(path, overwrite=True) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_file_that_appears_meanwhile_is_kept(tmp_path):
    path = tmp_path / "out.txt"
    with pytest.raises(FileError, match="expected a new file"), new_file(path) as temporary:
        temporary.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_folders_are_refused(net, tmp_path):
    with pytest.raises(FileError, match="expected the name of a file, got a folder"):
        save_network(tmp_path, net)
    with pytest.raises(FileError, match="folder: expected an existing one"):
        save_network(tmp_path / "none" / "net.h5", net)
    with pytest.raises(InvalidType, match="path: expected a str or Path, got int"):
        save_network(3, net)


def test_system_errors_name_the_file(net, tmp_path):
    path = tmp_path / ("x" * 300)
    with pytest.raises(FileError, match="output: expected to write it, got"):
        save_network(path, net)


def test_new_file_has_the_usual_permissions(tmp_path):
    mask = os.umask(0o022)
    try:
        with new_file(tmp_path / "a") as temporary:
            temporary.write_text("a")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_link_is_followed(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with new_file(tmp_path / "link", overwrite=True) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


# Imports and kinds


def test_loading_and_saving_bring_no_heavy_packages():
    heavy = ["numba", "torch", "safetensors", "pandas", "matplotlib"]
    code = (
        "import sys, eventsim; eventsim.load, eventsim.save, eventsim.load_result; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_format_names_every_public_kind():
    kinds = {**native.KINDS["populations"], **native.KINDS["projections"]}
    assert all(getattr(es, name) is kind for name, kind in kinds.items())
