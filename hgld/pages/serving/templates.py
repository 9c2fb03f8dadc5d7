"""How templates are written, and what static files are called."""

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hgld.engine.files import file_digest

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
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    digests = [(path.relative_to(folder).as_posix(), file_digest(path)) for path in files]
    return hashlib.sha256(repr(digests).encode()).hexdigest()[:_VERSION_LENGTH]
