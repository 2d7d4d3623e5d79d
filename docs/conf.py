"""The documentation as a web site: ``make docs-html``. Nothing is fetched from the network."""

from importlib.metadata import version as version_of

project = "heller"
author = "the authors of heller"
copyright = "2026, the authors of heller"  # noqa: A001 - Sphinx's name
version = release = version_of("heller")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"heller {version}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
