"""The rules of `security` around the whole application."""

from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hgld.pages.serving.security import HEADERS, Guard


class Guarded:
    """An ASGI application behind a guard."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        """Takes what is guarded."""
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, or refuses it."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():  # an answer may have a policy of its own
                    headers.setdefault(name, value)
            await send(message)

        is_request = scope["type"] == "http"
        answer = (self._answer(Request(scope)) if is_request else None) or self._app
        await answer(scope, receive, sent)

    def _answer(self, request: Request) -> Response | None:
        """Returns the answer to a request that does not reach the application."""
        guard = self._guard
        is_start = (request.method, request.scope["path"]) == ("GET", "/")
        if is_start and guard.is_invited(request):
            # From the address to a cookie, so that the secret stands nowhere any more.
            answer = RedirectResponse("/", 303)
            secret = quote(guard.access, safe="")
            answer.set_cookie(guard.access_cookie, secret, httponly=True, samesite="strict")
            return answer
        refused = guard.refusal(request)
        return refused and PlainTextResponse(refused[1], refused[0])
