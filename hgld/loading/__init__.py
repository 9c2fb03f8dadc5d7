"""What a user reads labels with: `hgld.load`, lazy and typed.

It writes no folder of a build and knows no workspace: a release that was pulled, an address, one
shard, Google's files and a table of one's own come through the same door.
"""

from hgld.loading.sources import load

__all__ = ["load"]
