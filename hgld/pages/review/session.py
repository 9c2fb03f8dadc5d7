"""The review of a build, held open: what the page asks, and what it is told."""

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.proposing.stage import ProposeConfig
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.pages.review.acting.asking import ActRequest, Place, RefusedError
from hgld.pages.review.acting.drafts import Draft, draft_of
from hgld.pages.review.acting.switching import (
    JumpQuestion,
    SwitchChoice,
    jump_choice,
    jump_question,
    revert_choice,
    switched_classes,
    switched_words,
)
from hgld.pages.review.acting.telling import done_words, preview_of, rescored_words
from hgld.pages.review.acting.weighing import Conflict, edit_of, weigh
from hgld.pages.review.acting.wording import event_words
from hgld.pages.review.showing.bench import Bench, Occasion
from hgld.pages.review.showing.browsing import Browsing
from hgld.pages.review.showing.finding import Finding
from hgld.pages.review.showing.look_back import LookBack
from hgld.pages.review.state.board import Board, Outlook
from hgld.pages.review.state.classes import read_review_classes
from hgld.pages.review.state.landmarks import read_landmark_index
from hgld.pages.review.state.namebook import NameBook
from hgld.pages.review.state.rescoring import Rescoring
from hgld.pages.review.views import LandmarkLink, PreviewView, Said, Thumbnail, Workbench
from hgld.review.log.decisions import OpenLog, log_lock
from hgld.review.log.events import Event
from hgld.review.log.undoing import Courses

logger = logging.getLogger(__name__)

_SIGHTS = 6  # landmarks of one class that are named, and pictured


class Happening(NamedTuple):
    """What has happened, for everybody who has the page open."""

    kind: str
    """line: the log has grown. scored: proposals are others. pictures: they can be shown now.
    problem: the log cannot be read."""
    line: int
    reviewer: str
    text: str
    groups: tuple[str, ...] = ()
    scored: int = 0
    changed: int = 0


class ReviewSession:
    """The review of one build. All methods may be called from any thread."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        read_only: bool = False,
        propose: ProposeConfig | None = None,
        scores_apart: bool = True,
    ) -> None:
        """Opens the log and reads what is to be reviewed.

        Args:
            workspace: a build whose `propose` has finished.
            read_only: whether nothing is written, nor mended.
            propose: the settings of the proposals.
            scores_apart: whether proposals are scored in a process of their own, not in a thread.

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
        self._listeners: list[Callable[[Happening], None]] = []
        self._rescored: Said | None = None
        # It takes longest, so it begins first.
        self._rescoring = Rescoring(
            workspace.root, config, self._lock, self._tell_of_scores, is_apart=scores_apart
        )
        with contextlib.ExitStack() as on_error:
            on_error.callback(self._rescoring.close)
            classes, proposals = read_review_classes(workspace)
            tables = load_taxonomy_tables(config.taxonomy).supercategories
            names = NameBook({one.hierarchical_label: one.natural_or_human_made for one in tables})
            self._landmarks = read_landmark_index(workspace, classes.qids)
            self._log = OpenLog(workspace, mend=not read_only)
            self._board = Board(classes, proposals, names)
            self._board.replay(self._log.events)
            on_error.pop_all()
        self._courses = Courses(self._log.events)
        self._bench = Bench(self._board, self._landmarks)
        self._rescoring.start(self._board)
        self.browsing = Browsing(
            workspace,
            Finding(self._board, self._landmarks, self._bench),
            self._lock,
            makes_map=not read_only,
        )
        """What can be looked up over all groups."""
        self.look_back = LookBack(workspace, self._log, self._landmarks, self.reading)
        """What was done so far."""
        self.browsing.start(lambda: self._tell(Happening("pictures", self.line, "", "")))

    @property
    def line(self) -> int:
        """The last line of the log."""
        return self._log.line

    @property
    def events(self) -> Sequence[Event]:
        """All events of the log; to be read, not to be changed."""
        return self._log.events

    def close(self) -> None:
        """Ends what runs beside it."""
        self._rescoring.close()
        self.browsing.wait()

    def listen(self, listener: Callable[[Happening], None]) -> Callable[[], None]:
        """Has a function called with all that happens; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def leave() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return leave

    def sync(self) -> list[Event]:
        """Takes up what other processes have added to the log; returns that.

        Raises:
            DamagedError: the log is not as it was written.
            InputError: a line is no event.
        """
        with self._lock:
            new = self._log.sync()
            self._take_up(new)
            return new

    def settle(self, timeout_s: float = 60.0) -> bool:
        """Waits until pictures are read and proposals rest on all decisions; says whether."""
        self.browsing.wait(timeout_s)
        return self._rescoring.wait(timeout_s)

    def bench_at(self, reviewer: str, place: Place, said: Said | None = None) -> Workbench:
        """Returns what the page shows.

        Args:
            reviewer: who looks; may be empty.
            place: what is open, searched and filtered; of an empty group the one to which its
                classes went is shown, of an unknown one the first of the list.
            said: what was just done.

        Raises:
            DamagedError: the log is not as it was written.
        """
        with self._lock:
            self.sync()
            place, said = self._bench.followed(place, reviewer, said)
            occasion = Occasion(
                reviewer=reviewer,
                events=self._log.events,
                can_undo=not self.read_only and self._courses.undo(reviewer) is not None,
                can_redo=not self.read_only and self._courses.redo(reviewer) is not None,
                seen=self.look_back.seen_by(reviewer),
                said=said,
                rescored=self._rescored,
                is_scoring=self._rescoring.is_running,
                read_only=self.read_only,
                title=self.workspace.root.name or str(self.workspace.root),
            )
            return self._bench.of(place, occasion)

    def sort_groups(self, reviewer: str) -> None:
        """Puts the groups anew in the order of what they settle now."""
        with self._lock:
            self._bench.sort(reviewer)

    def next_place(self, reviewer: str, request: ActRequest) -> str:
        """Returns the group to show after an action."""
        with self._lock:
            return self._bench.next_group(reviewer, request.place, request.go)

    def act(
        self, reviewer: str, request: ActRequest, own: Collection[int] = ()
    ) -> Said | Conflict | PreviewView:
        """Does what is asked for: appends one event, or none where all is so already.

        Args:
            reviewer: who.
            request: what.
            own: numbers of events that they made in the same window.

        Returns:
            What was done; or what they are to be asked first, and nothing is done: see `weigh`.

        Raises:
            RefusedError: it cannot be done so; the text says what to do.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or the session is read-only.
        """
        with self._writing(reviewer):
            draft = weigh(self._board, self._log.events, request, reviewer, own)
            if not isinstance(draft, Draft):
                return draft
            if not draft.sayings:
                return Said(text="Nothing to do: all of it is so already.", kind="nothing")
            said = done_words(self._board, request, draft)
            event = edit_of(self._board, request, draft, reviewer, _now())
            return Said(text=said, number=self._append(event).number)

    def preview(self, request: ActRequest) -> PreviewView:
        """Returns what an action would do; nothing is written.

        Raises:
            RefusedError: it cannot be done so.
            DamagedError: the log is not as it was written.
        """
        with self._lock:
            self.sync()
            return preview_of(self._board, request, draft_of(self._board, request))

    def undo(self, reviewer: str) -> Said:
        """Takes back the last thing that a reviewer did and that still counts."""
        nothing = "Nothing of yours is left to take back."
        return self._switch(reviewer, nothing, lambda _, who: self._courses.undo(who))

    def redo(self, reviewer: str) -> Said:
        """Does again what a reviewer has undone last."""
        nothing = "Nothing of yours is left to do again."
        return self._switch(reviewer, nothing, lambda _, who: self._courses.redo(who))

    def revert(self, reviewer: str, number: int) -> Said:
        """Takes back one edit alone.

        Raises:
            RefusedError: no such edit.
        """
        nothing = "Nothing to do: it was taken back already."
        return self._switch(reviewer, nothing, revert_choice(number, "revert"))

    def restore(self, reviewer: str, number: int) -> Said:
        """Brings back one edit alone that was taken back.

        Raises:
            RefusedError: no such edit.
        """
        nothing = "Nothing to do: it was brought back already."
        return self._switch(reviewer, nothing, revert_choice(number, "restore"))

    def jump(
        self, reviewer: str, line: int, agreed: str | None = None, *, is_own: bool = False
    ) -> Said | JumpQuestion:
        """Makes exactly those edits count that counted after a line.

        Args:
            reviewer: who.
            line: of the log.
            agreed: the fingerprint of the question that they said yes to; None: none is asked.
            is_own: whether the edits of others stay as they are.

        Returns:
            What was done; or what they are to be asked first, where it switches edits of others.

        Raises:
            RefusedError: no such line.
        """
        nothing = "All is as it was after that line already."
        with self._writing(reviewer):
            asks = agreed is not None and not is_own
            if asks and (found := jump_question(self._log.events, reviewer, line, agreed or "")):
                return found
            return self._switched(reviewer, nothing, jump_choice(line, is_own=is_own))

    def group_of_switch(self, number: int) -> str:
        """Returns the group of most classes that a switch bears on; or nothing."""
        with self._lock:
            return self._bench.main_group(switched_classes(self._log.events, number))

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
        with self._writing(reviewer):
            yield self._append

    def sights(self, row: int) -> tuple[tuple[LandmarkLink, ...], tuple[Thumbnail, ...]]:
        """Returns what there is to see of a class, whatever is decided: landmarks and pictures."""
        with self._lock:
            return self._landmarks.examples(row, _SIGHTS), self._bench.class_pictures(row, _SIGHTS)

    def mark_seen(self, reviewer: str) -> None:
        """Notes that a reviewer has seen all events.

        Raises:
            InputError: the session is read-only.
        """
        self._refuse_read_only()
        self.look_back.mark_seen(reviewer)

    @contextlib.contextmanager
    def _writing(self, reviewer: str) -> Iterator[None]:
        """Holds the session and the log, with all that others have added."""
        self._refuse_read_only()
        if not reviewer.strip():
            raise RefusedError("say who you are first: decisions are kept with who made them")
        with self._lock, log_lock(self.workspace):
            self.sync()
            yield

    def _refuse_read_only(self) -> None:
        if self.read_only:
            raise InputError("the review is shown read-only; nothing is written")

    def _switch(self, reviewer: str, nothing: str, choose: SwitchChoice) -> Said:
        with self._writing(reviewer):
            return self._switched(reviewer, nothing, choose)

    def _switched(self, reviewer: str, nothing: str, choose: SwitchChoice) -> Said:
        events = self._log.events
        try:
            toggle = choose(events, reviewer)
        except ValueError as error:
            raise RefusedError(str(error)) from error
        if toggle is None:
            return Said(text=nothing, kind="nothing")
        event = self._append(toggle.signed(reviewer, _now(), seen=self._log.line))
        return Said(text=switched_words(events, toggle), number=event.number)

    def _append(self, event: Event) -> Event:
        appended = self._log.append_locked(event)
        self._take_up([appended])
        return appended

    def _take_up(self, new: Sequence[Event]) -> None:
        """Takes up new events, has proposals scored again, and tells everybody."""
        if not new:
            return
        before = self._board.group.copy()
        rulings = self._board.take_up(new)
        if rulings:
            self._rescored = None
        self._rescoring.decide(rulings)
        self._bench.follow(before, new[-1].reviewer)
        for event in new:
            self._courses.take(event)
            groups = self._bench.groups_of(event, before)
            self._tell(Happening("line", event.number, event.reviewer, event_words(event), groups))

    def _tell_of_scores(self, changed: list[Outlook]) -> None:
        if self._rescoring.problem:
            logger.warning("review: proposals are scored no more: %s", self._rescoring.problem)
        if changed:
            self._rescored = rescored_words(self._board, changed)
        text = self._rescored.text if changed and self._rescored else ""
        version = self._board.version
        self._tell(Happening("scored", self.line, "", text, (), version, len(changed)))

    def _tell(self, told: Happening) -> None:
        for listener in tuple(self._listeners):
            listener(told)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
