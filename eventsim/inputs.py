"""What a user hands to a run, checked against the network before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventsim import checks
from eventsim.errors import InvalidType, InvalidValue, UnsupportedNetwork
from eventsim.network import Network
from eventsim.populations import Population
from eventsim.recording import SpikeTrain

__all__ = [
    "check_currents",
    "check_interval",
    "check_no_drives",
    "check_record",
    "check_record_v",
    "check_spreads",
    "check_train",
    "check_trains",
    "samples",
]


def check_interval(t_start: Any, t_stop: Any) -> tuple[float, float]:
    """Finite floats with ``0 <= t_start < t_stop``."""
    start = checks.scalar("simulate", "t_start", t_start)
    stop = checks.scalar("simulate", "t_stop", t_stop)
    if start < 0:
        raise checks.fail("simulate", "t_start", "a number >= 0", start)
    if stop <= start:
        raise checks.fail("simulate", "t_stop", f"a time after t_start = {start:g} s", stop)
    return start, stop


def check_no_drives(where: str, net: Network) -> None:
    """Refuse networks with Poisson populations, which only the exact engines draw."""
    if net.drives:
        raise UnsupportedNetwork(
            f"{where}: net: expected Inputs, whose spikes are given, got Poisson "
            f"{net.drives[0]!r}; record its spikes by simulate(..., record=[{net.drives[0]!r}]) "
            "and hand them to an Input"
        )


def check_spreads(net: Network, t_stop: float) -> None:
    """Refuse pulses too narrow to have two ends in float64 time."""
    for link in net.projections:
        spread = getattr(link, "spread", 0.0)
        if spread > 0.0 and t_stop + spread == t_stop:
            raise checks.fail(
                link.where,
                "spread",
                f"0, or at least {np.spacing(t_stop):g} s at {t_stop:g} s",
                spread,
            )


def check_train(net: Network, name: str, train: Any, t_from: float) -> SpikeTrain:
    """The spikes of one Input as a SpikeTrain that fits it."""
    where = f"input {name!r}"
    if name in net.drives:
        raise checks.fail("simulate", "inputs", "no spikes of a Poisson, which draws its own", name)
    if name not in net.inputs:
        raise checks.fail("simulate", "inputs", f"names among {list(net.inputs)}", repr(name))
    if not isinstance(train, SpikeTrain):
        if not isinstance(train, tuple) or len(train) != 2:
            raise InvalidType(
                f"{where}: expected a SpikeTrain or (times, senders), got {type(train).__name__}"
            )
        train = SpikeTrain(*train)
    if len(train):
        n = net[name].n
        if train.senders.max() >= n:
            k = int(np.argmax(train.senders >= n))
            raise checks.fail(where, f"senders[{k}]", f"an index below {n}", train.senders[k])
        if train.times[0] < t_from:
            raise checks.fail(where, "times[0]", f"a time >= {t_from:g} s", train.times[0])
    return train


def samples(inputs: Mapping[str, Any], currents: Any) -> int | None:
    """Number of samples of a batch; None when a single sample was given."""
    if inputs is None:
        raise InvalidType("simulate: inputs: expected a mapping of names, got None")
    checks.mapping("simulate", "inputs", inputs)
    sizes = {name: len(v) for name, v in inputs.items() if isinstance(v, list)}
    if isinstance(currents, list):
        sizes["currents"] = len(currents)
    if not sizes:
        return None
    if len(set(sizes.values())) > 1 or 0 in sizes.values():
        raise checks.fail("simulate", "inputs", "equally many samples, at least one", sizes)
    return next(iter(sizes.values()))


def check_trains(
    net: Network, inputs: Mapping[str, Any], n: int | None, t_start: float
) -> list[dict[str, SpikeTrain]]:
    """One mapping of Input name to train for each sample."""
    batch: list[dict[str, SpikeTrain]] = [{} for _ in range(n or 1)]
    for name, value in inputs.items():
        trains = value if isinstance(value, list) else [value] * len(batch)
        for sample, train in zip(batch, trains, strict=True):
            sample[name] = check_train(net, name, train, t_start)
    return batch


def check_currents(
    net: Network, currents: Mapping[str, Any] | None, t_from: float
) -> dict[str, NDArray[np.float64]]:
    """Steps of external currents as arrays [k, (time, neuron, value)] sorted by (time, neuron)."""
    given = checks.mapping("simulate", "currents", currents)
    if not given:
        return {}
    from eventsim.current_steps import ordered_steps  # loads the compiler

    checked = {}
    for name, steps in given.items():
        where = f"currents of {name!r}"
        if name not in net or not isinstance(net[name], Population):
            names = [p.name for p in net.populations if isinstance(p, Population)]
            raise checks.fail("simulate", "currents", f"names among {names}", repr(name))
        rows = checks.real_array(where, "steps", steps).astype(np.float64, order="C")
        if rows.size == 0:
            rows = rows.reshape(0, 3)
        if rows.ndim != 2 or rows.shape[1] != 3:
            raise checks.fail(where, "steps", "rows (time, neuron, value)", f"shape {rows.shape}")
        ordered = ordered_steps(rows, net[name].n, t_from)
        if ordered is None:
            raise _fault(where, rows, net[name].n, t_from)
        checked[name] = ordered
    return checked


def _fault(where: str, rows: NDArray[np.float64], n: int, t_from: float) -> InvalidValue:
    """What is wrong with rows that cannot be put in order."""
    checks.finite(where, "steps", rows)
    times, neuron = rows[:, 0], rows[:, 1]
    bad = (neuron != np.floor(neuron)) | (neuron < 0) | (neuron >= n)
    if bad.any():
        k = int(np.argmax(bad))
        return checks.fail(where, f"steps[{k}]", f"a neuron index below {n}", neuron[k])
    if (times < t_from).any():
        k = int(np.argmax(times < t_from))
        return checks.fail(where, f"steps[{k}]", f"a time >= {t_from:g} s", times[k])
    order = np.lexsort((neuron, times))
    times, neuron = times[order], neuron[order]
    twice = int(np.argmax((times[1:] == times[:-1]) & (neuron[1:] == neuron[:-1])))
    return checks.fail(
        where,
        "steps",
        "one step of a neuron at one time",
        f"two for neuron {int(neuron[twice])} at {times[twice]} s",
    )


def check_record_v(
    net: Network, record_v: Mapping[str, Any] | None
) -> dict[str, NDArray[np.int64]]:
    """Neurons whose potential is recorded, as index arrays."""
    checked = {}
    for name, neurons in checks.mapping("simulate", "record_v", record_v).items():
        where = f"record_v of {name!r}"
        if name not in net or not isinstance(net[name], Population):
            names = [p.name for p in net.populations if isinstance(p, Population)]
            raise checks.fail("simulate", "record_v", f"names among {names}", repr(name))
        index = checks.index_array(where, "neurons", neurons)
        if index.size and index.max() >= net[name].n:
            raise checks.fail(where, "neurons", f"indices below {net[name].n}", index.max())
        if np.unique(index).size < index.size:
            raise checks.fail(where, "neurons", "each neuron once", index.tolist())
        checked[name] = index
    return checked


def check_record(net: Network, record: str | Sequence[str]) -> set[str]:
    """Names of the populations whose spikes are kept."""
    names = {p.name for p in net.populations}
    expected = f"'spikes', 'counts' or names among {sorted(names)}"
    if isinstance(record, str):
        if record not in ("spikes", "counts"):
            raise checks.fail("simulate", "record", expected, repr(record))
        return names - set(net.drives) if record == "spikes" else set()
    chosen = checks.sequence("simulate", "record", record, expected)
    if not all(isinstance(name, str) and name in names for name in chosen):
        raise checks.fail("simulate", "record", expected, repr(record))
    return set(chosen)
