"""The recurrent benchmark network against NEST's precise neuron and 33-digit arithmetic.

The network forgets small differences, so every spike of a second can be asked for. Relative noise
of 1e-15 on the initial potentials moves a spike by up to 7e-12 ms; the tolerance is about 16 times
this, the measure that the exact cases use.
"""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest

import eventsim as es
from benchmarks.cuba import CELLS, T_STOP, cuba
from tests import references
from tests.references import cuba_exact

TOLERANCE = 1e-10  # ms
NAMES = ("cuba_nest", "cuba_exact")


@pytest.fixture(scope="module")
def net():
    return cuba()


@pytest.fixture(scope="module")
def found(net):
    return es.simulate(net, {}, T_STOP)


def by_neuron(times, senders):
    """Times of neuron 0, of neuron 1, ..."""
    return times[np.lexsort((times, senders))]


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_belongs_to_the_network(net, name):
    assert references.read(name).network == references.digest(net), "numpy draws another network"


@pytest.mark.parametrize("name", NAMES)
def test_every_spike_is_matched(found, name):
    reference, spikes = references.read(name), found.spikes[CELLS]
    assert found.complete
    expected = np.bincount(reference.senders, minlength=found.network[CELLS].n)
    wrong = np.flatnonzero(found.counts[CELLS] != expected)
    assert not wrong.size, (
        f"{wrong.size} neurons with another number of spikes, the first is {wrong[0]}; "
        f"{len(spikes)} spikes instead of {reference.times.size}"
    )
    error = by_neuron(spikes.times * 1e3, spikes.senders)
    error -= by_neuron(reference.times, reference.senders)
    assert np.abs(error).max() < TOLERANCE


def test_the_references_agree():
    """NEST's own error leaves room within the tolerance."""
    nest, exact = map(references.read, NAMES)
    np.testing.assert_array_equal(nest.senders, exact.senders)
    assert np.abs(nest.times - exact.times).max() < TOLERANCE / 10


def test_the_exact_spikes_can_be_computed_again(net):
    """The first of them; all take minutes."""
    exact, stop = references.read("cuba_exact"), 5.0
    again = list(takewhile(lambda spike: spike[0] < stop, cuba_exact.simulate(net, stop)))
    assert len(again) == np.searchsorted(exact.times, stop) > 100
    assert [float(t) for t, _ in again] == list(exact.times[: len(again)])
    assert [j for _, j in again] == list(exact.senders[: len(again)])
