"""nginx before the lab's servers, for a rate limit that is real."""

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
    limit_req_status 429;
    server {{
        listen 127.0.0.1:{port};
        location /w/ {{
            limit_req zone=api;
            add_header Retry-After 1 always;
            proxy_pass {commons};
        }}
        location /query {{
            limit_req zone=api;
            add_header Retry-After 1 always;
            proxy_pass {sparql};
        }}
    }}
}}
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
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("needs nginx: apt-get install -y --no-install-recommends nginx-light")
    (port,) = free_ports(1)
    config = folder / "nginx.conf"
    config.write_text(
        _NGINX.format(folder=folder, port=port, commons=lab.commons, sparql=lab.sparql)
    )
    # -e: the log that is used until the configuration is read lies where only root may write.
    with subprocess.Popen([nginx, "-e", str(folder / "error.log"), "-c", str(config)]) as process:
        try:
            wait_for(port, process)
            yield f"http://127.0.0.1:{port}", folder / "access.log"
        finally:
            process.terminate()
