"""Check that nothing is compiled after ``eventsim warmup``, and nothing twice by the demo.

Usage: ``python tools/check_warmup.py``, which takes some minutes; in a checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Runs a command and tells which of eventsim's kernels it compiled, one a line.
WATCH = """
import sys
from numba.core import event
from eventsim.cli import main

class Compiled(event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("eventsim."):
            print("compiled", function.__module__ + "." + function.__qualname__, file=sys.stderr)

    def on_end(self, event):
        pass

event.register("numba:compile", Compiled())
main(sys.argv[1:])
"""


def commands(out: str) -> list[list[str]]:
    """What users do, on few samples."""
    images = str(ROOT / "data" / "fashion-mnist_test500.npz")
    nets = {name: str(ROOT / "data" / f"{name}.h5") for name in ("hidden", "conv", "lenet5_const")}
    few = ["--samples", "3"]
    found = [
        ["simulate", *files, "-o", f"{out}/{k}.h5", "--t-stop", "20 ms"]
        for k, files in enumerate(recurrent(out))
    ]
    found += [["demo", "--samples", "20", "--out", f"{out}/demo"]]
    for name, net in nets.items():
        run = ["simulate", net, images, *few, "-o", f"{out}/{name}"]
        found += [
            [*run[:-1], f"{out}/{name}.h5", "--record-v", "out:0"],
            [*run[:-1], f"{out}/{name}_deltas.h5", "--spread", "0", "--record", "counts"],
            [*run[:-1], f"{out}/{name}_queue.h5", "--engine", "queue"],
            ["validate", net, "--data", images, *few, "--report", f"{out}/{name}.html"],
            ["ladder", net, "--data", images, *few],
        ]
    found += [["sweep", kind, nets["hidden"], "--data", images, *few]
              for kind in ("pulse-width", "time-step", "delay", "tau-syn")]  # fmt: skip
    return [*found, ["check", nets["hidden"], "--data", images, *few]]


def recurrent(out: str) -> list[list[str]]:
    """Files of recurrent networks of each kind, and of spikes for them."""
    import numpy as np

    import eventsim as es

    n, every = 600, np.arange(600)
    np.savez(f"{out}/spikes.npz", times=np.zeros(n), senders=every)
    files = []
    for number, (weight, tau) in enumerate(product((0.125, 0.1), (None, 5e-3, [5e-3, 1e-2]))):
        receptor = None if tau is None else 0
        cells = es.Population("cells", n, tau_mem=20e-3, t_ref=2e-3, v_threshold=20.0, tau_syn=tau)
        net = es.Network(
            [es.Input("in", n), es.Poisson("outside", n, rate=2e4), cells],
            [
                es.Dense("in", "cells", np.full((n, n), weight), receptor=receptor),
                es.Sparse("outside", "cells", every, every, weight, receptor=receptor),
                es.Random("cells", "cells", weight=weight, indegree=20, delay=1e-3,
                          receptor=receptor),
            ],
        )  # fmt: skip
        files.append([str(es.save(f"{out}/recurrent_{number}.h5", net)), f"{out}/spikes.npz"])
    return files


def compiled(command: list[str], cache: str) -> list[str]:
    """Kernels that a command compiled, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *command], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"eventsim {' '.join(command)}: {done.stderr}")
    lines = done.stderr.splitlines()
    return [line.split()[1] for line in lines if line.startswith("compiled ")]


def main() -> int:
    """Print what was compiled that should not have been; 1 when there was something."""
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        twice = Counter(compiled(["demo", "--samples", "20", "--out", f"{folder}/first"],
                                 f"{folder}/demo"))  # fmt: skip
        faults += [f"demo: {name}: {n} times" for name, n in twice.items() if n > 1]
        compiled(["warmup"], f"{folder}/warm")
        for command in commands(folder):
            late = compiled(command, f"{folder}/warm")
            faults += [f"after warmup: eventsim {' '.join(command)}: {name}" for name in late]
    for fault in faults:
        print(fault)
    print(f"{len(faults)} kernels compiled in vain" if faults else "nothing is compiled in vain")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
