"""How a batch is cut into parts that run on their own."""

from __future__ import annotations

import importlib

import pytest

import eventsim as es
from eventsim.engine.layered import SAMPLES_PER_CALL

NET = es.Network(
    [es.Input("in", 1), es.Population("out", 1, tau_mem=0.01)], [es.Dense("in", "out", [[2.0]])]
)


@pytest.mark.parametrize(
    "samples, threads, parts",
    [
        (1, 2, [1]),
        (3, 4, [1, 1, 1]),
        (32, 1, [32]),
        (33, 1, [17, 16]),
        (32, 2, [16, 16]),
        (80, 2, [20, 20, 20, 20]),
        (256, 2, [32] * 8),
        (257, 2, [26] * 9 + [23]),
        (100, 3, [17, 17, 17, 17, 17, 15]),
    ],
)
def test_threads_get_equally_many_parts(samples, threads, parts, monkeypatch):
    module, sizes = importlib.import_module("eventsim.simulate"), []

    def kept(jobs, *rest):
        sizes.extend(job.size for job in jobs)
        return run_jobs(jobs, *rest)

    run_jobs = module.run_jobs
    monkeypatch.setattr(module, "run_jobs", kept)
    trains = [es.SpikeTrain([1e-3 * k], [0]) for k in range(samples)]
    results = es.simulate(NET, {"in": trains}, 1.0, threads=threads, engine="layered")
    assert sizes == parts and max(sizes) <= SAMPLES_PER_CALL
    assert [r.spikes["out"].times.tolist() for r in results] == [t.times.tolist() for t in trains]
