"""The page served on this machine, and its browser opened."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hgld.errors import InputError
from hgld.pages.browse import BROWSE_PORT
from hgld.pages.browse.app import make_browse_app
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.serving.listening import PageServer, address_of, listen, open_browser
from hgld.pages.serving.security import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowseConfig:
    """How the page is served."""

    host: str = "127.0.0.1"
    port: int = BROWSE_PORT
    """0: any that is free. One that is taken: the next that is free."""
    token: str = ""
    """The secret without which nobody is let in; needed where others can reach the address."""
    opens_browser: bool = True


def serve_browse(root: Path, config: BrowseConfig, say: Callable[[str], None] = print) -> None:
    """Serves a data set until Ctrl-C.

    Args:
        root: a build, its annotations/, or a release.
        config: how.
        say: told the address.

    Raises:
        InputError: no such data set; or the address cannot be had, or others can reach it and
            there is no token.
        DamagedError: a table cannot be read.
    """
    listening = listen(config.host, config.port)
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        try:
            guard = Guard(
                host=config.host, port=port, access=config.token, read_only=True, page="browse"
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        say(f"reading {root} ...")
        app = make_browse_app(Exhibit(root), guard)
        url = address_of(guard)
        say(f"data set of {root}: {url}  (Ctrl-C ends it; nothing is written)")
        if config.opens_browser:
            open_browser(url)
        PageServer(app).run(sockets=[listening])
