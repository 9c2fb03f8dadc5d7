"""What an action would say of each class: the changes of its event, before it is one."""

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hgld.pages.review.board import Board, Shown
from hgld.pages.review.counting import sure_classes
from hgld.pages.review.names import OPEN, KnownName, checked_label, near_name, settle_name, use_of
from hgld.pages.review.requests import ActRequest, RefusedError
from hgld.review.log.events import SIDES, Change, Edit, Effect, label_key
from hgld.review.log.history import Standing
from hgld.review.names import alike_key


class DraftDecision(NamedTuple):
    """What is said of a class."""

    effect: Effect
    hierarchical_label: str | None = None
    natural_or_human_made: str | None = None
    group: str | None = None
    renamed_from: str = ""
    note: str = ""

    @property
    def content(self) -> tuple[str | None, ...]:
        """What it decides, without remarks."""
        return (self.effect, self.hierarchical_label, self.natural_or_human_made)


_IGNORED = DraftDecision("ignore")


@dataclass(frozen=True, slots=True)
class Draft:
    """What an action would say, by class_qid; nothing where all is so already."""

    event: Edit
    decisions: dict[str, DraftDecision]

    def without(self, qids: Iterable[str]) -> "Draft":
        """Returns it without some classes."""
        left_out = set(qids)
        kept = {qid: one for qid, one in self.decisions.items() if qid not in left_out}
        return Draft(self.event, kept)

    def changes(self, board: Board) -> tuple[Change, ...]:
        """Returns the changes of the event: one for what is said of many."""
        together: dict[DraftDecision, dict[str, str]] = defaultdict(dict)
        for qid, decision in self.decisions.items():
            together[decision][qid] = label_of(board, qid)
        return tuple(
            Change(classes=classes, **decision._asdict()) for decision, classes in together.items()
        )


def draft_of(board: Board, request: ActRequest, beyond: Sequence[int]) -> Draft:
    """Returns what an action would say.

    Args:
        board: the state.
        request: the action.
        beyond: classes of the group for which the page has no room.

    Raises:
        RefusedError: it cannot be done so; the text says what to do.
    """
    if request.action == "accept":
        return Draft("accept", _accepted(board, request, _sure_rows(board, request, beyond)))
    event, make = _MAKERS[request.action]
    return Draft(event, make(board, request))


def selected_rows(board: Board, request: ActRequest) -> list[int]:
    """Returns the classes that a request is about, in their order.

    Raises:
        RefusedError: none, or one that the build does not have.
    """
    if unknown := [qid for qid in request.qids if qid not in board.classes.row]:
        raise RefusedError(
            f"the build has no class {unknown[0]!r}; reload the page and choose again"
        )
    if not request.qids:
        raise RefusedError("no class is chosen; open a group that has one")
    return [board.classes.row[qid] for qid in request.qids]


def _sure_rows(board: Board, request: ActRequest, beyond: Sequence[int]) -> list[int]:
    """Returns what was marked as sure on the page, and what is sure of the rows it had no room for.

    A proposal may be sure since: what was not marked is not taken.
    """
    marked = selected_rows(board, request) if request.qids or not beyond else []
    is_sure = sure_classes(board) if beyond else ()
    return marked + [row for row in beyond if is_sure[row]]


def label_of(board: Board, qid: str) -> str:
    """Returns the label of a class; of one that is gone as it was when it was decided."""
    row = board.classes.row.get(qid)
    if row is not None:
        return board.classes.labels[row]
    return board.standing.rulings[qid].change.classes[qid]


def in_force(board: Board, qid: str, standing: Standing | None = None) -> tuple[str | None, ...]:
    """Returns what is decided on a class, without remarks; `clear` where nothing is.

    Args:
        board: the state.
        qid: the class.
        standing: of an earlier line; None: now.
    """
    decision = (standing or board.standing).decision(qid)
    return ("clear", None, None) if decision is None else decision.content[:3]


def _accept(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    return _accepted(board, request, selected_rows(board, request))


def _accepted(board: Board, request: ActRequest, rows: Iterable[int]) -> dict[str, DraftDecision]:
    """Takes what the page showed, with the spelling and side that are in use.

    What is decided stays, but where somebody decided it after the page showed it as open: there
    the two are compared.
    """
    found, decisions = dict[str, DraftDecision](), dict[str, DraftDecision]()
    for row in rows:
        qid = board.classes.qids[row]
        is_open = board.decided[row] == OPEN
        if not is_open and not is_unseen(board, qid, request.seen):
            continue
        shown = board.shown_at(row, request.scored)
        if shown.label is None:
            decision = _IGNORED
        elif shown.label in decisions:
            decision = decisions[shown.label]
        else:
            decision = decisions[shown.label] = DraftDecision(
                "assign", *_accepted_name(board, shown)
            )
        if is_open or in_force(board, qid) != decision.content:
            found[qid] = decision
    return found


def is_unseen(board: Board, qid: str, seen: int | None) -> bool:
    """Says whether something else is decided on a class than was at a line of the log."""
    if seen is None or seen >= board.line:
        return False
    return in_force(board, qid) != in_force(board, qid, board.standing_at(seen))


def _accepted_name(board: Board, shown: Shown) -> KnownName:
    label = board.standing.current_name(shown.label or "")
    use = use_of(board, label)
    side = use.name.natural_or_human_made if use.is_known else shown.side
    side = side or use.name.natural_or_human_made
    if not side:
        raise RefusedError(
            f"{label.strip()!r} has no side yet; assign it to a class, and say whether it is "
            f"natural or human-made"
        )
    return KnownName(use.name.hierarchical_label, side)


def _assign(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    rows = selected_rows(board, request)
    name = settle_name(board, request.label, request.side, is_sure=request.is_sure)
    return _decided(board, rows, DraftDecision("assign", *name, note=request.why))


def _ignore(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    return _decided(board, selected_rows(board, request), DraftDecision("ignore", note=request.why))


def _clear(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    return _decided(board, selected_rows(board, request), DraftDecision("clear"))


def _decided(
    board: Board, rows: Iterable[int], decision: DraftDecision
) -> dict[str, DraftDecision]:
    qids = [board.classes.qids[row] for row in rows]
    return {qid: decision for qid in qids if in_force(board, qid) != decision.content}


def _rename(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    old = _used_name(board, request.label)
    to = checked_label(request.to)
    if alike_key(to) == alike_key(old.hierarchical_label):  # its spelling alone
        name = KnownName(to, old.natural_or_human_made)
    else:
        if not use_of(board, to).is_known and not request.is_sure:
            _refuse_typo(board, to, old)
        side = "" if use_of(board, to).is_known else request.side or old.natural_or_human_made
        name = settle_name(board, to, side, is_sure=True)
    return _said_of_name(board, old, name, renamed_from=old.hierarchical_label)


def _side(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    name = _used_name(board, request.label)
    if request.side not in SIDES:
        raise RefusedError(f"side must be natural or human-made, got {request.side!r}")
    return _said_of_name(board, name, KnownName(name.hierarchical_label, request.side))


def _said_of_name(
    board: Board, old: KnownName, new: KnownName, renamed_from: str = ""
) -> dict[str, DraftDecision]:
    """Says a name and side of every class that is decided as another, gone ones too."""
    if old == new:
        return {}
    key, found = label_key(old.hierarchical_label), {}
    for qid, word in board.standing.rulings.items():
        change = word.change
        if change.effect == "assign" and label_key(change.hierarchical_label or "") == key:
            found[qid] = DraftDecision("assign", *new, renamed_from=renamed_from, note=change.note)
    return found


def _used_name(board: Board, label: str) -> KnownName:
    use = use_of(board, label)
    if not use.is_used:
        raise RefusedError(
            f"no class is decided as {label!r} yet; accept or assign one first, then change the "
            f"super-category for all of them"
        )
    return use.name


def _refuse_typo(board: Board, to: str, old: KnownName) -> None:
    if near := near_name(board, to, but=old.hierarchical_label):
        raise RefusedError(
            f"{to!r} looks like a typo of {near.strip()!r}: did you mean that? "
            f"If not, say that it is a new super-category",
            suggestion=near.strip(),
            field="to",
            may_insist=True,
        )


def _merge(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    """Puts the open group into another one."""
    _check_group(board, request.into)
    _check_group(board, request.place.group)
    return _grouped(board, board.members(request.place.group).tolist(), request.into)


def _split(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    """Puts what is chosen into a group of its own; what is not stays."""
    rows = selected_rows(board, request)
    if set(board.members(board.group_of(rows[0])).tolist()) == set(rows):
        raise RefusedError(
            "all classes of the group are ticked, so that nothing would stay; untick those that "
            "are to stay"
        )
    return _grouped(board, rows, new_group())


def _ungroup(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    qids = [board.classes.qids[row] for row in selected_rows(board, request)]
    return {qid: DraftDecision("group") for qid in qids if qid in board.standing.groups}


def _doubt(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    return _marked(board, request, DraftDecision("doubt", note=request.why))


def _trust(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    marked = _marked(board, request, DraftDecision("trust"))
    return {qid: decision for qid, decision in marked.items() if qid in board.standing.doubts}


def _comment(board: Board, request: ActRequest) -> dict[str, DraftDecision]:
    if not request.why:
        raise RefusedError("a comment must have a text; write one, or leave it")
    return _marked(board, request, DraftDecision("comment", note=request.why))


def _marked(board: Board, request: ActRequest, decision: DraftDecision) -> dict[str, DraftDecision]:
    return {board.classes.qids[row]: decision for row in selected_rows(board, request)}


def _grouped(board: Board, rows: Iterable[int], group: str) -> dict[str, DraftDecision]:
    return {
        board.classes.qids[row]: DraftDecision("group", group=group)
        for row in rows
        if board.group_of(row) != group
    }


def _check_group(board: Board, group: str) -> None:
    if not len(board.members(group)):
        raise RefusedError(f"there is no group {group!r} any more; choose one of the list")


def new_group() -> str:
    """Returns a name for a group that no other has, in whatever log."""
    return f"g-{secrets.token_hex(4)}"


_Maker = Callable[[Board, ActRequest], dict[str, DraftDecision]]
_MAKERS: Mapping[str, tuple[Edit, _Maker]] = {
    "accept_row": ("accept", _accept),
    "name": ("assign", _assign),
    "ignore": ("ignore", _ignore),
    "clear": ("clear", _clear),
    "rename": ("rename", _rename),
    "side": ("side", _side),
    "merge": ("merge", _merge),
    "split": ("split", _split),
    "ungroup": ("merge", _ungroup),
    "doubt": ("doubt", _doubt),
    "trust": ("trust", _trust),
    "comment": ("comment", _comment),
}
