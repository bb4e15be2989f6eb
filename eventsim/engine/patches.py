"""Kernel of the layered engine for layers that a spike reaches in part: convolution, sparse rows.

Lanes lie in groups that are always advanced together: for a convolution the channels of one target
pixel (those of one group of channels), else single neurons. An arriving spike walks the groups
that it reaches. Each is brought to the time of the arrival only then; what its lanes did in between
(crossings, releases) is found at that moment, in order of their own time, and at the end of the
run.

The kernel of a convolution is stored as [tap y, tap x, input, output], so the channels of one
target pixel are one contiguous run; nothing larger than the kernel is ever stored.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eventsim.dynamics.lif import coefficients, decay_factor
from eventsim.engine.lanes import DELTA, PULSE, STEP_OP, follow, test_lane
from eventsim.engine.reach import conv_targets
from eventsim.jit import inner, njit

__all__ = ["GROUP", "Lanes", "run_patches"]


class Lanes(NamedTuple):
    """How the lanes of a layer are arranged."""

    theta: NDArray[np.float64]  # of each lane
    layout: NDArray[np.int64]  # unit of each lane
    lane_of: NDArray[np.int64]  # lane of each unit
    size: int  # lanes of a group
    tau: float


GROUP = np.dtype(
    [
        ("t_last", np.float64),
        ("release", np.float64),  # first end of refractoriness among its lanes
        ("active", np.int64),  # pulses under way
        ("mark", np.int64),  # last instant that reached the group
        ("high", np.int64),  # lanes that stand at threshold
    ]
)


@inner
def _advance(
    g, k_now, group, units, theta, v, next_v, pulse, current, now, tau, driven, layout, sample,
    out, n_out,
):  # fmt: skip
    """Bring all lanes of a group to ``now``, the time of instant ``k_now``."""
    group.mark = k_now
    size = v.shape[1]
    gain = 0.0
    if driven:
        decay, gain = coefficients(now - group.t_last, tau)
    else:
        decay = decay_factor(now - group.t_last, tau)
    # A factor of zero would turn the minus infinity of refractory lanes into NaN.
    decay = max(decay, 1e-300)
    high = 0
    for k in range(size):
        x = v[g, k] * decay + (current[g, k] + pulse[g, k]) * gain
        next_v[k] = x
        high += x >= theta[g, k]
    group.high = 0
    if high > 0 or group.release <= now:
        group.release = np.inf
        for k in range(size):
            lane = g * size + k
            u = units[lane]
            free = v[g, k] > -np.inf
            if (free and next_v[k] >= theta[g, k]) or (not free and u.ref_until <= now):
                n_out = follow(
                    u, v[g, k], current[g, k] + pulse[g, k], group.t_last, now, layout[lane],
                    sample, out, n_out,
                )  # fmt: skip
                if n_out < 0:
                    return n_out
                next_v[k] = u.x if u.ref_until <= now else -np.inf
            group.high += next_v[k] >= theta[g, k]
            if next_v[k] == -np.inf:
                group.release = min(group.release, u.ref_until)
    for k in range(size):
        v[g, k] = next_v[k]
    group.t_last = now
    return n_out


@inner
def _receive(g, group, weights, at, kind, acc, pulse):
    """A run of weights reaches the lanes of a group."""
    size = acc.shape[1]
    run = weights[at : at + size]
    if kind == DELTA:
        for k in range(size):
            acc[g, k] += run[k]
        group.high += 1
    elif kind == PULSE:
        group.active += 1
        for k in range(size):
            pulse[g, k] += run[k]
    else:
        group.active -= 1
        for k in range(size):
            pulse[g, k] -= run[k]
        if group.active == 0:
            for k in range(size):
                pulse[g, k] = 0.0


@inner
def _settle(g, group, units, theta, v, acc, pulse, current, now, layout, sample, out, n_out):
    """Add what arrived in the instant and test the lanes of a group, once."""
    size = v.shape[1]
    high = 0
    for k in range(size):
        x = v[g, k] + acc[g, k]
        v[g, k] = x
        acc[g, k] = 0.0
        high += x >= theta[g, k]
    group.high = 0
    if high == 0:
        return n_out
    for k in range(size):
        if v[g, k] >= theta[g, k]:
            lane = g * size + k
            u = units[lane]
            n_out = test_lane(
                u, v[g, k], current[g, k] + pulse[g, k], now, layout[lane], sample, out, n_out
            )
            if n_out < 0:
                return n_out
            v[g, k] = u.x
            if u.ref_until > now:
                v[g, k] = -np.inf
                group.release = min(group.release, u.ref_until)
    return n_out


@inner
def _targets_row(indptr, post, row, places, taps):
    n = 0
    for k in range(indptr[row], indptr[row + 1]):
        places[n] = post[k]
        taps[n] = k
        n += 1
    return n


@inner
def _begin_sample(groups, units, own, v, pulse, current, t_start):
    size = v.shape[1]
    for g in range(groups.size):
        for k in range(size):
            u = units[g * size + k]
            own[g * size + k].ref_until = u.ref_until
            v[g, k], current[g, k], pulse[g, k] = u.x, u.bias, 0.0
        group = groups[g]
        group.t_last = t_start
        group.release = np.inf
        group.active = 0
        group.mark = -1
        group.high = 0


@njit
def run_patches(
    units,
    layer,
    link,
    indptr,
    post,
    weights,
    table,
    bounds,
    ops,
    steps,
    step_at,
    driven,
    at_start,
    t_start,
    out,
):
    """Spikes of a layer for a batch of samples; their number, FULL or STUCK.

    ``units`` are in the order of lanes, and ``layer`` says how lanes are arranged. With ``indptr``
    empty the rows are those of the convolution ``link``. ``weights`` holds deltas in volts and
    pulses in volts per second. ``at_start``: some potential begins at threshold.
    """
    size, tau, layout = layer.size, layer.tau, layer.layout
    n_groups = layout.size // size
    theta = layer.theta.reshape((n_groups, size))
    longest = n_groups
    for row in range(indptr.size - 1):
        longest = max(longest, indptr[row + 1] - indptr[row])
    places, taps = np.empty(longest, np.int64), np.empty(longest, np.int64)
    reached = np.empty(n_groups, np.int64)
    groups = np.zeros(n_groups, GROUP)
    v, pulse = np.empty((n_groups, size)), np.empty((n_groups, size))
    current, acc = np.empty((n_groups, size)), np.zeros((n_groups, size))
    next_v = np.empty(size)
    own = units.copy()
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    conv = indptr.size == 0
    for sample in range(bounds.size - 1):
        _begin_sample(groups, units, own, v, pulse, current, t_start)
        end = bounds[sample + 1] - 1
        for k in range(bounds[sample], end + 1):
            now, n_reached = table[k].time, 0
            begin, stop = table[k].first, table[k].first if k == end else table[k + 1].first
            if k == end or (at_start and k == bounds[sample]):
                # All is over, or initial potentials are tested: everything is looked at.
                for g in range(n_groups):
                    if groups[g].mark != k:
                        reached[n_reached] = g
                        n_reached += 1
                        n_out = _advance(
                            g, k, groups[g], own, theta, v, next_v, pulse, current, now, tau,
                            driven, layout, sample, out, n_out,
                        )  # fmt: skip
                        if n_out < 0:
                            return n_out
            for i in range(begin, stop):
                kind, row = ops[i].kind, ops[i].row
                if kind == STEP_OP:
                    step = steps[step_at[sample] + row]
                    lane = layer.lane_of[step.unit]
                    places[0] = lane // size
                    n = 1
                elif conv:
                    n = conv_targets(link, np.int64(row), places, taps)
                else:
                    n = _targets_row(indptr, post, row, places, taps)
                for m in range(n):
                    g = places[m]
                    if groups[g].mark != k:
                        reached[n_reached] = g
                        n_reached += 1
                        n_out = _advance(
                            g, k, groups[g], own, theta, v, next_v, pulse, current, now, tau,
                            driven, layout, sample, out, n_out,
                        )  # fmt: skip
                        if n_out < 0:
                            return n_out
                    if kind == STEP_OP:
                        u = own[lane]
                        current[g, lane - g * size] = u.bias + u.gain * step.value
                    else:
                        _receive(g, groups[g], weights, taps[m], kind, acc, pulse)
            if k == end:
                break
            for m in range(n_reached):
                g = reached[m]
                if groups[g].high > 0:
                    n_out = _settle(
                        g, groups[g], own, theta, v, acc, pulse, current, now, layout, sample,
                        out, n_out,
                    )  # fmt: skip
                    if n_out < 0:
                        return n_out
    return n_out
