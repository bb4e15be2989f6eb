"""Write the recorded outputs of frameworks: ``python -m tests.frameworks.record snntorch ...``.

Each framework has a script ``record_NAME.py`` here with a function ``record()``, which gives the
contents of ``NAME.npz`` (:mod:`tests.frameworks.records`).
"""

from __future__ import annotations

import importlib
import sys

from tests.frameworks.records import FOLDER, write


def main(names: list[str]) -> None:
    for name in names:
        script = importlib.import_module(f"tests.frameworks.record_{name}")
        write(FOLDER / f"{name}.npz", script.record())


if __name__ == "__main__":
    main(sys.argv[1:])
