"""The taxonomy as SKOS: valid, whole, and the same when it comes back."""

import contextlib
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rdflib import RDF, SKOS, Graph, URIRef
from rdflib.term import Node

from hgld.engine.workspace import Workspace
from hgld.errors import ConflictError, InputError
from hgld.review.exchange.applying import Applied, ApplyChoices, apply_file, apply_sheet
from hgld.review.exchange.exporting import export_file
from hgld.review.exchange.skos import read_skos, skos_text
from hgld.review.log.decisions import (
    DECISIONS_FILE,
    append_decisions,
    labels_in_use,
    read_decisions,
    read_log,
)
from hgld.review.log.history import Decision
from hgld.review.log.texts import has_controls
from hgld.review.stage import run_review
from hgld.tables import LABELS, TAXONOMY
from tests.hgld.review.exchange.test_sheet import AWKWARD
from tests.worlds.builders import table_of, write_proposals, write_stage
from tests.worlds.review.sheets import ALL, CHURCH, CLASSES, IGNORE, LAKE, MUSEUM, PROPOSE, fill_in

HEAD = """
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix wd: <http://www.wikidata.org/entity/> .
@prefix : <urn:mine:> .
:all a skos:ConceptScheme ; skos:hasTopConcept :n, :h .
:n skos:prefLabel "Natural"@en . :h skos:prefLabel "human made"@en .
:church skos:prefLabel "church"@en, "Kirche"@de ; skos:broader :h .
"""
CHAPEL = ':c skos:prefLabel "chapel"@en ; skos:exactMatch wd:Q10 ; skos:broader :church .\n'


def decision(qid: str, label: str | None, side: str | None, **more: str) -> Decision:
    return Decision(
        decided_at="2026-01-01T00:00:00+00:00",
        reviewer="ann",
        class_qid=qid,
        class_label=more.get("class_label", f"class {qid}"),
        action="assign" if label else "ignore",
        hierarchical_label=label,
        natural_or_human_made=side,
        note=more.get("note", ""),
    )


def graph_of(text: str) -> Graph:
    return Graph().parse(data=text, format="turtle")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.ttl"
    path.write_text(text, encoding="utf-8")
    return path


ODD = [
    decision("Q1", 'say "cheese"\\', "natural", class_label='a "quoted" \\ label'),
    decision("Q2", "castle / fort", "human-made", note="two\nlines\r\nand\ta tab"),
    decision("Q3", "ocean area ", "natural", class_label=" blanks  "),
    decision("Q4", "寺 \U0001f6d5 né\u0301", "human-made", class_label="\u202eright to left"),
    decision("Q5", "castle / fort", "human-made"),
    decision("Q6", None, None, note="=1+1"),
    decision("Q7", "q#%?<>{}|^`", "natural", class_label="\x00\x1f\x7f"),
    decision(f"Q{10**15 + 7}", None, None, class_label="of a bare list"),
]


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    text = skos_text(ODD, {"Q1": "mul", "Q2": None}, "after line 0 (e3b0c44298fc)")
    found = read_skos(written(tmp_path, text))
    assert found.position == "after line 0 (e3b0c44298fc)"
    assert [(dict(each.classes), *each.content) for each in found.changes] == [
        ({one.class_qid: one.class_label}, *one.content) for one in ODD
    ]


LABELS_OF_ANY = AWKWARD.map(lambda text: f"x{text}")
TYPED = AWKWARD.filter(lambda text: not has_controls(text))
NAMES = TYPED.map(lambda text: f"x{text}")


@given(st.lists(st.tuples(NAMES, LABELS_OF_ANY, TYPED, st.booleans()), min_size=1, max_size=5))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_names_of_any_characters_are_read_back_equal(
    tmp_path: Path, rows: list[tuple[str, str, str, bool]]
) -> None:
    decisions = [
        decision(f"Q{number}", name if is_assigned else None, "natural", **more)
        for number, (name, label, note, is_assigned) in enumerate(rows, start=1)
        for more in [{"class_label": label, "note": note}]
    ]
    found = read_skos(written(tmp_path, skos_text(decisions, {}, "")))
    assert [each.content for each in found.changes] == [
        (one.action, one.hierarchical_label, one.natural_or_human_made, one.note)
        if one.action == "assign"
        else ("ignore", None, None, one.note)
        for one in decisions
    ]
    assert [dict(each.classes) for each in found.changes] == [
        {one.class_qid: one.class_label} for one in decisions
    ]


def test_it_keeps_the_integrity_conditions_of_skos() -> None:
    """The numbers are those of the SKOS Reference, https://www.w3.org/TR/skos-reference/."""
    graph = graph_of(skos_text(ODD, {"Q1": "mul", "Q2": None}, "here"))
    concepts = {*graph.subjects(RDF.type, SKOS.Concept)}
    schemes = {*graph.subjects(RDF.type, SKOS.ConceptScheme)}
    collections = {*graph.subjects(RDF.type, SKOS.Collection)}
    for one, other in combinations((concepts, schemes, collections), 2):
        assert one.isdisjoint(other)  # S9, S37
    for node in concepts | schemes | collections:
        labels = [*graph.objects(node, SKOS.prefLabel)]
        languages = [getattr(label, "language", None) for label in labels]
        assert len(languages) == len(set(languages)) >= 1  # S14
    exact = {*graph.subject_objects(SKOS.exactMatch)}
    for mapping in (SKOS.broadMatch, SKOS.narrowMatch, SKOS.relatedMatch):  # S46
        assert exact.isdisjoint({*graph.subject_objects(mapping)})
    (scheme,) = schemes
    assert len(concepts) == 2 + 5 + len(ODD)
    tops = {*graph.objects(scheme, SKOS.hasTopConcept)}
    assert tops == {*graph.subjects(SKOS.topConceptOf, scheme)}  # S8
    for concept in concepts:
        assert (concept, SKOS.inScheme, scheme) in graph
        above = [*graph.objects(concept, SKOS.broader)]
        assert concept not in above
        assert len(above) == int(concept not in tops and not _is_ignored(graph, concept))
    assert len(exact) == len(ODD) - 1  # Wikidata has no item of a bare list's label


def _is_ignored(graph: Graph, concept: Node) -> bool:
    return any(graph.subjects(SKOS.member, concept))


def test_a_class_is_a_concept_below_its_super_category_that_wikidata_has_as_well() -> None:
    graph = graph_of(skos_text(ODD, {}, "here"))
    (concept,) = graph.subjects(SKOS.exactMatch, URIRef("http://www.wikidata.org/entity/Q2"))
    (supercategory,) = graph.objects(concept, SKOS.broader)
    (label,) = graph.objects(supercategory, SKOS.prefLabel)
    assert (str(label), getattr(label, "language", "")) == ("castle / fort", "en")
    (side,) = graph.objects(supercategory, SKOS.broader)
    assert str(graph.value(side, SKOS.prefLabel)) == "human-made"


def test_a_label_has_the_language_that_the_scrape_found(
    clustered: Workspace, tmp_path: Path
) -> None:
    rows = [
        {"class_qid": qid, "class_label": "x", "label_language": language, "landmarks": 1}
        for qid, language in (("Q16970", "en"), ("Q9", None), ("Q10", "mul"))
    ]
    write_stage(clustered, [(LABELS, table_of(LABELS, rows))])
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    assert export_file(clustered, tmp_path / "all.ttl") == 4
    text = (tmp_path / "all.ttl").read_text(encoding="utf-8")
    for label in ('"church building"@en ;', '"=HYPERLINK(1)" ;', '"chapel"@mul ;', '"lake"@en ;'):
        assert f"skos:prefLabel {label}" in text


def taxonomy(workspace: Workspace) -> list[dict[str, object]]:
    run_review(workspace, PROPOSE)
    return list(workspace.read(TAXONOMY).to_pylist())


@pytest.mark.parametrize("suffix", [".ttl", ".jsonl"])
def test_an_export_gives_an_equal_taxonomy_in_a_fresh_build(tmp_path: Path, suffix: str) -> None:
    classes = [{"class_qid": one.class_qid, "class_label": one.class_label} for one in ODD]
    builds = [Workspace(tmp_path / name) for name in ("old", "new")]
    for build in builds:
        write_proposals(build, [*classes, *CLASSES[1:]])
    append_decisions(builds[0], [*ODD, decision("Q404", "gone", "natural")])
    apply_sheet(builds[0], fill_in(builds[0], {"Q23397": LAKE, "Q10": IGNORE}), "ann")
    export_file(builds[0], tmp_path / f"all{suffix}")
    applied = apply_file(builds[1], tmp_path / f"all{suffix}", "ann")
    absent = ("Q404 'class Q404'",)
    assert applied == Applied(appended=len(ODD) + 3, unchanged=0, undecided=1, absent=absent)
    assert taxonomy(builds[1]) == taxonomy(builds[0])
    assert (
        labels_in_use(read_decisions(builds[1]).values()).keys()
        == labels_in_use(read_decisions(builds[0]).values()).keys()
    )
    assert read_decisions(builds[1])["Q404"].hierarchical_label == "gone"
    assert apply_file(builds[1], tmp_path / f"all{suffix}", "ann").appended == 0
    if suffix == ".ttl":
        (event,) = read_log(builds[1]).events
        assert (event.event, event.reviewer, event.why) == ("import", "ann", "all.ttl")


def test_what_was_changed_in_the_file_and_in_the_log_since_is_a_conflict(
    clustered: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    export_file(clustered, tmp_path / "all.ttl")
    text = (tmp_path / "all.ttl").read_text(encoding="utf-8")
    mine = written(tmp_path, text.replace('"church"@en', '"chapel"@en'))
    # Only what differs from the export: the class that another reviewer decided anew.
    apply_sheet(clustered, fill_in(clustered, {"Q10": MUSEUM, "Q23397": IGNORE}), "bob")
    with pytest.raises(ConflictError) as caught:
        apply_file(clustered, mine, "cid")
    (conflict,) = caught.value.conflicts
    assert conflict.startswith("Q10 'chapel'")
    for words in ("'church' human-made", "'chapel' human-made", "'museum' human-made", "'bob'"):
        assert words in conflict
    theirs = apply_file(clustered, mine, "cid", ApplyChoices(prefer="theirs"))
    assert theirs == Applied(appended=1, unchanged=2, settled=1, undecided=0)
    named = {qid: one.hierarchical_label for qid, one in read_decisions(clustered).items()}
    assert named == {"Q16970": "chapel", "Q10": "museum", "Q9": None, "Q23397": None}


def test_what_another_tool_writes_is_understood(clustered: Workspace, tmp_path: Path) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q16970": CHURCH}), "ann")
    text = HEAD.replace("skos:broader :h", "skos:exactMatch wd:Q16970").replace(
        '"church"@en', '"Church "@en'
    )
    text += """
    :h skos:narrower :church .
    :lake skos:prefLabel "lake"@en ; skos:broader :n .
    :q23397 skos:prefLabel "lake"@en ; skos:exactMatch <https://www.wikidata.org/wiki/Q23397> .
    :lake skos:narrower :q23397 .
    :c skos:prefLabel "Kapelle"@de, "chapel"@en ; skos:exactMatch wd:Q10 ; skos:broader :church .
    :no a skos:Collection ; skos:prefLabel "ignored" ; skos:member :link .
    :link skos:notation "Q9" ; skos:editorialNote "no place" .
    """
    assert apply_file(clustered, written(tmp_path, text), "bob").appended == 3
    assert {qid: one.content for qid, one in read_decisions(clustered).items()} == {
        "Q16970": ("assign", "church", "human-made", ""),
        "Q10": ("assign", "church", "human-made", ""),
        "Q23397": ("assign", "lake", "natural", ""),
        "Q9": ("ignore", None, None, "no place"),
    }


@pytest.mark.parametrize(
    ("more", "name"),
    [
        (":church skos:broader :c .", "chapel"),
        (":c skos:broader :n .", "Q10"),
        (":d skos:exactMatch wd:Q9 .", "Q9"),
        (":d skos:exactMatch wd:Q10 ; skos:broader :church .", "Q10"),
        (f":d skos:exactMatch wd:Q{'9' * 5000} .", "Q-id"),
        (':c skos:editorialNote "\\u001B[2J" .', "Q10"),
        (":c skos:broader", "Turtle"),
    ],
)
def test_a_class_without_one_clear_place_is_refused_with_its_name(
    clustered: Workspace, tmp_path: Path, more: str, name: str
) -> None:
    with pytest.raises(InputError, match=name):
        apply_file(clustered, written(tmp_path, f"{HEAD}{CHAPEL}{more}"), "ann")
    assert not clustered.path(DECISIONS_FILE).exists()


def test_a_file_without_classes_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exactMatch"):
        read_skos(written(tmp_path, HEAD))
    with pytest.raises(InputError, match=r"none\.ttl"):
        read_skos(tmp_path / "none.ttl")
    (tmp_path / "bytes.ttl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="Turtle"):
        read_skos(tmp_path / "bytes.ttl")


def test_turtle_that_is_cut_off_anywhere_is_refused_in_words(
    clustered: Workspace, tmp_path: Path
) -> None:
    apply_sheet(clustered, fill_in(clustered, ALL), "ann")
    export_file(clustered, tmp_path / "all.ttl")
    text = (tmp_path / "all.ttl").read_text(encoding="utf-8")
    for end in range(1, len(text), 149):
        with contextlib.suppress(InputError):  # where the end of a sentence is, it may be read
            apply_file(clustered, written(tmp_path, text[:end]), "ann")
    with pytest.raises(InputError, match="Turtle"):
        apply_file(clustered, written(tmp_path, text[: text.index('"') + 3]), "ann")
