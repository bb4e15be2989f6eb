"""Where a result comes from: versions, fingerprints, command."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from eventsim.network import Network

__all__ = ["run_provenance", "software"]


def software() -> dict[str, str]:
    """Versions of eventsim, Python and the packages that decide its numbers.

    Examples
    --------
    >>> sorted(software())
    ['eventsim', 'numba', 'numpy', 'python', 'scipy']
    """
    versions = {"python": platform.python_version()}
    for package in ("eventsim", "numpy", "scipy", "numba"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # a source tree that was never installed
            versions[package] = "unknown"
    return versions


def run_provenance(net: Network, **more: Any) -> dict[str, Any]:
    """Record of one run: software, command line, network fingerprint, and what is passed."""
    return {
        "software": software(),
        "command": " ".join(sys.argv),
        "network": net.fingerprint(),
        **more,
    }
