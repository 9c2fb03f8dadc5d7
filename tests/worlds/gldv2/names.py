"""A world of names: what each leads to is written in a test, and every address is this machine."""

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import urllib3

PUBLIC = "93.184.216.34"

_connect = urllib3.util.connection.create_connection


@dataclass(slots=True)
class Names:
    """Names, what they lead to, and what was connected to."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    """Name to the addresses of each look-up of it, in order; the last ones over and over."""
    asked: list[str] = field(default_factory=list)
    """The names that were looked up, in order."""
    connected: list[str] = field(default_factory=list)
    """The hosts that were connected to, in order, as the connection names them."""
    dead: set[str] = field(default_factory=set)
    """Addresses where nobody answers."""

    def look_up(self, host: str, port: int, *_: object, **__: object) -> list[Any]:
        """Stands for `socket.getaddrinfo`."""
        if host not in self.answers:
            if not host[:1].isdigit() and ":" not in host:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            found = [host]
        else:
            lookups = self.answers[host]
            found = lookups[min(self.asked.count(host), len(lookups) - 1)]
            self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    def connect(self, address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:  # noqa: ANN401 - as they come
        """Connects to this machine, whatever the address is."""
        self.connected.append(address[0])
        if address[0] in self.dead:
            raise ConnectionRefusedError(111, "Connection refused")
        return _connect(("127.0.0.1", address[1]), *args, **options)


def tls_context(name: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Returns how a server of this name speaks TLS, and the file with its authority."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return context, folder / "ca.pem"
