"""Reference networks and their training with the coarse model (PyTorch).

Part of the repository, not of the installed package. Networks are trained with
``python -m models.train NAME`` and written as eventsim network files by :mod:`models.export`.
"""

from __future__ import annotations

from importlib.util import find_spec

from eventsim.errors import MissingExtra

if find_spec("torch") is None:
    raise MissingExtra("torch", "torch", "training the reference networks")
