"""The page served on this machine, and its browser opened."""

import contextlib
import logging
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.proposing.stage import ProposeConfig
from hgld.pages.review import PORT
from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.acting.wording import count_of
from hgld.pages.review.app import make_app
from hgld.pages.review.serving.rendering import PageSettings, checked_name
from hgld.pages.review.serving.security import Guard
from hgld.pages.review.session import ReviewSession

logger = logging.getLogger(__name__)

_TRIED = 20  # ports after the one that is taken
_GRACE_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """How the page is served."""

    host: str = "127.0.0.1"
    port: int = PORT
    """0: any that is free. One that is taken: the next that is free."""
    token: str = ""
    """The secret without which nobody is let in; needed where others can reach the address."""
    opens_browser: bool = True
    read_only: bool = False
    reviewer: str = ""
    propose: ProposeConfig = field(default_factory=ProposeConfig)
    known: Path | None = None
    """A file of right answers, to hide in second opinions; None: those of the taxonomy."""


def serve_review(
    workspace: Workspace, config: ServerConfig, say: Callable[[str], None] = print
) -> None:
    """Serves the review of a build until Ctrl-C.

    Args:
        workspace: a build whose `propose` has finished.
        config: how.
        say: told the address, and at the end how much was decided.

    Raises:
        MissingInputError: no proposals.
        InputError: the address cannot be had, or others can reach it and there is no token.
        DamagedError: the log is not as it was written.
    """
    try:
        reviewer = checked_name(config.reviewer) if config.reviewer else ""
    except RefusedError as error:
        raise InputError(f"--reviewer: {error}") from error
    listening = listen(config.host, config.port)
    with contextlib.closing(listening):
        port = listening.getsockname()[1]
        try:
            guard = Guard(
                host=config.host, port=port, access=config.token, read_only=config.read_only
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        settings = PageSettings(
            guard=guard,
            reviewer=reviewer,
            known=config.known,
        )
        say(f"reading {workspace.root} ...")
        session = ReviewSession(workspace, read_only=config.read_only, propose=config.propose)
        with contextlib.closing(session):
            before = session.line
            url = address_of(guard)
            say(f"review of {workspace.root}: {url}  (Ctrl-C ends it; all is saved at once)")
            if config.opens_browser:
                # A browser in the terminal would keep the page waiting.
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            PageServer(make_app(session, settings)).run(sockets=[listening])
            say(_farewell(session, before))


def listen(host: str, port: int) -> socket.socket:
    """Binds an address; where the port is taken, the next that is free.

    Raises:
        InputError: no port is free, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: OSError | None = None
    for tried in range(port, port + (_TRIED if port else 1)):
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host.strip("[]"), tried))
            bound.listen(128)
        except (OSError, OverflowError) as error:
            bound.close()
            last = error if isinstance(error, OSError) else OSError(str(error))
            continue
        if tried != port and port:
            logger.warning("review: port %d is taken; the page is on port %d", port, tried)
        return bound
    raise InputError(
        f"cannot listen on {host} port {port}: {last}; choose another with --port, or --port 0 for "
        f"any that is free"
    ) from last


def address_of(guard: Guard) -> str:
    """Returns the address to open, with its secret where it has one."""
    name = f"[{guard.host}]" if ":" in guard.host else guard.host
    if guard.host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        name = socket.gethostname()
    query = f"?{urlencode({'token': guard.access})}" if guard.access else ""
    return f"http://{name}:{guard.port}/{query}"


class PageServer(uvicorn.Server):
    """A server whose open streams end when it does."""

    def __init__(self, app: FastAPI) -> None:
        """Takes the application of `make_app`."""
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_S,
                ws="none",
            )
        )
        self._feed = app.state.feed

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends on signals; Ctrl-C, which is how a page ends, is raised no further."""
        with super().capture_signals():
            yield
            self._captured_signals = [
                number for number in self._captured_signals if number != signal.SIGINT
            ]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the streams, then all else."""
        self._feed.close()
        await super().shutdown(sockets)


def _farewell(session: ReviewSession, before: int) -> str:
    done = session.line - before
    if not done:
        return "nothing was decided"
    return f"{count_of(done, 'event')} added to the log; nothing else is to be saved"
