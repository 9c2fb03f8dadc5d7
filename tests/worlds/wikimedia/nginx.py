"""nginx, for what only a real server does: before the lab's servers with a rate limit, or alone."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worlds.wikimedia.lab import Lab, free_ports, wait_for

_NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    log_format status "$uri $status";
    access_log {folder}/access.log status;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    limit_req_zone $binary_remote_addr zone=api:1m rate=2r/s;
    # Whoever sends a token is counted by it, all others by their agent.
    map $http_authorization $agent {{ default ""; "" $http_user_agent; }}
    limit_req_zone $agent zone=agent:1m rate={agent}r/m;
    limit_req_zone $http_authorization zone=token:1m rate={token}r/m;
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""
_RATE_LIMITED = """
        location {path} {{
            limit_req zone=api;
            add_header Retry-After 1 always;
            proxy_pass {address};
        }}
"""
_LIMITED_BY_CALLER = """
        location / {
            limit_req zone=agent burst=10 nodelay;
            limit_req zone=token burst=10 nodelay;
            add_header Set-Cookie "caller=known" always;
            try_files /none @ok;
        }
        location @ok {
            add_header Set-Cookie "caller=known" always;
            return 200 "$http_cookie";
        }
"""
_FILES = """
        root {root};
        keepalive_timeout 0;
        gzip on;
        gzip_min_length 1;
        gzip_types *;
"""


@contextlib.contextmanager
def rate_limited(lab: Lab, folder: Path) -> Iterator[tuple[str, Path]]:
    """Puts nginx before the lab's servers: two requests a second, and 429 to all others.

    Args:
        lab: the real servers.
        folder: for nginx's files.

    Yields:
        The address before `/w/` and `/query`, and the log with the status of each answer.
    """
    server = "".join(
        _RATE_LIMITED.format(path=path, address=address)
        for path, address in (("/w/", lab.commons), ("/query", lab.sparql))
    )
    with _nginx(server, folder) as port:
        yield f"http://127.0.0.1:{port}", folder / "access.log"


@contextlib.contextmanager
def limited_by_caller(agent: int, token: int, folder: Path) -> Iterator[tuple[str, Path]]:
    """Answers with the cookies that came, and with 429 to more than so many requests a minute.

    Args:
        agent: of an agent without a token.
        token: of a token.
        folder: for nginx's files.

    Yields:
        The address, and the log with the status of each answer.
    """
    with _nginx(_LIMITED_BY_CALLER, folder, agent=agent, token=token) as port:
        yield f"http://127.0.0.1:{port}/", folder / "access.log"


@contextlib.contextmanager
def serving_files(root: Path, folder: Path) -> Iterator[tuple[int, Path]]:
    """Serves the files of a folder, packed for whoever takes gzip.

    Args:
        root: the folder.
        folder: for nginx's files.

    Yields:
        The port on loopback, and the log with the status of each answer.
    """
    with _nginx(_FILES.format(root=root), folder) as port:
        yield port, folder / "access.log"


@contextlib.contextmanager
def _nginx(server: str, folder: Path, agent: int = 60, token: int = 60) -> Iterator[int]:
    """Runs nginx with one server on a free port; skips where it is not installed."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install -y --no-install-recommends nginx-light")
    (port,) = free_ports(1)
    config = folder / "nginx.conf"
    rates = {"agent": agent, "token": token}
    config.write_text(_NGINX.format(folder=folder, port=port, server=server, **rates))
    # -e: the log that is used until the configuration is read lies where only root may write.
    with subprocess.Popen([nginx, "-e", str(folder / "error.log"), "-c", str(config)]) as process:
        try:
            wait_for(port, process)
            yield port
        finally:
            process.terminate()
