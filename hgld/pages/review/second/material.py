"""What the pages of the second opinion have in common: the review, and how to add to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hgld.pages.review.board import Board
from hgld.pages.review.history import switched_words
from hgld.pages.review.names import KnownName
from hgld.pages.review.second.known import known_answers
from hgld.pages.review.second.sampling import BlindSample
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Outcome
from hgld.review.log.events import Change, Edit, Event, label_key
from hgld.review.log.history import Standing
from hgld.review.log.undoing import redo, revert, undo


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What somebody answers on one class."""

    qid: str
    kind: str
    """name, ignore; of a blind answer unsure; of a difference first and second."""
    label: str = ""
    """name: the super-category."""
    side: str = ""
    """name: its side; needed of a new one."""
    is_sure: bool = False
    """Whether the name is new although it is close to another."""
    seen: int = 0
    """The last line of the log that the page showed."""


class SecondMaterial:
    """A review, as second opinions are given on it. All methods may be called from any thread."""

    def __init__(self, session: ReviewSession, known: Path | None = None) -> None:
        """Reads the known answers.

        Args:
            session: the review.
            known: a file of them (`known_answers`); None: those of the taxonomy.

        Raises:
            InputError: the file, or the taxonomy, cannot be used.
        """
        self.session = session
        with session.reading() as board:
            classes, counts = board.classes, board.classes.landmarks.tolist()
        self.landmarks: Mapping[str, int] = dict(zip(classes.qids, counts, strict=True))
        self.labels: Mapping[str, str] = dict(zip(classes.qids, classes.labels, strict=True))
        self.known = known_answers(self.labels, file=known, taxonomy=session.taxonomy)

    @property
    def title(self) -> str:
        """The name of the build's folder."""
        return self.session.workspace.root.name

    def next_class(self, standing: Standing, sample: BlindSample) -> str | None:
        """Returns the class that is asked next; None: all are answered, or have left the build."""
        answers = standing.opinions.get(sample.reviewer, {})
        waiting = (qid for qid in sample.queue if qid not in answers and qid in self.labels)
        return next(waiting, None)

    def take_back(self, reviewer: str, is_meant: Callable[[Event], bool]) -> Outcome:
        """Takes back the last thing of a kind that a reviewer did, whatever they did since."""
        with self.session.appending(reviewer) as append, self.session.reading() as board:
            events, active = self.session.events, board.standing.active
            last = next(
                (
                    event
                    for event in reversed(events)
                    if event.number in active and event.reviewer == reviewer and is_meant(event)
                ),
                None,
            )
            if last is None:
                text = "Nothing of yours is left to take back here."
                return Outcome(text=text, kind="nothing")
            toggle = undo(events, reviewer)
            if toggle is None or toggle.off != (last.number,):  # they did something else since
                toggle = revert(events, last.number)
            event = append(toggle.signed(reviewer, _now(), seen=self.session.line))
            return Outcome(text=switched_words(events, toggle), number=event.number)

    def again(self, reviewer: str, kinds: set[Edit]) -> Outcome:
        """Does again what a reviewer has undone last, if it is of a kind."""
        with self.session.appending(reviewer) as append:
            events = self.session.events
            toggle = redo(events, reviewer)
            undone = next((one for one in events if toggle and one.number == toggle.of), None)
            if toggle is None or undone is None or undone.event not in kinds:
                text = "Nothing of yours is left to do again here."
                return Outcome(text=text, kind="nothing")
            event = append(toggle.signed(reviewer, _now(), seen=self.session.line))
            return Outcome(text=switched_words(events, toggle), number=event.number)

    def edit(
        self,
        kind: Edit,
        reviewer: str,
        changes: tuple[Change, ...],
        seen: int | None = None,
        why: str = "",
    ) -> Event:
        """Returns an edit of now, to be appended."""
        return Event(
            event=kind,
            decided_at=_now(),
            reviewer=reviewer,
            why=why,
            seen=self.session.line if seen is None else seen,
            changes=changes,
        )


def offered_names(board: Board, reviewer: str) -> tuple[KnownName, ...]:
    """Returns the names that a class can be given, by the alphabet: nothing says which fits.

    They are those of the taxonomy, those in use, and those that the reviewer has answered before.
    """
    used = set(np.unique(board.decided).tolist())
    found = {
        label_key(name.hierarchical_label): name
        for number in range(1, len(board.names))
        if number in used
        or (number < board.names.shipped and board.names.current[number] == number)
        for name in [board.names.now(number)]
    }
    for word in board.standing.opinions.get(reviewer, {}).values():
        label, side = word.change.hierarchical_label, word.change.natural_or_human_made
        if label is not None and side is not None and board.standing.current_name(label) == label:
            found.setdefault(label_key(label), KnownName(label, side))
    return tuple(sorted(found.values(), key=lambda name: label_key(name.hierarchical_label)))


def unsure_of(standing: Standing, sample: BlindSample) -> int:
    """Returns how often a second reviewer could not tell."""
    answers = standing.opinions.get(sample.reviewer, {})
    return sum(qid in answers and answers[qid].change.effect == "unsure" for qid in sample.queue)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
