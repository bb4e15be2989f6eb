"""A comparison as one HTML file, to be opened offline, mailed or printed.

The page loads nothing: its style, its pictures and a small script that zooms into close-ups are in
the file, and a Content-Security-Policy forbids everything else. It reads the same without the
script, and follows the reader's light or dark setting.
"""

from __future__ import annotations

from eventsim.report.curve import CurvePoint, TimeStepCurve
from eventsim.report.page import render, write_html

__all__ = ["CurvePoint", "TimeStepCurve", "render", "write_html"]
