"""All three panes of the page, made of the state; what has not changed is kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hgld.pages.review.acting.asking import Place
from hgld.pages.review.acting.parting import answered
from hgld.pages.review.showing.moves import Moves
from hgld.pages.review.showing.nearness import Nearness
from hgld.pages.review.showing.ordering import GroupOrder
from hgld.pages.review.showing.progressing import pace_of, progress_of
from hgld.pages.review.showing.rows import (
    GroupNames,
    group_parts,
    group_row,
    member_row,
    name_choices,
    name_rows,
    outlying,
    suggestions,
)
from hgld.pages.review.state.board import Board
from hgld.pages.review.state.landmarks import LandmarkIndex
from hgld.pages.review.state.namebook import OPEN
from hgld.pages.review.state.pictures import PictureIndex
from hgld.pages.review.state.tallies import (
    GroupTally,
    NameTally,
    confident_classes,
    matching_classes,
    tally_groups,
    tally_names,
)
from hgld.pages.review.views import (
    GroupRow,
    GroupView,
    NearView,
    ReviewProgress,
    Said,
    Thumbnail,
    Workbench,
)
from hgld.review.log.events import Event

_THUMBNAILS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is told with the state: who looks, and what has just happened."""

    reviewer: str
    events: Sequence[Event]
    can_undo: bool = False
    can_redo: bool = False
    seen: int = 0
    """The line up to which the reviewer has looked at the history."""
    said: Said | None = None
    rescored: Said | None = None
    is_scoring: bool = False
    read_only: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class _Counted:
    groups: GroupTally
    names: NameTally
    called: dict[int, str]
    members: dict[int, NDArray[np.int64]]


class Bench:
    """Makes the panes."""

    def __init__(self, board: Board, landmarks: LandmarkIndex) -> None:
        """Takes the state, which it follows."""
        self._board, self._landmarks = board, landmarks
        self._order = GroupOrder()
        self._names = GroupNames(board)
        self._near = Nearness(board)
        self._pictures = PictureIndex(of_landmark=np.full(len(landmarks), -1))
        self._thumbnails: dict[tuple[int, int, int], tuple[Thumbnail, ...]] = {}
        self._revision = self._membership = -1
        self._members: dict[int, NDArray[np.int64]] = {}
        self._counted: _Counted
        self._progress: dict[str, tuple[tuple[int, int], ReviewProgress]] = {}
        self._moves = Moves(board)

    def of(self, place: Place, occasion: Occasion) -> Workbench:
        """Returns the panes at a place."""
        board, counted = self._board, self._count()
        chosen = matching_classes(board, place.show, place.query)
        matching = np.bincount(board.group[chosen], minlength=len(board.group_ids))
        order = self._order.of(occasion.reviewer, board, counted.groups)
        listed = [number for number in order if matching[number]]
        rows = {
            number: group_row(
                board, counted.groups, number, counted.called[number], int(matching[number])
            )
            for number in listed
        }
        number = self._opened(place, listed)
        return Workbench(
            groups=tuple(rows.values()),
            view=None if number is None else self._view(number, rows, chosen, place, listed),
            names=name_rows(board, counted.names),
            progress=self._progress_of(occasion, order),
            line=occasion.events[-1].number if occasion.events else 0,
            reviewer=occasion.reviewer,
            show=place.show,
            query=place.query,
            said=occasion.said,
            can_undo=occasion.can_undo,
            can_redo=occasion.can_redo,
            unseen=_unseen(occasion),
            is_first_time=not occasion.events,
            read_only=occasion.read_only,
            title=occasion.title,
            suggestions=suggestions(board, counted.names),
            scored=board.version,
            is_scoring=occasion.is_scoring,
            rescored=occasion.rescored,
        )

    def follow(self, before: NDArray[np.int64], reviewer: str) -> None:
        """Notes where the classes of groups went that are empty now; see `Moves.take`."""
        self._moves.take(before, reviewer)

    def followed(self, place: Place, reviewer: str, said: Said | None) -> tuple[Place, Said | None]:
        """Returns where to look instead of at a group that is empty now, and what is said of it."""
        move = self._moves.of(place.group)
        if move is None:
            return place, said
        name = self._count().called[self._board.group_number[move.into]]
        words = f"The group that was open is a part of {name} now, which is shown"
        words += f": {move.reviewer} put it there." if move.reviewer != reviewer else "."
        told = Said(text=words, kind="nothing")
        if said is not None:
            told = said if said.kind == "refused" else replace(said, text=f"{said.text} {words}")
        return replace(place, group=move.into), told

    def sort(self, reviewer: str) -> None:
        """Puts the groups of a reviewer anew in order."""
        self._order.sort(reviewer)

    def next_group(self, reviewer: str, place: Place, go: str) -> str:
        """Returns the group to show after an action.

        Args:
            reviewer: whose order counts.
            place: where the action was done.
            go: next, on (next if the group is done), stay, or a group.
        """
        board, counted = self._board, self._count()
        if go in {"", "stay"}:
            return place.group
        if go not in {"next", "on"}:
            return go if go in board.group_number else place.group
        number = board.group_number.get(place.group)
        if go == "on" and number is not None and counted.groups.open[number]:
            return place.group
        order = self._order.of(reviewer, board, counted.groups)
        chosen = matching_classes(board, place.show, place.query) & board.is_open
        matching = np.bincount(board.group[chosen], minlength=len(board.group_ids))
        here = order.index(number) if number in order else -1
        ahead = [*order[here + 1 :], *order[: here + 1]]
        return next((board.group_ids[each] for each in ahead if matching[each]), place.group)

    def groups_of(self, event: Event, before: NDArray[np.int64]) -> tuple[str, ...]:
        """Returns the groups that an edit bears on: where its classes stand, and stood."""
        board = self._board
        rows = [row for qid in event.classes if (row := board.classes.row.get(qid)) is not None]
        numbers = np.union1d(board.group[rows], before[rows]) if rows else np.zeros(0, np.int64)
        return tuple(board.group_ids[int(number)] for number in numbers)

    def main_group(self, qids: Iterable[str]) -> str:
        """Returns the group in which most of some classes stand; empty where the build has none."""
        board = self._board
        rows = [row for qid in qids if (row := board.classes.row.get(qid)) is not None]
        if not rows:
            return ""
        return board.group_ids[int(np.bincount(board.group[rows]).argmax())]

    def name_of(self, number: int) -> str:
        """Returns the name of a group."""
        return self._count().called.get(number, "")

    def show_pictures(self, pictures: PictureIndex) -> None:
        """Has pictures shown from now on."""
        self._pictures = pictures
        self._thumbnails.clear()

    def class_pictures(self, row: int, most: int) -> tuple[Thumbnail, ...]:
        """Returns pictures of a class, each of another landmark."""
        return self._pictured([row], most)

    def _thumbnails_of(self, number: int, members: NDArray[np.int64]) -> tuple[Thumbnail, ...]:
        key = (number, len(members), int(members.sum()))
        if key not in self._thumbnails:
            ordered = members[np.argsort(-self._board.classes.landmarks[members], kind="stable")]
            self._thumbnails[key] = self._pictured(ordered.tolist(), _THUMBNAILS)
        return self._thumbnails[key]

    def _pictured(self, rows: list[int], most: int) -> tuple[Thumbnail, ...]:
        return tuple(
            self._pictures.thumbnail(self._landmarks.link(landmark), place)
            for landmark, place in self._pictures.of(self._landmarks, rows, most)
        )

    def _count(self) -> _Counted:
        board = self._board
        if self._revision != board.revision:
            groups = tally_groups(board)
            # Mostly they stand where they stood.
            if self._membership != board.membership or len(self._members) != len(board.group_ids):
                by_group = np.argsort(board.group, kind="stable")
                ends = np.cumsum(groups.classes)
                self._members = dict(enumerate(np.split(by_group, ends[:-1])))
                self._membership = board.membership
            called = {
                number: self._names.of(number, rows, int(groups.top[number]))
                for number, rows in self._members.items()
                if len(rows)
            }
            self._counted = _Counted(groups, tally_names(board), called, self._members)
            self._revision = board.revision
        return self._counted

    def _opened(self, place: Place, listed: Sequence[int]) -> int | None:
        number = self._board.group_number.get(place.group)
        if number in listed:
            return number
        is_open = self._counted.groups.open
        return next((each for each in listed if is_open[each]), listed[0] if listed else None)

    def _view(
        self,
        number: int,
        rows: Mapping[int, GroupRow],
        chosen: NDArray[np.bool_],
        place: Place,
        listed: Sequence[int],
    ) -> GroupView:
        board, counted = self._board, self._count()
        members = counted.members[number]
        shown = members[chosen[members]]
        is_decided = board.decided[shown] != OPEN
        shown = shown[np.lexsort((-board.classes.landmarks[shown], is_decided))]
        coming = [] if place.first is None else shown[place.first : place.rows].tolist()
        answers = answered(board, members)
        far = outlying(board, answers, int(counted.groups.top[number]))
        before, after = _around(listed, number)
        return GroupView(
            row=rows[number],
            members=tuple(
                member_row(board, self._landmarks, row, is_outlier=board.classes.qids[row] in far)
                for row in shown[: place.rows][: place.first].tolist()
            ),
            coming=tuple(board.classes.qids[row] for row in coming if board.decided[row] == OPEN),
            matching=len(shown),
            choices=name_choices(board, members),
            parts=group_parts(answers),
            near=self._near_view(number) if place.near else None,
            thumbnails=self._thumbnails_of(number, members),
            confident=int(confident_classes(board)[members].sum()),
            next_group="" if after is None else board.group_ids[after],
            previous_group="" if before is None else board.group_ids[before],
        )

    def _near_view(self, number: int) -> NearView:
        called, tops = self._counted.called, self._counted.groups.top
        groups = self._near.groups(number, called, tops)
        return NearView(name=called[number], groups=groups, classes=self._near.classes(number))

    def _progress_of(self, occasion: Occasion, order: Sequence[int]) -> ReviewProgress:
        key = (self._board.revision, len(occasion.events))
        kept = self._progress.get(occasion.reviewer)
        if kept is None or kept[0] != key:
            pace = pace_of(occasion.events, occasion.reviewer)
            made = progress_of(self._board, self._landmarks, self._counted.groups, order, pace)
            kept = self._progress[occasion.reviewer] = (key, made)
        return kept[1]


def _around(listed: Sequence[int], number: int) -> tuple[int | None, int | None]:
    here = listed.index(number)
    before = listed[here - 1] if here else None
    return before, listed[here + 1] if here + 1 < len(listed) else None


def _unseen(occasion: Occasion) -> int:
    return sum(
        event.reviewer != occasion.reviewer for event in occasion.events[max(occasion.seen, 0) :]
    )
