"""Sweeps: one property of the network, its input or its readout, over a range of values."""
