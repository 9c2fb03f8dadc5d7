"""The rules of `security` around the whole application."""

import html
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from hgld.pages.serving.security import (
    HEADERS,
    MOST_BYTES,
    MOST_SHEET_BYTES,
    Guard,
    header_map,
    is_access,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NO_STORE = (b"cache-control", b"no-store")


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, app: "ASGIApp", guard: Guard, sheets: str = "") -> None:
        """Takes what is guarded, and the path to which sheets are sent, where one is."""
        self._app, self._guard, self._sheets = app, guard, sheets

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answers a request, or refuses it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket: the page has none
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = header_map(scope["headers"])
        if await self._let_in(scope, headers, send):
            return
        most = MOST_SHEET_BYTES if scope["path"] == self._sheets else MOST_BYTES
        refused = self._guard.refusal(scope["method"], headers, most)
        if refused is not None:
            await _answer(send, *refused)
            return
        await self._app(scope, _Bounded(receive, most), _with_headers(send))

    async def _let_in(self, scope: "Scope", headers: dict[str, str], send: "Send") -> bool:
        """Takes the secret from the address to a cookie, so that it stands nowhere any more."""
        guard = self._guard
        if not guard.access or scope["method"] != "GET" or scope["path"] != "/":
            return False
        if not guard.knows_host(headers.get("host", "")):
            return False
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if not is_access(query.get("token", [""])[0], guard):
            return False
        cookie = (
            f"{guard.access_cookie}={quote(guard.access, safe='')}; "
            "Path=/; HttpOnly; SameSite=Strict"
        )
        await _answer(
            send, 303, "", [(b"location", b"/"), (b"set-cookie", cookie.encode("latin-1"))]
        )
        return True


class _Bounded:
    """What a client sends, up to a bound: a body without a length may have any."""

    def __init__(self, receive: "Receive", most: int) -> None:
        self._receive, self._left = receive, most

    async def __call__(self) -> "Message":
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return message


def _with_headers(send: "Send") -> "Send":
    async def sent(message: "Message") -> None:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            if b"cache-control" not in there:
                added.append(_NO_STORE)
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sent


async def _answer(
    send: "Send", status: int, text: str, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = plain_page(status, text).encode()
    head = [(b"content-type", b"text/html; charset=utf-8")]
    head += [(b"content-length", str(len(body)).encode()), *(more or [])]
    sent = _with_headers(send)
    await sent({"type": "http.response.start", "status": status, "headers": head})
    await sent({"type": "http.response.body", "body": body})


def plain_page(status: int, text: str) -> str:
    """Returns a page that says one sentence, whatever is in it."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status}</title>'
        f"<p>{html.escape(text)}</p></html>\n"
    )
