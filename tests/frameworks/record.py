"""Write the recorded outputs of frameworks: ``python -m tests.frameworks.record snntorch ...``.

Each framework has a script ``record_NAME.py`` here with a function ``cases()``, which gives the
cases of ``NAME.npz`` (:mod:`tests.frameworks.records`).
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import Any

from tests.frameworks.records import FOLDER, write


def contents(name: str) -> dict[str, Any]:
    """What the file of a framework holds."""
    script = importlib.import_module(f"tests.frameworks.record_{name}")
    return {
        "framework": name,
        "version": version(name),
        "torch": version("torch"),
        "made by": f"python -m tests.frameworks.record {name}",
        "cases": script.cases(),
    }


def main(names: list[str]) -> None:
    for name in names:
        write(FOLDER / f"{name}.npz", contents(name))


if __name__ == "__main__":
    main(sys.argv[1:])
