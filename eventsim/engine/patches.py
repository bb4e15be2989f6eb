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
    g, group, size, units, theta, v, pulse, current, now, tau, driven, layout, sample, out, n_out
):
    """Bring all lanes of a group to ``now``."""
    first = g * size
    gain = 0.0
    if driven:
        decay, gain = coefficients(now - group.t_last, tau)
    else:
        decay = decay_factor(now - group.t_last, tau)
    # A factor of zero would turn the minus infinity of refractory lanes into NaN.
    decay = max(decay, 1e-300)
    high = 0
    for k in range(first, first + size):
        x = v[k] * decay + (current[k] + pulse[k]) * gain
        high += x >= theta[k]
    group.high = 0
    if high > 0 or group.release <= now:
        group.release = np.inf
        for k in range(first, first + size):
            u = units[k]
            free = v[k] > -np.inf
            drive = current[k] + pulse[k]
            x = v[k] * decay + drive * gain
            if (free and x >= theta[k]) or (not free and u.ref_until <= now):
                n_out = follow(u, v[k], drive, group.t_last, now, layout[k], sample, out, n_out)
                if n_out < 0:
                    return n_out
                x = u.x if u.ref_until <= now else -np.inf
            v[k] = x
            group.high += x >= theta[k]
            if x == -np.inf:
                group.release = min(group.release, u.ref_until)
    else:
        for k in range(first, first + size):
            v[k] = v[k] * decay + (current[k] + pulse[k]) * gain
    group.t_last = now
    return n_out


@inner
def _receive(group, first, size, weights, at, kind, acc, pulse):
    """A run of weights reaches the lanes of the group that begins at ``first``."""
    if kind == DELTA:
        for k in range(size):
            acc[first + k] += weights[at + k]
        group.high += 1
    elif kind == PULSE:
        group.active += 1
        for k in range(size):
            pulse[first + k] += weights[at + k]
    else:
        group.active -= 1
        for k in range(size):
            pulse[first + k] -= weights[at + k]
        if group.active == 0:
            for k in range(size):
                pulse[first + k] = 0.0


@inner
def _settle(g, group, size, units, theta, v, acc, pulse, current, now, layout, sample, out, n_out):
    """Add what arrived in the instant and test the lanes of a group, once."""
    for k in range(g * size, (g + 1) * size):
        v[k] += acc[k]
        acc[k] = 0.0
    for k in range(g * size, (g + 1) * size):
        if v[k] >= theta[k]:
            u = units[k]
            n_out = test_lane(u, v[k], current[k] + pulse[k], now, layout[k], sample, out, n_out)
            if n_out < 0:
                return n_out
            v[k] = u.x
            if u.ref_until > now:
                v[k] = -np.inf
                group.release = min(group.release, u.ref_until)
    group.high = 0
    return n_out


@inner
def _targets_conv(link, source, places, taps):
    """Groups that a source unit reaches and where their runs of weights begin; their number."""
    channel = source // (link.in_y * link.in_x)
    row = (source // link.in_x) % link.in_y
    column = source % link.in_x
    per_in = link.in_c // link.groups
    group, inner_channel = channel // per_in, channel % per_in
    n = 0
    for a in range(link.k_y):
        y = row + link.p_y - a * link.d_y
        if y < 0 or y % link.s_y or y // link.s_y >= link.out_y:
            continue
        for b in range(link.k_x):
            x = column + link.p_x - b * link.d_x
            if x < 0 or x % link.s_x or x // link.s_x >= link.out_x:
                continue
            pixel = (y // link.s_y) * link.out_x + x // link.s_x
            places[n] = pixel * link.groups + group
            tap = ((a * link.k_x + b) * per_in + inner_channel) * link.out_c
            taps[n] = tap + group * (link.out_c // link.groups)
            n += 1
    return n


@inner
def _targets_row(indptr, post, row, places, taps):
    n = 0
    for k in range(indptr[row], indptr[row + 1]):
        places[n] = post[k]
        taps[n] = k
        n += 1
    return n


@inner
def _begin_sample(groups, units, v, pulse, current, t_start):
    for k in range(v.size):
        v[k], current[k], pulse[k] = units[k].x, units[k].bias, 0.0
    for group in groups:
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
    theta, size, tau, layout = layer.theta, layer.size, layer.tau, layer.layout
    n_lanes = theta.size
    n_groups = n_lanes // size
    places, taps = np.empty(n_groups + 1, np.int64), np.empty(n_groups + 1, np.int64)
    reached = np.empty(n_groups, np.int64)
    groups = np.zeros(n_groups, GROUP)
    v, pulse, current = np.empty(n_lanes), np.empty(n_lanes), np.empty(n_lanes)
    acc = np.zeros(n_lanes)
    own = np.empty(n_lanes, units.dtype)
    n_out = np.int64(0)  # a bare 0 would compile what it is passed to once more
    conv = indptr.size == 0
    for sample in range(bounds.size - 1):
        for k in range(n_lanes):
            own[k] = units[k]
        _begin_sample(groups, own, v, pulse, current, t_start)
        end = bounds[sample + 1] - 1
        for k in range(bounds[sample], end + 1):
            now, n_reached = table[k].time, 0
            begin, stop = table[k].first, table[k].first if k == end else table[k + 1].first
            if k == end or (at_start and k == bounds[sample]):
                # All is over, or initial potentials are tested: everything is looked at.
                for g in range(n_groups):
                    groups[g].mark = k
                    reached[g] = g
                    n_out = _advance(
                        g,
                        groups[g],
                        size,
                        own,
                        theta,
                        v,
                        pulse,
                        current,
                        now,
                        tau,
                        driven,
                        layout,
                        sample,
                        out,
                        n_out,
                    )
                    if n_out < 0:
                        return n_out
                n_reached = n_groups
            for i in range(begin, stop):
                kind, row = ops[i].kind, ops[i].row
                if kind == STEP_OP:
                    step = steps[step_at[sample] + row]
                    lane = layer.lane_of[step.unit]
                    places[0] = lane // size
                    n = 1
                elif conv:
                    n = _targets_conv(link, row, places, taps)
                else:
                    n = _targets_row(indptr, post, row, places, taps)
                for m in range(n):
                    g = places[m]
                    group = groups[g]
                    if group.mark != k:
                        group.mark = k
                        reached[n_reached] = g
                        n_reached += 1
                        n_out = _advance(
                            g,
                            group,
                            size,
                            own,
                            theta,
                            v,
                            pulse,
                            current,
                            now,
                            tau,
                            driven,
                            layout,
                            sample,
                            out,
                            n_out,
                        )
                        if n_out < 0:
                            return n_out
                    if kind == STEP_OP:
                        current[lane] = own[lane].bias + own[lane].gain * step.value
                    else:
                        _receive(group, g * size, size, weights, taps[m], kind, acc, pulse)
            if k == end:
                break
            for m in range(n_reached):
                if groups[reached[m]].high > 0:
                    n_out = _settle(
                        reached[m],
                        groups[reached[m]],
                        size,
                        own,
                        theta,
                        v,
                        acc,
                        pulse,
                        current,
                        now,
                        layout,
                        sample,
                        out,
                        n_out,
                    )
                    if n_out < 0:
                        return n_out
    return n_out
