"""Tests that need Chromium: ``make test-browser``."""
