"""Templates to answers, and what a request says."""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, unquote

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from hgld.pages.review.actions import ACTIONS, actions_json
from hgld.pages.review.requests import RefusedError
from hgld.pages.serving.security import Guard
from hgld.pages.serving.templates import page_environment, static_version
from hgld.review.log.events import reviewer_name

HERE = Path(__file__).resolve().parent
REVIEWER_COOKIE = "reviewer"
_REMEMBERED = 10_000  # lines of a page, 1 kB each
_MOST_FIELDS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """How the page is served."""

    guard: Guard
    reviewer: str = ""
    """Who reviews where the browser has not been told."""
    templates: Path = HERE / "templates"
    static: Path = HERE / "static"
    known: Path | None = None
    """Right answers to hide in second opinions; None: those of the taxonomy."""


class Rendering:
    """Writes templates; everything in them is escaped."""

    def __init__(self, settings: PageSettings) -> None:
        """Takes the folders of the settings."""
        self._settings = settings
        self._environment = page_environment(settings.templates)
        self.version = static_version(settings.static)
        self._kept: dict[tuple[object, ...], Markup] = {}
        self._lock = threading.Lock()
        self._environment.globals.update(
            static=self.static,
            token=settings.guard.token,
            read_only=settings.guard.read_only,
            actions=ACTIONS,
            actions_json=actions_json(),
            remembered=self._remembered,
        )

    def tell(self, **functions: Callable[[], bool]) -> None:
        """Tells all templates what each of them may ask."""
        self._environment.globals.update(functions)

    def compile(self) -> None:
        """Compiles all templates: who first needs one would wait for it, some 10 ms."""
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def page(self, name: str, code: int = 200, /, **context: object) -> HTMLResponse:
        """Returns what a template makes of its context."""
        return HTMLResponse(self._environment.get_template(name).render(**context), code)

    def _remembered(self, name: str, **context: Hashable) -> Markup:
        """Returns what a template makes of a row that it may have been given before.

        Of 150 rows an action changes a few; to write them all anew takes longer than all else.
        """
        key = (name, *context.items())
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        made = Markup(self._environment.get_template(name).render(context))  # noqa: S704 - escaped
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > _REMEMBERED:
                del self._kept[next(iter(self._kept))]
        return made

    def question(self, name: str, **context: object) -> HTMLResponse:
        """Returns something to be agreed to, which the page shows in its dialog."""
        answer = self.page(name, **context)
        answer.headers["hx-retarget"] = "#ask"
        return answer

    def refusal(self, error: RefusedError) -> HTMLResponse:
        """Returns why something was not done."""
        return self.page(
            "refused.html",
            422,
            text=str(error),
            sure=error.may_insist,
            suggestion=error.suggestion,
            field=error.field,
        )

    def error(self, status: int, text: str) -> HTMLResponse:
        """Returns a page that says what is wrong."""
        return self.page("error.html", status, status=status, text=text)

    @property
    def static(self) -> str:
        """The address under which style sheets and scripts lie."""
        return f"/static/{self.version}"


def checked_name(name: str) -> str:
    """Returns a reviewer's name without spaces around it.

    Raises:
        RefusedError: it is blank, too long, or has characters that are no text.
    """
    try:
        return reviewer_name(name)
    except ValueError as error:
        raise RefusedError(str(error)) from error


async def fields_of(request: Request) -> list[tuple[str, str]]:
    """Returns the fields of a form, in order.

    Raises:
        RefusedError: it is no form, or has too many fields.
    """
    body = await request.body()
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise RefusedError(f"what was sent cannot be read: {error}; reload the page") from error


async def reviewer_of(request: Request) -> str:
    """Returns who reviews, as the browser was told; what is no name counts as none."""
    told = unquote(request.cookies.get(REVIEWER_COOKIE, ""))
    default: str = request.app.state.reviewer
    try:
        return checked_name(told) if told else default
    except RefusedError:
        return default


Form = Annotated[list[tuple[str, str]], Depends(fields_of)]
"""The fields of a form, in an answer's arguments."""
Who = Annotated[str, Depends(reviewer_of)]
"""Who reviews, in an answer's arguments; empty where nobody has said."""


def asked_number(fields: Mapping[str, str], name: str) -> int:
    """Returns a whole number of a request; 0 where it is none."""
    text = fields.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0  # noqa: PLR2004 - digits
