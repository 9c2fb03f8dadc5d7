"""The super-categories there are, as numbers: what each is called now, and on which side it is."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.review.log.events import label_key
from hgld.review.log.history import Standing
from hgld.review.names import alike_key

NO_NAME = 0
"""The number of what is no super-category: the class is ignored."""
OPEN = -1
"""Where a number stands for what was decided: nothing."""


class KnownName(NamedTuple):
    """A super-category as it is called now."""

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
