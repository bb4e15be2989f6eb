"""How faithful the continuous network is to the discrete one that was trained.

:func:`eventsim.fidelity.compare.validate` runs both on the same input spikes and returns a
:class:`~eventsim.fidelity.result.FidelityReport`; :mod:`eventsim.fidelity.metrics` holds the
numbers it is made of.
"""

from __future__ import annotations

from eventsim.fidelity import metrics
from eventsim.fidelity.compare import validate
from eventsim.fidelity.result import FidelityReport

__all__ = ["FidelityReport", "metrics", "validate"]
