"""What the recorded outputs say is what the packages do."""

from __future__ import annotations

import importlib.util

import pytest

from tests.frameworks import records
from tests.frameworks.record import contents

STORED = sorted(path.stem for path in records.FOLDER.glob("*.npz"))
HERE = [name for name in STORED if importlib.util.find_spec(name) is not None]


@pytest.mark.parametrize("name", HERE)
def test_records_are_what_the_package_does(name: str) -> None:
    stored, made = records.read(records.FOLDER / f"{name}.npz"), contents(name)
    assert stored["version"] == made["version"]
    assert records.same(stored["cases"], made["cases"])
