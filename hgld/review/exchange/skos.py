"""Decisions as SKOS in Turtle: what other tools take a taxonomy in, and give one back.

Two top concepts, natural and human-made; below them the super-categories; below these the classes,
each an exact match of a Wikidata item. Ignored classes are in a collection of their own.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hgld.errors import InputError
from hgld.review.exchange.spelling import listed, one_of
from hgld.review.log.events import SIDES, Change
from hgld.review.log.history import Decision
from hgld.review.log.texts import check_typed, harmless
from hgld.tables import qid_number
from hgld.tables.fields import check_qid

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

_OURS = "urn:x-hgld:"
_SCHEME, _IGNORED = f"<{_OURS}taxonomy>", f"<{_OURS}ignored>"
_PREFIXES = """\
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wd: <http://www.wikidata.org/entity/> .
"""
_ITEM = re.compile(r"https?://(?:www\.)?wikidata\.org/(?:entity|wiki)/(Q\d+)")
_QID = re.compile(r"(Q\d+)")
_INVENTED = 10**15
"""From this number on a Q-id stands for a label of a bare list, and Wikidata has none such."""
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES = re.compile(r'[\\"\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True, kw_only=True)
class SkosTaxonomy:
    """What a file of SKOS says."""

    position: str
    """How far the log went when it was written; empty where it does not say so."""
    changes: tuple[Change, ...]
    """One of each class, by Q-id; one that the file does not call anything has a blank label."""


def is_wikidata(qid: str) -> bool:
    """Says whether a Q-id is one of Wikidata's, and does not stand for a label of a bare list."""
    return qid_number(qid) < _INVENTED


def skos_text(
    decisions: Iterable[Decision], languages: Mapping[str, str | None], position: str
) -> str:
    """Returns decisions as SKOS in Turtle.

    Args:
        decisions: those in force.
        languages: `class_qid` to the language of its label, where that is known; None: the label
            is of no language. Else it is English.
        position: how far the log goes.
    """
    assigned: dict[tuple[str, str], list[Decision]] = defaultdict(list)
    classes = sorted(decisions, key=lambda one: qid_number(one.class_qid))
    for one in classes:
        if one.hierarchical_label is not None and one.natural_or_human_made is not None:
            assigned[one.natural_or_human_made, one.hierarchical_label].append(one)
    blocks = [
        _block(
            _SCHEME,
            "skos:ConceptScheme",
            f"skos:prefLabel {_literal('super-categories of landmarks', 'en')}",
            f"owl:versionInfo {_literal(position)}",
            f"skos:hasTopConcept {', '.join(f'<{_OURS}{side}>' for side in SIDES)}",
        )
    ]
    blocks += [_concept(f"<{_OURS}{side}>", side, f"skos:topConceptOf {_SCHEME}") for side in SIDES]
    blocks += [
        _concept(_super(label), label, f"skos:broader <{_OURS}{side}>")
        for side, label in sorted(assigned)
    ]
    blocks += [_class(one, languages.get(one.class_qid, "en")) for one in classes]
    if ignored := [_concept_of(one.class_qid) for one in classes if one.action == "ignore"]:
        members = f"skos:member {', '.join(ignored)}"
        name = f"skos:prefLabel {_literal('ignored', 'en')}"
        blocks.append(_block(_IGNORED, "skos:Collection", name, members))
    return "\n".join([_PREFIXES, *blocks])


def read_skos(path: Path) -> SkosTaxonomy:
    """Reads a taxonomy.

    Args:
        path: Turtle, as `skos_text` gives it or another tool made it.

    Raises:
        InputError: no such file, no Turtle, a cycle of broader concepts, or a class without one
            clear place; the text names them.
    """
    from rdflib import OWL, RDF, SKOS

    graph = _parsed(path)
    scheme = next(graph.subjects(RDF.type, SKOS.ConceptScheme), None)
    position = next(graph.objects(scheme, OWL.versionInfo), "")
    try:
        tree = _Tree(graph)
    except ValueError as error:
        raise InputError(f"{path}: {error}; nothing was applied") from error
    if cycle := tree.cycle():
        raise InputError(
            f"{path}: {' is below '.join(map(repr, cycle))}: a concept cannot be below itself; "
            f"take one skos:broader out"
        )
    changes, wrong = [], []
    for qid in sorted(tree.classes, key=qid_number):
        try:
            changes.append(tree.change(qid))
        except ValueError as error:
            wrong.append(f"{qid} ({harmless(tree.name(tree.classes[qid][0]))}) {error}")
    if wrong:
        raise InputError(f"{path}: {listed(wrong)}; nothing was applied")
    if not changes:
        raise InputError(
            f"{path} must have concepts with a skos:exactMatch to an item of Wikidata, such as "
            f"wd:Q16970; got none"
        )
    return SkosTaxonomy(position=str(position), changes=tuple(changes))


def _parsed(path: Path) -> "Graph":
    from rdflib import Graph

    graph = Graph()
    try:
        graph.parse(data=path.read_bytes().decode("utf-8-sig"), format="turtle", publicID=_OURS)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    # What its parser raises for text that is no Turtle; its own error is a SyntaxError.
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not valid Turtle: {' '.join(str(error).split())}") from error
    except (LookupError, AttributeError, AssertionError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path} is not valid Turtle: it seems to be cut off; export or copy it again"
        ) from error
    return graph


@dataclass(slots=True)
class _Tree:
    """The concepts of a graph; a ValueError where one stands for what is no Q-id."""

    graph: "Graph"
    broader: dict["Node", list["Node"]] = field(default_factory=dict)
    classes: dict[str, list["Node"]] = field(default_factory=dict)
    """Those of each Q-id, of which there should be one. What has concepts below it is none."""
    ignored: set["Node"] = field(default_factory=set)
    sides: dict["Node", str] = field(default_factory=dict)
    """Of the top concepts."""

    def __post_init__(self) -> None:
        from rdflib import SKOS, URIRef

        graph = self.graph
        pairs = {*graph.subject_objects(SKOS.broader)}
        pairs |= {(below, above) for above, below in graph.subject_objects(SKOS.narrower)}
        for below, above in sorted(pairs, key=str):
            self.broader.setdefault(below, []).append(above)
        higher = {parent for parents in self.broader.values() for parent in parents}
        for predicate, pattern in ((SKOS.notation, _QID), (SKOS.exactMatch, _ITEM)):
            for concept, value in sorted(graph.subject_objects(predicate), key=str):
                match = pattern.fullmatch(str(value))
                if match and concept not in higher:
                    qid = self._qid(concept, match[1], is_item=predicate == SKOS.exactMatch)
                    same = self.classes.setdefault(qid, [])
                    same += [] if concept in same else [concept]
        for collection in {*graph.subjects(SKOS.member)}:
            if collection == URIRef(_IGNORED[1:-1]) or self.name(collection) == "ignored":
                self.ignored.update(graph.objects(collection, SKOS.member))
        tops = {*graph.subjects(SKOS.topConceptOf), *graph.objects(None, SKOS.hasTopConcept)}
        sides = {top: one_of(self.name(top), SIDES) for top in tops}
        self.sides.update({top: side for top, side in sides.items() if side is not None})

    def _qid(self, concept: "Node", text: str, *, is_item: bool) -> str:
        try:
            return check_qid(text, is_item=is_item)
        except ValueError as error:
            raise ValueError(f"{harmless(self.name(concept))}: {error}") from error

    def label(self, node: "Node") -> str:
        """Returns the preferred label of a concept: in English, or else as it comes, or nothing."""
        from rdflib import SKOS

        found: dict[str, str] = {}
        for label in sorted(self.graph.objects(node, SKOS.prefLabel), key=str):
            found.setdefault(getattr(label, "language", None) or "", str(label))
        return found.get("en", found.get("", next(iter(found.values()), "")))

    def name(self, node: "Node") -> str:
        """Returns the preferred label of a concept, or its address where it has none."""
        return self.label(node) or str(node)

    def cycle(self) -> list[str]:
        """Returns the names of concepts that are below each other; empty where there are none."""
        done: set[Node] = set()
        for start in self.broader:
            way: list[Node] = []
            stack: list[tuple[Node, Iterator[Node]]] = [(start, iter(self.broader[start]))]
            while stack and start not in done:
                node, above = stack[-1]
                if len(way) < len(stack):
                    way.append(node)
                following = next(above, None)
                if following is None:
                    done.add(node)
                    stack.pop()
                    way.pop()
                elif following in way:
                    return [self.name(one) for one in (*way[way.index(following) :], following)]
                elif following not in done:
                    stack.append((following, iter(self.broader.get(following, []))))
        return []

    def change(self, qid: str) -> Change:
        """Returns what is said of a class.

        Raises:
            ValueError: it has no clear place, or what is said has control characters.
        """
        from rdflib import SKOS

        concept, *others = self.classes[qid]
        if others:
            raise ValueError(f"is {len(others) + 1} concepts; keep one")
        notes = sorted(map(str, self.graph.objects(concept, SKOS.editorialNote)))
        common: dict[str, Any] = {"classes": {qid: self.label(concept)}, "note": "\n".join(notes)}
        check_typed("skos:editorialNote", common["note"])
        above = self.broader.get(concept, [])
        if concept in self.ignored and not above:
            return Change(effect="ignore", **common)
        if len(above) != 1 or concept in self.ignored:
            raise ValueError(
                f"must have one skos:broader, or be in the collection of what is ignored, got "
                f"{_names(map(self.name, above)) or 'neither'}"
                f"{' and is in the collection' if concept in self.ignored else ''}"
            )
        (supercategory,) = above
        sides = self.broader.get(supercategory, [])
        if len(sides) != 1 or sides[0] not in self.sides:
            raise ValueError(
                f"is below {self.name(supercategory)!r}, which must be below one of the top "
                f"concepts natural and human-made, got {_names(map(self.name, sides)) or 'nothing'}"
            )
        label = self.label(supercategory)
        if not label.strip():
            raise ValueError(
                f"is below {self.name(supercategory)!r}, which must have a skos:prefLabel, since "
                f"that is the name of the super-category; give it one"
            )
        check_typed("the skos:prefLabel of its super-category", label)
        return Change(
            effect="assign",
            hierarchical_label=label,
            natural_or_human_made=self.sides[sides[0]],
            **common,
        )


def _class(decision: Decision, language: str | None) -> str:
    qid = decision.class_qid
    says = [f"skos:notation {_literal(qid)}"]
    if decision.hierarchical_label is not None:
        says.append(f"skos:broader {_super(decision.hierarchical_label)}")
    if is_wikidata(qid):
        says.append(f"skos:exactMatch wd:{qid}")
    if decision.note:
        says.append(f"skos:editorialNote {_literal(decision.note)}")
    return _concept(_concept_of(qid), decision.class_label, *says, language=language)


def _concept(node: str, label: str, *says: str, language: str | None = "en") -> str:
    name = f"skos:prefLabel {_literal(label, language)}"
    return _block(node, "skos:Concept", f"skos:inScheme {_SCHEME}", name, *says)


def _block(node: str, kind: str, *says: str) -> str:
    return " ;\n    ".join([f"{node} a {kind}", *says]) + " .\n"


def _super(label: str) -> str:
    return f"<{_OURS}supercategory:{quote(label, safe='')}>"


def _concept_of(qid: str) -> str:
    return f"<{_OURS}class:{qid}>"


def _literal(text: str, language: str | None = None) -> str:
    escaped = _ESCAPES.sub(lambda m: _ESCAPED.get(m[0], f"\\u{ord(m[0]):04X}"), text)
    return f'"{escaped}"' + (f"@{language}" if language else "")


def _names(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names))
