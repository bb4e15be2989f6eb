"""What the recorded outputs say is what the packages do."""

from __future__ import annotations

import pytest

from tests.frameworks import records
from tests.frameworks.record import contents

STORED = sorted(path.stem for path in records.FOLDER.glob("*.npz"))


@pytest.mark.parametrize("name", STORED)
def test_records_are_what_the_package_does(name: str) -> None:
    pytest.importorskip(name)
    stored, made = records.read(records.FOLDER / f"{name}.npz"), contents(name)
    assert stored["version"] == made["version"]
    assert records.same(stored["cases"], made["cases"])
