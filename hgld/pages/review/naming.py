"""Which super-category a person means: one spelling and one side for each, and no typos."""

from collections.abc import Iterable
from typing import NamedTuple

from hgld.pages.review.board import Board
from hgld.pages.review.names import KnownName
from hgld.pages.review.requests import RefusedError
from hgld.review.log.events import SIDES, label_key
from hgld.review.names import Spellings, alike_key, clean_name, has_letter, turns_text


class NameUse(NamedTuple):
    """A super-category and who has it."""

    name: KnownName
    is_known: bool
    """Whether the taxonomy has it, or a class is decided as it."""
    is_used: bool
    """Whether a class is decided as it."""


def settle_name(board: Board, label: str, side: str, *, is_sure: bool) -> KnownName:
    """Returns the super-category that classes are to be assigned to.

    One that is in use keeps its spelling and side; one of the taxonomy its spelling.

    Args:
        board: the state.
        label: what a person typed.
        side: natural or human-made; empty takes the one that is known.
        is_sure: whether it is new although it is close to a known one.

    Raises:
        RefusedError: no name, no side for a new one, another side than in use, a name that was
            renamed, or one that is a typo away from another.
    """
    label = checked_label(label)
    if side and side not in SIDES:
        raise RefusedError(f"side must be natural or human-made, got {side!r}")
    use = use_of(board, label)
    name = use.name
    if use.is_used and side and side != name.natural_or_human_made:
        raise RefusedError(
            f"{name.hierarchical_label.strip()} is {name.natural_or_human_made} for all its "
            f"classes; change the side of the super-category for all of them, or choose another "
            f"name",
            suggestion=name.hierarchical_label,
        )
    if not is_sure:
        _refuse_doubtful(board, label, use)
    if use.is_used:
        return name
    settled = KnownName(
        name.hierarchical_label if use.is_known else label,
        side or name.natural_or_human_made,
    )
    if not settled.natural_or_human_made:
        raise RefusedError(
            f"{settled.hierarchical_label!r} is a new super-category: say whether it is natural or "
            f"human-made"
        )
    return settled


def checked_label(label: str) -> str:
    """Returns a name as it is kept: in NFC, with single spaces, without what cannot be seen.

    Raises:
        RefusedError: no name, none with a letter, or one that turns the direction of text, or
            that is no text.
    """
    if turns_text(label):
        raise RefusedError(
            "a super-category must have no characters that turn the direction of text, which make "
            "it read as another; write it anew"
        )
    try:
        label.encode()
    except UnicodeEncodeError as error:
        raise RefusedError(
            "a super-category must be text that UTF-8 can hold; write it anew"
        ) from error
    name = clean_name(label)
    if not name and not label.strip():
        raise RefusedError("name a super-category, or choose ignore")
    if not has_letter(name):
        raise RefusedError(
            f"a super-category must have a letter, got {name or 'nothing that can be seen'}; write "
            f"a name, or choose ignore"
        )
    return name


def use_of(board: Board, label: str) -> NameUse:
    """Returns what is known of a name: as it is spelt, or else of one that reads the same."""
    uses = [_use_of_number(board, number) for number in board.names.alike(label)]
    # One of no use is a proposal's, or of what was taken back: its spelling does not count.
    for use in sorted(uses, key=lambda use: (not use.is_used, not use.is_known)):
        return use
    return NameUse(KnownName(label, ""), is_known=False, is_used=False)


def _use_of_number(board: Board, number: int) -> NameUse:
    name = board.names.now(number)
    is_used = (
        bool((board.decided == number).any())
        or label_key(name.hierarchical_label) in board.names_elsewhere
    )
    return NameUse(name, is_used or number < board.names.shipped, is_used)


def near_name(board: Board, label: str, but: str = "") -> str | None:
    """Returns the known super-category of which a name may be a typo; sheets are asked so too.

    Args:
        board: the state.
        label: the name.
        but: a name that does not count.
    """
    known = (board.names.now(number).hierarchical_label for number in _known_numbers(board))
    return Spellings(name for name in known if name != but).questions([label]).get(label)


def _refuse_doubtful(board: Board, label: str, use: NameUse) -> None:
    name = use.name.hierarchical_label.strip()
    current = board.standing.current_name(label).strip()
    if not use.is_used and alike_key(current) != alike_key(label):
        raise RefusedError(
            f"{name} was renamed to {current}: take that, or say that you want the old name back",
            suggestion=current,
            may_insist=True,
        )
    if not use.is_known and (near := near_name(board, label)):
        raise RefusedError(
            f"{label!r} looks like a typo of {near.strip()!r}: did you mean "
            f"that? If not, say that it is a new super-category",
            suggestion=near.strip(),
            may_insist=True,
        )


def _known_numbers(board: Board) -> Iterable[int]:
    used = set(board.decided.tolist())
    return (
        number
        for number in range(1, len(board.names))
        if number in used or number < board.names.shipped
    )
