"""Requests to a page without a server: what uvicorn hands to an application, and takes from it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message


class Reply(NamedTuple):
    """What an application sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks_read: int
    """Of the request's body."""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def ask_app(
    app: "ASGIApp",
    method: str,
    path: str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    body: bytes | Sequence[bytes] = b"",
) -> Reply:
    """Asks an application for a path as it is, dots and escapes included.

    Args:
        app: of a page.
        method: such as `GET`.
        path: with its query.
        headers: as sent; one may come twice.
        body: whole, or in chunks; the client stays after it, so that a stream never ends.
    """
    chunks = [body] if isinstance(body, bytes) else body
    target, _, query = path.partition("?")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(target),
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[Message] = []
    read = 0

    async def receive() -> "Message":
        nonlocal read
        if read == len(chunks):
            await asyncio.get_running_loop().create_future()
        read += 1
        more = read < len(chunks)
        return {"type": "http.request", "body": chunks[read - 1], "more_body": more}

    async def send(message: "Message") -> None:
        sent.append(message)

    async def answer() -> None:
        await app(scope, receive, send)

    asyncio.run(answer())
    start, *parts = sent
    found = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    content = b"".join(part.get("body", b"") for part in parts)
    return Reply(start["status"], found, content, read)
