"""A Prefect server that lives as long as who started it, however that ends.

Prefect's built-in one is ended by the interpreter at its exit: killed, a flow leaves it behind, and
with it whoever reads the flow's output. A terminal's Ctrl-C reaches it as well, before the flow has
said how it ended. This one has a session and a log of its own, and ends when its standard input
does.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from hgld.errors import InputError

STARTUP_S = 120.0
_SHUTDOWN_S = 10.0
_HOST = "127.0.0.1"


@contextlib.contextmanager
def temporary_server(home: Path) -> Iterator[str]:
    """Runs a Prefect server for as long as the block does.

    Args:
        home: Prefect's folder, which exists; the server logs into it.

    Yields:
        Its address, where its page is; the API is below, at `/api`.

    Raises:
        InputError: it does not start.
    """
    log, port = home / "server.log", _free_port()
    address = f"http://{_HOST}:{port}"
    environment = os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_UI_API_URL": f"{address}/api",
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),  # else it writes beside its own code
    }
    with log.open("ab") as output:
        server = subprocess.Popen(  # noqa: S603 - nothing in it but this module and a port
            [sys.executable, "-m", __name__, str(port)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    with server:  # closes its standard input, and waits for it
        try:
            _wait_for(f"{address}/api/health", server, log)
            yield address
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        return int(listener.getsockname()[1])


def _wait_for(health: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + STARTUP_S
    while server.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(health, trust_env=False).is_success:
                return
        time.sleep(0.1)
    raise InputError(f"Prefect's server did not start; {log} says why")


def _end_with_input() -> None:
    """Ends this process when nobody holds the other end of its standard input any more."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_SHUTDOWN_S)  # a request that hangs does not keep it
    os._exit(1)


if __name__ == "__main__":
    import uvicorn

    threading.Thread(target=_end_with_input, daemon=True).start()
    uvicorn.run(
        "prefect.server.api.server:create_app",
        factory=True,
        host=_HOST,
        port=int(sys.argv[1]),
        log_level="error",
        timeout_graceful_shutdown=int(_SHUTDOWN_S),
    )
