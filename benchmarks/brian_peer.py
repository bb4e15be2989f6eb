"""The same network in Brian2 with a step of 0.1 ms, as a C++ program of its own on one thread.

Another model: spikes happen on the grid. Between steps the equations are integrated exactly.
Of a unit of an Input at most one spike falls into a step; a second one moves to the next. Poisson
sources are Brian2's own: a random number of spikes for each neuron and step.
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

__all__ = ["NEEDS", "available", "brian_grid", "build_brian", "run_brian", "spike_counts"]

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


def _one_a_step(train: es.SpikeTrain, step: float) -> NDArray[np.int64]:
    """Step of each spike, in the given order of the spikes; no unit has two in one step."""
    steps = np.floor(train.times / step).astype(np.int64)
    order = np.lexsort((steps, train.senders))
    last = (-1, -1)
    for k in order:
        unit = int(train.senders[k])
        if unit == last[0]:
            steps[k] = max(steps[k], last[1] + 1)
        last = unit, int(steps[k])
    return steps


def _sources(b: Any, train: es.SpikeTrain, n: int, step: float) -> Any:
    steps = _one_a_step(train, step)
    times = (steps + 0.5) * step * b.second
    return b.SpikeGeneratorGroup(n, train.senders, times, sorted=False)


def _synapses(b: Any, source: Any, target: Any, link: es.Dense | es.Sparse) -> Any:
    """Synapses; where all of a projection have one weight, it becomes a constant."""
    variable = "v" if link.receptor is None else f"i{link.receptor}"
    weight = np.asarray(link.weight, dtype=np.float64).reshape(-1)
    same = bool(np.all(weight == weight[0]))
    made = b.Synapses(
        source,
        target,
        "" if same else "weight : 1",
        on_pre=f"{variable}_post += weight",
        delay=link.min_delay * b.second,
        namespace={"weight": float(weight[0])} if same else {},
    )
    if isinstance(link, es.Dense):
        pre, post = (g.reshape(-1) for g in np.indices(link.weight.shape))
        made.connect(i=pre, j=post)
    else:
        made.connect(i=link.pre, j=link.post)
    if not same:
        made.weight = weight
    return made


def _poisson(b: Any, p: es.Poisson, target: Any, link: es.Sparse) -> Any:
    """Sources of its own for each neuron, together at the rate."""
    (weight,), (rate,) = np.unique(link.weight), np.unique(p.rates)
    variable = "v" if link.receptor is None else f"i{link.receptor}"
    # Spikes of a step are binomial; a thousand sources a neuron make that Poisson.
    return b.PoissonInput(target, variable, 1000, rate / 1000 * b.Hz, weight=float(weight))


def build_brian(work: Workload, folder: str, step: float = STEP) -> None:
    """Write and compile the program."""
    import brian2 as b

    b.device.reinit()
    b.set_device("cpp_standalone", build_on_run=False, directory=folder)
    b.device.activate(build_on_run=False, directory=folder)
    b.defaultclock.dt = step * b.second
    groups, parts = {}, []
    for p in work.net.populations:
        if isinstance(p, es.Population):
            groups[p.name] = _neurons(b, p)
            parts.append(b.SpikeMonitor(groups[p.name], name=f"record_{p.name}"))
        elif not isinstance(p, es.Poisson):
            groups[p.name] = _sources(b, work.trains[0], p.n, step)
    parts += groups.values()
    for link in work.net.projections:
        source, target = work.net[link.source], groups[link.target]
        if isinstance(source, es.Poisson):
            parts.append(_poisson(b, source, target, link))
        else:
            parts.append(_synapses(b, groups[link.source], target, link))
    b.device.insert_code("before_network_run", _BEFORE)
    b.device.insert_code("after_network_run", _AFTER)
    b.Network(parts).run(work.t_stop * b.second)
    b.device.build(directory=folder, compile=True, run=False, with_output=False)


def run_brian(folder: str) -> float:
    """Run the program; CPU seconds of its loop over steps."""
    subprocess.run(["./main"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return float(Path(folder, "cpu_s.txt").read_text(encoding="ascii"))


def spike_counts(folder: str) -> dict[str, int]:
    """Spikes of each population in the last run."""
    before = "_dynamic_array_record_"
    found = {}
    for kept in Path(folder, "results").glob(before + "*_t_*"):
        name = kept.name.removeprefix(before).rsplit("_t_", 1)[0]
        found[name] = int(np.fromfile(kept).size)
    return found


def brian_grid(work: Workload) -> Contender:
    """Contender that counts the loop over steps alone; built once, before the first round."""
    folder = tempfile.TemporaryDirectory(prefix="eventsim-brian-")
    build_brian(work, folder.name)
    used = 0.0

    def run() -> None:
        nonlocal used
        used += run_brian(folder.name)

    return Contender("Brian2 C++, 0.1 ms", 1, run, clock=lambda: used, elsewhere=True)
