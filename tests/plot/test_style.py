"""Colours of layers, and the maps of their densities."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb

from eventsim import plot
from eventsim.plot import style


@pytest.mark.parametrize("color", style.PALETTE)
def test_density_maps_darken_alike(color):
    """One grey colour bar explains the images of all layers."""
    levels = np.linspace(0.0, 1.0, 21)

    def lightness(c):
        rgb = style.lightness_map(c)(levels)[:, :3]
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        y = linear @ [0.2126, 0.7152, 0.0722]
        return np.where(y > 0.008856, 116.0 * np.cbrt(y) - 16.0, 903.3 * y)

    assert (np.diff(lightness(color)) < 0).all()
    assert np.abs(lightness(color) - lightness("black")).max() < 12.0


def test_layer_colours_repeat_only_after_all_are_used():
    names = [f"layer{k}" for k in range(10)]
    colors = list(plot.layer_colors(names).values())
    assert len(set(colors[:8])) == 8
    assert colors[8:] == colors[:2]
    for color in colors:
        value = rgb_to_hsv(style.text_color(color))[2]
        assert 0.0 <= value <= max(rgb_to_hsv(to_rgb(color))[2], 0.4)
