"""The review of a build, held open: what the page asks, and what it is told."""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, InputError, PictureError
from hgld.labels.proposing.proposals import Proposal
from hgld.labels.proposing.stage import ProposeConfig
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.pages.review.board import Board
from hgld.pages.review.classes import read_review_classes
from hgld.pages.review.counting import Facet
from hgld.pages.review.deciding import done_words, weigh
from hgld.pages.review.drafts import draft_of
from hgld.pages.review.finding import Finder
from hgld.pages.review.history import (
    HistoryPage,
    history_page,
    switched_edit,
    switched_words,
)
from hgld.pages.review.landmarks import read_landmark_index
from hgld.pages.review.names import NameBook
from hgld.pages.review.panes import Panes
from hgld.pages.review.pictures import PictureIndex, read_picture_index
from hgld.pages.review.requests import ActRequest, Place, RefusedError
from hgld.pages.review.rows import name_rows, progress_of, suggestions
from hgld.pages.review.scoring import Scorer
from hgld.pages.review.views import (
    Conflict,
    Desk,
    Found,
    LandmarkLink,
    NameRow,
    Outcome,
    Question,
    Thumbnail,
)
from hgld.pages.serving.thumbnails import Thumbnails
from hgld.review.log.decisions import OpenLog, log_lock
from hgld.review.log.events import Event
from hgld.review.log.undoing import Courses, Toggle, revert
from hgld.tables import FILLS

logger = logging.getLogger(__name__)

_SIGHTS = 6  # landmarks of one class that are named, and pictured
_NOTHING_DONE = Outcome(text="Nothing to do: all of it is so already.", kind="nothing")


class ReviewSession:
    """The review of one build. All methods may be called from any thread."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        read_only: bool = False,
        propose: ProposeConfig | None = None,
    ) -> None:
        """Opens the log and reads what is to be reviewed.

        Args:
            workspace: a build whose `propose` has finished.
            read_only: whether nothing is written, nor mended.
            propose: the settings of the proposals.

        Raises:
            MissingInputError: no proposals.
            InputError: no class, a taxonomy that cannot be read, or a line that is no event.
            DamagedError: the log, or a table, is not as it was written.
        """
        self.workspace, self.read_only = workspace, read_only
        config = propose or ProposeConfig()
        self.taxonomy = config.taxonomy
        """The folder of the taxonomy; None: the one that ships."""
        self._lock = threading.RLock()
        self.renewed = 0
        """Raised when proposals, or pictures, are others."""
        classes, proposals = read_review_classes(workspace)
        tables = load_taxonomy_tables(config.taxonomy)
        sides = {
            one.hierarchical_label: one.natural_or_human_made for one in tables.supercategories
        }
        self._landmarks = read_landmark_index(workspace, classes.qids)
        self._log = OpenLog(workspace, mend=not read_only)
        self._board = Board(classes, proposals, NameBook(sides))
        rulings = self._board.take_up(self._log.events)
        self._courses = Courses(self._log.events)
        self._panes = Panes(self._board, self._landmarks)
        self._finder = Finder(self._board, self._landmarks, tables)
        self._thumbnails: list[Thumbnails] = []
        self._reading = threading.Thread(target=self._read_on, daemon=True)
        self._reading.start()
        self._scorer = Scorer(workspace, tables, rulings, self._take_proposals, self._lock)

    @property
    def line(self) -> int:
        """The last line of the log."""
        return self._log.line

    @property
    def events(self) -> Sequence[Event]:
        """All events of the log; to be read, not to be changed."""
        return self._log.events

    def has_fills(self) -> bool:
        """Says whether there are guesses to look at."""
        return self.workspace.manifest(FILLS.stage) is not None

    def has_second(self) -> bool:
        """Says whether there is a decision of which another person can be asked blind."""
        return bool(self._log.events)

    def close(self) -> None:
        """Ends what runs beside it."""
        self._scorer.close()
        self._reading.join()

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Waits until pictures are read and proposals rest on all decisions; says whether."""
        self._reading.join(timeout_s)
        return self._scorer.wait(timeout_s)

    def sync(self) -> None:
        """Takes up what other processes have added to the log.

        Raises:
            DamagedError: the log is not as it was written.
            InputError: a line is no event.
        """
        with self._lock:
            self._take_up(self._log.sync())

    def desk(
        self,
        reviewer: str,
        place: Place,
        outcome: Outcome | None = None,
        done: ActRequest | None = None,
    ) -> Desk:
        """Returns what the page shows.

        Args:
            reviewer: who looks; may be empty.
            place: what is open and filtered; of a group that is not listed the first is shown.
            outcome: of what was just done.
            done: what that was; of a group that is done with the next is shown.

        Raises:
            DamagedError: the log is not as it was written.
        """
        with self.reading() as board:
            chosen, read_as, facets = self._choose(place)
            listed = self._panes.groups(reviewer, chosen, is_filtered=place.is_filtered)
            place = replace(place, group=self._panes.opened(place.group, listed, done))
            members = self._panes.members(place, chosen)
            return Desk(
                place=place,
                groups=listed,
                view=self._panes.view(place, listed, members) if place.group else None,
                names=name_rows(board),
                suggestions=suggestions(board),
                facets=facets,
                found=int(chosen.sum()),
                read_as=read_as,
                progress=progress_of(board, self._landmarks, self._panes.count()),
                line=self.line,
                scored=board.version,
                reviewer=reviewer,
                title=self.workspace.root.name or str(self.workspace.root),
                outcome=outcome,
                undo=switched_edit(self._log.events, self._courses.undo(reviewer)),
                redo=switched_edit(self._log.events, self._courses.redo(reviewer)),
                read_only=self.read_only,
            )

    def act(self, reviewer: str, request: ActRequest) -> Outcome | Conflict | Question:
        """Does what is asked for: appends one event, or none where all is so already.

        Args:
            reviewer: who.
            request: what.

        Returns:
            What was done; or what they are to be asked first, and nothing is done: see `weigh`.

        Raises:
            RefusedError: it cannot be done so; the text says what to do.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or the session is read-only.
        """
        with self.appending(reviewer) as append:
            draft = draft_of(self._board, request, self._beyond(request), reviewer, _now())
            decided = draft and weigh(self._board, self._log.events, request, draft)
            if decided is None:
                return _NOTHING_DONE
            if not isinstance(decided, Event):
                return decided
            event = append(decided)
            return Outcome(text=done_words(self._board, event), number=event.number)

    def undo(self, reviewer: str) -> Outcome:
        """Takes back the last thing that a reviewer did and that still counts."""
        with self.appending(reviewer):
            return self._switch(reviewer, self._courses.undo(reviewer))

    def redo(self, reviewer: str) -> Outcome:
        """Does again what a reviewer has undone last."""
        with self.appending(reviewer):
            return self._switch(reviewer, self._courses.redo(reviewer))

    def revert(self, reviewer: str, number: int) -> Outcome:
        """Takes back one edit alone, or brings it back.

        Raises:
            RefusedError: no such edit.
        """
        with self.appending(reviewer):
            try:
                toggle = revert(self._log.events, number)
            except ValueError as error:
                raise RefusedError(str(error)) from error
            return self._switch(reviewer, toggle)

    def group_of_switch(self, number: int) -> str:
        """Returns the group of most classes that a switch bears on; empty: there is none."""
        with self._lock:
            switch = self.events[number - 1]
            edits = (self.events[one - 1] for one in (*switch.off, *switch.on))
            return self._panes.group_of_most(qid for edit in edits for qid in edit.classes)

    def history(self, before: int = 0, reviewer: str = "") -> HistoryPage:
        """Returns a page of the history; see `history_page`."""
        with self.reading() as board:
            active = frozenset(board.standing.active)
            return history_page(self._log.events, active, before=before, reviewer=reviewer)

    def go_to(self, query: str) -> list[Found]:
        """Returns the classes and landmarks of a name; see `Finder.go_to`."""
        with self._lock:
            return self._finder.go_to(query)

    def taxonomy_rows(self) -> tuple[tuple[NameRow, ...], Mapping[str, int]]:
        """Returns the super-categories, and how many classes of each were decided today."""
        today = _now()[:10]
        with self.reading() as board:
            rulings = board.standing.rulings.values()
            changed = Counter(
                one.change.hierarchical_label or ""
                for one in rulings
                if one.event.decided_at[:10] == today
            )
            return name_rows(board), changed

    @contextlib.contextmanager
    def reading(self) -> Iterator[Board]:
        """Holds the state, with all that others have added, and yields it; nobody writes meanwhile.

        Raises:
            DamagedError: the log is not as it was written.
        """
        with self._lock:
            self.sync()
            yield self._board

    @contextlib.contextmanager
    def appending(self, reviewer: str) -> Iterator[Callable[[Event], Event]]:
        """Holds the state and the log, and yields what appends an event, which gets its number.

        Raises:
            RefusedError: nobody has said who they are.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or the session is read-only.
        """
        if self.read_only:
            raise InputError("the review is shown read-only; nothing is written")
        if not reviewer.strip():
            raise RefusedError("say who you are first: decisions are kept with who made them")
        with self._lock, log_lock(self.workspace):
            self.sync()
            yield self._append

    def sights(self, row: int) -> tuple[tuple[LandmarkLink, ...], tuple[Thumbnail, ...]]:
        """Returns what there is to see of a class, whatever is decided: landmarks and pictures."""
        with self._lock:
            return self._landmarks.examples(row, _SIGHTS), self._panes.pictures_of(row, _SIGHTS)

    def picture(self, image_id: str) -> bytes | None:
        """Returns a picture made small; None where there is none that can be shown."""
        try:
            for thumbnails in self._thumbnails:
                if (small := thumbnails.of(image_id)) is not None:
                    return small
        except (DamagedError, PictureError) as error:
            logger.warning("review: %s", error)
        return None

    def show_also(self, pictures: PictureIndex) -> None:
        """Has pictures served of landmarks that have no class."""
        self._thumbnails.append(Thumbnails(pictures.files.get, self.workspace.root))

    def _beyond(self, request: ActRequest) -> list[int]:
        """Returns the classes for which the page has no room, where the request is about them."""
        if not request.is_beyond:
            return []
        chosen, _, _ = self._choose(request.place)
        members = self._panes.members(request.place, chosen)
        return list(map(int, members[request.place.rows :]))

    def _choose(self, place: Place) -> tuple[NDArray[np.bool_], str, tuple[Facet, ...]]:
        """Returns the classes that a filter selects, how its words were read, and the facets."""
        matching, read_as = self._finder.matching(place.query)
        facets = tuple(self._panes.facets.counts(place.facets, matching))
        return matching & self._panes.facets.select(place.facets), read_as, facets

    def _switch(self, reviewer: str, toggle: Toggle | None) -> Outcome:
        if toggle is None:
            return Outcome(text="Nothing of yours is left for that.", kind="nothing")
        text = switched_words(self._log.events, toggle)
        event = self._append(toggle.signed(reviewer, _now(), seen=self._log.line))
        return Outcome(text=text, number=event.number)

    def _append(self, event: Event) -> Event:
        appended = self._log.append_locked(event)
        self._take_up([appended])
        return appended

    def _take_up(self, new: Sequence[Event]) -> None:
        """Takes up new events, and has proposals scored again."""
        if not new:
            return
        self._scorer.decide(self._board.take_up(new))
        for event in new:
            self._courses.take(event)

    def _take_proposals(self, version: int, proposals: list[Proposal]) -> None:
        with self._lock:
            self.renewed += self._board.put(version, proposals)

    def _read_on(self) -> None:
        """Reads what the first page can do without: the names of landmarks, and pictures."""
        self._finder.read_names()
        try:
            pictures = read_picture_index(self.workspace, self._landmarks.keys)
        except DamagedError as error:
            logger.warning("review: no pictures are shown: %s", error)
            return
        if pictures.files:
            with self._lock:
                self._thumbnails.insert(0, Thumbnails(pictures.files.get, self.workspace.root))
                self._panes.pictures = pictures
                self.renewed += 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
