"""Writing networks and results to files."""

from __future__ import annotations

from eventsim.save.native import save_network as save

__all__ = ["save"]
