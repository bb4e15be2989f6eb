"""Which targets a source unit of a convolution reaches, computed from the kernel."""

from __future__ import annotations

from eventsim.jit import inner

__all__ = ["conv_targets"]


@inner
def conv_targets(link, source, places, taps):
    """Targets of a spike of unit ``source``: groups of channels of one pixel; their number.

    ``places`` are numbered by ``pixel * groups + group``; ``taps`` say where the weights of such
    a group of channels, which lie together, begin among those of the projection.
    """
    channel = source // (link.in_y * link.in_x)
    row = (source // link.in_x) % link.in_y
    column = source % link.in_x
    per_in, per_out = link.in_c // link.groups, link.out_c // link.groups
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
            taps[n] = ((a * link.k_x + b) * per_in + inner_channel) * link.out_c + group * per_out
            n += 1
    return n
