"""A finished data set to look at: as a page on this machine, or written as a site of files."""

BROWSE_PORT = 8770
"""Of the page, unless it is taken or another is named."""
