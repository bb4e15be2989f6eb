"""Peak memory of one contender, in a process of its own.

``python -m benchmarks.memory W1 layered`` builds the workload, runs the contender once and prints
the peak resident memory of the process in MiB, libraries and compiled kernels included.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from benchmarks.suite import contenders
from benchmarks.workloads import WORKLOADS

__all__ = ["peak_mib"]


def peak_mib(workload: str, contender: str) -> float | None:
    """Peak memory in MiB; None where the system does not tell."""
    command = [sys.executable, "-m", "benchmarks.memory", workload, contender]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Simulators greet on the output; the number is its last line.
    found = re.search(r"^([0-9.]+)\s*\Z", done.stdout, re.MULTILINE)
    return float(found.group(1)) if found else None


def _peak_of_this_process() -> float | None:
    status = Path("/proc/self/status")
    if status.exists():
        # Linux counts what the parent held before exec in ru_maxrss; this line it does not.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        return int(found.group(1)) / 2**10 if found else None
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(workload: str, name: str) -> None:
    (contender,) = contenders(WORKLOADS[workload](), peers=True, only=name)
    if contender.elsewhere:
        return
    contender.run()
    peak = _peak_of_this_process()
    if peak is not None:
        print(peak)


if __name__ == "__main__":
    main(*sys.argv[1:])
