"""Install a CPU build of torch where an index offers one; used by the Makefile for development.

On Linux the torch of the Python package index brings several gigabytes of CUDA libraries, of which
nothing here makes use. CPU builds carry the local version ``+cpu``. They are looked for in the
indexes that pip is set up with, then in PyTorch's own index. When neither has one, nothing is done
and the ``dev`` extra takes whatever build there is.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
MINIMUM = (2, 4)


def pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pip of this interpreter and keep what it prints."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def newest_cpu_build(*options: str) -> str | None:
    """Newest version with the local part ``+cpu`` that pip finds, or None."""
    listing = pip("index", "versions", "torch", *options).stdout
    found = re.findall(r"\b(\d+)\.(\d+)\.(\d+)\+cpu\b", listing)
    versions = sorted(version for version in (tuple(map(int, parts)) for parts in found))
    if not versions or versions[-1][:2] < MINIMUM:
        return None
    return ".".join(map(str, versions[-1])) + "+cpu"


def main() -> None:
    if sys.platform != "linux" or importlib.util.find_spec("torch") is not None:
        return
    # The second place may be out of reach: it is asked once, and not for long.
    places = [(), ("--extra-index-url", CPU_INDEX, "--timeout", "5", "--retries", "0")]
    for options in places:
        version = newest_cpu_build(*options)
        if version is not None:
            sources = options[:2]
            if pip("install", "--quiet", f"torch=={version}", *sources).returncode == 0:
                print(f"installed torch {version}")
                return
    print("no CPU build of torch found: the default build will be installed")


if __name__ == "__main__":
    main()
