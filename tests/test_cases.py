"""The exact cases, on each engine that can run them and on the naive simulator."""

from __future__ import annotations

import pytest

import eventsim as es
from eventsim.engine.layered import why_not
from tests import cases, naive

CASES = {name: cases.load(name) for name in cases.LIF}
RUNS = [
    (name, engine)
    for name, case in CASES.items()
    for engine in ("queue", "layered")
    if engine == "queue" or why_not(case.net) is None
]


def test_every_file_is_accounted_for():
    assert {path.stem for path in cases.FOLDER.glob("*.json")} == {*cases.LIF, *cases.OTHER}


@pytest.mark.parametrize("name", cases.LIF)
def test_naive(name):
    case = CASES[name]
    result = naive.simulate(case.net, case.inputs, case.t_stop, currents=case.currents)
    case.check_spikes(
        [
            [t for t, sender in result.spikes[population] if sender == i]
            for population, i in case.place
        ]
    )
    for t, k, exact, tolerance in case.potentials:
        case.check_potential(result.v_at(*case.place[k], [t])[0], exact, tolerance)


@pytest.mark.parametrize(("name", "engine"), RUNS)
def test_engine(name, engine):
    case = CASES[name]
    result = es.simulate(case.net, case.inputs, case.t_stop, currents=case.currents, engine=engine)
    assert result.complete and result.engine == engine
    case.check_spikes([result.spikes[p].of(i).tolist() for p, i in case.place])


@pytest.mark.parametrize("name", [name for name in cases.LIF if CASES[name].potentials])
def test_potentials(name):
    case = CASES[name]
    names = {population for population, _ in case.place}
    result = es.simulate(
        case.net,
        case.inputs,
        case.t_stop,
        currents=case.currents,
        record_v={p: range(case.net[p].n) for p in names},
    )
    for t, k, exact, tolerance in case.potentials:
        population, i = case.place[k]
        case.check_potential(result.v[population].at([t])[0, i], exact, tolerance)
