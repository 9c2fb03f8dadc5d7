"""What decided classes say of the open ones, by vectors and by superclasses, kept up to date."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from hgld.labels.proposing.opinions import IGNORE, Hint, qid_age
from hgld.labels.proposing.vectors import SAME, Scale, cosines
from hgld.tables import qid_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 5
"""How many decided classes speak for another: the nearest first."""
NEAR = 2
"""How far above the mean a decided class must lie to say anything of another, in deviations."""
_NEAREST = 6  # deviations from which on it makes no difference
_BLOCK = 1024  # classes at a time
_SPEAKERS = 3  # superclasses: the nearest of what is known; a third seldom differs
_DEEP = 3  # steps from which on one more makes no difference
_MANY = 3  # siblings from which on one more makes no difference


class DecidedNeighbours:
    """The methods `namesakes` and `neighbours`: the decided classes nearest to each class.

    A namesake has the same text: what a person decided of it counts for more than what is like it.
    Of equally near ones the older Q-id comes first, so that the order of decisions leaves no trace.
    """

    def __init__(self, vectors: "NDArray[np.float32]", qids: Sequence[str], scale: Scale) -> None:
        """Starts with nothing decided.

        Args:
            vectors: (n, D) from `unit_grid`.
            qids: of the classes.
            scale: of the encoder's cosines.
        """
        self._vectors, self._scale = vectors, scale
        self._least = np.float32(scale.mean + NEAR * scale.deviation)
        self._age = {row: qid_age(qid) for row, qid in enumerate(qids)}
        self._decided: set[int] = set()
        self.rows = np.full((len(vectors), NEIGHBOURS), -1)
        """(n, NEIGHBOURS): the nearest decided classes, the nearest first; -1 for none."""
        self.cosines = np.full((len(vectors), NEIGHBOURS), -np.inf, dtype=np.float32)
        """(n, NEIGHBOURS): how near they are; -inf for none."""

    def update(self, decided: Iterable[int], reopened: Iterable[int] = ()) -> set[int]:
        """Takes up decided classes, and takes back others.

        Args:
            decided: rows; some may be decided already, to something else.
            reopened: rows that were decided.

        Returns:
            The rows of which the neighbours, or what these say, may have changed.
        """
        decided, reopened = sorted(decided), sorted(reopened)
        self._decided = (self._decided | {*decided}) - {*reopened}
        touched = np.isin(self.rows, [*decided, *reopened]).any(axis=1)
        least = np.maximum(self.cosines[:, -1:], self._least)
        for start in range(0, len(decided), _BLOCK):
            near = cosines(self._vectors, self._vectors[decided[start : start + _BLOCK]])
            touched |= (near >= least).any(axis=1)
        rows = np.flatnonzero(touched)
        for start in range(0, len(rows), _BLOCK):
            self._find(rows[start : start + _BLOCK])
        return set(rows.tolist())

    def _find(self, rows: "NDArray[np.int64]") -> None:
        """Finds the neighbours of some classes among all that are decided."""
        decided = np.array(sorted(self._decided, key=self._age.__getitem__), dtype=np.int64)
        near = np.full((len(rows), len(decided) + 1), -np.inf, dtype=np.float32)
        near[:, :-1] = cosines(self._vectors[rows], self._vectors[decided])
        near[:, :-1][rows[:, None] == decided] = -np.inf  # no class is a neighbour of itself
        near[near < self._least] = -np.inf
        at = np.arange(len(rows))
        for place in range(NEIGHBOURS):
            column = near.argmax(axis=1)  # the first of equal ones: the oldest
            self.cosines[rows, place] = near[at, column]
            found = np.isfinite(near[at, column])
            self.rows[rows, place] = np.where(found, np.append(decided, -1)[column], -1)
            near[at, column] = -np.inf

    def hints(
        self, row: int, labels: Sequence[str], targets: Mapping[int, str], *, same: bool
    ) -> list[Hint]:
        """Returns what the neighbours of a class say, the nearest first.

        Args:
            row: the class.
            labels: the text of each class.
            targets: of the decided classes, by row.
            same: whether those with the same text are asked, or the others.
        """
        found = []
        for other, near in zip(self.rows[row].tolist(), self.cosines[row].tolist(), strict=True):
            if other >= 0 and same == (near >= SAME):
                shown = f"{labels[other]!r} ({near:.2f})"
                words = f"the same text was decided so: {shown}" if same else f"decided so: {shown}"
                tier = "same" if same else self._tier(near)
                found.append(Hint(targets[other], tier, words))
        return found

    def _tier(self, cosine: float) -> str:
        above = int(self._scale.of(cosine))
        # The least cosine is a float32, and may be a little below NEAR deviations.
        return str(min(max(above, NEAR), _NEAREST))


class Superclass(NamedTuple):
    """A superclass of a class."""

    depth: int
    """Steps of P279, the fewest."""
    qid: str
    label: str


class Superclasses:
    """The method `superclasses`: what is known of the classes above a class, and beside it.

    A class above that is decided, of the taxonomy or a cut point speaks for all below it, the
    nearest first. A cut point may be a stop: what lies above it is too general (a state is no
    landform). That one is to be ignored says nothing of those below: `building` has no look of its
    own, and a tower has. Decided classes with the same direct superclass speak after those.
    """

    def __init__(
        self,
        qids: Sequence[str],
        superclasses: pa.Table,
        mapped: Mapping[str, str],
        cuts: Mapping[str, str | None],
    ) -> None:
        """Reads a SUPERCLASSES table.

        Args:
            qids: the classes; a row is a place in it.
            superclasses: rows of SUPERCLASSES; those of other classes, and of a class that is its
                own superclass (Wikidata has loops), are left out.
            mapped: class of the taxonomy to its target.
            cuts: superclass to the target of all below it; IGNORE or None only stop.
        """
        self._mapped, self._cuts = mapped, cuts
        self._decided: dict[str, str] = {}
        self._above: list[list[Superclass]] = [[] for _ in qids]
        self._below: dict[str, list[int]] = defaultdict(list)
        self._row = {qid: row for row, qid in enumerate(qids)}
        columns = ("class_qid", "depth", "superclass_qid", "superclass_label")
        read = (superclasses[name].to_pylist() for name in columns)
        for class_qid, depth, qid, label in zip(*read, strict=True):
            row = self._row.get(class_qid)
            if row is not None and qid != class_qid:
                self._above[row].append(Superclass(depth, qid, label))
                self._below[qid].append(row)
        for found in self._above:
            found.sort(key=lambda each: (each.depth, qid_number(each.qid)))
        self._decided_beside: dict[str, Counter[str]] = defaultdict(Counter)
        """Direct superclass to how its decided classes were decided."""

    def decide(self, qid: str, target: str | None) -> set[int]:
        """Takes up a decision.

        Args:
            qid: any class, one of the build's or not.
            target: what it was decided to be; None takes a decision back.

        Returns:
            The rows of which the hints may have changed.
        """
        before = self._decided.pop(qid, None)
        if target is not None:
            self._decided[qid] = target
        changed = set(self._below.get(qid, ()))
        row = self._row.get(qid)
        for above in self._direct(row) if row is not None else ():
            beside = self._decided_beside[above.qid]
            beside.subtract([before] if before is not None else [])
            beside.update([target] if target is not None else [])
            changed.update(self._below[above.qid])
        return changed

    def hints(self, row: int) -> list[Hint]:
        """Returns what the superclasses of an open class say, the nearest first."""
        found: list[Hint] = []
        stopped: int | None = None
        for above in self._above[row]:
            if len(found) == _SPEAKERS or (stopped is not None and above.depth > stopped):
                break
            source, target, how = self._say(above.qid)
            if target:
                steps = "a kind of" if above.depth == 1 else f"{above.depth} steps below"
                words = f"{steps} {above.label!r} ({above.qid}), which {how}"
                found.append(Hint(target, f"{source} {min(above.depth, _DEEP)}", words))
            elif source == "cut":
                stopped = above.depth
        return found + self._siblings(row)

    def _say(self, qid: str) -> tuple[str, str | None, str]:
        """Returns who speaks of a class, a person before all others, what it says, and how."""
        if qid in self._decided:
            return "decided", self._decided[qid], "was decided so"
        if qid in self._cuts:
            return "cut", self._cuts[qid], "the taxonomy takes for all below it"
        return "mapped", self._mapped.get(qid), "the taxonomy knows"

    def _direct(self, row: int) -> list[Superclass]:
        return [each for each in self._above[row] if each.depth == 1]

    def _siblings(self, row: int) -> list[Hint]:
        found = []
        for above in self._direct(row):
            ordered = sorted(self._decided_beside[above.qid].items(), key=lambda each: -each[1])
            (target, most), (_, second) = [*ordered, (IGNORE, 0), (IGNORE, 0)][:2]
            # Where they do not agree, the superclass is no kind of landmark but a shelf.
            if most > 2 * second:
                words = f"{most} decided so of the kind {above.label!r} ({above.qid})"
                found.append(Hint(target, f"siblings {min(most, _MANY)}", words))
        return found
