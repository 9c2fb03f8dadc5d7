"""The rules of `security` around the whole application."""

import html
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hgld.pages.serving.security import HEADERS, MOST_BYTES, MOST_SHEET_BYTES, Guard


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, app: ASGIApp, guard: Guard, sheets: str = "") -> None:
        """Takes what is guarded, and the path to which sheets are sent, where one is."""
        self._app, self._guard, self._sheets = app, guard, sheets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = MOST_SHEET_BYTES if scope["path"] == self._sheets else MOST_BYTES
        answer = self._answer(Request(scope), most) or self._app
        await answer(scope, _bounded(receive, most), _with_headers(send))

    def _answer(self, request: Request, most_bytes: int) -> Response | None:
        """Returns the answer to a request that does not reach the application."""
        guard = self._guard
        is_start = (request.method, request.scope["path"]) == ("GET", "/")
        if is_start and guard.is_invited(request):
            # From the address to a cookie, so that the secret stands nowhere any more.
            answer = RedirectResponse("/", 303)
            secret = quote(guard.access, safe="")
            answer.set_cookie(guard.access_cookie, secret, httponly=True, samesite="strict")
            return answer
        refused = guard.refusal(request, most_bytes)
        if refused is None:
            return None
        status, text = refused
        page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{status}</title>'
        return HTMLResponse(f"{page}<p>{html.escape(text)}</p></html>\n", status)


def _bounded(receive: Receive, left: int) -> Receive:
    """Receives a body up to a bound: one without a length may have any."""

    async def received() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return received


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sent
