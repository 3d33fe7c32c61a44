"""The site of these pages: ``make docs`` writes it to build/site. It fetches nothing, and warnings are errors."""

from __future__ import annotations

from sphinx.application import Sphinx

from mien.version import __version__

project, author, release = "mien", "The mien developers", __version__
project_copyright = "The mien developers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
nb_execution_mode = "off"  # notebooks show what docs/write_notebooks.py stored in them
exclude_patterns = ["compare-simulated.md"]  # a table that COMPARE.md holds
root_doc = "index"
myst_heading_anchors = 4
myst_enable_extensions = ["fieldlist"]
suppress_warnings = ["myst.header"]  # pages that are tables begin with a heading of any level
autodoc_typehints = "none"  # signatures name types of five libraries
autodoc_member_order = "bysource"
napoleon_use_ivar = True  # attributes that are properties too are not described twice
html_theme = "furo"
html_title = "mien"
html_static_path = ["_static"]
html_css_files = ["notebooks.css"]
html_copy_source = html_show_sourcelink = False

NOTICE = "../src/mien/models/weights/NOTICE.md"


def setup(app: Sphinx) -> None:
    """Have links to the notice beside the weights lead to the page that includes it."""
    app.connect("source-read", _on_site)


def _on_site(app: Sphinx, page: str, content: list[str]) -> None:
    if page != "LAW":  # which includes it
        content[0] = content[0].replace(NOTICE, "LAW.md")
