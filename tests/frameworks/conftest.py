"""Tests here run against the real packages, where they are installed: ``make test-frameworks``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

#: ``test_NAME.py``, ``test_NAME_of_what.py`` and ``record_NAME.py`` need the package NAME.
collect_ignore = [
    path.name
    for pattern in ("test_*.py", "record_*.py")
    for path in Path(__file__).parent.glob(pattern)
    if importlib.util.find_spec(path.stem.split("_")[1]) is None
]
