"""Compiled engines: each turns a network and its inputs into spikes, by another loop.

``queue`` runs any network; ``layered`` is the fast one for feed-forward networks without delay.
The choice of an engine never changes a result.
"""
