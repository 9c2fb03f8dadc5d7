"""The style sheets and scripts of the pages: these names and no others are served, or written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

_OWN = Path(__file__).resolve().parent / "static"
_SHARED = Path(__file__).resolve().parents[1] / "review" / "static"

ASSETS: Mapping[str, Path] = {
    **{
        name: _SHARED / name
        for name in (
            *("icon.svg", "css/tokens.css", "css/base.css", "js/theme.js"),
            *("vendor/d3-hierarchy.min.js", "vendor/LICENSES.md"),
        )
    },
    **{
        name: _OWN / name
        for name in (
            *("css/browse.css", "css/landmark.css", "css/map.css", "js/map.js", "js/search.js"),
        )
    },
}
"""Name to file; those of the review page that both have."""

MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".md": "text/plain",
}
_LENGTH = 12


def assets_version() -> str:
    """Returns a digest of all of them, so that an address never means two contents."""
    digest = hashlib.sha256()
    for name, path in sorted(ASSETS.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:_LENGTH]
