"""The exact cases, on each engine that can run them and on the naive simulator."""

from __future__ import annotations

import pytest

import eventsim as es
from tests import cases, naive
from tests.engines import engines

CASES = {name: cases.load(name) for name in cases.NAMES}
RUNS = [(name, engine) for name, case in CASES.items() for engine in engines(case.net)]


def test_there_are_cases():
    assert len(CASES) >= 21


@pytest.mark.parametrize("name", CASES)
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


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].potentials])
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
