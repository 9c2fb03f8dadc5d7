"""What vectors, decided classes and superclasses say of a class: the methods beside the taxonomy.

Cosines are the same to the last bit on every machine. Vectors are rounded to multiples of 2^-11.
Products of two such numbers are multiples of 2^-22, and sums of them for unit vectors stay below 2:
float32 holds them without rounding. So it matters neither in which order nor on how many threads
they are summed, nor whether one row is asked for or a thousand: what is proposed after a decision
is what a new run proposes. The rounding moves a cosine of 384 numbers by some 0.0002.
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
"""The cosine from which two labels are one text."""
_STEP = 2.0**-11
_NOTHING = 1e-9  # a shorter vector has no direction
_FEW = 3  # names, of fewer there is no spread
_BLOCK = 1024  # classes at a time: with 20,000 words 80 MB of cosines
_SHOWN = 3  # names that a reviewer is shown
NEIGHBOURS = 5
"""How many decided classes speak for another: the nearest first."""
NEAR = 2
"""How far above the mean a decided class must lie to say anything of another, in deviations."""
_NEAREST = 6  # deviations from which on it makes no difference
_SPEAKERS = 3  # superclasses: the nearest of what is known; a third seldom differs
_DEEP = 3  # steps from which on one more makes no difference
_MANY = 3  # siblings from which on one more makes no difference


def unit_grid(vectors: Vectors) -> Vectors:
    """Returns vectors at unit norm on the grid, float32 (n, D); one without a direction is zero."""
    wide = vectors.astype(np.float64)
    norms = np.sqrt((wide**2).sum(axis=1, keepdims=True))
    unit = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > _NOTHING)
    return np.asarray((unit / _STEP).round() * _STEP, dtype=np.float32)


def cosines(left: Vectors, right: Vectors) -> Vectors:
    """Returns the cosines of each row of the one with each of the other, float32 (n, m).

    Args:
        left: float32 (n, D) from `unit_grid`.
        right: float32 (m, D) from `unit_grid`.
    """
    return left @ right.T


class Scale(NamedTuple):
    """The unit in which cosines of one encoder are told, so that those of another mean the same.

    Text vectors of an encoder point roughly one way: any two of CLIP's have a cosine near 0.76, of
    MiniLM's near 0.3. How far a cosine lies above that, in standard deviations, can be compared.
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
        Their mean and standard deviation; where there are too few, cosines as they are.
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
    """What each is a word for: a super-category, or IGNORE."""
    is_name: NDArray[np.bool_]
    """(w,): whether it is the official name itself."""
    is_alias: NDArray[np.bool_]
    """(w,): whether it is of the taxonomy's own words, which the method `wording` reads."""
    vectors: Vectors
    """(w, D) from `unit_grid`."""

    @property
    def scale(self) -> Scale:
        """The scale of the encoder's cosines."""
        return scale_of(self.vectors[self.is_name])


class Prototypes:
    """The method `prototypes`: how near a class is to a super-category's name and its words.

    Its score is half the cosine to the name and half that to the best of the words: what a name
    does not say (`sports venue`) its words do, and a word that is far from the name weighs half.
    """

    def __init__(self, vectors: Vectors, phrases: Phrases, targets: Targets) -> None:
        """Compares each class with every word.

        Args:
            vectors: (n, D) from `unit_grid`, as the words.
            phrases: the words; those of other targets are left out.
            targets: what can be proposed.
        """
        self._vectors, self._phrases, self._targets = vectors, phrases, targets
        numbers = [targets.number.get(target, -1) for target in phrases.targets]
        self._columns = np.array(numbers, dtype=np.int64)
        is_known = self._columns >= 0
        # An alias that is the label itself is left out: `wording` says so already, and here it
        # would hide what the other words are like.
        self._names = self._best(is_known & phrases.is_name, leave_out_same=False)
        words = self._best(is_known, leave_out_same=True)
        self.scores = phrases.scale.of((self._names + words) / 2)
        """(n, T), in deviations above the mean; -inf for a target without a word."""

    def _best(self, chosen: NDArray[np.bool_], *, leave_out_same: bool) -> Floats:
        """Returns the greatest cosine of each class to any chosen word of each target."""
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
        """Returns what the method says of all classes, float64 (n, T + 1)."""
        settings = calibration.softmax["prototypes"]
        prior = self._targets.prior(calibration.ignored)
        said = np.log(softmax_shares(self.scores, settings, prior) / prior)
        return np.append(said, np.full((len(said), 1), np.log(settings.floor)), axis=1)

    def words(self, row: int, target: str) -> str:
        """Returns the evidence of a class for a target; empty where the method cannot name it."""
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
        prior: float64 (T,) of sum 1.
    """
    scores = scores.copy()
    scores[:, -1] = np.maximum(scores[:, -1], settings.ignore)
    heights = scores / settings.temperature
    shares = np.exp(heights - heights.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray((1 - settings.floor) * shares + settings.floor * prior)


class DecidedNeighbours:
    """The methods `namesakes` and `neighbours`: the decided classes nearest to each class.

    A namesake has the same text: what a person decided of it counts for more than what is like it.
    Of equally near ones the older Q-id comes first, so that the order of decisions leaves no trace.
    """

    def __init__(self, vectors: Vectors, qids: Sequence[str], scale: Scale) -> None:
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
        """Adds decided classes, and removes reopened ones.

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

    def _find(self, rows: NDArray[np.int64]) -> None:
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
