"""The super-categories there are, as numbers; and which of them a person means."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.pages.review.requests import RefusedError
from hgld.review.log.events import SIDES, label_key
from hgld.review.log.history import Standing
from hgld.review.names import Spellings, alike_key, clean_name, has_letter, turns_text

if TYPE_CHECKING:
    from hgld.pages.review.board import Board

NO_NAME = 0
"""The number of what is no super-category: the class is ignored."""
OPEN = -1
"""Where a number stands for what was decided: nothing."""


class KnownName(NamedTuple):
    """A super-category as it is called now; empty: the class is ignored."""

    hierarchical_label: str
    natural_or_human_made: str


class NameBook:
    """Numbers for super-categories; two spellings of one have one number.

    A number stays what it is. A super-category that was renamed keeps its number too: `current`
    leads from it to the one that it is now.
    """

    def __init__(self, sides: Mapping[str, str]) -> None:
        """Starts with a taxonomy.

        Args:
            sides: its super-categories, each with its side, in order.
        """
        self._keys: dict[str, int] = {}
        self._alike: dict[str, list[int]] = defaultdict(list)
        self._spelt: list[str] = [""]
        self._sides: list[str] = [""]
        self._now: list[KnownName] = [KnownName("", "")]
        self.current: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        """Number to that of what it is called now."""
        for label, side in sides.items():
            self.number(label, side)
        self.shipped = len(self._spelt)
        """Smaller numbers are of the taxonomy."""
        self._learnt: dict[int, str] = {}
        self.take_up(Standing())

    def __len__(self) -> int:
        """How many numbers there are, NO_NAME among them."""
        return len(self._spelt)

    def number(self, label: str | None, side: str | None = None) -> int:
        """Returns the number of a super-category, a new one where it has none; None is NO_NAME."""
        if label is None:
            return NO_NAME
        key = label_key(label)
        known = self._keys.get(key)
        if known is not None:
            if side and not self._sides[known]:
                self._sides[known] = side
            return known
        self._keys[key] = number = len(self._spelt)
        self._alike[alike_key(label)].append(number)
        self._spelt.append(label)
        self._sides.append(side or "")
        self._now.append(KnownName(label, side or ""))
        self.current = np.append(self.current, number)
        return number

    def find(self, label: str) -> int | None:
        """Returns the number of a super-category, or None where there is none of that name."""
        return self._keys.get(label_key(label))

    def alike(self, label: str) -> Sequence[int]:
        """Returns the numbers whose names read the same, the one that is spelt so first."""
        found, exact = self._alike.get(alike_key(label), []), self.find(label)
        return sorted(found, key=lambda number: number != exact)

    def now(self, number: int) -> KnownName:
        """Returns how a super-category is spelt now, and its side; empty for NO_NAME."""
        return self._now[number]

    def words(self, number: int) -> str:
        """Returns its name, or `ignored`."""
        return self._now[number].hierarchical_label.strip() or "ignored"

    def take_up(self, standing: Standing) -> bool:
        """Takes up how names are spelt, on which side they are, and what was renamed.

        Returns:
            Whether what the methods of proposals call any of them is another name now.
        """
        for label, side in standing.names.values():
            self.number(label, side)
        for key, number in self._keys.items():
            label, side = standing.names.get(key, (self._spelt[number], self._sides[number]))
            self._now[number] = KnownName(label, side)
        for number in range(1, len(self._spelt)):
            to = standing.current_name(self._spelt[number]) if standing.renamed else None
            self.current[number] = number if to is None else self.number(to)
        learnt = self._to_learn()
        is_other, self._learnt = learnt != self._learnt, learnt
        return is_other

    def learnt(self, number: int) -> str:
        """Returns what proposals call a super-category: a renamed one is to them what it was."""
        return self._learnt.get(number, self._spelt[number])

    def _to_learn(self) -> dict[int, str]:
        shipped = range(1, self.shipped)
        own = {n: self._spelt[n] for n in shipped if self.current[n] == n}
        renamed = {int(self.current[n]): self._spelt[n] for n in reversed(shipped)}
        return renamed | own


class NameUse(NamedTuple):
    """A super-category and who has it."""

    name: KnownName
    is_known: bool
    """Whether the taxonomy has it, or a class is decided as it."""
    is_used: bool
    """Whether a class is decided as it."""


def settle_name(board: "Board", label: str, side: str, *, is_sure: bool) -> KnownName:
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
        RefusedError: no name, none with a letter, or one that turns the direction of text.
    """
    if turns_text(label):
        raise RefusedError(
            "a super-category must have no characters that turn the direction of text, which make "
            "it read as another; write it anew"
        )
    name = clean_name(label)
    if not name and not label.strip():
        raise RefusedError("name a super-category, or choose ignore")
    if not has_letter(name):
        raise RefusedError(
            f"a super-category must have a letter, got {name or 'nothing that can be seen'}; write "
            f"a name, or choose ignore"
        )
    return name


def use_of(board: "Board", label: str) -> NameUse:
    """Returns what is known of a name: as it is spelt, or else of one that reads the same."""
    uses = [_use_of_number(board, number) for number in board.names.alike(label)]
    # One of no use is a proposal's, or of what was taken back: its spelling does not count.
    for use in sorted(uses, key=lambda use: (not use.is_used, not use.is_known)):
        return use
    return NameUse(KnownName(label, ""), is_known=False, is_used=False)


def _use_of_number(board: "Board", number: int) -> NameUse:
    name = board.names.now(number)
    is_used = (
        bool((board.decided == number).any())
        or label_key(name.hierarchical_label) in board.names_elsewhere
    )
    return NameUse(name, is_used or number < board.names.shipped, is_used)


def near_name(board: "Board", label: str, but: str = "") -> str | None:
    """Returns the known super-category of which a name may be a typo; sheets are asked so too.

    Args:
        board: the state.
        label: the name.
        but: a name that does not count.
    """
    known = (board.names.now(number).hierarchical_label for number in _known_numbers(board))
    return Spellings(name for name in known if name != but).questions([label]).get(label)


def _refuse_doubtful(board: "Board", label: str, use: NameUse) -> None:
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


def _known_numbers(board: "Board") -> Iterable[int]:
    used = set(board.decided.tolist())
    return (
        number
        for number in range(1, len(board.names))
        if number in used or number < board.names.shipped
    )
