"""Settings of the documentation, which ``make docs`` builds."""

from sphinx_gallery.sorting import ExplicitOrder

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
    "sphinx_gallery.gen_gallery",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name types, with shapes and units
napoleon_google_docstring = False
napoleon_use_rtype = False

# The scripts of gallery/ run when the documentation is built. The pages that come of them are
# files of a build, so they lie with the others.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "_build/gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": ExplicitOrder(
        [
            "grazing_spike.py",
            "adaptation.py",
            "ring.py",
            "brunel.py",
            "cuba.py",
            "nir_boxes.py",
            "spikingtorch_digits.py",
            "snntorch_digits.py",
            "norse_yin_yang.py",
            "spikingjelly_residual.py",
            "sinabs_digits.py",
            "rockpool_digits.py",
        ]
    ),
    "run_stale_examples": True,  # the figures are those of this eventsim
    "notebook_extensions": set(),
    "download_all_examples": False,
    "write_computation_times": False,
    "min_reported_time": float("inf"),  # it would differ from build to build
    "show_signature": False,
    "image_srcset": ["2x"],
    "capture_repr": (),
}

exclude_patterns = ["_build/html", "_build/doctrees", "gallery"]
html_theme = "furo"
html_title = f"eventsim {release}"
