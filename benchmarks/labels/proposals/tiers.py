"""What each kind of evidence is worth: counted where the silver set can tell, else assumed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hgld.labels.proposing.opinions import Hint

IGNORED = 0.2
"""The share of classes of landmarks that say nothing of looks: assumed, of 700 real labels that
landmarks have the wordings of the taxonomy leave out 13% and doubt 15%."""
AUTHOR = 0.95
"""How often one who knows the world well agrees with what H-GLDv2 decided: assumed, no more than
19 of 20, since some of its names overlap (city and settlement, memorial and sculpture)."""
DOUBTED = 0.35
"""How often what the taxonomy would have a person look at is ignored in the end: assumed, of 20
such labels one reader ignored 7."""

ANOTHER_READER = (
    *(123, 128),
    "200 labels read by another, who would accept 123 of 128 at 0.9 and above",
)
"""Right, rows and source of `temper`, by which the mean confidence of those 128 fell from .985 to
.96."""

EvidenceTier = tuple[str, str]
"""A method and a kind of its evidence."""

# Not to be counted here: the author wrote both the question and the answer. And superclasses come
# with a scrape and not with this package, so that there is little to count.
ASSUMED: dict[EvidenceTier, float] = {
    ("classes", "qid"): AUTHOR,
    ("classes", "label"): AUTHOR,
    ("classes", "ask qid"): DOUBTED,
    ("classes", "ask label"): DOUBTED,
    ("wording", "exact"): AUTHOR,
    ("wording", "ask exact"): DOUBTED,
    ("wording", "name"): 0.8,
    ("tags", "P1282"): 0.9,
    ("superclasses", "decided 1"): 0.9,
    ("superclasses", "decided 2"): 0.8,
    ("superclasses", "decided 3"): 0.6,
    ("superclasses", "mapped 1"): 0.85,
    ("superclasses", "mapped 2"): 0.7,
    ("superclasses", "mapped 3"): 0.5,
    ("superclasses", "cut 1"): 0.85,
    ("superclasses", "cut 2"): 0.7,
    ("superclasses", "cut 3"): 0.6,
    ("superclasses", "siblings 1"): 0.4,
    ("superclasses", "siblings 2"): 0.5,
    ("superclasses", "siblings 3"): 0.6,
}
# What is taken where the silver set has too few of a kind.
_RARE: dict[EvidenceTier, float] = {
    ("wording", "contains"): 0.7,
    ("wording", "suffix"): 0.8,
    ("wording", "head"): 0.7,
    ("wording", "modifier"): 0.3,
    ("wording", "tail"): 0.3,
    ("wording", "ask contains"): 0.4,
    ("wording", "ask suffix"): 0.4,
    ("wording", "ask head"): 0.4,
    ("wording", "ask modifier"): 0.3,
    ("wording", "ask tail"): 0.3,
    ("namesakes", "same"): 0.9,
    ("neighbours", "6"): 0.8,
    ("neighbours", "5"): 0.7,
    ("neighbours", "4"): 0.5,
    ("neighbours", "3"): 0.3,
    ("neighbours", "2"): 0.2,
}
_FEW = 3  # rows that a tier must have to be told apart from a guess
_ENOUGH = 20  # rows from which on a count of superclasses takes the place of what is assumed


@dataclass(slots=True)
class Count:
    """How often something was right."""

    right: int = 0
    rows: int = 0

    def add(self, *, is_right: bool) -> None:
        """Counts one more."""
        self.right += is_right
        self.rows += 1

    @property
    def accuracy(self) -> float:
        """The share that was right, with one right and one wrong added (Laplace)."""
        return (self.right + 1) / (self.rows + 2)


Counts = dict[EvidenceTier, Count]


def count_candidates(counts: Counts, method: str, said: Sequence[Hint], target: str) -> None:
    """Counts the hints of one class, up to the first that is right.

    So a tier's accuracy is what `ranked_opinion` takes it for: how often a candidate is right where
    none before it was.
    """
    for candidate in said:
        is_right = candidate.target == target
        counts.setdefault((method, candidate.tier), Count()).add(is_right=is_right)
        if is_right:
            return


def add_counts(parts: Iterable[Mapping[EvidenceTier, Count]]) -> Counts:
    """Returns the sum of counts."""
    total: Counts = {}
    for counts in parts:
        for tier, count in counts.items():
            known = total.setdefault(tier, Count())
            known.right, known.rows = known.right + count.right, known.rows + count.rows
    return total


def is_counted(tier: EvidenceTier, counts: Mapping[EvidenceTier, Count]) -> bool:
    """Says whether a tier's accuracy is counted, and not assumed."""
    rows = counts.get(tier, Count()).rows
    if tier in ASSUMED:
        return tier[0] == "superclasses" and rows >= _ENOUGH
    return rows >= _FEW


def accuracies(counts: Mapping[EvidenceTier, Count]) -> dict[EvidenceTier, float]:
    """Returns the accuracy of every tier there is."""
    counted = {tier: count.accuracy for tier, count in counts.items() if is_counted(tier, counts)}
    return _RARE | ASSUMED | counted
