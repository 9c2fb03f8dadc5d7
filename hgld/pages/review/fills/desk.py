"""The view of guesses held open: what it shows, and what is said of them."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from hgld.pages.review.fills.asking import FIRST_ROWS, FillsPlace, GuessRequest
from hgld.pages.review.fills.clashes import guess_clashes
from hgld.pages.review.fills.material import GuessMaterial, GuessPictures, read_guesses
from hgld.pages.review.fills.standing import GuessStanding, GuessStandings
from hgld.pages.review.fills.views import FillsView, GuessRow
from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.pages.review.views import ConflictRow, Outcome
from hgld.pages.review.wording import count_of
from hgld.pages.serving.wikimedia import category_url
from hgld.review.log.events import Change, Event, label_key
from hgld.tables import FILLS

_PICTURES_S = 0.4  # that guesses wait for their pictures; of a small build these are there by then
_STATES = {"accept": "accepted", "refuse": "refused"}


class GuessAnswer(NamedTuple):
    """What was done, and what to show then."""

    said: Outcome
    place: FillsPlace


class FillsDesk:
    """The guesses of one build. All methods may be called from any thread."""

    def __init__(self, session: ReviewSession) -> None:
        """Takes the review; guesses are read when they are first asked for."""
        self._session = session
        self._lock = threading.RLock()
        self._read_of = ""
        self._material = GuessMaterial()
        self._pictures: GuessPictures | None = None
        self._reading: threading.Thread | None = None
        self._counted: tuple[tuple[str, int], GuessStandings] | None = None

    def look(self, place: FillsPlace, said: Outcome | None = None) -> FillsView:
        """Returns what the view shows at a place.

        Raises:
            DamagedError: the log, or the table of guesses, is not as it was written.
        """
        standings = self._standings()
        if self._pictures is None:
            self.wait(_PICTURES_S)
        key = standings.find_name(place.name)
        groups = standings.groups(key, place)
        here = next(
            (one for one in groups if one.key == place.group), groups[0] if groups else None
        )
        groups = tuple(one._replace(is_current=one is here) for one in groups)
        names = standings.names(key)
        members = standings.members(key, here.key, place) if here else []
        return FillsView(
            names=names,
            name=next((one for one in names if one.is_current), None),
            groups=groups,
            group=next((one for one in groups if one.is_current), None),
            rows=tuple(self._row(one) for one in members[: place.rows]),
            place=1 + next((n for n, one in enumerate(groups) if one.is_current), 0),
            order=place.order,
            show=place.show,
            shown=place.rows,
            line=self._session.line,
            unguessed=self._material.unguessed,
            problem=self._material.problem,
            said=said,
        )

    def decide(self, reviewer: str, request: GuessRequest) -> GuessAnswer | list[ConflictRow]:
        """Accepts or refuses guesses at one stroke: one event, or none where all is so already.

        Returns:
            What was done; or the categories of which somebody else has said something since the
            page showed them, where the request does not say whose version is preferred. Nothing is
            done then.

        Raises:
            RefusedError: none is ticked, or one is not there.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or the session is read-only.
        """
        with self._session.appending(reviewer) as append:
            standings = self._standings()
            key = label_key(request.place.name)
            chosen = _chosen(standings, key, request)
            with self._session.reading() as board:
                found = guess_clashes(
                    board.standing, self._session.events, chosen, request, reviewer
                )
            if found and not request.prefer:
                return found
            if request.prefer == "theirs":
                theirs = {one.class_qid for one in found}
                chosen = [one for one in chosen if one.guess.category not in theirs]
            chosen = [one for one in chosen if one.state != _STATES[request.deed]]
            if not chosen:
                said = Outcome(text="Nothing to do: all of it is so already.", kind="nothing")
                return GuessAnswer(said, request.place)
            before = standings.groups(key, request.place)
            event = append(_event_of(chosen, request, reviewer))
            said = Outcome(text=_done_words(chosen, request), number=event.number)
        after = self._standings()
        order = [one.key for one in before]
        return GuessAnswer(said, _next_place(after, key, request.place, order))

    def undo(self, reviewer: str, place: FillsPlace) -> GuessAnswer:
        """Takes back the last thing that a reviewer did and that still counts."""
        return self._switched(self._session.undo(reviewer), place)

    def redo(self, reviewer: str, place: FillsPlace) -> GuessAnswer:
        """Does again what a reviewer has undone last."""
        return self._switched(self._session.redo(reviewer), place)

    def wait(self, timeout_s: float = 60.0) -> None:
        """Waits until the pictures are read, where guesses are."""
        if self._reading is not None:
            self._reading.join(timeout_s)

    def _switched(self, said: Outcome, place: FillsPlace) -> GuessAnswer:
        """Shows the guesses that a switch bears on, where it does."""
        by_number = {event.number: event for event in self._session.events}
        switch = by_number.get(said.number)
        edits = () if switch is None else (by_number[one] for one in (*switch.off, *switch.on))
        event = next((one for one in edits if one.categories), None)
        if event is None:
            return GuessAnswer(said, place)
        category, standings = event.categories[0], self._standings()
        key = standings.find_name(event.changes[0].hierarchical_label or "")
        found = standings.of(key, category)
        if found is None:
            return GuessAnswer(said, place)
        group = standings.group_of(key, category)
        shown = replace(place, name=found.hierarchical_label, group=group, show=found.state)
        return GuessAnswer(said, shown)

    def _standings(self) -> GuessStandings:
        with self._session.reading() as board, self._lock:
            self._read_again()
            key = (self._read_of, self._session.line)
            if self._counted is None or self._counted[0] != key:
                is_same = self._counted is not None and self._counted[0][0] == self._read_of
                before = self._counted[1] if self._counted is not None and is_same else None
                made = GuessStandings(self._material.guesses, board.standing, before)
                self._counted = (key, made)
            return self._counted[1]

    def _read_again(self) -> None:
        """Reads the guesses, where `hgld fill` has made others since they were read."""
        workspace = self._session.workspace
        manifest = workspace.manifest(FILLS.stage)
        made = manifest.fingerprint if manifest else "none"
        if made == self._read_of:
            return
        self._material = read_guesses(workspace)
        self._read_of = made
        if self._material.guesses:
            self._reading = threading.Thread(target=self._read_pictures, daemon=True)
            self._reading.start()

    def _read_pictures(self) -> None:
        """Reads the pictures while guesses are shown already: they come with what is shown next."""
        pictures = GuessPictures(self._session.workspace, self._material.guesses)
        self._session.show_also(pictures.index)
        self._pictures = pictures

    def _row(self, one: GuessStanding) -> GuessRow:
        guess, event = one.guess, one.ruling.word.event if one.ruling else None
        return GuessRow(
            category=guess.category,
            name=guess.name,
            url=category_url(guess.category),
            landmarks=len(guess.landmarks),
            state=one.state,
            confidence=guess.confidence,
            evidence=guess.evidence,
            parents=self._material.parents.get(guess.category, ()),
            thumbnails=self._pictures.of(guess) if self._pictures else (),
            reviewer=event.reviewer if event else "",
            decided_at=event.decided_at if event else "",
        )


def _chosen(standings: GuessStandings, key: str, request: GuessRequest) -> list[GuessStanding]:
    if request.is_all:
        members = standings.members(key, request.place.group or "", request.place)
        return [one for one in members if one.guess.category not in request.excepted]
    if not request.categories:
        raise RefusedError("no guess is ticked; tick one, or all of the group")
    found = [standings.of(key, category) for category in request.categories]
    chosen = [one for one in found if one is not None]
    if len(chosen) < len(found):
        raise RefusedError(
            f"there is no guess any more that a category is {request.place.name.strip()!r}; close "
            f"the guesses and open them again"
        )
    return chosen


def _event_of(chosen: list[GuessStanding], request: GuessRequest, reviewer: str) -> Event:
    first = chosen[0]
    change = Change(
        classes={},
        effect="fill" if request.deed == "accept" else "refuse",
        categories=tuple(one.guess.category for one in chosen),
        hierarchical_label=first.hierarchical_label,
        natural_or_human_made=first.natural_or_human_made,
    )
    return Event(
        event="fill" if request.deed == "accept" else "refuse",
        decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
        reviewer=reviewer,
        seen=request.seen,
        changes=(change,),
    )


def _done_words(chosen: list[GuessStanding], request: GuessRequest) -> str:
    landmarks = count_of(sum(len(one.guess.landmarks) for one in chosen), "landmark")
    label, verb = chosen[0].hierarchical_label.strip(), _STATES[request.deed].capitalize()
    if len(chosen) == 1:
        return f"{verb} that {chosen[0].guess.name} is {label}. u takes it back."
    guesses = count_of(len(chosen), "guess", "guesses")
    return f"{verb} {guesses} ({landmarks}) of {label}. u takes it back."


def _next_place(
    standings: GuessStandings, key: str, place: FillsPlace, order: list[str]
) -> FillsPlace:
    """Returns what is shown next: what is left of the group, the next group, the next name."""
    left = {one.key for one in standings.groups(key, place)}
    here = order.index(place.group) if place.group in order else -1
    ahead = [*order[max(here, 0) :], *order[: max(here, 0)]]
    group = next((each for each in ahead if each in left), None)
    if group is not None or place.show != "open":
        rows = place.rows if group == place.group else FIRST_ROWS
        return replace(place, group=group, rows=rows)
    after = standings.name_after(key)
    named = next(one for one in standings.names(after) if one.is_current)
    return replace(place, name=named.hierarchical_label, group=None, rows=FIRST_ROWS)
