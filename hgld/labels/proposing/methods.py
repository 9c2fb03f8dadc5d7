"""The methods beside the taxonomy: vectors, decided classes and superclasses.

Cosines are the same bit for bit on every machine. Vectors are rounded to multiples of 2^-11.
Products of two such numbers are multiples of 2^-22, and for unit vectors their sums stay below 2,
so float32 holds them exactly. The order of the sum, the number of threads and the number of rows
have no effect: a proposal after a decision equals that of a new run. The rounding changes a cosine
of 384 numbers by about 0.0002.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.labels.proposing.calibration import Calibration, Softmax
from hgld.labels.proposing.opinions import IGNORE, Floats, Hint, Targets, qid_age
from hgld.tables import qid_number

Vectors = NDArray[np.float32]
Number = TypeVar("Number", float, Floats)

SAME = 0.995
"""The cosine from which on two labels count as the same text."""
_STEP = 2.0**-11
_NOTHING = 1e-9  # a shorter vector has no direction
_FEW = 3  # names; fewer have no spread
_BLOCK = 1024  # classes at a time: 80 MB of cosines with 20,000 words
_SHOWN = 3  # names in the evidence
NEIGHBOURS = 5
"""How many decided classes count for a class, the nearest first."""
NEAR = 2
"""Least cosine of a decided class that counts, in deviations above the mean."""
_NEAREST = 6  # deviations; more make no difference
_SPEAKERS = 3  # the nearest known superclasses; a third seldom differs
_DEEP = 3  # steps; more make no difference
_MANY = 3  # siblings; more make no difference


def unit_grid(vectors: Vectors) -> Vectors:
    """Returns unit vectors rounded to the grid, float32 (n, D); without a direction: zero."""
    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    unit = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > _NOTHING)
    return np.asarray((unit / _STEP).round() * _STEP, dtype=np.float32)


def cosines(left: Vectors, right: Vectors) -> Vectors:
    """Returns the cosine of each row on the left with each row on the right, float32 (n, m).

    Args:
        left: float32 (n, D) from `unit_grid`.
        right: float32 (m, D) from `unit_grid`.
    """
    return left @ right.T


class Scale(NamedTuple):
    """A unit for cosines that is comparable between encoders.

    Text vectors of an encoder point in roughly the same direction: any two have a cosine near 0.76
    with CLIP and near 0.3 with MiniLM. The excess over that, in standard deviations, is comparable.
    """

    mean: float
    deviation: float

    def of(self, cosine: Number) -> Number:
        """Returns cosines in this unit."""
        return (cosine - self.mean) / self.deviation


def scale_of(names: Vectors) -> Scale:
    """Measures the cosines between different names.

    Args:
        names: float32 (m, D) from `unit_grid`.

    Returns:
        Their mean and standard deviation; with too few names, a scale that changes nothing.
    """
    if len(names) < _FEW:
        return Scale(0.0, 1.0)
    near = cosines(names, names)[np.triu_indices(len(names), 1)].astype(np.float64)
    return Scale(float(near.mean()), max(float(near.std()), _NOTHING))


@dataclass(frozen=True, slots=True)
class Phrases:
    """The words of the taxonomy with their vectors."""

    texts: Sequence[str]
    """w phrases."""
    targets: Sequence[str]
    """The target of each phrase: a super-category, or IGNORE."""
    is_name: NDArray[np.bool_]
    """(w,): whether it is the super-category's own name."""
    is_alias: NDArray[np.bool_]
    """(w,): whether it is an alias of the taxonomy, which the method `wording` reads."""
    vectors: Vectors
    """(w, D) from `unit_grid`."""

    @property
    def scale(self) -> Scale:
        """The scale of the encoder's cosines."""
        return scale_of(self.vectors[self.is_name])


class Prototypes:
    """The method `prototypes`: the similarity of a class to a super-category's name and words.

    The score is the mean of the cosine to the name and the largest cosine to a word: words cover
    what a name does not say (`sports venue`), and a word far from the name counts only half.
    """

    def __init__(self, vectors: Vectors, phrases: Phrases, targets: Targets) -> None:
        """Compares each class with every word.

        Args:
            vectors: (n, D) from `unit_grid`.
            phrases: the words; those of other targets are left out.
            targets: what can be proposed.
        """
        self._vectors, self._phrases, self._targets = vectors, phrases, targets
        numbers = [targets.number.get(target, -1) for target in phrases.targets]
        self._columns = np.array(numbers, dtype=np.int64)
        is_known = self._columns >= 0
        # An alias equal to the label is left out: `wording` finds it already, and here it would
        # hide the other words.
        self._names = self._best(is_known & phrases.is_name, leave_out_same=False)
        words = self._best(is_known, leave_out_same=True)
        self.scores = phrases.scale.of((self._names + words) / 2)
        """(n, T), in deviations above the mean; -inf for a target without a word."""

    def _best(self, chosen: NDArray[np.bool_], *, leave_out_same: bool) -> Floats:
        """Returns the largest cosine of each class to a chosen word of each target."""
        best = np.full((len(self._vectors), len(self._targets.columns)), -np.inf)
        rows = np.flatnonzero(chosen)
        rows = rows[self._columns[rows].argsort(kind="stable")]
        if not len(rows):
            return best
        there, starts = np.unique(self._columns[rows], return_index=True)
        for start in range(0, len(best), _BLOCK):
            near = cosines(self._vectors[start : start + _BLOCK], self._phrases.vectors[rows])
            if leave_out_same:
                near[(near >= SAME) & self._phrases.is_alias[rows]] = -np.inf
            best[start : start + _BLOCK, there] = np.maximum.reduceat(near, starts, axis=1)
        return best

    def opinion(self, calibration: Calibration) -> Floats:
        """Returns the method's opinion on all classes, float64 (n, T + 1)."""
        settings = calibration.softmax["prototypes"]
        prior = self._targets.prior(calibration.ignored)
        said = np.log(softmax_shares(self.scores, settings, prior) / prior)
        return np.append(said, np.full((len(said), 1), np.log(settings.floor)), axis=1)

    def words(self, row: int, target: str) -> str:
        """Returns the evidence of a class for a target; empty for a target without words."""
        targets, phrases = self._targets, self._phrases
        if target not in targets.names:
            return ""
        names = self._names[row, : len(targets.names)]
        order = (-names).argsort(kind="stable")[:_SHOWN]
        near = ", ".join(f"{targets.names[column].strip()} {names[column]:.2f}" for column in order)
        of_target = np.flatnonzero(self._columns == targets.number[target])
        if not len(of_target):
            return f"nearest names: {near}"
        alike = cosines(self._vectors[row : row + 1], phrases.vectors[of_target])[0]
        alike[(alike >= SAME) & phrases.is_alias[of_target]] = -1
        phrase = phrases.texts[of_target[alike.argmax()]]
        return f"like {phrase!r} {alike.max():.2f} (nearest names: {near})"


def softmax_shares(scores: Floats, settings: Softmax, prior: Floats) -> Floats:
    """Returns p = (1 - floor) softmax(scores / temperature) + floor prior, float64 (n, T).

    Args:
        scores: float64 (n, T), IGNORE last; -inf where a target has no word.
        settings: of the method.
        prior: float64 (T,) with sum 1.
    """
    scores = scores.copy()
    scores[:, -1] = np.maximum(scores[:, -1], settings.ignore)
    heights = scores / settings.temperature
    shares = np.exp(heights - heights.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray((1 - settings.floor) * shares + settings.floor * prior)


class DecidedNeighbours:
    """The methods `namesakes` and `neighbours`: the decided classes nearest to each class.

    A namesake has the same text, so its decision counts for more than that of a similar class. Ties
    go to the older Q-id, so the order of decisions has no effect.
    """

    def __init__(self, vectors: Vectors, qids: Sequence[str], scale: Scale) -> None:
        """Starts without decisions.

        Args:
            vectors: (n, D) from `unit_grid`.
            qids: Q-ids of the classes.
            scale: of the encoder's cosines.
        """
        self._vectors, self._scale = vectors, scale
        self._least = np.float32(scale.mean + NEAR * scale.deviation)
        self._age = {row: qid_age(qid) for row, qid in enumerate(qids)}
        self._decided: set[int] = set()
        self.rows = np.full((len(vectors), NEIGHBOURS), -1)
        """(n, NEIGHBOURS): rows of the nearest decided classes, the nearest first; -1: none."""
        self.cosines = np.full((len(vectors), NEIGHBOURS), -np.inf, dtype=np.float32)
        """(n, NEIGHBOURS): their cosines; -inf: none."""

    def update(self, decided: Iterable[int], reopened: Iterable[int] = ()) -> set[int]:
        """Adds decided classes, and removes reopened ones.

        Args:
            decided: rows; some may have had another decision.
            reopened: rows that were decided.

        Returns:
            The rows whose neighbours, or their decisions, may have changed.
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

    def _find(self, rows: NDArray[np.int64]) -> None:
        """Finds the neighbours of some classes among all decided classes."""
        decided = np.array(sorted(self._decided, key=self._age.__getitem__), dtype=np.int64)
        near = np.full((len(rows), len(decided) + 1), -np.inf, dtype=np.float32)
        near[:, :-1] = cosines(self._vectors[rows], self._vectors[decided])
        near[:, :-1][rows[:, None] == decided] = -np.inf  # a class is not its own neighbour
        near[near < self._least] = -np.inf
        at = np.arange(len(rows))
        for place in range(NEIGHBOURS):
            column = near.argmax(axis=1)  # ties: the first, which is the oldest
            self.cosines[rows, place] = near[at, column]
            found = np.isfinite(near[at, column])
            self.rows[rows, place] = np.where(found, np.append(decided, -1)[column], -1)
            near[at, column] = -np.inf

    def hints(
        self, row: int, labels: Sequence[str], targets: Mapping[int, str], *, same: bool
    ) -> list[Hint]:
        """Returns the hints of a class's neighbours, the nearest first.

        Args:
            row: the class.
            labels: the text of each class.
            targets: of the decided classes, by row.
            same: True for neighbours with the same text, False for all others.
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
        # The least cosine is a float32, and may be slightly below NEAR deviations.
        return str(min(max(above, NEAR), _NEAREST))


class Superclass(NamedTuple):
    """A superclass of a class."""

    depth: int
    """The fewest steps of P279."""
    qid: str
    label: str


class Superclasses:
    """The method `superclasses`: what is known about the classes above and beside a class.

    A superclass that is decided, in the taxonomy or a cut point counts for all classes below it,
    the nearest first. A cut point may also stop the walk, because what lies above is too general (a
    state is not a landform). An ignored superclass says nothing about those below: `building` has
    no typical look, but a tower has. Decided classes with the same direct superclass come last.
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
            qids: the classes; a row is an index into them.
            superclasses: rows of SUPERCLASSES; those of other classes, and a class as its own
                superclass (Wikidata has loops), are left out.
            mapped: class of the taxonomy to its target.
            cuts: superclass to the target of all classes below; IGNORE or None only stop.
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
        """Direct superclass to the targets of its decided classes."""

    def decide(self, qid: str, target: str | None) -> set[int]:
        """Applies a decision.

        Args:
            qid: any class, in the build or not.
            target: the decided target; None takes a decision back.

        Returns:
            The rows whose hints may have changed.
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
        """Returns the hints of an open class's superclasses, the nearest first."""
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
        """Returns the source, target and wording of what is known about a class; people first."""
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
            # If they disagree, the superclass is a mere container, not a kind of landmark.
            if most > 2 * second:
                words = f"{most} decided so of the kind {above.label!r} ({above.qid})"
                found.append(Hint(target, f"siblings {min(most, _MANY)}", words))
        return found
