"""A trap, the row it must end in, and the three files that the lab's servers are started from."""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

WIKI = "http://commons.wikimedia.org/wiki/"
PLAIN = "{{Wikidata Infobox}}\n[[Category:Landmarks]]"
"""The text of a page that is nothing but a category."""

_WD = "http://www.wikidata.org/"
_RDF_TYPE = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
_LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
_SAME_AS = "<http://www.w3.org/2002/07/owl#sameAs>"
_WIKIBASE = "http://wikiba.se/ontology#"
_NODES = {"P571": ("timeValue", "timePrecision"), "P625": ("geoLatitude", "geoLongitude")}
_XSD = "http://www.w3.org/2001/XMLSchema#"
_RANKS = {"+": "Preferred", "": "Normal", "-": "Deprecated"}


def cells_of(table: str) -> Iterator[list[str]]:
    """Yields the cells of each row of a table in a text, with `|` between them."""
    for line in table.strip().splitlines():
        yield [cell.strip() for cell in line.split("|")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """One landmark: its address, what lies behind it, and the row of the answer key."""

    name: str
    url: str
    status: str = "ok"
    title: str = ""
    """Of the page it ends at."""
    qid: str = ""
    classes: tuple[str, ...] = ()
    pages: Mapping[str, str] = field(default_factory=dict)
    """Title to wikitext."""
    items: Mapping[str, str] = field(default_factory=dict)
    """Title to the Q-id in its page property."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Q-id to what Wikidata says of it, as `_statements` reads it."""


def landed(name: str, title: str, qid: str, **others: Any) -> Trap:  # noqa: ANN401 - of a trap
    """Returns a landmark that ends at a page with an item; if not said otherwise, of one class."""
    given = {"url": WIKI + title.replace(" ", "_"), "classes": ("Q20",), "pages": {title: PLAIN}}
    given |= {"items": {title: qid}, "facts": {qid: "P31:Q20"}}
    return Trap(name=name, title=title, qid=qid, **given | others)


@dataclass(frozen=True, slots=True)
class Row:
    """What is compared of a landmark."""

    status: str
    title: str
    qid: str
    classes: frozenset[tuple[str, str]]
    """(Q-id, label)."""


def answer_key(traps: Iterable[Trap], labels: Mapping[str, Mapping[str, str]]) -> dict[str, Row]:
    """Returns trap name to the row it ends in."""
    key = {}
    for trap in traps:
        assert trap.name not in key, f"two traps are called {trap.name}"
        classes = frozenset((qid, _label(labels.get(qid, {}), qid)) for qid in trap.classes)
        key[trap.name] = Row(trap.status, trap.title, trap.qid, classes)
    return key


def _label(texts: Mapping[str, str], qid: str) -> str:
    return texts.get("en") or texts.get("mul") or qid


def write_lab(
    folder: Path,
    traps: Sequence[Trap],
    templates: Mapping[str, str],
    labels: Mapping[str, Mapping[str, str]],
) -> None:
    """Writes pages.xml.gz, items.json and wikidata.nt.gz.

    Args:
        folder: where to.
        traps: of which pages and facts are taken. Several may tell the same of one page.
        templates: title to wikitext; they come first, for a page is filed under the categories
            that its templates give it when it is imported.
        labels: Q-id to language to text.
    """
    pages = dict(templates)
    items: dict[str, str] = {}
    facts: dict[str, str] = {}
    for trap in traps:
        for known, told in ((pages, trap.pages), (items, trap.items), (facts, trap.facts)):
            for name, value in told.items():
                assert known.setdefault(name, value) == value, f"{trap.name}: two say {name}"
    xml = "".join(_page(number, *page) for number, page in enumerate(pages.items(), start=1))
    text = f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n{xml}</mediawiki>\n'  # noqa: E501 - one tag
    (folder / "pages.xml.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "items.json").write_text(json.dumps(items), encoding="utf-8")
    lines = [*triples_of(facts, labels), ""]
    (folder / "wikidata.nt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


def triples_of(facts: Mapping[str, str], labels: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Yields the triples of items and classes, as Wikidata exports them.

    Args:
        facts: Q-id to what is said of it, as `_statements` reads it.
        labels: Q-id to language to text.
    """
    for qid, told in facts.items():
        yield from _statements(qid, told)
    for qid, texts in labels.items():
        for language, text in texts.items():
            label = json.dumps(text, ensure_ascii=False)
            yield f"<{_WD}entity/{qid}> {_LABEL} {label}@{language} ."


def _page(number: int, title: str, text: str) -> str:
    namespaces = {"Category": 14, "Template": 10}
    namespace = namespaces.get(title.partition(":")[0], 0)
    return (
        f"<page><title>{escape(title)}</title><ns>{namespace}</ns><id>{number}</id><revision>"
        f"<id>{number}</id><timestamp>2026-01-01T00:00:00Z</timestamp><contributor>"
        f"<username>Lab</username><id>1</id></contributor><model>wikitext</model>"
        f'<format>text/x-wiki</format><text xml:space="preserve" bytes="{len(text.encode())}">'
        f"{escape(text)}</text></revision></page>\n"
    )


def _statements(qid: str, told: str) -> Iterator[str]:
    """Yields the triples of an item, as Wikidata exports them.

    Args:
        qid: the item.
        told: `=Q2` for merged into Q2; `P31:Q5` for a statement, with `+` or `-` behind it where it
            is preferred or deprecated, `!` where it has ended; `some` and `no` as the value for
            unknown and no value. The value of P1282 and P8814 is text in percent-encoding, that of
            P1709 a URL, of P571 `time@precision`, of P625 `latitude@longitude@precision`.
    """
    entity = f"<{_WD}entity/{qid}>"
    if told.startswith("="):
        yield f"{entity} {_SAME_AS} <{_WD}entity/{told[1:]}> ."
        return
    parts = [part.partition(":")[::2] for part in told.split()]
    for number, (prop, value) in enumerate(parts):
        has_ended = value.endswith("!")
        rank = value[-1] if value[-1] in "+-" else ""
        plain = value.rstrip("+-!")
        ranks = {one[-1] for name, one in parts if name == prop}
        statement = f"<{_WD}entity/statement/{qid}-{number}>"
        yield f"{entity} <{_WD}prop/{prop}> {statement} ."
        yield f"{statement} <{_WIKIBASE}rank> <{_WIKIBASE}{_RANKS[rank]}Rank> ."
        if has_ended:
            end = f'"1990-01-01T00:00:00Z"^^<{_XSD}dateTime>'
            yield f"{statement} <{_WD}prop/qualifier/P582> {end} ."
        is_best = rank == "+" or (not rank and "+" not in ranks)
        if is_best:
            yield f"{statement} {_RDF_TYPE} <{_WIKIBASE}BestRank> ."
        if plain == "no":
            yield f"{statement} {_RDF_TYPE} <{_WD}prop/novalue/{prop}> ."
            continue
        if prop in _NODES and "@" in plain:
            node = f"<{_WD}value/{qid}-{number}>"
            yield f"{statement} <{_WD}prop/statement/value/{prop}> {node} ."
            yield from _value_node(node, prop, plain.split("@"))
            continue
        known = f"_:b{qid}x{number}" if plain == "some" else _term(prop, plain)
        yield f"{statement} <{_WD}prop/statement/{prop}> {known} ."
        if is_best:
            yield f"{entity} <{_WD}prop/direct/{prop}> {known} ."


def _value_node(node: str, prop: str, parts: Sequence[str]) -> Iterator[str]:
    """Yields the triples of a time or of coordinates on Earth."""
    for name, text in zip((*_NODES[prop], "geoPrecision"), parts, strict=False):
        kind = {"timeValue": "dateTime", "timePrecision": "integer"}.get(name, "double")
        yield f'{node} <{_WIKIBASE}{name}> "{text}"^^<{_XSD}{kind}> .'
    if prop == "P625":
        yield f"{node} <{_WIKIBASE}geoGlobe> <{_WD}entity/Q2> ."


def _term(prop: str, value: str) -> str:
    match prop:
        case "P1282" | "P8814" | "P373":
            return json.dumps(unquote(value), ensure_ascii=False)
        case "P1709" | "P18":
            return f"<{value}>"
        case _:
            return f"<{_WD}entity/{value}>"
