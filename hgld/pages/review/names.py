"""The super-categories there are, as numbers; and which of them a person means."""

from collections.abc import Iterable, Mapping
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


IGNORED = KnownName("", "")


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
        self._numbers: dict[str, int] = {}
        self._first: list[KnownName] = []  # as each was first met
        self._now: list[KnownName] = []
        self.alike: list[str] = []
        """Number to `alike_key`: two that read the same have the same."""
        self.current: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """Number to that of what it is called now."""
        for name in (IGNORED, *sides.items()):
            self.number(*name)
        self.shipped = len(self._first)
        """Smaller numbers are of the taxonomy."""
        self._learnt: dict[int, str] = {}
        self.take_up(Standing())

    def __len__(self) -> int:
        """How many numbers there are, NO_NAME among them."""
        return len(self._first)

    def number(self, label: str | None, side: str | None = None) -> int:
        """Returns the number of a super-category, a new one where it has none; None is NO_NAME."""
        number = self._numbers.setdefault(label_key(label or ""), len(self))
        if number == len(self):
            name = KnownName(label or "", side or "")
            self._first.append(name)
            self._now.append(name)
            self.alike.append(alike_key(name.hierarchical_label))
            self.current = np.append(self.current, number)
        elif label and side and not self._first[number].natural_or_human_made:
            self._first[number] = KnownName(self._first[number].hierarchical_label, side)
        return number

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
        for name in standing.names.values():
            self.number(*name)
        first = zip(self._numbers, self._first, strict=True)
        self._now = [KnownName(*standing.names.get(key, name)) for key, name in first]
        current = [self.number(standing.current_name(label)) for label, _ in self._first]
        self.current = np.array(current)
        # Of several that are one now, it is called what is still so called, or else the first.
        shipped = sorted(range(1, self.shipped), key=lambda each: (current[each] == each, -each))
        learnt = {current[each]: self._first[each].hierarchical_label for each in shipped}
        is_other, self._learnt = learnt != self._learnt, learnt
        return is_other

    def learnt(self, number: int) -> str:
        """Returns what proposals call a super-category: a renamed one is to them what it was."""
        return self._learnt.get(number, self._first[number].hierarchical_label)


def settle_name(
    board: "Board", label: str, side: str, *, is_sure: bool, instead_of: str = ""
) -> KnownName:
    """Returns the super-category that classes are to be assigned to.

    One that is in use keeps its spelling and side; one of the taxonomy its spelling.

    Args:
        board: the state.
        label: what a person typed.
        side: natural or human-made; empty takes the one that is known.
        is_sure: whether it is new although it is close to a known one.
        instead_of: the name that it is to replace; empty: none.

    Raises:
        RefusedError: no name, no side for a new one, another side than in use, a name that was
            renamed, or one that is a typo away from another.
    """
    label = checked_label(label)
    if side and side not in SIDES:
        raise RefusedError(f"side must be natural or human-made, got {side!r}")
    if used := used_name(board, label):
        if side and side != used.natural_or_human_made:
            raise RefusedError(
                f"{used.hierarchical_label.strip()} is {used.natural_or_human_made} for all its "
                f"classes; change the side of the super-category for all of them, or choose "
                f"another name",
                suggestion=used.hierarchical_label,
            )
        return used
    known = known_name(board, label)
    if not is_sure:
        _refuse_doubtful(board, label, known, instead_of)
    name = known or KnownName(label, "")
    if not (side or name.natural_or_human_made):
        raise RefusedError(
            f"{label!r} is a new super-category: say whether it is natural or human-made"
        )
    return name._replace(natural_or_human_made=side or name.natural_or_human_made)


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


def used_name(board: "Board", label: str) -> KnownName | None:
    """Returns the name that a class is decided as: the one spelt so, or else one that reads so."""
    return _read_as(board, label, board.used)


def known_name(board: "Board", label: str) -> KnownName | None:
    """Returns the name that a class is decided as, or else the taxonomy's, that reads so.

    What is only proposed, or was taken back, does not count: neither its spelling nor its side.
    """
    return used_name(board, label) or _read_as(board, label, range(1, board.names.shipped))


def _read_as(board: "Board", label: str, numbers: Iterable[int]) -> KnownName | None:
    names, wanted, exact = board.names, alike_key(label), label_key(label)
    found = [names.now(number) for number in numbers if names.alike[number] == wanted]
    return min(found, key=lambda name: label_key(name.hierarchical_label) != exact, default=None)


def _refuse_doubtful(board: "Board", label: str, known: KnownName | None, instead_of: str) -> None:
    """Refuses, unless a person insists, a name that was renamed and one that may be a typo."""
    current = board.standing.current_name(label)
    if alike_key(current) not in {alike_key(label), alike_key(instead_of)}:
        meant, typed = current.strip(), (known.hierarchical_label if known else label).strip()
        text = f"{typed} was renamed to {meant}: take that, or say that you want the old name back"
    elif known:
        return
    else:
        numbers = sorted(board.used.union(range(1, board.names.shipped)))
        names = (board.names.now(number).hierarchical_label for number in numbers)
        others = Spellings(name for name in names if name != instead_of)
        meant = others.questions([label]).get(label, "").strip()
        text = (
            f"{label!r} looks like a typo of {meant!r}: did you mean that? If not, say that it is "
            f"a new super-category"
        )
    if meant:
        field = "to" if instead_of else "label"
        raise RefusedError(text, suggestion=meant, field=field, may_insist=True)
