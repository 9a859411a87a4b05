"""How Sphinx builds these pages: from what is here alone, no network. `make docs` turns every warning into an error."""

import timeline

project = "Resource timeline engine"
author = "the contributors"
copyright = author
version = release = timeline.__version__

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "What a cloud resource was, at any instant", "page_width": "72rem"}
html_show_sourcelink = False
html_copy_source = False

autodoc_member_order = "bysource"

# What a page or a docstring refers to by its full name is described here, but for:
nitpicky = True
nitpick_ignore_regex = [
    # not ours, and links would need the network
    ("py:class", r"(collections\.abc|datetime|msgspec|pathlib|pyarrow|re|threading)\..*"),
    ("py:.*", r"\w+"),  # a name alone, as docstrings call what stands in their own module
    ("py:class", r"timeline\.(definitions\.definition\.Definition|drivers\.contract\.Driver)"),
    ("py:data", r"timeline\.model\.limits\..*"),
]
