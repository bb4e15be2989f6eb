"""Disturbed runs of benchmarks are repeated, and nothing but the machine decides which."""

from __future__ import annotations

from benchmarks.calm import TRIES, Gauge, undisturbed


class Moments(Gauge):
    """A gauge that reads from a list instead of the machine."""

    def __init__(self, before, after):
        self.before, self.after = iter(before), iter(after)

    def wait(self):
        return next(self.before)

    def calm(self):
        return next(self.after)


def test_a_run_counts_that_began_and_ended_in_calm():
    runs = iter("abcd")
    gauge = Moments([False, True, True], [False, True])
    assert undisturbed(lambda: next(runs), gauge) == ("c", True)
    assert next(runs) == "d"


def test_the_last_of_many_tries_counts_as_disturbed():
    runs = iter(range(100))
    gauge = Moments([True] * TRIES, [False] * TRIES)
    assert undisturbed(lambda: next(runs), gauge) == (TRIES - 1, False)


def test_a_long_run_is_not_repeated(monkeypatch):
    seconds = iter([0.0, 7.0])
    monkeypatch.setattr("benchmarks.calm.time.perf_counter", lambda: next(seconds))
    assert undisturbed(lambda: "done", Moments([True], [False])) == ("done", False)


def test_a_slower_loop_is_no_calm(monkeypatch):
    gauge = Gauge()
    for least, calm in ((1e-9, True), (1.2e-9, True), (1.4e-9, False), (1e-10, True)):
        monkeypatch.setattr(Gauge, "_loop", staticmethod(lambda least=least: least))
        assert gauge.calm() == calm
