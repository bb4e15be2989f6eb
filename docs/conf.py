"""Settings of the documentation, which ``make docs`` builds."""

from eventsim import __version__

project = "eventsim"
author = "eventsim developers"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_click",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name types, with shapes and units
napoleon_google_docstring = False
napoleon_use_rtype = False

exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"eventsim {release}"
