"""The methods that no decision changes, put together."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hgld.labels.proposing.methods.ballot import Hint, Opinion, Targets, has_qid, ranked_opinion
from hgld.labels.proposing.methods.texts import class_candidates, evidence_candidates
from hgld.labels.proposing.methods.vectors import Phrases, VectorMethod, vector_opinion
from hgld.labels.proposing.rows import ProposalMethod

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hgld.labels.proposing.material import Material


def fixed_opinions(
    material: "Material",
    vectors: "NDArray[np.float32]",
    phrases: Phrases,
    targets: Targets,
    methods: Sequence[ProposalMethod],
) -> list[Opinion]:
    """Returns the opinions of the methods that are asked and that no decision changes.

    Two that would say one thing twice do not both speak. The taxonomy's classes and its words are
    of one author, who read the same label: where a class is known, its words are silent. The
    nearest name is half of the prototypes, and speaks alone where they are switched off.

    Args:
        material: the classes and what is known of them.
        vectors: (n, D) from `unit_grid`.
        phrases: the words, likewise.
        targets: what can be proposed.
        methods: which are asked.
    """
    knowledge, calibration = material.knowledge, material.calibration
    qids, labels = (material.classes[name].to_pylist() for name in ("class_qid", "class_label"))
    identifiers = material.identifiers()

    def of_class(qid: str, label: str) -> Sequence[Hint]:
        return class_candidates(qid if has_qid(qid) else None, label, knowledge)

    def of_words(qid: str, label: str) -> Sequence[Hint]:
        is_known = "classes" in methods and bool(of_class(qid, label))
        return () if is_known else knowledge.match(label)

    def of_identifiers(qid: str, _: str) -> Sequence[Hint]:
        return evidence_candidates(identifiers.get(qid, ()), knowledge)

    ways: dict[ProposalMethod, Callable[[str, str], Sequence[Hint]]] = {
        "classes": of_class,
        "wording": of_words,
        "identifiers": of_identifiers,
    }
    opinions = []
    for method, way in ways.items():
        if method in methods:
            said = [way(qid, label) for qid, label in zip(qids, labels, strict=True)]
            opinions.append(ranked_opinion(method, said, targets, calibration))
    by_vector: VectorMethod = "prototypes" if "prototypes" in methods else "nearest"
    if by_vector in methods:
        opinions.append(vector_opinion(by_vector, vectors, phrases, targets, calibration))
    return opinions
