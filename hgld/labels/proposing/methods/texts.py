"""Methods that look things up: the class itself, the words of its label, and its identifiers."""

from collections.abc import Sequence

from hgld.labels.proposing.knowledge import Lore
from hgld.labels.proposing.methods.ballot import Hint


def class_candidates(qid: str | None, label: str, knowledge: Lore) -> list[Hint]:
    """Returns what the taxonomy says of a class: by its Q-id, else of another by the same text.

    Args:
        qid: of the class; None in a list without Q-ids.
        label: its text.
        knowledge: the taxonomy.
    """
    if qid is not None and qid in knowledge.classes:
        return [knowledge.classes[qid]]
    known = knowledge.class_labels.get(label.casefold())
    return [known] if known else []


def evidence_candidates(found: Sequence[tuple[str, str]], knowledge: Lore) -> list[Hint]:
    """Returns what a class's tag on OpenStreetMap says.

    Args:
        found: of CLASS_EVIDENCE, property and value: `("P1282", "Tag:building=church")`.
        knowledge: the taxonomy.
    """
    candidates = []
    for value in sorted(value for name, value in found if name == "P1282"):
        target = knowledge.tags.get(value.removeprefix("Tag:").replace("=", "/"))
        if target is not None:
            candidates.append(Hint(target, "P1282", f"OpenStreetMap's {value} (P1282)"))
    return candidates
