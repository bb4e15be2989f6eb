"""The public face: names, laziness, and where the shipped data are."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

import eventsim
from eventsim.errors import FileError
from eventsim.resources import data_path

ROOT = Path(eventsim.__file__).resolve().parent.parent


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_every_public_name_exists():
    for name in eventsim.__all__:
        assert getattr(eventsim, name) is not None
    assert set(eventsim.__all__) <= set(dir(eventsim))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        eventsim.no_such_name  # noqa: B018


def test_import_loads_nothing_heavy():
    heavy = ["numba", "numpy", "scipy", "matplotlib", "h5py"]
    assert run(f"import eventsim, sys; print([m for m in {heavy} if m in sys.modules])") == "[]"


def loaded(code: str, *packages: str) -> list[str]:
    """Which of the packages, or parts of them, a program loads."""
    return eval(run(f"{code}\nimport sys\nprint([m for m in {packages} if m in sys.modules])"))


def test_each_task_loads_what_it_needs():
    others = ("scipy.stats", "pandas", "torch", "dask", "distributed", "gymnasium", "nir")
    assert (
        loaded("import eventsim as es\nes.Network, es.load, es.save", "numba", "matplotlib") == []
    )
    assert loaded("import eventsim as es\nes.simulate", "matplotlib", "rich", *others) == []
    assert loaded("import eventsim as es\nes.validate", "matplotlib", "jinja2", *others) == []
    assert loaded("import eventsim.report", "matplotlib", *others) == []
    assert loaded("import eventsim.cli", "numpy", "numba", "matplotlib", "h5py", *others) == []


def test_a_result_is_read_and_drawn_without_the_compiler(tmp_path):
    net = eventsim.Network([eventsim.Population("out", 1, tau_mem=1e-2, i_bias=2.0)])
    result = eventsim.simulate(net, {}, 0.02, record_v={"out": [0]})
    result.save(tmp_path / "run.h5")
    code = (
        "import eventsim as es\n"
        f"result = es.load_result({str(tmp_path / 'run.h5')!r})\n"
        "assert len(result.v['out'].at([0.001, 0.01])) == 2\n"
        "es.plot.membrane(result, 'out', [0])"
    )
    assert loaded(code, "numba") == []


@pytest.mark.parametrize("name", ["simulate", "load", "save"])
def test_a_submodule_does_not_hide_the_function_of_its_name(name):
    code = f"import eventsim.{name}, eventsim; print(type(eventsim.{name}).__name__)"
    assert run(code) == "function"
    assert isinstance(getattr(eventsim, name), types.FunctionType)


def test_data_are_found_in_the_source_tree():
    assert data_path("hidden.h5").is_file()
    assert data_path("fashion-mnist_test500.npz").is_file()


def test_missing_data_are_an_error_that_names_the_places():
    with pytest.raises(FileError, match=r"nothing\.h5.*_data.*data"):
        data_path("nothing.h5")
