"""What is in force of the log as tables; of guesses it stands beside the decisions on classes."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError
from hgld.review.decided import run_decided
from hgld.review.exporting import export_file
from hgld.review.log.decisions import (
    DECISIONS_COPY,
    DECISIONS_FILE,
    append_event,
    read_log,
)
from hgld.review.log.events import Change
from hgld.review.log.history import Standing, category_rulings, name_now, standing_of
from hgld.review.log.undoing import dependents, redo, revert, undo
from hgld.review.status import review_status
from hgld.tables import DECIDED, FILL_DECISIONS, TAXONOMY
from tests.hgld.review.log.acts import (
    CATEGORIES,
    assigned,
    edited,
    guessed,
    numbered,
    switched,
)
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, LAKE, apply_sheet, fill_in

ONE, TWO, THREE, *_ = CATEGORIES


def refused(*categories: str, label: str = "church") -> Change:
    return guessed(*categories, label=label, is_refused=True)


def after(*changes: Change) -> Standing:
    return standing_of(numbered(*(edited(change, event="fill") for change in changes)))


def told(standing: Standing, category: str = ONE) -> list[tuple[str, str]]:
    return [
        (one.action, one.hierarchical_label) for one in category_rulings(standing, category).rows()
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([guessed(ONE)], [("accept", "church")]),
        ([refused(ONE)], [("refuse", "church")]),
        ([guessed(ONE), refused(ONE)], [("refuse", "church")]),
        ([refused(ONE), guessed(ONE, label=" CHURCH")], [("accept", " CHURCH")]),
        ([guessed(ONE), guessed(ONE, label="lake")], [("accept", "lake")]),
        (
            [guessed(ONE), guessed(ONE, label="lake"), refused(ONE, label="lake")],
            [("refuse", "lake")],
        ),
        ([guessed(ONE), refused(ONE, label="lake")], [("accept", "church"), ("refuse", "lake")]),
        (
            [refused(ONE, label="lake"), refused(ONE), refused(ONE, label="Lake")],
            [("refuse", "church"), ("refuse", "Lake")],
        ),
        ([guessed(TWO)], []),
    ],
)
def test_the_last_word_on_a_name_counts_and_refusals_of_others_stand(
    changes: list[Change], expected: list[tuple[str, str]]
) -> None:
    standing = after(*changes)
    assert told(standing) == expected
    assert standing.decisions() == {}
    assert (standing.names, standing.rulings) == ({}, {})


def test_what_was_said_of_many_at_one_stroke_is_taken_back_at_one_stroke() -> None:
    events = numbered(edited(guessed(*CATEGORIES), event="fill"), edited(refused(TWO), who="bob"))
    for way, count in ((undo, 1), (redo, 5)):
        toggle = way(events, "ann")
        assert toggle
        events.append(switched(toggle, "ann", len(events) + 1))
        assert sum(bool(told(standing_of(events), one)) for one in CATEGORIES) == count
    events.append(switched(revert(events, 2), "zoë", len(events) + 1))
    assert told(standing_of(events), TWO) == [("accept", "church")]


def test_a_renamed_super_category_has_its_new_name_where_it_was_accepted_or_refused() -> None:
    standing = after(
        assigned("Q1", label="church"),
        guessed(ONE),
        refused(TWO),
        guessed(THREE, label="lake"),
        assigned("Q1", label="castle / fort", renamed_from="church"),
        refused(THREE, label="castle / fort"),
    )
    assert told(standing) == [("accept", "castle / fort")]
    assert told(standing, TWO) == [("refuse", "castle / fort")]
    assert [one.natural_or_human_made for one in category_rulings(standing, ONE).rows()] == [
        "human-made"
    ]
    # Two names that are one now: the last word counts.
    both = after(
        *(refused(ONE, label="a"), guessed(ONE, label="b")),
        *(assigned("Q1", label="a"), assigned("Q1", label="b", renamed_from="a")),
    )
    assert told(both) == [("accept", "b")]
    assert name_now(both, "A", "natural") == ("b", "natural")
    assert name_now(both, "c", "human-made") == ("c", "human-made")


def test_a_later_word_on_a_category_depends_on_an_earlier_one_and_a_name_on_its_class() -> None:
    events = numbered(
        edited(assigned("Q1", label="church")),
        edited(guessed(ONE, TWO)),
        edited(refused(TWO)),
        edited(assigned("Q2", label="church")),
    )
    assert [(one.number, one.shared, one.uses_name) for one in dependents(events, 1)] == [
        (2, (), "church"),
        (4, (), "church"),
    ]
    assert [(one.number, one.shared, one.uses_name) for one in dependents(events, 2)] == [
        (3, (TWO,), "")
    ]


def test_the_table_has_what_stands_and_the_classes_are_as_they_were(reviewed: Workspace) -> None:
    before = run_decided(reviewed).manifest.outputs
    assert reviewed.read(FILL_DECISIONS).to_pylist() == []
    append_event(reviewed, edited(guessed(TWO, ONE), refused(ONE, label="lake"), event="fill"))
    append_event(reviewed, edited(refused(TWO), who="bob", event="refuse"))
    report = run_decided(reviewed)
    assert not report.skipped
    rows = [tuple(row.values()) for row in reviewed.read(FILL_DECISIONS).to_pylist()]
    assert rows == [
        (ONE, "accept", "church", "human-made", "ann"),
        (ONE, "refuse", "lake", "natural", "ann"),
        (TWO, "refuse", "church", "human-made", "bob"),
    ]
    assert report.manifest.outputs[DECIDED.path] == before[DECIDED.path]
    assert report.manifest.outputs[FILL_DECISIONS.path] != before[FILL_DECISIONS.path]
    assert run_decided(reviewed).skipped
    # The same said in another order, and something undone between, is the same table.
    append_event(reviewed, edited(guessed(THREE), event="fill"))
    taken_back = undo(read_log(reviewed).events, "ann")
    assert taken_back
    append_event(reviewed, switched(taken_back))
    again = run_decided(reviewed)
    assert not again.skipped
    assert again.manifest.outputs == report.manifest.outputs


def test_what_counts_classes_counts_no_category(reviewed: Workspace, tmp_path: Path) -> None:
    taxonomy, status = reviewed.read(TAXONOMY), review_status(reviewed)
    sheets = {name: tmp_path / f"before.{name}" for name in ("csv", "ttl")}
    for path in sheets.values():
        export_file(reviewed, path)
    append_event(reviewed, edited(guessed(*CATEGORIES), event="fill", who="zoë"))
    now = review_status(reviewed)
    assert (now.progress, now.new) == (status.progress, status.new)
    assert now.replayed[:-1] == status.replayed
    assert (now.replayed[-1].applied, now.replayed[-1].state) == (0, "applied")
    assert reviewed.read(TAXONOMY).equals(taxonomy)
    for name, path in sheets.items():
        export_file(reviewed, later := tmp_path / f"after.{name}")
        text = later.read_text(encoding="utf-8")
        assert not any(category in text for category in CATEGORIES)
        assert len(text.splitlines()) == len(path.read_text(encoding="utf-8").splitlines())


def test_where_there_is_no_log_nothing_is_decided(workspace: Workspace) -> None:
    assert run_decided(workspace).manifest.rows == 0
    assert workspace.read(DECIDED).to_pylist() == []
    assert run_decided(workspace).skipped


def test_the_last_decision_on_a_class_is_in_force_also_where_the_class_is_gone(
    clustered: Workspace,
) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE, "Q9": CHURCH}), "ann")
    run_decided(clustered)
    apply_sheet(clustered, fill_in(clustered, {"Q9": IGNORE}), "bob")
    write_proposals(clustered, CLASSES[:3])
    assert not run_decided(clustered).skipped
    assert clustered.read(DECIDED).to_pylist() == [
        {
            "class_qid": "Q9",
            "class_label": "=HYPERLINK(1)",
            "action": "ignore",
            "hierarchical_label": None,
            "natural_or_human_made": None,
        },
        {"class_qid": "Q23397", "class_label": "lake", "action": "assign", **LAKE},
    ]


def test_a_log_that_is_not_whole_decides_nothing(clustered: Workspace) -> None:
    apply_sheet(clustered, fill_in(clustered, {"Q23397": LAKE, "Q9": CHURCH}), "ann")
    done = run_decided(clustered).manifest
    log = clustered.path(DECISIONS_FILE)
    log.write_bytes(log.read_bytes().replace(b"ocean area", b"ocean aera"))
    clustered.path(DECISIONS_COPY).unlink()
    with pytest.raises(DamagedError, match=r"decisions\.jsonl"):
        run_decided(clustered)
    assert clustered.manifest("decided") == done
