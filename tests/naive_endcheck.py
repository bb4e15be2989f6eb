"""A slow endcheck: one neuron after the other, from instant to instant."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np


def moved(v, begin, end, arrivals, tau, goal):
    """Potential at ``end`` of a neuron that is free from ``begin`` on.

    Between instants it moves towards a constant, or along a line.
    """
    instants = {t for time, _, spread in arrivals for t in (time, time + spread)}
    instants = sorted({begin, end} | {t for t in instants if begin < t < end})
    for here, there in pairwise(instants):
        v += sum(weight for time, weight, spread in arrivals if spread == 0 and time == here)
        slope = sum(weight / spread for time, weight, spread in arrivals
                    if spread > 0 and time <= here < time + spread)  # fmt: skip
        if math.isinf(tau):
            v += (goal + slope) * (there - here)
        else:
            level = goal + tau * slope
            v = level + (v - level) * math.exp(-(there - here) / tau)
    return v


def naive_endcheck(net, name, dt, trains, times, current=0.0):
    """Spikes [step, n] of one population, as EndCheck gives them."""
    p = net[name]
    arrivals = [[] for _ in range(p.n)]
    for link in net.projections:
        if link.target == name:
            train = trains[link.source]
            for time, sender in zip(train.times, train.senders, strict=True):
                fan = link.fan_out(int(sender), net[link.source].shape, p.shape)
                for post, weight, delay in zip(*fan, strict=True):
                    arrivals[post].append((time + delay, float(weight), link.spread))
    current = np.broadcast_to(current, p.n)
    spikes = np.zeros((len(times), p.n), dtype=np.uint8)
    for j in range(p.n):
        value = {field: p.array(field)[j] for field in p.PARAMETERS}
        drive = value["r"] * (value["i_bias"] + current[j])
        goal = drive if math.isinf(value["tau_mem"]) else value["v_leak"] + drive
        v, free = value["v_init"], 0.0
        for step in range(len(times)):
            low, high = step * dt, (step + 1) * dt
            if free < high:
                v = moved(v, max(low, free), high, arrivals[j], value["tau_mem"], goal)
            if v > value["v_threshold"]:
                spikes[step, j] = 1
                v, free = value["v_reset"], times[step, j] + value["t_ref"]
                if free < high:
                    v = moved(v, free, high, arrivals[j], value["tau_mem"], goal)
    return spikes
