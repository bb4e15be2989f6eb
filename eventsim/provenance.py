"""Where a result comes from: versions, fingerprints, command."""

from __future__ import annotations

import platform
import sys
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from eventsim import __version__
from eventsim.network import Network

__all__ = ["run_provenance", "software"]


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    """Versions of the packages; looking them up takes milliseconds."""
    return {package: version(package) for package in ("numpy", "scipy", "numba")}


def software() -> dict[str, str]:
    """Versions of eventsim, Python and the packages that decide its numbers.

    Examples
    --------
    >>> sorted(software())
    ['eventsim', 'numba', 'numpy', 'python', 'scipy']
    """
    versions = {"eventsim": __version__, "python": platform.python_version()}
    return versions | _versions()


def run_provenance(net: Network, **more: Any) -> dict[str, Any]:
    """Record of one run: software, command line, network fingerprint, and what is passed."""
    return {
        "software": software(),
        "command": " ".join(sys.argv),
        "network": net.fingerprint(),
        **more,
    }
