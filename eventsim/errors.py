"""Errors of eventsim.

Each is also a built-in exception, so ``except ValueError`` keeps working. A message names the
place and field, what was expected and what came.
"""

from __future__ import annotations

__all__ = [
    "EventsimError",
    "FileError",
    "IncompleteRunWarning",
    "InvalidType",
    "InvalidValue",
    "MissingExtra",
    "UncomparedWarning",
    "UnsupportedNetwork",
]


class EventsimError(Exception):
    """Base class of every error that eventsim raises on purpose."""


class InvalidValue(EventsimError, ValueError):
    """A parameter, array or argument has a value outside its allowed range."""


class InvalidType(EventsimError, TypeError):
    """A parameter, array or argument is of the wrong type."""


class FileError(EventsimError, ValueError):
    """A file is missing, exists already, is corrupt, or has another layout than expected."""


class UnsupportedNetwork(EventsimError, ValueError):
    """The chosen engine, twin or file format cannot express this network."""


class MissingExtra(EventsimError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f'{purpose} needs the package {package!r}: pip install "eventsim[{extra}]"'
        )


class UncomparedWarning(UserWarning):
    """A module was loaded by a sample input on which nothing spikes, so nothing was compared."""


class IncompleteRunWarning(UserWarning):
    """A run stopped before ``t_stop``; its result is marked incomplete and says why."""
