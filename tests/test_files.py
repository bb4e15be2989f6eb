"""Whole-file writing and eventsim's own network file."""

from __future__ import annotations

import dataclasses
import json
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
from eventsim.load import hdf5, native
from eventsim.load.native import load_network, read_provenance
from eventsim.save.files import new_file
from eventsim.save.native import save_network


def everything(rng: np.random.Generator) -> es.Network:
    """A network with every kind of population and projection, and every kind of value."""
    return es.Network(
        [
            es.Input("image", (1, 8, 8)),
            es.Population(
                "conv", (2, 8, 8), tau_mem=rng.uniform(1e-3, 1e-2, 128), t_ref=1e-3,
                i_bias=rng.normal(size=128), v_threshold=np.inf, fires_at_equality=False,
            ),
            es.Relay("max", (2, 4, 4)),
            es.Population("sum", (2, 4, 4), tau_mem=np.inf, reset="subtract", multi_spike=True),
            es.Population("avg", (2, 2, 2), tau_mem=0.1, v_init=np.linspace(0, 0.5, 8), r=-2.0),
            es.Population("out", 3, tau_mem=1 / 3, v_leak=-0.1, v_reset=-0.2, v_threshold=0.7),
        ],
        [
            es.Conv2d(
                "image", "conv", rng.normal(size=(2, 1, 3, 3)).astype(np.float32),
                padding=(2, 2), dilation=2, spread=1e-3,
            ),
            es.MaxPool2d("conv", "max", 2, rule="leader"),
            es.SumPool2d("conv", "sum", 2, weight=0.3, delay=1e-4),
            es.AvgPool2d("sum", "avg", 2, spread=2e-3),
            es.Dense("avg", "out", rng.normal(size=(8, 3)), delay=rng.uniform(0, 1, (8, 3))),
            es.Dense("max", "out", rng.normal(size=(32, 3)).astype(np.float32)),
            es.Sparse("out", "out", [0, 0, 2], [1, 1, 0], [0.1, 0.2, 0.3], delay=[1e-3] * 3),
            es.Sparse("image", "out", [], [], []),
        ],
    )  # fmt: skip


@pytest.fixture
def net(rng):
    return everything(rng)


DISC = es.Discretization(
    "coarse", dt=1e-3, steps=4, encoder="periodic", encoder_scale=0.7,
    variants={"conv": "constant_potential"}, spread=0.0, notes=("as trained", "µ"),
)  # fmt: skip


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


# What is refused when reading


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
