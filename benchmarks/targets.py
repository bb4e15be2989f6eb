"""What each workload is to reach, and whether a measurement says that it was.

Everything is read from the kept records, medians of the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["TARGETS", "Verdict", "verdicts"]

Records = Mapping[str, Any]


class Verdict(NamedTuple):
    """One target; ``found`` and ``reached`` are None where what it needs was not measured."""

    target: str
    found: float | None
    reached: bool | None


class _Target(NamedTuple):
    text: str
    find: Callable[[Records, str], float | None]  # of the records of all workloads, and a name
    bound: float
    at_least: bool


def _row(record: Records, key: str) -> Any:
    """What was measured of one contender; None where it took no part."""
    return next((row for row in record["contenders"] if row["key"] == key), None)


def _faster_than(key: str, peer: str, factor: float) -> _Target:
    """The peer's time over that of the first engine."""

    def find(records: Records, name: str) -> float | None:
        spread = records[name]["time_over"].get(key)
        return spread and spread["median"]

    wanted = f"{factor:g} times as fast as {peer}" if factor != 1.0 else f"as fast as {peer}"
    return _Target(f"at least {wanted}", find, factor, at_least=True)


def _near(key: str, limit: str, factor: float) -> _Target:
    """Time a sample of the first engine over that of a limit of the machine."""

    def find(records: Records, name: str) -> float | None:
        spread = records[name]["time_over"].get(key)
        return spread and 1.0 / spread["median"]

    return _Target(f"at most {factor:g} times the time of {limit}", find, factor, at_least=False)


def _at_most_times(other: str, factor: float) -> _Target:
    """Time a sample of the first engine over that on another workload."""

    def find(records: Records, name: str) -> float | None:
        if other not in records:
            return None
        mine, its = (records[k]["contenders"][0]["ms_per_sample"]["median"] for k in (name, other))
        return mine / its

    return _Target(f"at most {factor:g} times the time of {other}", find, factor, at_least=False)


def _events(number: float) -> _Target:
    def find(records: Records, name: str) -> float | None:
        return records[name]["contenders"][0]["events_per_s"]["median"] * 1e-9

    return _Target(f"at least {number:g} G synaptic events/s", find, number, at_least=True)


def _built(text: str, bound: float, value: Callable[[Records], float]) -> _Target:
    def find(records: Records, name: str) -> float | None:
        built = records[name]["built"]
        return built and value(built)

    return _Target(text, find, bound, at_least=False)


def _memory(gib: float) -> _Target:
    def find(records: Records, name: str) -> float | None:
        peak = records[name]["contenders"][0]["peak_mib"]
        return peak and peak / 2**10

    return _Target(f"at most {gib:g} GiB", find, gib, at_least=False)


TARGETS: dict[str, list[_Target]] = {
    "W1": [
        _faster_than("coarse", "CoarseLIF", 1.0),
        _faster_than("nest", "NEST precise", 200.0),
        _near("roofline", "the roofline", 1.5),
    ],
    "W1p": [_at_most_times("W1", 3.0)],
    "W1x": [_faster_than("queue", "the queue engine", 20.0)],
    "W2": [_faster_than("brian", "Brian2", 3.0), _faster_than("nest", "NEST precise", 20.0)],
    "W3": [_faster_than("brian", "Brian2", 2.0), _faster_than("nest", "NEST precise", 50.0)],
    "W4": [_events(1.0)],
    "W5-full": [
        _built(
            "built within 60 s of CPU time",
            60.0,
            lambda built: built["drawn_cpu_s"] + built["arranged_cpu_s"],
        ),
        _built("at most 12 bytes a synapse", 12.0, lambda built: built["bytes_per_synapse"]),
        _memory(24.0),
    ],
}


def verdicts(records: Records, name: str) -> list[Verdict]:
    """The targets of a workload, held against the records of all workloads."""
    out = []
    for target in TARGETS.get(name, []):
        found = target.find(records, name)
        reached = None
        if found is not None:
            reached = found >= target.bound if target.at_least else found <= target.bound
        out.append(Verdict(target.text, found, reached))
    return out
