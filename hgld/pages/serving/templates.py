"""How templates are written, and what static files are called."""

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_VERSION_LENGTH = 12


def page_environment(*folders: Path) -> Environment:
    """Returns what writes the templates of some folders, the first first; all is escaped."""
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def static_version(folder: Path) -> str:
    """Returns a digest of all files of a folder, so that an address never means two contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:_VERSION_LENGTH]
