"""What is in force of the log as tables; of guesses it stands beside the decisions on classes."""

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import append_event, read_log
from hgld.review.log.events import Change
from hgld.review.log.history import Standing, category_rulings, name_now, standing_of
from hgld.review.log.undoing import undo
from hgld.review.stage import run_decided
from hgld.tables import DECIDED, FILL_DECISIONS
from tests.hgld.review.log.acts import CATEGORIES, assigned, edited, guessed, numbered, switched
from tests.worlds.builders import write_proposals
from tests.worlds.review.sheets import CHURCH, CLASSES, IGNORE, LAKE, decide

ONE, TWO, THREE, *_ = CATEGORIES


def refused(*categories: str, label: str = "church") -> Change:
    return guessed(*categories, label=label, is_refused=True)


def after(*changes: Change) -> Standing:
    return standing_of(numbered(*(edited(change, event="fill") for change in changes)))


def told(standing: Standing, category: str = ONE) -> list[tuple[str, str]]:
    return [(one.action, one.hierarchical_label) for one in category_rulings(standing, category)]


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
    # Two names that are one now: the last word counts.
    both = after(
        *(refused(ONE, label="a"), guessed(ONE, label="b")),
        *(assigned("Q1", label="a"), assigned("Q1", label="b", renamed_from="a")),
    )
    assert told(both) == [("accept", "b")]
    assert name_now(both, "A", "natural") == ("b", "natural")
    assert name_now(both, "c", "human-made") == ("c", "human-made")


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


def test_where_there_is_no_log_nothing_is_decided(workspace: Workspace) -> None:
    assert run_decided(workspace).manifest.rows == 0
    assert workspace.read(DECIDED).to_pylist() == []
    assert run_decided(workspace).skipped


def test_the_last_decision_on_a_class_is_in_force_also_where_the_class_is_gone(
    clustered: Workspace,
) -> None:
    decide(clustered, {"Q23397": LAKE, "Q9": CHURCH})
    run_decided(clustered)
    decide(clustered, {"Q9": IGNORE}, "bob")
    write_proposals(clustered, CLASSES[:3])
    assert not run_decided(clustered).skipped
    link, lake = clustered.read(DECIDED).to_pylist()
    nothing = dict.fromkeys(LAKE)
    assert link == {
        "class_qid": "Q9",
        "class_label": "=HYPERLINK(1)",
        "action": "ignore",
        **nothing,
    }
    assert lake == {"class_qid": "Q23397", "class_label": "lake", "action": "assign", **LAKE}
