"""Sphinx settings: `make docs` builds docs/_build/html and treats every warning as an error."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "metaglot"
author = "The metaglot authors"
copyright = "The metaglot authors, Apache-2.0"  # noqa: A001  # Sphinx reads this name
html_theme = "furo"
html_title = "metaglot"
extensions = ["myst_parser", "sphinx.ext.autodoc", "cli_pages", "mathml", "plain_docstrings", "recipe_page"]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
# Formulas become MathML while the pages are built: no script and no network when they are read.
html_math_renderer = "mathml"

autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "model_config"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
