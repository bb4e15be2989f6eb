"""Tests here run against the real packages, where they are installed: ``make test-frameworks``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGES = ("norse", "rockpool", "sinabs", "snntorch", "spikingjelly", "spikingtorch")

MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]

#: ``test_NAME.py``, ``test_NAME_of_what.py`` and ``record_NAME.py`` need the package NAME.
collect_ignore = [
    path.name
    for name in MISSING
    for pattern in (f"test_{name}*.py", f"record_{name}*.py")
    for path in Path(__file__).parent.glob(pattern)
]
if set(MISSING) >= set(PACKAGES) - {"spikingtorch"}:  # which has no recorded outputs
    collect_ignore += ["test_records.py", "test_exporters.py", "test_round_trips.py"]
