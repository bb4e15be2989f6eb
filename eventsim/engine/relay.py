"""Max pooling of spikes: which windows pass one in an instant."""

from __future__ import annotations

from eventsim.engine.compiled import EVERY_SPIKE, FIRST_SPIKE, LEADER
from eventsim.jit import inner

__all__ = ["visit_relay"]


@inner
def visit_relay(links, tables, units, heard, population, entries, order, n, instant, now, touched):
    """Decide for each window that is reached whether one spike passes.

    ``entries[order[:n]]`` are what reaches the population now, from one projection. The windows
    that pass a spike are put into ``touched``. Returns their number and that of the arrivals.
    """
    rule, heard_at = population.rule, population.heard_at
    for i in range(n):
        entry = entries[order[i]]
        link = links[entry.link]
        row = link.row_at + entry.source
        heard[heard_at + entry.source] += entry.times
        for k in range(tables.indptr[row], tables.indptr[row + 1]):
            u = units[link.first_unit + tables.post[link.post_at + k]]
            u.best = max(u.best, heard[heard_at + entry.source])
    n_touched, arrivals = 0, 0
    for i in range(n):
        entry = entries[order[i]]
        link = links[entry.link]
        row = link.row_at + entry.source
        arrivals += (tables.indptr[row + 1] - tables.indptr[row]) * entry.times
        for k in range(tables.indptr[row], tables.indptr[row + 1]):
            unit = link.first_unit + tables.post[link.post_at + k]
            u = units[unit]
            passes = (
                rule == EVERY_SPIKE
                or (rule == FIRST_SPIKE and now >= u.ref_until)
                or (rule == LEADER and heard[heard_at + entry.source] >= u.best)
            )
            if passes and u.mark != instant:
                u.mark = instant
                touched[n_touched] = unit
                n_touched += 1
    return n_touched, arrivals
