"""Tests of eventsim. Helpers are imported as ``from tests.naive import ...``."""
