"""A landmark, and the way from its category to its label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hgld.pages.browse.showing.sights import Sights
from hgld.pages.browse.showing.tree import landmark_at, name_of
from hgld.pages.browse.showing.wording import decision_words, reason_words, rule_words
from hgld.pages.browse.state.images import SPLITS_OF
from hgld.pages.browse.state.knowledge import BuildKnowledge, ToldRow
from hgld.pages.browse.views import CandidateView, ChangeView, ClassView, LandmarkView, NodeView
from hgld.pages.serving.wikimedia import category_url, landmark_name, wikidata_url

_REVISION = "https://commons.wikimedia.org/w/index.php?oldid={}"
_DAY = 10  # characters of a date


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """All that a landmark's page is made of."""

    sights: Sights
    knowledge: BuildKnowledge
    nodes: list[NodeView]
    """Of each group."""
    changes: Mapping[tuple[str, int], ChangeView]


def landmark_view(telling: Telling, row: int) -> LandmarkView:
    """Returns a landmark as it is shown.

    Args:
        telling: what it is made of.
        row: of the landmark.
    """
    landmarks, known = telling.sights.landmarks, telling.knowledge
    told: ToldRow = landmarks.table.slice(row, 1).to_pylist()[0]
    at = landmark_at(landmarks, row)
    key = (at.space, at.landmark_id)
    category, decided_by = told["category"] or "", _decided(told, known)
    return LandmarkView(
        at=at,
        name=name_of(category, *key),
        node=telling.nodes[int(landmarks.group_of[row])],
        category=category,
        category_url=category_url(category) if category else "",
        page_title=_other_title(known.pages.get(key, ""), category),
        revision_id=told["revision_id"],
        revision_url="" if told["revision_id"] is None else _REVISION.format(told["revision_id"]),
        fetched=told["fetched_at"].date().isoformat() if told["fetched_at"] else "",
        qid=told["qid"] or "",
        item_url=wikidata_url(told["qid"] or ""),
        classes=tuple(_class(told, one, known) for one in told["classes"] or ()),
        cluster=_cluster(known, told["class_qid"]),
        **decided_by,
        rule=rule_words(told["rule"]),
        candidates=_candidates(telling, told),
        reason=reason_words(told["reason"]) if told["reason"] else "",
        supercategory=told["supercategory"] or "",
        images={
            split: int(count)
            for split, count in zip(SPLITS_OF[at.space], landmarks.images[row], strict=False)
        },
        left_out=int(landmarks.left_out[row]),
        sights=telling.sights.of(row),
        change=telling.changes.get(key),
    )


def _other_title(title: str, category: str) -> str:
    """Returns the title of a page where it is not that of the category."""
    name = landmark_name(title)
    return name if name and name != landmark_name(category) else ""


def _decided(told: ToldRow, known: BuildKnowledge) -> dict[str, Any]:
    """Returns how the label came about, who decided, when and why."""
    decision, qid = told["decision"] or "", told["class_qid"] or ""
    words, note, when = decision_words(decision), "", ""
    mine = known.decisions.get(qid)
    if decision == "filled":
        fill = known.fills.get((told["split"], told["landmark_id"]), {})
        words = f"{words} ({told['method'] or 'unknown method'})"
        note = fill.get("evidence", "")
    elif decision in {"assigned", "ignored"} and mine is not None:
        when, note = mine.decided_at[:_DAY], mine.note
    elif qid in known.proposals:
        note = known.proposals[qid]["evidence"]
    if told["confidence"] is not None:
        words += f", with a confidence of {told['confidence']:.0%}"
    if told["accepted_above"]:
        words += f" (accepted from {told['accepted_above']:.0%} on)"
    now = known.taxonomy.get(qid)
    return {
        "decision": words,
        "who": told["reviewer"] or "",
        "when": when,
        "note": note,
        "is_older": decision != "filled"
        and now is not None
        and (now["decision"], now["reviewer"]) != (decision, told["reviewer"]),
    }


def _class(told: ToldRow, one: Mapping[str, str], known: BuildKnowledge) -> ClassView:
    qid = one["class_qid"]
    is_deciding = qid == told["class_qid"]
    row = known.taxonomy.get(qid, {})
    decision, label = row.get("decision") or "", row.get("hierarchical_label") or ""
    who = row.get("reviewer") or ""
    if not row and is_deciding and told["decision"] != "filled":
        decision, label = told["decision"] or "", told["hierarchical_label"] or ""
        who = told["reviewer"] or ""
    voted = {each["class_qid"]: each["hierarchical_label"] for each in told["candidates"]}
    mine = known.decisions.get(qid)
    return ClassView(
        class_qid=qid,
        class_label=one["class_label"] or qid,
        url=wikidata_url(qid),
        is_deciding=is_deciding,
        cluster=_cluster(known, qid),
        decision=decision_words(decision),
        label=label or voted.get(qid, ""),
        who=who,
        when=mine.decided_at[:_DAY] if mine is not None and who else "",
        note=mine.note if mine is not None else known.proposals.get(qid, {}).get("evidence", ""),
    )


def _cluster(known: BuildKnowledge, qid: str | None) -> str:
    found = known.clusters.get(qid or "")
    if found is None:
        return ""
    return f"{found.name} (cluster {found.number})" if found.name else f"cluster {found.number}"


def _candidates(telling: Telling, told: ToldRow) -> tuple[CandidateView, ...]:
    slugs = {one.label: one.slug for one in telling.sights.landmarks.groups if one.label}
    labels = {one["class_qid"]: one["class_label"] for one in told["classes"] or ()}
    return tuple(
        CandidateView(
            label=one["hierarchical_label"],
            slug=slugs.get(one["hierarchical_label"], ""),
            votes=one["votes"],
            class_qid=one["class_qid"],
            class_label=labels.get(one["class_qid"]) or one["class_qid"],
            landmarks=one["landmarks"],
            has_won=place == 0 and one["hierarchical_label"] == told["hierarchical_label"],
        )
        for place, one in enumerate(told["candidates"])
    )
