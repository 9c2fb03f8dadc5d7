"""What was found in dumps, as it is kept in the raw archive and read again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from hgld.scrape.archive import RawAnswer, now
from hgld.scrape.dumps.files import DumpFiles
from hgld.scrape.wikimedia.checked import fields_of, flag_of, line_of, number_of
from hgld.scrape.wikimedia.commons import Landing
from hgld.scrape.wikimedia.parents import CategoryParents
from hgld.scrape.wikimedia.wikidata import EVIDENCE, Entity, Statement, checked_qid

_CHUNK = 10_000


def dump_answer(files: DumpFiles, keys: Iterable[str], answer: Mapping[str, Any]) -> RawAnswer:
    """Returns what was found in dumps as an answer of theirs.

    Args:
        files: the dumps; their digest stands for the service.
        keys: titles or Q-ids that were looked up, there or not.
        answer: of those that are there, what was found.
    """
    return RawAnswer(
        endpoint=files.digest(),
        request={"dumps": files.page.name},
        keys=tuple(keys),
        fetched_at=now(),
        answer=answer,
    )


def chunks(keys: list[str]) -> Iterator[list[str]]:
    """Yields so many keys at a time that what is kept of them takes little memory."""
    yield from (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))


# Not `dataclasses.asdict`: it copies whatever it meets, and takes most of the time of keeping.
def landing_fields(landing: Landing) -> dict[str, Any]:
    """Returns where a title leads, as it is kept."""
    values = {field.name: getattr(landing, field.name) for field in fields(landing)}
    return {**values, "fetched_at": landing.fetched_at.isoformat()}


def sound(
    found: Mapping[str, Any], parse: Callable[[object], object], failed: dict[str, str]
) -> dict[str, Any]:
    """Returns what `parse` can read again as it is, and notes why the rest cannot."""
    kept = {}
    for key, values in found.items():
        try:
            parse(values)
        except ValueError as error:
            failed[key] = f"the dumps are odd: {error}"
        else:
            kept[key] = values
    return kept


def pages_of_dump_answer(kept: RawAnswer) -> tuple[dict[str, Landing], dict[str, str]]:
    """Returns where titles lead, and soft redirects, of what was found in page dumps and kept.

    Raises:
        ValueError: a part of it is odd.
    """
    answer = fields_of(kept.answer, "what was found")
    landings = fields_of(answer.get("landings"), "landings")
    targets = fields_of(answer.get("targets"), "targets")
    return (
        {line_of(title, "title"): landing_of(landings[title]) for title in landings},
        {line_of(title, "title"): line_of(targets[title], "target") for title in targets},
    )


def landing_of(part: object) -> Landing:
    """Returns where a title leads, of what was kept.

    Raises:
        ValueError: it is something else.
    """
    values = fields_of(part, "landing")
    if values.keys() != {field.name for field in fields(Landing)}:
        raise ValueError(f"a landing must have the fields of one, got {sorted(values)[:10]}")
    number = values["revision_id"]
    texts = ("title", "status", "error", "missing_title")
    return Landing(
        **{name: line_of(values[name], name) for name in texts},
        qid=checked_qid(line_of(values["qid"], "qid")),
        fetched_at=datetime.fromisoformat(line_of(values["fetched_at"], "fetched_at")),
        revision_id=None if number is None else number_of(number, "revision_id"),
        is_soft_redirect=flag_of(values["is_soft_redirect"], "is_soft_redirect"),
    )


def parents_fields(parents: CategoryParents) -> dict[str, Any]:
    """Returns the parents of a category, as they are kept."""
    values = {field.name: getattr(parents, field.name) for field in fields(parents)}
    return {**values, "fetched_at": parents.fetched_at.isoformat()}


def parents_of_dump_answer(kept: RawAnswer) -> dict[str, CategoryParents]:
    """Returns the parents of categories, of what was found in dumps and kept.

    Raises:
        ValueError: a part of it is odd.
    """
    found = fields_of(kept.answer, "what was found")
    return {line_of(title, "title"): parents_in(found[title]) for title in found}


def parents_in(part: object) -> CategoryParents:
    """Returns the parents of a category, of what was kept.

    Raises:
        ValueError: it is something else.
    """
    values = fields_of(part, "parents")
    if values.keys() != {field.name for field in fields(CategoryParents)}:
        raise ValueError(f"parents must have the fields of some, got {sorted(values)[:10]}")
    return CategoryParents(
        fetched_at=datetime.fromisoformat(line_of(values["fetched_at"], "fetched_at")),
        names=_names(values["names"]),
        status=line_of(values["status"], "status"),
        error=line_of(values["error"], "error"),
    )


def _names(part: object) -> tuple[str, ...]:
    return tuple(
        line_of(one, "a name") for one in (part if isinstance(part, list | tuple) else [part])
    )


def entity_fields(entity: Entity) -> dict[str, Any]:
    """Returns the facts of an entity without its evidence, as they are kept."""
    return {
        "merged_into": entity.merged_into,
        "labels": entity.labels,
        "statements": {
            prop: [(one.rank, one.value) for one in ones]
            for prop, ones in entity.statements.items()
            if prop not in EVIDENCE
        },
    }


def entities_of_dump_answer(kept: RawAnswer) -> dict[str, Entity]:
    """Returns the entities of what was found in dumps of Wikidata and kept.

    Raises:
        ValueError: a part of it is odd.
    """
    found = fields_of(kept.answer, "what was found")
    return {checked_qid(line_of(qid, "id")): entity_of(found[qid]) for qid in found}


def entity_of(part: object) -> Entity:
    """Returns an entity without its evidence, of what was kept.

    Raises:
        ValueError: it is something else.
    """
    values = fields_of(part, "entity")
    labels = fields_of(values.get("labels"), "labels")
    statements = fields_of(values.get("statements"), "statements")
    return Entity(
        merged_into=checked_qid(line_of(values.get("merged_into"), "merged_into")),
        labels={line_of(one, "language"): line_of(labels[one], "label") for one in labels},
        statements={prop: _statements(statements[prop], checked_qid) for prop in statements},
    )


def evidence_fields(entity: Entity) -> dict[str, Any]:
    """Returns the evidence of an entity, as it is kept; empty where there is none."""
    return {
        prop: [(one.rank, one.value) for one in entity.statements[prop]]
        for prop in EVIDENCE
        if prop in entity.statements
    }


def evidence_of_dump_answer(kept: RawAnswer) -> dict[str, Entity]:
    """Returns the evidence of what was found in dumps of Wikidata and kept.

    Raises:
        ValueError: a part of it is odd.
    """
    found = fields_of(kept.answer, "what was found")
    return {checked_qid(line_of(qid, "id")): evidence_of(found[qid]) for qid in found}


def evidence_of(part: object) -> Entity:
    """Returns an entity with nothing but evidence, of what was kept.

    Raises:
        ValueError: it is something else.
    """
    statements = fields_of(part, "evidence")
    if odd := sorted(statements.keys() - set(EVIDENCE)):
        raise ValueError(f"evidence must have properties of {EVIDENCE}, got {ascii(odd[0])[:60]}")
    return Entity(statements={prop: _statements(statements[prop], str) for prop in statements})


def _statements(part: object, value_of: Callable[[str], str]) -> list[Statement]:
    statements = []
    for pair in part if isinstance(part, list) else [part]:
        if not isinstance(pair, list | tuple) or len(pair) != len(fields(Statement)):
            raise ValueError(f"a statement must be a rank and a value, got {ascii(pair)[:60]}")
        rank, value = (line_of(one, "rank or value") for one in pair)
        statements.append(Statement(rank, value_of(value)))
    return statements
