"""What an action would do: the event that it would append, before anything is asked or written."""

import functools
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from hgld.pages.review.board import Board
from hgld.pages.review.names import (
    IGNORED,
    OPEN,
    KnownName,
    checked_label,
    known_name,
    settle_name,
    used_name,
)
from hgld.pages.review.requests import ActRequest, RefusedError
from hgld.review.log.events import SIDES, Change, Edit, Effect, Event, label_key
from hgld.review.log.history import Standing
from hgld.review.names import alike_key

_Rows = Sequence[int]
_Changes = Iterator[Change]


def draft_of(
    board: Board, request: ActRequest, beyond: _Rows, reviewer: str, decided_at: str
) -> Event | None:
    """Returns the event of an action; None where all of it is so already.

    Args:
        board: the state.
        request: the action.
        beyond: classes of the group for which the page has no room; the sure ones are taken too.
        reviewer: who acts.
        decided_at: when, ISO 8601.

    Raises:
        RefusedError: it cannot be done so; the text says what to do.
    """
    event, changes_of = _EVENTS[request.action]
    is_of_rows = request.action not in {"merge", "rename", "side"}
    rows = _chosen_rows(board, request, beyond) if is_of_rows else []
    changes = tuple(changes_of(board, request, rows))
    if not changes:
        return None
    return Event(
        event=event,
        decided_at=decided_at,
        reviewer=reviewer,
        why="" if event in {"comment", "doubt"} else request.why,
        seen=board.line if request.seen is None else request.seen,
        changes=changes,
    )


def decided_as(standing: Standing, qid: str) -> KnownName | None:
    """Returns what is decided on a class: its super-category, or IGNORED; None while it is open."""
    one = standing.decision(qid)
    if one is None:
        return None
    return KnownName(one.hierarchical_label or "", one.natural_or_human_made or "")


def _is_unseen(board: Board, qid: str, seen: int | None) -> bool:
    """Says whether something else is decided on a class than was at a line of the log."""
    if seen is None or seen >= board.line:
        return False
    return decided_as(board.standing, qid) != decided_as(board.standing_at(seen), qid)


def _chosen_rows(board: Board, request: ActRequest, beyond: _Rows) -> list[int]:
    """Returns the classes that a request is about, in their order.

    Those on the page as they were marked there: a proposal may be sure since, and what was not
    marked is not taken.
    """
    if unknown := [qid for qid in request.qids if qid not in board.classes.row]:
        raise RefusedError(
            f"the build has no class {unknown[0]!r}; reload the page and choose again"
        )
    if not request.qids and not beyond:
        raise RefusedError("no class is chosen; open a group that has one")
    is_sure = board.is_sure
    marked = [board.classes.row[qid] for qid in request.qids]
    return [*marked, *(row for row in beyond if is_sure[row])]


def _accepted(board: Board, request: ActRequest, rows: _Rows) -> _Changes:
    """Takes what the page showed, with the spelling and side that are in use.

    What is decided stays, but where somebody decided it after the page showed it as open: there
    the two are compared.
    """
    name_of = functools.cache(functools.partial(_proposed_name, board))
    together = defaultdict[KnownName, list[str]](list)
    for row in rows:
        qid = board.classes.qids[row]
        if board.decided[row] == OPEN or _is_unseen(board, qid, request.seen):
            shown = board.shown_at(row, request.scored)
            name = name_of(shown.proposed_label, shown.proposed_natural_or_human_made)
            together[name].append(qid)
    for name, qids in together.items():
        yield from _become(board, qids, name)


def _proposed_name(board: Board, label: str | None, side: str | None) -> KnownName:
    if label is None:
        return IGNORED
    label = board.standing.current_name(label)
    name = known_name(board, label) or KnownName(label, side or "")
    if not name.natural_or_human_made:
        raise RefusedError(
            f"{label.strip()!r} has no side yet; assign it to a class, and say whether it is "
            f"natural or human-made"
        )
    return name


def _named(board: Board, request: ActRequest, rows: _Rows) -> _Changes:
    name = settle_name(board, request.label, request.side, is_sure=request.is_sure)
    return _decided(board, request, rows, name)


def _decided(board: Board, request: ActRequest, _: _Rows, name: KnownName | None) -> _Changes:
    return _become(board, request.qids, name, request.why)


def _become(
    board: Board,
    qids: Iterable[str],
    name: KnownName | None,
    note: str = "",
    renamed_from: str = "",
) -> _Changes:
    """Yields the change of the classes that are not so yet, if there are any; None opens them."""
    qids = [qid for qid in qids if decided_as(board.standing, qid) != name]
    if qids:
        label, side = name or IGNORED
        yield Change(
            classes=_labelled(board, qids),
            effect="assign" if label else "clear" if name is None else "ignore",
            hierarchical_label=label or None,
            natural_or_human_made=side or None,
            renamed_from=renamed_from,
            note=note,
        )


def _labelled(board: Board, qids: Iterable[str]) -> dict[str, str]:
    """Returns the labels of classes; of those that are gone as they were when it was decided."""
    row, labels, rulings = board.classes.row, board.classes.labels, board.standing.rulings
    return {
        qid: labels[row[qid]] if qid in row else rulings[qid].change.classes[qid] for qid in qids
    }


def _renamed(board: Board, request: ActRequest, _: _Rows) -> _Changes:
    old = _name_of_all(board, request)
    if alike_key(request.to) == alike_key(old.hierarchical_label):  # its spelling alone
        new = old._replace(hierarchical_label=checked_label(request.to))
    else:
        is_known = known_name(board, request.to) is not None
        side = "" if is_known else request.side or old.natural_or_human_made
        new = settle_name(
            *(board, request.to, side),
            is_sure=request.is_sure,
            instead_of=old.hierarchical_label,
        )
    return _all_become(board, old, new, renamed_from=old.hierarchical_label)


def _sided(board: Board, request: ActRequest, _: _Rows) -> _Changes:
    name = _name_of_all(board, request)
    if request.side not in SIDES:
        raise RefusedError(f"side must be natural or human-made, got {request.side!r}")
    return _all_become(board, name, name._replace(natural_or_human_made=request.side))


def _name_of_all(board: Board, request: ActRequest) -> KnownName:
    name = used_name(board, request.label)
    if name is None:
        raise RefusedError(
            f"no class is decided as {request.label!r} yet; accept or assign one first, then "
            f"change the super-category for all of them"
        )
    return name


def _all_become(board: Board, old: KnownName, new: KnownName, renamed_from: str = "") -> _Changes:
    """Yields the changes of every class that is decided as a name, gone ones too."""
    key = label_key(old.hierarchical_label)
    together = defaultdict[str, list[str]](list)
    for qid, (_, change) in board.standing.rulings.items():
        if change.hierarchical_label and label_key(change.hierarchical_label) == key:
            together[change.note].append(qid)
    for note, qids in together.items():
        yield from _become(board, qids, new, note, renamed_from)


def _merged(board: Board, request: ActRequest, _: _Rows) -> _Changes:
    """Puts the open group into another one."""
    here, into = request.place.group, request.into
    for group in (into, here):
        if not len(board.members(group)):
            raise RefusedError(f"there is no group {group!r} any more; choose one of the list")
    return _regrouped(board, board.members(here).tolist(), into)


def _split(board: Board, _: ActRequest, rows: _Rows) -> _Changes:
    """Puts what is chosen into a group of its own; what is not stays."""
    if set(board.members(board.group_of(rows[0])).tolist()) == set(rows):
        raise RefusedError(
            "all classes of the group are ticked, so that nothing would stay; untick those that "
            "are to stay"
        )
    return _regrouped(board, rows, f"g-{secrets.token_hex(4)}")  # as no other, in whatever log


def _regrouped(board: Board, rows: _Rows, group: str | None) -> _Changes:
    """Yields the change of the classes that stand elsewhere; None: than in their clusters."""
    moved = [row for row in rows if board.group_of(row) != (group or board.home_of(row))]
    if moved:
        qids = (board.classes.qids[row] for row in moved)
        yield Change(classes=_labelled(board, qids), effect="group", group=group)


def _marked(board: Board, request: ActRequest, _: _Rows, effect: Effect) -> _Changes:
    if effect == "comment" and not request.why:
        raise RefusedError("a comment must have a text; write one, or leave it")
    doubts = board.standing.doubts
    qids = [qid for qid in request.qids if effect != "trust" or qid in doubts]
    if qids:
        yield Change(classes=_labelled(board, qids), effect=effect, note=request.why)


_EVENTS: Mapping[str, tuple[Edit, Callable[[Board, ActRequest, _Rows], _Changes]]] = {
    "accept": ("accept", _accepted),
    "accept_row": ("accept", _accepted),
    "name": ("assign", _named),
    "ignore": ("ignore", functools.partial(_decided, name=IGNORED)),
    "clear": ("clear", functools.partial(_decided, name=None)),
    "rename": ("rename", _renamed),
    "side": ("side", _sided),
    "merge": ("merge", _merged),
    "split": ("split", _split),
    "ungroup": ("merge", lambda board, _, rows: _regrouped(board, rows, None)),
    "doubt": ("doubt", functools.partial(_marked, effect="doubt")),
    "trust": ("trust", functools.partial(_marked, effect="trust")),
    "comment": ("comment", functools.partial(_marked, effect="comment")),
}
