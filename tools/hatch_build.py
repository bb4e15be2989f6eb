"""Build hook: puts the part of data/ that the demo needs into the wheel.

A hook and not a plain ``force-include`` table, because that table also acts on editable installs,
where it would create a second, empty ``eventsim`` folder in site-packages that hides the real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DEMO_DATA = ("hidden.h5", "fashion-mnist_test500.npz")


class CustomBuildHook(BuildHookInterface):
    """Map data/NAME to eventsim/_data/NAME in a real wheel; do nothing for an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for name in DEMO_DATA:
            source = Path(self.root, "data", name)
            if not source.is_file():
                raise FileNotFoundError(f"{source}: the demo's data must exist to build a wheel")
            build_data["force_include"][str(source)] = f"eventsim/_data/{name}"
