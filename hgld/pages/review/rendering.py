"""Templates to answers."""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from hgld.pages.review.actions import ACTIONS, actions_json
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.wording import event_words, subjects_of
from hgld.pages.serving.security import Guard
from hgld.pages.serving.templates import page_environment, static_version

HERE = Path(__file__).resolve().parent
_REMEMBERED = 10_000  # lines of a page, 1 kB each


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings:
    """How the page is served."""

    guard: Guard
    reviewer: str = ""
    """Who reviews where the browser has not been told."""
    templates: Path = HERE / "templates"
    static: Path = HERE / "static"


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
            event_words=event_words,
            subjects_of=subjects_of,
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
