"""The method `superclasses`: what is known of the classes above a class on P279, and beside it.

A class above that is decided, mapped or a cut point speaks for all below it, the nearest first.
A cut point may be a stop: what lies above it is too general (a state is no landform). That one is
to be ignored says nothing of those below: `building` has no look of its own, and a tower has.
Decided classes with the same direct superclass speak as well, after those.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from hgld.labels.proposing.methods.ballot import IGNORE, Hint
from hgld.tables import qid_number

_SPEAKERS = 3  # the nearest of what is known; a third seldom differs
_DEEP = 3  # steps from which on one more makes no difference
_MANY = 3  # siblings from which on one more makes no difference


@dataclass(frozen=True, slots=True)
class Above:
    """A superclass of a class."""

    depth: int
    """Steps of P279, the fewest."""
    qid: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of classes by their Q-ids."""

    mapped: Mapping[str, str]
    """Class of the taxonomy to its target."""
    cuts: Mapping[str, str | None]
    """Superclass to the target of all below it; IGNORE or None only stop."""
    decided: dict[str, str] = field(default_factory=dict)
    """Class that a person decided to its target."""

    def say(self, qid: str) -> tuple[str, str | None]:
        """Returns who speaks of a class, a person before all others, and what it says."""
        if qid in self.decided:
            return "decided", self.decided[qid]
        if qid in self.cuts:
            return "cut", self.cuts[qid]
        return "mapped", self.mapped.get(qid)


class Ancestry:
    """The superclasses of all classes, and what is known of them."""

    def __init__(self, qids: Sequence[str], superclasses: pa.Table, known: Known) -> None:
        """Reads a SUPERCLASSES table.

        Args:
            qids: the classes; a row is a place in it.
            superclasses: rows of SUPERCLASSES; those of other classes, and of a class that is its
                own superclass (Wikidata has loops), are left out.
            known: what is known; decisions are added to it.
        """
        self._known = known
        self._above: list[list[Above]] = [[] for _ in qids]
        self._below: dict[str, list[int]] = defaultdict(list)
        self._beside: dict[str, list[int]] = defaultdict(list)  # of direct superclasses alone
        self._decided_beside: dict[str, Counter[str]] = defaultdict(Counter)
        self._row = {qid: row for row, qid in enumerate(qids)}
        columns = ("class_qid", "depth", "superclass_qid", "superclass_label")
        read = (superclasses[name].to_pylist() for name in columns)
        for class_qid, depth, qid, label in zip(*read, strict=True):
            row = self._row.get(class_qid)
            if row is not None and qid != class_qid:
                self._above[row].append(Above(depth, qid, label))
                self._below[qid].append(row)
                if depth == 1:
                    self._beside[qid].append(row)
        for found in self._above:
            found.sort(key=lambda each: (each.depth, qid_number(each.qid)))

    def decide(self, qid: str, target: str | None) -> set[int]:
        """Takes up a decision.

        Args:
            qid: any class, one of the build's or not.
            target: what it was decided to be; None takes a decision back.

        Returns:
            The rows of which the candidates may have changed.
        """
        before = self._known.decided.pop(qid, None)
        if target is not None:
            self._known.decided[qid] = target
        changed = set(self._below.get(qid, ()))
        for each in self._direct(self._row.get(qid)):
            beside = self._decided_beside[each.qid]
            if before is not None:
                beside[before] -= 1
            if target is not None:
                beside[target] += 1
            changed.update(self._beside[each.qid])
        return changed

    def candidates(self, row: int) -> list[Hint]:
        """Returns what the superclasses of an open class say, the nearest first."""
        found: list[Hint] = []
        stopped: int | None = None
        for above in self._above[row]:
            if len(found) == _SPEAKERS or (stopped is not None and above.depth > stopped):
                break
            source, target = self._known.say(above.qid)
            if target is not None and target != IGNORE:
                tier = f"{source} {min(above.depth, _DEEP)}"
                found.append(Hint(target, tier, _words(above, source)))
            elif source == "cut":
                stopped = above.depth
        return found + self._siblings(row)

    def _direct(self, row: int | None) -> list[Above]:
        return [] if row is None else [each for each in self._above[row] if each.depth == 1]

    def _siblings(self, row: int) -> list[Hint]:
        found = []
        for above in self._direct(row):
            ordered = sorted(self._decided_beside[above.qid].items(), key=lambda each: -each[1])
            (target, most), (_, second) = [*ordered, ("", 0), ("", 0)][:2]
            # Where they do not agree, the superclass is no kind of landmark but a shelf.
            if most > 2 * second:
                words = f"{most} decided so of the kind {above.label!r} ({above.qid})"
                found.append(Hint(target, f"siblings {min(most, _MANY)}", words))
        return found


def _words(above: Above, source: str) -> str:
    steps = "a kind of" if above.depth == 1 else f"{above.depth} steps below"
    how = {
        "decided": "was decided so",
        "mapped": "the taxonomy knows",
        "cut": "the taxonomy takes for all below it",
    }[source]
    return f"{steps} {above.label!r} ({above.qid}), which {how}"
