"""Lines of a page that the browser may have already: what it shows is not sent again.

An action changes a few of some 300 lines. Each answer has a name, which the browser sends with its
next request; a line that is as it was in that answer is sent as an empty element with its id.
"""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

from markupsafe import Markup, escape

_ANSWERS = 64  # of all open tabs together; what is older is sent in full
_NAME_BYTES = 9


class Pieces:
    """The lines of one answer."""

    def __init__(self, token: str, had: Mapping[str, Markup], write: Callable[..., Markup]) -> None:
        """Takes what the browser shows.

        Args:
            token: the name of the answer.
            had: the lines of the answer that the browser shows, by id.
            write: makes a line of a template's name and its rows.
        """
        self.token = token
        self.lines: dict[str, Markup] = {}
        """What the browser shows when it has this answer."""
        self._had, self._write = had, write

    def line(self, tag: str, key: str, name: str, /, **rows: Hashable) -> Markup:
        """Returns a line, or an empty element where the browser has it.

        Args:
            tag: of its outermost element.
            key: the id of that element.
            name: of the template that writes it.
            rows: what that template shows.
        """
        made = self.lines[key] = self._write(name, **rows)
        if self._had.get(key) != made:
            return made
        return Markup(f'<{tag} id="{escape(key)}" data-same></{tag}>')  # noqa: S704 - escaped


class SentPieces:
    """What the last answers were made of."""

    def __init__(self, write: Callable[..., Markup]) -> None:
        """Takes what makes a line."""
        self._write = write
        self._answers: OrderedDict[str, dict[str, Markup]] = OrderedDict()
        self._lock = threading.Lock()

    def after(self, token: str) -> Pieces:
        """Begins an answer to a browser that shows the one of a name; unknown: it has nothing."""
        with self._lock:
            pieces = Pieces(
                secrets.token_urlsafe(_NAME_BYTES), self._answers.get(token, {}), self._write
            )
            self._answers[pieces.token] = pieces.lines
            if token in self._answers:
                self._answers.move_to_end(token)
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)
            return pieces
