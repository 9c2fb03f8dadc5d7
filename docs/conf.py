"""Settings of Sphinx for the site of these pages: `make docs`.

Its source is the checkout, so that pages, README.md and CONTRIBUTING.md link one another, and
files of the code, as they do in the repository.
"""

from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

_PAGES = {"docs", "README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md"}

project = html_title = "hgld"
root_doc = "docs/index"
exclude_patterns = [
    one.name for one in Path(__file__).parents[1].iterdir() if one.name not in _PAGES
]
html_theme = "furo"
html_theme_options = {"dark_css_variables": {"mystnb-source-border-color": "#3c3c3c"}}
html_copy_source = html_show_copyright = False
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # a test runs the notebook; the site shows what the file has
default_role = "code"  # docstrings have `names`, as in Markdown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"


def setup(app: Sphinx) -> None:
    """Adds CSV without colours, the bars of |Omega| in docstrings, and the first page."""
    app.add_lexer("csv", TextLexer)
    app.connect("autodoc-process-docstring", _keep_bars)
    app.connect("build-finished", _lead_to_first_page)


def _lead_to_first_page(app: Sphinx, _: object) -> None:
    leads = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
    (app.outdir / "index.html").write_text(leads, encoding="utf-8")


def _keep_bars(*event: Any) -> None:  # noqa: ANN401 - six of Sphinx's, the lines the last
    """Keeps reStructuredText from reading |Omega| as a name to replace."""
    event[-1][:] = [line.replace("|", "\\|") for line in event[-1]]
