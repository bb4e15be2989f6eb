"""Runs on several processes: the same bytes, and a killed worker costs the shard it was running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import FileError, InvalidType, InvalidValue
from eventsim.fidelity import cluster, task
from eventsim.provenance import software
from tests.networks import classifier

DT = 1e-3
SAMPLES = 30

#: Exponential synapses would compile more in every process.
PLAIN = {"tau_syns": [], "extends": []}

# Dask warns of its own ways: closing sockets late, names that will be gone.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def case():
    return classifier(SAMPLES)


@pytest.fixture(scope="module")
def two_workers():
    """A scheduler with two worker processes on this computer."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
        dashboard_address=None,
    ) as here:  # fmt: skip
        yield here


def contents(folder):
    """Without temporary files, whose names begin with a dot."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def test_two_processes_give_the_bytes_of_a_local_run(case, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "SHARD_SAMPLES", 8)
    calls = []
    for folder, how in (("here", {}), ("there", {"workers": 2})):
        es.validate(
            *case, jitter_seeds=2, out=tmp_path / folder, progress=lambda *a: calls.append(a), **how
        )
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert len(contents(tmp_path / "there")) == 4 + 2
    assert calls[-1][0] == calls[-1][1]


def test_a_killed_worker_costs_its_shard_alone(case, two_workers, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "SHARD_SAMPLES", 3)
    es.attribute(*case, out=tmp_path / "here", **PLAIN)
    written: dict[str, list[float]] = {}
    killed: list[int] = []

    def kill_once(done, total):
        for path in (tmp_path / "there").glob("samples-*"):
            written.setdefault(path.name, []).append(path.stat().st_mtime_ns)
        if not killed and done < total:
            victim = next(iter(two_workers.workers.values()))
            killed.append(victim.pid)
            os.kill(victim.pid, signal.SIGKILL)

    es.attribute(
        *case,
        out=tmp_path / "there",
        scheduler=two_workers.scheduler_address,
        progress=kill_once,
        **PLAIN,
    )
    assert killed
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert all(len(set(times)) == 1 for times in written.values())


CLIENT = """
import sys
import numpy as np
import eventsim as es
from eventsim.fidelity import task
from tests.networks import classifier
from tests.test_cluster import PLAIN, SAMPLES
task.SHARD_SAMPLES = 3
def main():
    tell = lambda *a: print(*a, flush=True)
    es.attribute(*classifier(SAMPLES), out=sys.argv[1], workers=2, progress=tell, **PLAIN)
if __name__ == "__main__":
    main()
"""


def test_a_killed_client_goes_on(case, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "SHARD_SAMPLES", 3)
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    folder = tmp_path / "killed"
    client = subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True,
        cwd=os.getcwd(), env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert client.stdout is not None
    client.stdout.readline()
    client.kill()
    client.wait()
    client.stdout.close()
    kept = contents(folder)
    assert 2 <= len(kept) < 1 + SAMPLES // 3 + 1
    es.attribute(*case, out=tmp_path / "here", **PLAIN)
    done = []
    again = {"workers": 1, "progress": lambda *a: done.append(a[0] / a[1])}
    es.attribute(*case, out=folder, **again, **PLAIN)
    assert done[0] > 0.0
    finished = contents(folder)
    assert {
        name: finished[name] for name in kept if not name.startswith(".")
    }.items() <= kept.items()
    assert {n: b for n, b in finished.items() if n[0] != "."} == contents(tmp_path / "here")


def test_other_versions_on_a_worker_are_refused(case, two_workers, monkeypatch):
    monkeypatch.setattr(cluster, "software", lambda: software() | {"numba": "0.1"})
    with pytest.raises(es.errors.EventsimError, match="numba 0.1 here and .* there"):
        es.validate(*case, scheduler=two_workers.scheduler_address)


def test_errors_of_a_worker_are_those_of_a_local_run(case, two_workers):
    net, disc, images, labels = case
    wild = es.Network(
        net.populations[:1]
        + tuple(es.Population(p.name, p.n, tau_mem=4 * DT) for p in net.populations[1:]),
        [*net.projections, es.Dense("out", "out", np.full((4, 4), 2.0), delay=1e-9)],
    )
    with pytest.raises(es.errors.EventsimError):
        es.validate(wild, disc, images, labels, scheduler=two_workers.scheduler_address)


def test_bad_options_are_refused(case, monkeypatch):
    with pytest.raises(InvalidValue, match="workers: expected"):
        es.validate(*case, workers=0)
    with pytest.raises(InvalidType, match="scheduler: expected an address, got int"):
        es.validate(*case, scheduler=8786)
    with pytest.raises(InvalidValue, match="none beside a scheduler"):
        es.validate(*case, workers=2, scheduler="tcp://127.0.0.1:1")
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with pytest.raises(FileError, match="address of a running Dask scheduler"):
        es.validate(*case, scheduler="tcp://127.0.0.1:1")
