import json

import pytest

from hgld.pages.review.acting.asking import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import read_decisions
from hgld.review.log.events import Change, Event
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import asked, done, look, view_of
from tests.worlds.review.lists import CASCADES, write_small_review

WATERFALL, TALL, CASCADE, LAKE, MOUNTAIN_LAKE, TARN = (
    *("Q34038", "Q1131316", "Q15324", "Q23397", "Q200003", "Q200005"),
)
SITE, COMPANY = "Q9259", "Q200009"


def names(session: ReviewSession) -> dict[str, tuple[str | None, str | None]]:
    """Returns super-category and side of each decided class."""
    found = read_decisions(session.workspace)
    return {qid: (one.hierarchical_label, one.natural_or_human_made) for qid, one in found.items()}


def refusal(session: ReviewSession, action: str, *qids: str, **fields: str) -> RefusedError:
    line = session.line
    with pytest.raises(RefusedError) as caught:
        session.act("ann", asked(action, *qids, **fields))
    assert session.line == line
    return caught.value


def test_a_name_keeps_the_spelling_and_side_that_are_in_use(session: ReviewSession) -> None:
    done(session, "ann", "assign", LAKE, label="Star  Fort", side="human-made")
    done(session, "bob", "assign", TARN, label="  star fort ")
    assert names(session) == dict.fromkeys((LAKE, TARN), ("Star Fort", "human-made"))
    done(session, "bob", "assign", SITE, label="MERE /  TARN")
    assert names(session)[SITE] == ("mere / tarn", "natural")


def test_another_side_than_in_use_is_refused_and_the_side_of_all_can_be_changed(
    session: ReviewSession,
) -> None:
    done(session, "ann", "assign", LAKE, label="span")
    done(session, "ann", "assign", TARN, label="span")
    error = refusal(session, "assign", SITE, label="Span", side="natural")
    assert "human-made" in str(error)
    preview = session.preview(asked("side", label="span", side="natural"))
    assert (preview.classes, preview.landmarks) == (2, 10)
    done(session, "ann", "side", label="span", side="natural")
    assert names(session) == dict.fromkeys((LAKE, TARN), ("span", "natural"))
    done(session, "ann", "assign", SITE, label="span", side="natural")
    # What is proposed as it takes its side too.
    done(session, "ann", "accept", "Q12280")
    assert names(session)["Q12280"] == ("span", "natural")
    assert done(session, "ann", "side", label="span", side="natural").kind == "nothing"


def test_a_new_name_needs_a_side(session: ReviewSession) -> None:
    for side in ("", "both"):
        error = refusal(session, "assign", LAKE, label="star fort", side=side)
        assert "human-made" in str(error)
    done(session, "ann", "assign", LAKE, label="star fort", side="human-made")
    (row,) = [row for row in look(session, "ann").names if row.is_own]
    assert (row.hierarchical_label, row.natural_or_human_made, row.classes, row.landmarks) == (
        *("star fort", "human-made"),
        *(1, 8),
    )
    assert "star fort" in look(session, "ann").suggestions
    session.undo("ann")
    assert "star fort" not in look(session, "ann").suggestions


def test_a_name_of_classes_that_left_the_build_alone_is_in_use(session: ReviewSession) -> None:
    with session.appending("ann") as append:
        change = Change(
            classes={"Q999999": "gone"},
            effect="assign",
            hierarchical_label="Star Fort",
            natural_or_human_made="human-made",
        )
        append(
            Event(
                event="assign",
                decided_at="2026-01-01T00:00:00+00:00",
                reviewer="ann",
                changes=(change,),
            )
        )
    done(session, "ann", "assign", LAKE, label="star  fort")
    assert names(session)[LAKE] == ("Star Fort", "human-made")
    for _ in range(2):
        session.undo("ann")
    # What was taken back is not: its spelling does not count.
    done(session, "ann", "assign", LAKE, label="star fort", side="human-made")
    assert names(session)[LAKE] == ("star fort", "human-made")


def test_a_name_that_is_a_typo_away_from_another_is_asked_about(session: ReviewSession) -> None:
    for typed in ("cascad", "cascadee", "casacde", "cazcade", "Cascadé"):
        error = refusal(session, "assign", LAKE, label=typed, side="natural")
        assert (error.suggestion, error.field, error.may_insist) == ("cascade", "label", True)
    done(session, "ann", "assign", LAKE, label="cascad", side="natural", sure="1")
    # One that differs by more is not.
    done(session, "ann", "assign", TARN, label="cascading", side="natural")
    assert names(session) == {LAKE: ("cascad", "natural"), TARN: ("cascading", "natural")}


def test_renaming_takes_all_classes_with_it_and_proposals_and_one_undo_brings_it_back(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "accept", WATERFALL, TALL)
    before = names(session)
    preview = session.preview(asked("rename", label="cascade", to="falling water"))
    assert (preview.classes, preview.landmarks) == (2, 14)
    done(session, "ann", "rename", label="cascade", to="falling water")
    assert names(session) == dict.fromkeys((WATERFALL, TALL), ("falling water", "natural"))
    for each in (session, opener(session.workspace)):
        assert each.settle()
        members = view_of(each, "c0").members
        shown = {one.class_qid: one.answer.hierarchical_label for one in members}
        assert shown[CASCADE] == "falling water"
        assert "cascade" not in look(each, "ann").suggestions
    # An open class takes the new name, and the old one is asked about.
    done(session, "ann", "accept", CASCADE)
    assert names(session)[CASCADE] == ("falling water", "natural")
    error = refusal(session, "assign", LAKE, label="Cascade")
    assert error.suggestion == "falling water"
    session.undo("ann")
    session.undo("ann")
    assert names(session) == before
    assert "cascade" in {one.answer.hierarchical_label for one in view_of(session, "c0").members}


def test_renaming_into_a_name_in_use_makes_both_one_with_its_side(session: ReviewSession) -> None:
    done(session, "ann", "assign", LAKE, TARN, label="pond", side="human-made")
    done(session, "ann", "assign", MOUNTAIN_LAKE, label="mere / tarn")
    done(session, "ann", "rename", label="pond", to="Mere / Tarn")
    assert set(names(session).values()) == {("mere / tarn", "natural")}
    session.undo("ann")
    assert names(session)[LAKE] == ("pond", "human-made")


def test_renaming_to_a_typo_of_a_third_name_is_asked_about_but_not_its_own_spelling(
    session: ReviewSession,
) -> None:
    done(session, "ann", "assign", LAKE, label="lagoon", side="natural")
    error = refusal(session, "rename", label="lagoon", to="cascadee")
    assert (error.suggestion, error.field) == ("cascade", "to")
    done(session, "ann", "rename", label="lagoon", to="lagoons")
    done(session, "ann", "rename", label="lagoons", to="Lagoons")
    assert names(session)[LAKE] == ("Lagoons", "natural")
    assert "span" in str(refusal(session, "rename", label="span", to="bridge"))
    assert "super-category" in str(refusal(session, "rename", label="Lagoons", to=""))


def test_a_class_that_the_build_has_no_more_is_renamed_too(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "assign", WATERFALL, COMPANY, label="fall", side="natural")
    session.close()
    write_small_review(session.workspace.root, [one for one in CASCADES if one[0] != COMPANY])
    later = opener(session.workspace)
    assert COMPANY not in {row["q"] for row in json.loads(later.browsing.labels())}
    done(later, "ann", "rename", label="fall", to="falls of water")
    assert names(later) == dict.fromkeys((WATERFALL, COMPANY), ("falls of water", "natural"))


def test_names_that_read_the_same_are_one_while_they_are_in_use(session: ReviewSession) -> None:
    for first, second in (
        ("King's hall", "King\u2019s hall"),
        ("drive-in", "drive\u2011in"),
        ("caf\u00e9 house", "cafe\u0301 house"),
        ("stone row", "stone\u200b r\u00adow\u2060"),
        ("Star Fort", "star\u00a0\u2060fort"),
        ("\ufb01sh weir", "\ufb01sh\ufe0f weir"),
    ):
        done(session, "ann", "assign", LAKE, label=first, side="natural")
        done(session, "bob", "assign", TARN, SITE, label=second, side="natural")
        assert names(session) == dict.fromkeys((LAKE, TARN, SITE), (first, "natural"))
        session.undo("ann")
        session.undo("bob")
    done(session, "bob", "assign", TARN, label=second, side="human-made")
    assert names(session)[TARN][1] == "human-made"


def test_a_name_is_kept_composed_and_without_what_cannot_be_seen(session: ReviewSession) -> None:
    done(session, "ann", "assign", LAKE, label="cafe\u0301\u200b  ho\u00aduse", side="human-made")
    assert names(session)[LAKE] == ("caf\u00e9 house", "human-made")
    done(session, "ann", "assign", TARN, label="mere\u200b / tarn")
    assert names(session)[TARN] == ("mere / tarn", "natural")
    # Persian is written with a joiner; between Latin letters it says nothing.
    done(
        session, "ann", "assign", SITE, label="\u0645\u06cc\u200c\u0634\u0648\u062f", side="natural"
    )
    assert names(session)[SITE] == ("\u0645\u06cc\u200c\u0634\u0648\u062f", "natural")
    done(session, "ann", "assign", COMPANY, label="log\u200coff", side="natural")
    assert names(session)[COMPANY] == ("logoff", "natural")


def test_a_name_that_cannot_be_read_is_refused(session: ReviewSession) -> None:
    done(session, "ann", "assign", LAKE, label="pond", side="natural")
    for typed, word in (
        ("\u200b", "letter"),
        ("\u00ad", "letter"),
        ("-- 12", "letter"),
        ("\u202eabc", "direction"),
        ("ab\u200fc", "direction"),
    ):
        assert word in str(refusal(session, "rename", label="pond", to=typed))
        assert word in str(refusal(session, "assign", TARN, label=typed, side="natural", sure="1"))


def test_a_name_can_be_spelt_with_other_quotes(session: ReviewSession) -> None:
    done(session, "ann", "assign", LAKE, TARN, label="King's hall", side="human-made")
    done(session, "ann", "rename", label="King's hall", to="King\u2019s hall")
    assert set(names(session).values()) == {("King\u2019s hall", "human-made")}
    done(session, "ann", "assign", SITE, label="king's hall")
    assert names(session)[SITE] == ("King\u2019s hall", "human-made")
