"""Lines of a page that the browser may have already: what it shows is not sent again.

An action changes a few of some 300 lines. Each answer has a name, which the browser sends with its
next request; a line that is as it was in that answer is sent as an empty element with its id. Of a
list whose lines are the same ones in the same order even that is left out: only lines that are
others come, and the list says so. To write, send and compare 230 empty elements took a third of an
action's time. Where an action changes many classes of the open group, or many names, those in sight
come first.
"""

import functools
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup, escape

from hgld.pages.review.views import GroupView, Workbench

_ANSWERS = 64  # of all open tabs together; what is older is sent in full
_NAME_BYTES = 9
_SOME = Markup(" data-some")
_MEMBER = "parts/rows/member.html"
_NEAR = "near"


class SentLine(NamedTuple):
    """A line as it was sent."""

    given: tuple[object, ...]
    """The template and its rows: where they are the same, the line is, and is not written."""
    made: Markup


@dataclass(frozen=True, slots=True)
class SentAnswer:
    """What a browser shows that has an answer."""

    lines: dict[str, SentLine] = field(default_factory=dict)
    """By id."""
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The ids of the lines of each list."""


class Sight(NamedTuple):
    """Which rows a person sees."""

    qid: str
    """Of the row of the open group in focus; empty or unknown: the first."""
    rows: int
    """How many of the open group the window has room for."""
    names: range | None = None
    """Places of the names of the taxonomy in sight; None: not known, so all."""


class Lines(NamedTuple):
    """The lines of a list."""

    mark: Markup
    """An attribute of the list where only those come that are others; else empty."""
    text: Markup


class Pieces:
    """The lines of one answer."""

    def __init__(
        self,
        token: str,
        had: SentAnswer,
        write: Callable[..., Markup],
        sight: Sight | None = None,
    ) -> None:
        """Takes what the browser shows.

        Args:
            token: the name of the answer.
            had: what the browser shows.
            write: makes a line of a template's name and its rows.
            sight: which rows are seen; None: all are to come.
        """
        self.token = token
        self.shown = SentAnswer()
        """What the browser shows when it has this answer."""
        self.late = 0
        """Rows out of sight that are others, and come with the next answer."""
        self.behind = 0
        """Names out of sight that are others, and come when the browser asks again."""
        self._had, self._write, self._sight = had, write, sight

    def line(self, tag: str, key: str, name: str, /, **rows: Hashable) -> Markup:
        """Returns a line, or an empty element where the browser has it.

        Args:
            tag: of its outermost element.
            key: the id of that element.
            name: of the template that writes it.
            rows: what that template shows.
        """
        made = self._new(key, name, rows)
        return _empty(tag, key) if made is None else made

    def groups(self, bench: Workbench) -> Lines:
        """Returns the list on the left."""
        current = bench.view.row.group if bench.view else ""
        place = {"query": bench.query, "show": bench.show}
        rows = (
            (f"l-{row.group}", {"row": row, "is_current": row.group == current, **place})
            for row in bench.groups
        )
        return self.list("groups", "li", "parts/rows/group.html", rows)

    def members(self, view: GroupView) -> Markup:
        """Returns the rows of the open group.

        One that is out of sight and another than the browser shows comes as an empty element that
        says so, and as itself when the browser asks again.
        """
        seen = self._seen(view)
        made = []
        for place, member in enumerate(view.members):
            key, had = f"m-{member.class_qid}", self._had.lines.get(f"m-{member.class_qid}")
            row = {"member": member}
            is_late = had is not None and place not in seen
            if is_late and had is not None and had.given != (_MEMBER, *row.items()):
                self.shown.lines[key] = had
                self.late += 1
                made.append(_empty("li", key, "data-late"))
            else:
                made.append(self.line("li", key, _MEMBER, **row))
        return Markup("").join(made)

    def _seen(self, view: GroupView) -> Container[int]:
        """Returns the places of the rows in sight: about the focus, and the first."""
        if self._sight is None:
            return range(len(view.members))
        qids = [member.class_qid for member in view.members]
        here = qids.index(self._sight.qid) if self._sight.qid in qids else 0
        return {
            *range(self._sight.rows),
            *range(here - self._sight.rows, here + self._sight.rows),
        }

    def near(self, view: GroupView) -> Markup:
        """Returns what is near the open group; where it comes later, what the browser has stays."""
        if view.near is not None:
            return self.line("section", _NEAR, "parts/rows/near.html", near=view.near)
        had = self._had.lines.get(_NEAR)
        if had is None:
            return _empty("section", _NEAR, "")
        self.shown.lines[_NEAR] = had
        return _empty("section", _NEAR)

    def names(self, bench: Workbench) -> Lines:
        """Returns the taxonomy so far."""
        rows = ((_name_id(entry.hierarchical_label), {"entry": entry}) for entry in bench.names)
        seen = self._sight.names if self._sight else None
        return self.list("names", "tr", "parts/rows/name.html", rows, seen)

    def list(
        self,
        where: str,
        tag: str,
        name: str,
        rows: Iterable[tuple[str, Mapping[str, Hashable]]],
        seen: Container[int] | None = None,
    ) -> Lines:
        """Returns the lines of a list: all of them, or those that are others.

        Args:
            where: what list it is.
            tag: of the outermost element of a line.
            name: of the template that writes a line.
            rows: the id of each line, and what the template shows.
            seen: places of lines in sight, where others may come later; None: all are to come.
        """
        given = dict(rows)
        order = self.shown.orders[where] = tuple(given)
        is_some = self._had.orders.get(where) == order
        made: list[Markup] = []
        for place, (key, row) in enumerate(given.items()):
            if is_some and seen is not None and place not in seen:
                self._leave(key, name, row)
                continue
            text = self._new(key, name, row)
            if text is not None:
                made.append(text)
            elif not is_some:
                made.append(_empty(tag, key))
        return Lines(_SOME if is_some else Markup(""), Markup("").join(made))

    def _leave(self, key: str, name: str, rows: Mapping[str, Hashable]) -> None:
        """Leaves a line as the browser has it, and counts it where it is another now."""
        had = self.shown.lines[key] = self._had.lines[key]
        self.behind += had.given != (name, *rows.items())

    def _new(self, key: str, name: str, rows: Mapping[str, Hashable]) -> Markup | None:
        """Returns a line; None where the browser has it."""
        given, had = (name, *rows.items()), self._had.lines.get(key)
        if had is not None and had.given == given:
            self.shown.lines[key] = had
            return None
        made = self._write(name, **rows)
        self.shown.lines[key] = SentLine(given, made)
        return None if had is not None and had.made == made else made


@functools.lru_cache(maxsize=1024)
def _name_id(hierarchical_label: str) -> str:
    return f"n-{quote(hierarchical_label)}"


def _empty(tag: str, key: str, mark: str = "data-same") -> Markup:
    return Markup(f'<{tag} id="{escape(key)}" {mark}></{tag}>')  # noqa: S704 - escaped


class SentPieces:
    """What the last answers were made of."""

    def __init__(self, write: Callable[..., Markup]) -> None:
        """Takes what makes a line."""
        self._write = write
        self._answers: OrderedDict[str, SentAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def after(self, token: str, sight: Sight | None = None) -> Pieces:
        """Begins an answer to a browser that shows the one of a name; unknown: it has nothing."""
        with self._lock:
            had = self._answers.get(token, SentAnswer())
            pieces = Pieces(secrets.token_urlsafe(_NAME_BYTES), had, self._write, sight)
            self._answers[pieces.token] = pieces.shown
            if token in self._answers:
                self._answers.move_to_end(token)
            while len(self._answers) > _ANSWERS:
                self._answers.popitem(last=False)
            return pieces
