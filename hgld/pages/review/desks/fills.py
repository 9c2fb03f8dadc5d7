"""The guesses of `hgld fill`: a reviewer accepts or refuses them, in groups."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from fastapi.responses import Response

from hgld.pages.review.board import Board
from hgld.pages.review.deciding import teller
from hgld.pages.review.desks.desk import Desk, edit_of
from hgld.pages.review.desks.guesses import (
    Guesses,
    GuessGroup,
    GuessRow,
    groups_of,
    read_guesses,
    ruling_on,
)
from hgld.pages.review.rendering import Rendering
from hgld.pages.review.requests import Form, RefusedError, Who, number_of
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict, ConflictRow, Outcome
from hgld.pages.review.wording import count_of
from hgld.review.log.events import Change
from hgld.tables import FILLS

Action = Literal["accept", "refuse"]
_DONE: Mapping[Action, str] = {"accept": "Accepted", "refuse": "Refused"}


class FillsDesk(Desk):
    """The guesses of one build."""

    def __init__(self, session: ReviewSession, rendering: Rendering) -> None:
        """Takes the review; guesses are read when they are first asked for."""
        writes = {"accept": self.accept, "refuse": self.refuse}
        super().__init__(session, rendering, "/fills", writes)
        self._reading = threading.Lock()
        self._read: Guesses | None = None
        self._grouped: tuple[object, list[GuessGroup]] = (None, [])

    def accept(self, reviewer: Who, form: Form) -> Response:
        """Accepts guesses."""
        return self._rule(reviewer, form, "accept")

    def refuse(self, reviewer: Who, form: Form) -> Response:
        """Refuses guesses."""
        return self._rule(reviewer, form, "refuse")

    def show(
        self, reviewer: str, fields: Mapping[str, str], outcome: Outcome | None = None
    ) -> Response:
        """Returns the page of a group; of an unknown one the first is shown.

        Raises:
            MissingInputError: `hgld fill` has not run.
            DamagedError: the log, or the table of guesses, is not as it was written.
        """
        guesses = self._guesses()
        with self._session.reading() as board:
            groups, line = self._groups(board, guesses), self._session.line
            switched = self._switched(groups, outcome)
        named = [one for one in groups if one.hierarchical_label == fields.get("name")] or groups
        here = switched or _asked(named, fields) or next(iter(named), None)
        left: Counter[str] = Counter()
        for one in groups:
            left[one.hierarchical_label] += one.open
        return self._rendering.page(
            "desks/fills.html",
            group=here,
            groups=groups,
            left=left,
            before=here and _beside(groups, here, -1),
            after=here and _beside(groups, here, 1),
            guesses=guesses,
            line=line,
            reviewer=reviewer,
            outcome=outcome,
        )

    def _rule(self, reviewer: str, form: Form, action: Action) -> Response:
        """Rules on the ticked guesses of a group, or without ticks on all that are open.

        That is one event, or none if all of it is so already; nothing is done yet if others have
        ruled otherwise since the reviewer looked.
        """
        fields, guesses = dict(form), self._guesses()
        ticked = {value for name, value in form if name == "category"}
        seen = number_of(fields, "seen") or 0
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            groups = self._groups(board, guesses)
            here = _asked(groups, fields)
            asked = _chosen(here, ticked)
            if here is None or len(asked) < len(ticked):
                raise RefusedError("that is guessed to be something else now; reload the page")
            clashes = _clashes(board, asked, action, seen, reviewer)
            if clashes and fields.get("keep") != "theirs":
                rest, at = len(asked) - len(clashes), self._session.line
                conflict = Conflict(rows=tuple(clashes), line=at, rest=rest)
                return self._rendering.page("conflict.html", 409, conflict=conflict)
            done = {row.class_qid for row in clashes}
            done.update(one.guess.category for one in asked if one.action == action)
            chosen = [one for one in asked if one.guess.category not in done]
            if not chosen:
                text = "Nothing to do: all of it is so already."
                return self.show(reviewer, fields, Outcome(text=text, kind="nothing"))
            effect: Literal["fill", "refuse"] = "fill" if action == "accept" else "refuse"
            change = Change(
                classes={},
                effect=effect,
                categories=tuple(one.guess.category for one in chosen),
                hierarchical_label=here.hierarchical_label,
                natural_or_human_made=here.natural_or_human_made,
            )
            number = append(edit_of(effect, reviewer, change, seen)).number
        is_done = here.open == sum(one.ruling is None for one in chosen) > 0
        there = _beside(groups, here, 1) if is_done else here
        what = count_of(len(chosen), "guess", "guesses")
        text = f"{_DONE[action]} {what} of {here.hierarchical_label.strip()}. u takes it back."
        return self.show(reviewer, there.place, Outcome(text=text, number=number))

    def _guesses(self) -> Guesses:
        """Returns the guesses; they are read again where `hgld fill` has made others since."""
        workspace = self._session.workspace
        with self._reading:
            manifest = workspace.manifest(FILLS.stage)
            if self._read is None or manifest is None or manifest.fingerprint != self._read.made:
                self._read = read_guesses(workspace)
                self._session.show_also(self._read.picture_index)
            return self._read

    def _groups(self, board: Board, guesses: Guesses) -> list[GuessGroup]:
        """Returns the groups of now; of 50,000 guesses that takes a tenth of a second."""
        at = (guesses.made, self._session.line)
        if self._grouped[0] != at:
            self._grouped = (at, groups_of(guesses.rows, board.standing))
        return self._grouped[1]

    def _switched(self, groups: Sequence[GuessGroup], outcome: Outcome | None) -> GuessGroup | None:
        """Returns the group of what an undo, or a redo, has turned off or on."""
        events = self._session.events
        switch = events[outcome.number - 1] if outcome and outcome.number else None
        numbers = (*switch.off, *switch.on) if switch else ()
        categories = {one for number in numbers for one in events[number - 1].categories}
        for group in groups if categories else ():
            if any(row.guess.category in categories for row in group.rows):
                return group
        return None


def _asked(groups: Sequence[GuessGroup], fields: Mapping[str, str]) -> GuessGroup | None:
    return next((one for one in groups if one.place.items() <= fields.items()), None)


def _chosen(here: GuessGroup | None, ticked: set[str]) -> list[GuessRow]:
    rows = here.rows if here else ()
    return [one for one in rows if (one.guess.category in ticked if ticked else not one.ruling)]


def _beside(groups: Sequence[GuessGroup], here: GuessGroup, step: Literal[-1, 1]) -> GuessGroup:
    """Returns the next group with an open guess, or the one before; after the last the first."""
    at = groups.index(here)
    others = [*groups[at + 1 :], *groups[:at]]
    return next((one for one in others[::step] if one.open), here)


def _clashes(
    board: Board, asked: Sequence[GuessRow], action: Action, seen: int, reviewer: str
) -> list[ConflictRow]:
    """Returns the guesses on which others have ruled otherwise since a line of the log."""
    found = []
    for guess, ruling in asked:
        if ruling is None or ruling.action == action:
            continue
        was = ruling_on(board.standing_at(seen), guess)
        if was is None or was.action != ruling.action:
            label = ruling.hierarchical_label.strip()
            words = {"accept": label, "refuse": f"not {label}"}
            row = ConflictRow(
                class_qid=guess.category,
                class_label=guess.name,
                before=words[was.action] if was else "open",
                theirs=words[ruling.action],
                their_reviewer=teller(ruling.word.event, reviewer),
                their_at=ruling.word.event.decided_at,
                mine=words[action],
            )
            found.append(row)
    return found
