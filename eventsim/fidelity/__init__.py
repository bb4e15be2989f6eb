"""How faithful the continuous network is to the discrete one that was trained.

:func:`eventsim.fidelity.compare.validate` runs both on the same input spikes and returns a
:class:`~eventsim.fidelity.result.FidelityReport`.
:func:`eventsim.fidelity.attribution.attribute` splits the gap between them by cause and returns a
:class:`~eventsim.fidelity.ladder.LadderReport`. :mod:`eventsim.fidelity.metrics` holds the numbers
that both are made of.
"""

from __future__ import annotations

from eventsim.fidelity import metrics
from eventsim.fidelity.attribution import attribute
from eventsim.fidelity.compare import validate
from eventsim.fidelity.ladder import LadderReport
from eventsim.fidelity.result import FidelityReport

__all__ = ["FidelityReport", "LadderReport", "attribute", "metrics", "validate"]
