"""`hgld.load` reads labels, lazily and with types.

It does not need or write a build: the same function loads a pulled release, a URL, Google's files
and the user's own tables.
"""

from hgld.loading.sources import load

__all__ = ["load"]
