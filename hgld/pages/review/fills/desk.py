"""The view of guesses held open: what it shows, and what a reviewer rules on them."""

import functools
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from hgld.pages.review.board import Board
from hgld.pages.review.deciding import teller
from hgld.pages.review.fills.guesses import OTHERS, Guess, Guesses, read_guesses, read_pictures
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import Conflict, ConflictRow, Outcome
from hgld.pages.review.wording import count_of
from hgld.review.log.events import Change, Event, label_key
from hgld.review.log.history import Standing, category_rulings, name_now
from hgld.tables import FILLS

GuessState = Literal["open", "accepted", "refused"]
RulingEffect = Literal["fill", "refuse"]
"""fill: accept a guess."""

_PICTURES_S = 0.4  # that a view waits for pictures; those of a small build are there by then


class FillsPlace(NamedTuple):
    """What is shown."""

    name: str = ""
    """The super-category; of an unknown one the first with guesses in this state is shown."""
    group: str = ""
    """The key of the group; of an unknown one the first is shown."""
    show: GuessState = "open"


class RulingRequest(NamedTuple):
    """What a reviewer rules on which guesses."""

    effect: RulingEffect
    place: FillsPlace
    categories: frozenset[str] = frozenset()
    """The ticked ones; empty: all of the group that are in the shown state, on the page or not."""
    seen: int = 0
    """The last line of the log that the reviewer knows."""
    keeps_theirs: bool = False
    """Whether what others have ruled since is left so; otherwise it is a conflict."""


class GuessRow(NamedTuple):
    """A guess, and what is ruled on the category and one super-category."""

    guess: Guess
    hierarchical_label: str
    """Its current name."""
    natural_or_human_made: str
    state: GuessState
    event: Event | None
    """That accepted or refused it; None while it is open."""


class NameTally(NamedTuple):
    """A super-category and its guesses; of each kind the surest first."""

    hierarchical_label: str
    natural_or_human_made: str
    open: list[Guess]
    """Without rows: of 50,000 guesses nearly all are open, and a view shows 60."""
    ruled: list[GuessRow]

    @property
    def counts(self) -> Counter[GuessState]:
        """How many guesses are in which state."""
        counts = Counter(row.state for row in self.ruled)
        counts["open"] = len(self.open)
        return counts

    @property
    def rows(self) -> list[GuessRow]:
        """All guesses."""
        return [*(GuessRow(one, *self[:2], "open", None) for one in self.open), *self.ruled]


class FillsView(NamedTuple):
    """The whole view."""

    place: FillsPlace
    names: Sequence[NameTally]
    """Most guesses first, whatever their states: the order stays while somebody works."""
    name: NameTally | None
    """The super-category that is shown; None: there is no guess at all."""
    groups: Mapping[str, Sequence[GuessRow]]
    """Of its guesses in the shown state, by key: the surest first, and the surest of each."""
    before: FillsPlace
    after: FillsPlace
    """The groups beside the one that is shown; after the last comes the next super-category."""
    guesses: Guesses
    line: int
    """The last line of the log that is in it."""
    outcome: Outcome | None = None


class FillsDesk:
    """The guesses of one build. All methods may be called from any thread."""

    def __init__(self, session: ReviewSession) -> None:
        """Takes the review; guesses are read when they are first asked for."""
        self._session = session
        self._guesses, self._read_of = Guesses(), "nothing"
        self._reading = threading.Thread()
        self._names_at: tuple[object, dict[str, NameTally]] = (None, {})

    def look(self, place: FillsPlace) -> FillsView:
        """Returns what the view shows at a place.

        Raises:
            MissingInputError: `hgld fill` has not run.
            DamagedError: the log, or the table of guesses, is not as it was written.
        """
        with self._session.reading() as board:
            view = self._view(board, place)
        self.wait(_PICTURES_S)
        return view

    def wait(self, timeout_s: float = 60.0) -> None:
        """Waits until the pictures are read."""
        if self._reading.is_alive():
            self._reading.join(timeout_s)

    def decide(self, reviewer: str, request: RulingRequest) -> FillsView | Conflict:
        """Accepts or refuses guesses: one event, or none if all of it is so already.

        Returns:
            The view then; or what others have ruled since the reviewer looked, and nothing is done.

        Raises:
            RefusedError: one of the guesses is not there.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or the session is read-only.
        """
        state: GuessState = "accepted" if request.effect == "fill" else "refused"
        with self._session.appending(reviewer) as append, self._session.reading() as board:
            view = self._view(board, request.place)
            chosen = _chosen(view, request)
            found = self._clashes(board, request, chosen, reviewer)
            if found and not request.keeps_theirs:
                rest = len(chosen) - len(found)
                return Conflict(rows=tuple(found), line=self._session.line, rest=rest)
            done = {row.class_qid for row in found}
            done.update(row.guess.category for row in chosen if row.state == state)
            chosen = [row for row in chosen if row.guess.category not in done]
            if not chosen:
                text = "Nothing to do: all of it is so already."
                return view._replace(outcome=Outcome(text=text, kind="nothing"))
            number = append(_event_of(chosen, request, reviewer)).number
            what = count_of(len(chosen), "guess", "guesses")
            label = chosen[0].hierarchical_label.strip()
            text = f"{state.capitalize()} {what} of {label}. u takes it back."
            after = self._view(board, view.place)
            if after.place != view.place:  # nothing is left of the group
                after = self._view(board, view.after)
            return after._replace(outcome=Outcome(text=text, number=number))

    def look_after(self, outcome: Outcome, place: FillsPlace) -> FillsView:
        """Returns what the view shows after an undo or a redo: the guesses that it bears on.

        Args:
            outcome: of the undo or redo.
            place: what is shown if it bears on none.
        """
        with self._session.reading() as board:
            events = self._session.events
            edits = _edits_of(events[outcome.number - 1], events) if outcome.number else []
            for edit in edits:
                label = board.standing.current_name(edit.changes[0].hierarchical_label or "")
                tally = self._names(board).get(label_key(label))
                for row in tally.rows if tally else ():
                    if row.guess.category in edit.categories[:1]:
                        place = FillsPlace(label, row.guess.group.key, row.state)
            return self._view(board, place)._replace(outcome=outcome)

    def _names(self, board: Board) -> dict[str, NameTally]:
        workspace = self._session.workspace
        manifest = workspace.manifest(FILLS.stage)
        made = manifest.fingerprint if manifest else ""
        if made != self._read_of:  # `hgld fill` has made others since
            self._guesses, self._read_of = read_guesses(workspace), made
            self._reading = threading.Thread(target=self._read_pictures, daemon=True)
            self._reading.start()
        at = (made, self._session.line)
        if self._names_at[0] != at:
            self._names_at = (at, names_of(self._guesses.rows, board.standing))
        return self._names_at[1]

    def _read_pictures(self) -> None:
        self._session.show_also(read_pictures(self._session.workspace, self._guesses))

    def _view(self, board: Board, place: FillsPlace) -> FillsView:
        names = self._names(board)
        name = names.get(label_key(place.name)) or next(
            (one for one in names.values() if one.counts[place.show]),
            next(iter(names.values()), None),
        )
        groups = groups_of(name.rows, place.show) if name else {}
        group = place.group if place.group in groups else next(iter(groups), "")
        place = FillsPlace(name.hierarchical_label if name else "", group, place.show)
        before, after = (_beside(place, names.values(), list(groups), step) for step in (-1, 1))
        return FillsView(
            place=place,
            names=list(names.values()),
            name=name,
            groups=groups,
            before=before,
            after=after,
            guesses=self._guesses,
            line=self._session.line,
        )

    def _clashes(
        self, board: Board, request: RulingRequest, chosen: Iterable[GuessRow], reviewer: str
    ) -> list[ConflictRow]:
        """Returns the guesses of which something else was ruled since the reviewer looked.

        A page shows at once what is done in it: a later line is somebody else's, or another
        window's.
        """
        events = self._session.events
        last: dict[str, Event] = {}
        for event in events[request.seen :]:
            for edit in _edits_of(event, events):
                last.update(dict.fromkeys(edit.categories, event))
        found = []
        for row in chosen:
            category, label = row.guess.category, row.hierarchical_label.strip()
            if (theirs := last.get(category)) is None:
                continue
            was = _ruling_words(board.standing_at(request.seen), category)
            now = _ruling_words(board.standing, category)
            mine = label if request.effect == "fill" else f"not {label}"
            if now not in {was, mine}:
                found.append(
                    ConflictRow(
                        class_qid=category,
                        class_label=row.guess.name,
                        before=was,
                        theirs=now,
                        their_reviewer=teller(theirs, reviewer),
                        their_at=theirs.decided_at,
                        mine=mine,
                    )
                )
        return found


def _chosen(view: FillsView, request: RulingRequest) -> Sequence[GuessRow]:
    place, asked = request.place, request.categories
    name = view.name if label_key(view.place.name) == label_key(place.name) else None
    if name is not None and not asked:
        return view.groups.get(place.group, [])
    chosen = [row for row in name.rows if row.guess.category in asked] if name else []
    if len(chosen) < max(len(asked), 1):
        raise RefusedError(f"that is guessed to be {place.name.strip()!r} no more; reload the page")
    return chosen


def names_of(guesses: Iterable[Guess], standing: Standing) -> dict[str, NameTally]:
    """Returns the super-categories by key, with the guesses that stand there; most guesses first.

    A category stands where it was accepted, and where it was refused. If it was not accepted, and
    was not refused for what it is guessed to be, it stands there too, and is open.

    Args:
        guesses: of a build.
        standing: what the log comes to.
    """
    found: dict[str, NameTally] = {}

    @functools.cache
    def tally_of(label: str, side: str) -> NameTally:
        name = name_now(standing, label, side)
        return found.setdefault(label_key(name[0]), NameTally(*name, [], []))

    for guess in guesses:
        own = tally_of(guess.hierarchical_label, guess.natural_or_human_made)
        is_open, is_ruled = True, guess.category in standing.fills
        for one in category_rulings(standing, guess.category) if is_ruled else ():
            tally = tally_of(one.hierarchical_label, one.natural_or_human_made)
            state: GuessState = "accepted" if one.action == "accept" else "refused"
            tally.ruled.append(GuessRow(guess, *tally[:2], state, one.word.event))
            is_open &= state == "refused" and tally is not own
        if is_open:
            own.open.append(guess)
    sizes = {key: len(tally.open) + len(tally.ruled) for key, tally in found.items()}
    return {
        key: found[key] for key in sorted(sizes, key=lambda key: (-sizes[key], key)) if sizes[key]
    }


def groups_of(rows: Iterable[GuessRow], state: GuessState) -> dict[str, list[GuessRow]]:
    """Returns the guesses in a state by the key of their group; the surest group first.

    Args:
        rows: of a super-category, the surest first.
        state: of the guesses.
    """
    found: dict[str, list[GuessRow]] = defaultdict(list)
    for row in rows:
        if row.state == state:
            found[row.guess.group.key].append(row)

    def rank(key: str) -> tuple[bool, float]:  # a group is as sure as the guess in its middle
        return key == OTHERS, -found[key][len(found[key]) // 2].guess.confidence

    return {key: found[key] for key in sorted(found, key=rank)}


def _beside(
    place: FillsPlace, names: Iterable[NameTally], groups: Sequence[str], step: int
) -> FillsPlace:
    """Returns the group before or after, or the first of the super-category there."""
    at = groups.index(place.group) + step if groups else -1
    if 0 <= at < len(groups):
        return place._replace(group=groups[at])
    labels = [one[0] for one in names if one.counts[place.show] or one[0] == place.name]
    labels = labels or [place.name]
    label = labels[(labels.index(place.name) + step) % len(labels)]
    return FillsPlace(label, "", place.show)


def _edits_of(event: Event, events: Sequence[Event]) -> list[Event]:
    """Returns an edit itself, or the edits of the log that a switch turns off or on."""
    return [event] if event.is_edit else [events[one - 1] for one in (*event.off, *event.on)]


def _ruling_words(standing: Standing, category: str) -> str:
    """Returns what is ruled on a category, such as `tower` or `not tower`; or `open`."""
    words = [
        f"{'' if one.action == 'accept' else 'not '}{one.hierarchical_label.strip()}"
        for one in category_rulings(standing, category)
    ]
    return ", ".join(words) or "open"


def _event_of(chosen: Sequence[GuessRow], request: RulingRequest, reviewer: str) -> Event:
    change = Change(
        classes={},
        effect=request.effect,
        categories=tuple(row.guess.category for row in chosen),
        hierarchical_label=chosen[0].hierarchical_label,
        natural_or_human_made=chosen[0].natural_or_human_made,
    )
    return Event(
        event=request.effect,
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        seen=request.seen,
        changes=(change,),
    )
