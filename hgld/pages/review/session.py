"""The review of a build, held open: what the page asks, and what it is told."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from hgld.engine.files import write_text
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.labels.proposing.stage import ProposeConfig
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.pages.review.acting.asking import ActRequest, Place, RefusedError
from hgld.pages.review.acting.clashes import clashes
from hgld.pages.review.acting.drafts import Draft, draft_of
from hgld.pages.review.acting.telling import done_words, preview_of, rescored_words
from hgld.pages.review.acting.wording import count_of, event_words
from hgld.pages.review.showing.bench import Bench, Occasion
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.classes import read_review_classes
from hgld.pages.review.state.landmarks import read_landmark_index
from hgld.pages.review.state.namebook import NameBook
from hgld.pages.review.state.scoring import Scored, Scorer
from hgld.pages.review.views import ConflictRow, PreviewView, Said, Show, Workbench
from hgld.review.log.decisions import log_lock
from hgld.review.log.events import Event, Switch
from hgld.review.log.opened import OpenLog
from hgld.review.log.undoing import Toggle, jump, redo, revert, undo

logger = logging.getLogger(__name__)

SEEN_FILE = "review/.seen.json"
"""Up to which line each reviewer has looked at the history. Losing it loses nothing."""


class Told(NamedTuple):
    """What has happened, for everybody who has the page open."""

    kind: str
    """line: the log has grown. scored: proposals are others."""
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
        classes, proposals = read_review_classes(workspace)
        tables = load_taxonomy_tables(config.taxonomy).supercategories
        names = NameBook({each.hierarchical_label: each.natural_or_human_made for each in tables})
        self.landmarks = read_landmark_index(workspace, classes.qids)
        self._log = OpenLog(workspace, mend=not read_only)
        self.board = Board(classes, proposals, names)
        rulings = self.board.replay(self._log.events)
        self._lock = threading.RLock()
        self._scored = threading.Condition(self._lock)
        self._asked = self.board.version
        self._problem = ""
        self._is_first_scoring = True
        self._rescored: Said | None = None
        self._listeners: list[Callable[[Told], None]] = []
        self._seen = self._read_seen()
        self._bench = Bench(self.board, self.landmarks)
        self._scorer = Scorer(workspace.root, config, self._take_up_scored, is_apart=scores_apart)
        self._asked = 0
        self._is_scoring = True
        self._scorer.start({qid: one for qid, one in rulings.items() if one is not None})

    @property
    def events(self) -> Sequence[Event]:
        """All events of the log."""
        return self._log.events

    @property
    def line(self) -> int:
        """The last line of the log."""
        return self._log.line

    def close(self) -> None:
        """Ends what runs beside it."""
        self._scorer.close()

    def listen(self, listener: Callable[[Told], None]) -> Callable[[], None]:
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
        """Waits until the proposals rest on all decisions; says whether they do."""
        with self._scored:
            return self._scored.wait_for(
                lambda: not self._is_scoring or bool(self._problem), timeout_s
            )

    def bench(
        self,
        reviewer: str,
        group: str = "",
        query: str = "",
        show: Show = "all",
        rows: int = 200,
        said: Said | None = None,
    ) -> Workbench:
        """Returns what the page shows.

        Args:
            reviewer: who looks; may be empty.
            group: the one that is open; empty or unknown: the first of the list.
            query: what is searched in the list.
            show: the filter.
            rows: how many members are shown at most.
            said: what was just done.

        Raises:
            DamagedError: the log is not as it was written.
        """
        place = Place(group=group, query=query, show=show, rows=rows)
        return self.bench_at(reviewer, place, said)

    def bench_at(self, reviewer: str, place: Place, said: Said | None = None) -> Workbench:
        """Returns what the page shows at a place; see `bench`."""
        with self._lock:
            self.sync()
            occasion = Occasion(
                reviewer=reviewer,
                events=self._log.events,
                seen=self._seen.get(reviewer, 0),
                said=said,
                rescored=self._rescored,
                is_scoring=self._is_scoring,
                read_only=self.read_only,
                title=str(self.workspace.root),
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

    def act(self, reviewer: str, request: ActRequest) -> Said | list[ConflictRow]:
        """Does what is asked for: appends one event, or none where all is so already.

        Args:
            reviewer: who.
            request: what.

        Returns:
            What was done; or the classes that somebody else has changed since the page showed
            them, where the request does not say whose version is preferred. Nothing is done then.

        Raises:
            RefusedError: it cannot be done so; the text says what to do.
            DamagedError: the log is not as it was written; nothing is appended.
            InputError: the disk is full, or the session is read-only.
        """
        with self._writing(reviewer):
            draft = draft_of(self.board, request)
            seen = self._log.line if request.seen is None else request.seen
            found = clashes(self.board, self._log.events, draft, reviewer, seen)
            if found and not request.prefer:
                return found
            if request.prefer == "theirs":
                draft = draft.without(row.class_qid for row in found)
            if not draft.sayings:
                return Said(text="Nothing to do: all of it is so already.", kind="nothing")
            return self._append_edit(reviewer, request, draft, seen)

    def preview(self, reviewer: str, request: ActRequest) -> PreviewView:
        """Returns what an action would do; nothing is written.

        Raises:
            RefusedError: it cannot be done so.
            DamagedError: the log is not as it was written.
        """
        del reviewer
        with self._lock:
            self.sync()
            return preview_of(self.board, request, draft_of(self.board, request))

    def undo(self, reviewer: str) -> Said:
        """Takes back the last thing that a reviewer did and that still counts."""
        return self._toggle(reviewer, "u: nothing of yours to take back", undo)

    def redo(self, reviewer: str) -> Said:
        """Does again what a reviewer has undone last."""
        return self._toggle(reviewer, "U: nothing of yours to do again", redo)

    def revert(self, reviewer: str, number: int) -> Said:
        """Takes back one edit alone, or brings it back.

        Raises:
            RefusedError: no such edit.
        """
        return self._toggle(reviewer, "", lambda events, _: revert(events, number))

    def jump(self, reviewer: str, line: int) -> Said:
        """Makes exactly those edits count that counted after a line.

        Raises:
            RefusedError: no such line.
        """
        return self._toggle(
            reviewer,
            "All is as it was after that line already",
            lambda events, _: jump(events, line),
        )

    def mark_seen(self, reviewer: str) -> None:
        """Notes that a reviewer has seen all events."""
        with self._lock:
            if self.read_only:
                raise InputError("the review is shown read-only; nothing is written")
            self._seen[reviewer] = self._log.line
            write_text(
                self.workspace.path(SEEN_FILE), json.dumps(self._seen, ensure_ascii=False) + "\n"
            )

    @contextlib.contextmanager
    def _writing(self, reviewer: str) -> Iterator[None]:
        """Holds the session and the log, with all that others have added."""
        if self.read_only:
            raise InputError("the review is shown read-only; nothing is written")
        if not reviewer.strip():
            raise RefusedError("say who you are first: decisions are kept with who made them")
        with self._lock, log_lock(self.workspace):
            self.sync()
            yield

    def _append_edit(self, reviewer: str, request: ActRequest, draft: Draft, seen: int) -> Said:
        text = done_words(self.board, request, draft)
        try:
            event = Event(
                event=draft.event,
                decided_at=_now(),
                reviewer=reviewer,
                why=request.why if draft.event not in {"comment", "doubt"} else "",
                seen=seen,
                changes=draft.changes(self.board),
            )
        except ValueError as error:
            raise RefusedError(str(error)) from error
        appended = self._append(event)
        return Said(text=text, number=appended.number)

    def _toggle(
        self,
        reviewer: str,
        nothing: str,
        choose: Callable[[Sequence[Event], str], Toggle | None],
    ) -> Said:
        with self._writing(reviewer):
            try:
                toggle = choose(self._log.events, reviewer)
            except ValueError as error:
                raise RefusedError(str(error)) from error
            if toggle is None:
                return Said(text=f"{nothing}.", kind="nothing")
            kind: Switch = toggle.event
            event = Event(
                event=kind,
                decided_at=_now(),
                reviewer=reviewer,
                seen=self._log.line,
                off=toggle.off,
                on=toggle.on,
                of=toggle.of,
            )
            appended = self._append(event)
            return Said(text=self._switched_words(toggle), number=appended.number)

    def _switched_words(self, toggle: Toggle) -> str:
        by_number = {event.number: event for event in self._log.events}
        of = toggle.of or next(iter((*toggle.off, *toggle.on)))
        what = event_words(by_number[of])
        match toggle.event:
            case "undo":
                return f"Undone: {what}."
            case "redo":
                return f"Done again: {what}."
            case "revert":
                return f"Taken back alone: {what}."
            case "restore":
                return f"Brought back: {what}."
        return (
            f"Jumped: {count_of(len(toggle.off), 'edit')} off, {count_of(len(toggle.on), 'edit')} "
            f"on. u takes it back."
        )

    def _append(self, event: Event) -> Event:
        appended = self._log.append_locked(event)
        self._take_up([appended])
        return appended

    def _take_up(self, new: Sequence[Event]) -> None:
        """Takes up new events, has proposals scored again, and tells everybody."""
        if not new:
            return
        before = self.board.group.copy()
        rulings = self.board.take_up(self._log.events, new)
        if rulings:
            self._rescored = None
            self._is_scoring = True
            self._asked = self._scorer.decide(rulings)
        for event in new:
            groups = self._bench.groups_of(event, before)
            self._tell(Told("line", event.number, event.reviewer, event_words(event), groups))

    def _take_up_scored(self, scored: Scored) -> None:
        with self._scored:
            if scored.problem:
                logger.warning("review: proposals are not scored again: %s", scored.problem)
                self._problem = scored.problem
            changed = self.board.put(scored.version, scored.proposals)
            self._is_scoring = scored.version < self._asked and not scored.problem
            if not self._is_first_scoring and changed:
                self._rescored = rescored_words(self.board, changed)
            self._is_first_scoring = False
            text = self._rescored.text if self._rescored else ""
            self._tell(Told("scored", self._log.line, "", text, (), scored.version, len(changed)))
            self._scored.notify_all()

    def _tell(self, told: Told) -> None:
        for listener in tuple(self._listeners):
            listener(told)

    def _read_seen(self) -> dict[str, int]:
        try:
            found = json.loads(self.workspace.path(SEEN_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(name): line for name, line in found.items() if isinstance(line, int)}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
