"""The same network in Brian2 with a step of 0.1 ms, as a C++ program of its own on one thread.

Another model: spikes happen on the grid. Between steps the equations are integrated exactly.
Spikes from outside are binned to the steps beforehand, as one sum for each neuron and step: less
work than spikes, and less than to draw them.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import eventsim as es
from benchmarks.contender import Contender
from benchmarks.workloads import Workload

__all__ = ["NEEDS", "available", "brian_grid", "build_brian", "run_brian", "spike_count"]

NEEDS = "brian2 (with g++ and a numpy that it fits)"
STEP = 1e-4  # s

#: Written by the program around its loop over steps: CPU seconds, set-up left out.
_BEFORE = "const std::clock_t es_began = std::clock();"
_AFTER = """
std::ofstream("cpu_s.txt") << double(std::clock() - es_began) / CLOCKS_PER_SEC;
"""


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether there are a compiler and a Brian2 that can be imported beside this numpy."""
    if importlib.util.find_spec("brian2") is None or shutil.which("g++") is None:
        return False
    command = [sys.executable, "-c", "import brian2"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _neurons(b: Any, cells: es.Population) -> Any:
    """A group with the potential as a plain number."""
    driven = " + ".join(["v_leak", *(f"i{k}" for k in range(cells.n_receptors))])
    currents = [f"di{k}/dt = -i{k} / tau{k} : 1" for k in range(cells.n_receptors)]
    equations = [f"dv/dt = ({driven} - v) / tau : 1 (unless refractory)", *currents]
    times = {f"tau{k}": tau[0] * b.second for k, tau in enumerate(cells.receptor_times)}
    group = b.NeuronGroup(
        cells.n,
        "\n".join(equations),
        threshold="v > v_threshold",
        reset="v = v_reset",
        refractory=cells.t_ref * b.second,
        method="exact",
        namespace={
            "tau": cells.tau_mem * b.second,
            "v_leak": cells.v_leak,
            "v_threshold": cells.v_threshold,
            "v_reset": cells.v_reset,
            **times,
        },
    )
    group.v = cells.array("v_init")
    return group


def _synapses(b: Any, group: Any, link: es.Sparse) -> Any:
    """All synapses of a projection have one weight, which becomes a constant."""
    weight = float(link.weight[0])
    if np.any(link.weight != weight):
        raise ValueError(f"{link.where}: weight: expected one for all synapses")
    variable = "v" if link.receptor is None else f"i{link.receptor}"
    made = b.Synapses(
        group,
        group,
        on_pre=f"{variable}_post += weight",
        delay=link.delay * b.second,
        namespace={"weight": weight},
    )
    made.connect(i=link.pre, j=link.post)
    return made


def _binned(work: Workload, link: es.Sparse, step: float) -> NDArray[np.float64]:
    """What the input adds to each neuron in each step; one synapse from each unit."""
    train = work.train(link.source)
    target = np.empty(link.pre.size, dtype=np.int64)
    weight = np.empty(link.pre.size)
    target[link.pre], weight[link.pre] = link.post, link.weight
    steps = round(work.t_stop / step)
    sums = np.zeros((steps, work.net[link.target].n))
    place, senders = ((train.times + link.delay) / step).astype(np.int64), train.senders
    seen = place < steps
    np.add.at(sums, (place[seen], target[senders[seen]]), weight[senders[seen]])
    return sums


def build_brian(work: Workload, folder: str, step: float = STEP) -> None:
    """Write and compile the program."""
    import brian2 as b

    b.device.reinit()
    b.set_device("cpp_standalone", build_on_run=False, directory=folder)
    b.device.activate(build_on_run=False, directory=folder)
    b.defaultclock.dt = step * b.second
    (cells,) = (p for p in work.net.populations if isinstance(p, es.Population))
    group = _neurons(b, cells)
    parts = [group, b.SpikeMonitor(group, name="record")]
    for link in work.net.projections:
        if isinstance(work.net[link.source], es.Input):
            arriving = b.TimedArray(_binned(work, link, step), dt=step * b.second, name="arriving")
            group.namespace["arriving"] = arriving
            parts.append(group.run_regularly("v += arriving(t, i)", when="synapses"))
        else:
            parts.append(_synapses(b, group, link))
    b.device.insert_code("before_network_run", _BEFORE)
    b.device.insert_code("after_network_run", _AFTER)
    b.Network(parts).run(work.t_stop * b.second)
    b.device.build(directory=folder, compile=True, run=False, with_output=False)


def run_brian(folder: str) -> float:
    """Run the program; CPU seconds of its loop over steps."""
    subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return float(Path(folder, "cpu_s.txt").read_text(encoding="ascii"))


def spike_count(folder: str) -> int:
    """Spikes of the last run."""
    (kept,) = Path(folder, "results").glob("_dynamic_array_record_t_*")
    return int(np.fromfile(kept).size)


def brian_grid(work: Workload) -> Contender:
    """Contender that counts the loop over steps alone; built once, before the first round."""
    folder = tempfile.TemporaryDirectory(prefix="eventsim-brian-")
    build_brian(work, folder.name)
    used = 0.0

    def run() -> None:
        nonlocal used
        used += run_brian(folder.name)

    return Contender("Brian2 C++, 0.1 ms", 1, run, clock=lambda: used, elsewhere=True)
