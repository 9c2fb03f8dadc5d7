"""A page served on this machine: its address, its server, and the browser that is opened."""

import contextlib
import logging
import signal
import socket
import threading
import webbrowser
from collections.abc import Iterator
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette

from hgld.errors import InputError
from hgld.pages.serving.security import Guard

logger = logging.getLogger(__name__)

_TRIED = 20  # ports after the one that is taken
_GRACE_S = 2


def listen(host: str, port: int) -> socket.socket:
    """Binds an address; where the port is taken, the next that is free.

    Raises:
        InputError: no port is free, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last: Exception | None = None
    for tried in range(port, port + (_TRIED if port else 1)):
        # asyncio sets TCP_NODELAY only where the protocol is named. Without it the end of an answer
        # waits until the browser confirms what came before, 40 ms where it takes its time.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host.strip("[]"), tried))
            bound.listen(128)
        except (OSError, OverflowError) as error:
            bound.close()
            last = error
            continue
        if tried != port:
            logger.warning("port %d is taken; the page is on port %d", port, tried)
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


def open_browser(url: str) -> None:
    """Opens the browser; one in the terminal would keep the page waiting."""
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


class PageServer(uvicorn.Server):
    """A server that its application knows, so that open streams end when `should_exit` is set."""

    def __init__(self, app: Starlette) -> None:
        """Takes the application, whose `state.server` it becomes."""
        app.state.server = self
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_S,
                ws="none",
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends on signals; Ctrl-C, which is how a page ends, is raised no further."""
        with super().capture_signals():
            yield
            self._captured_signals = [one for one in self._captured_signals if one != signal.SIGINT]
