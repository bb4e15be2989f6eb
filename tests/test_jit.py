"""The compile policy: one cache folder per state of the sources, no fastmath."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from eventsim import jit

ROOT = Path(jit.__file__).resolve().parent.parent


@jit.njit
def plus_one(x):
    return x + 1


@jit.njit(inline="always")
def twice(x):
    return 2 * x


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_kernels_are_cached_in_the_keyed_folder():
    assert plus_one(1) == 2
    assert twice(2) == 4
    assert plus_one.targetoptions["nogil"]
    assert "fastmath" not in plus_one.targetoptions
    assert Path(plus_one.stats.cache_path).parent == jit.cache_folder()
    assert not jit.pending_compilation()


def test_other_users_of_numba_keep_their_own_cache():
    assert numba.config.CACHE_DIR != str(jit.cache_folder())


@pytest.mark.parametrize("option", ["fastmath", "parallel"])
def test_options_that_reorder_sums_are_refused(option):
    with pytest.raises(ValueError, match=option):
        jit.njit(**{option: True})(lambda x: x)


def test_the_user_chooses_where_the_cache_lies(tmp_path):
    code = "import eventsim.jit as j; print(j.cache_folder().parent)"
    assert run(code, NUMBA_CACHE_DIR=str(tmp_path)) == str(tmp_path)
    in_xdg = run(code, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(tmp_path))
    assert in_xdg == str(tmp_path / "eventsim")


def test_the_folder_is_named_by_sources_and_versions(tmp_path, monkeypatch):
    package = tmp_path / "eventsim"
    package.mkdir()
    kernel, command = package / "engine.py", package / "cli.py"
    for path in (kernel, command):
        path.write_text("a = 1")
    monkeypatch.setattr(jit, "__file__", str(package / "jit.py"))
    first = jit._cache_key()
    command.write_text("a = 2")
    assert jit._cache_key() == first
    kernel.write_text("a = 2")
    second = jit._cache_key()
    assert second != first
    monkeypatch.setattr(jit, "version", lambda name: "another")
    assert jit._cache_key() not in (first, second)


def test_a_home_that_cannot_be_written_is_no_obstacle(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = "import eventsim.jit as j; print(j.cache_folder().is_dir())"
    assert run(code, NUMBA_CACHE_DIR="", XDG_CACHE_HOME=str(blocked), HOME=str(blocked)) == "True"


def test_old_folders_are_removed(tmp_path):
    for number in range(jit.KEPT_FOLDERS + 5):
        old = tmp_path / f"kernels-{number:02d}"
        old.mkdir()
        os.utime(old, (number, number))
    (tmp_path / "of-others").mkdir()
    code = "import eventsim.jit as j; print(j.cache_folder().name)"
    current = run(code, NUMBA_CACHE_DIR=str(tmp_path))
    left = sorted(path.name for path in tmp_path.iterdir())
    kept = [f"kernels-{number:02d}" for number in range(5, jit.KEPT_FOLDERS + 5)]
    assert left == sorted([*kept, "of-others", current])


def test_compilation_is_announced_once_and_timed():
    said = []
    with jit.CompileWatch(lambda: said.append("compiling")) as watch:
        square = numba.njit(lambda x: x * x)
        square(2)
        first = watch.seconds
        square(3)
        square(3.0)
    assert said == ["compiling"]
    assert 0 < first < watch.seconds


def test_the_compiler_loads_without_linear_algebra_and_works_as_it_did():
    said = run(
        "import sys, numba, numpy as np\n"
        "from eventsim import jit\n"
        "jit.load_compiler()\n"
        "print('scipy.linalg' in sys.modules)\n"
        "a = np.arange(3.0)\n"
        "print(numba.njit(lambda x: np.dot(x, x))(a))\n"
        "print(numba.njit(lambda x: np.convolve(x, x))(a).tolist())\n"
        "import scipy.linalg\n"
        "jit.load_compiler()\n"
        "print(scipy.linalg is sys.modules['scipy.linalg'], scipy.linalg.norm(a[:2]))\n"
    )
    assert said.splitlines() == ["False", "5.0", "[0.0, 0.0, 1.0, 4.0, 4.0]", "True 1.0"]
