"""A comparison as one HTML file, to be opened offline, mailed or printed.

The page loads nothing: styles are in the file, pictures are data in it, there are no scripts, and
a Content-Security-Policy forbids everything else. It follows the reader's light or dark setting.
"""

from __future__ import annotations

from eventsim.report.page import render, write_html

__all__ = ["render", "write_html"]
