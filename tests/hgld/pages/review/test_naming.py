import pytest

from hgld.pages.review.requests import RefusedError
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import read_decisions
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import asked, done, look, view_of

WATERFALL, TALL, CASCADE, LAKE, TARN = "Q34038", "Q1131316", "Q15324", "Q23397", "Q200005"
SITE, COMPANY = "Q9259", "Q200009"


def names(session: ReviewSession) -> dict[str, tuple[str | None, str | None]]:
    """Returns super-category and side of each decided class."""
    found = read_decisions(session.workspace)
    return {qid: (one.hierarchical_label, one.natural_or_human_made) for qid, one in found.items()}


def offered(session: ReviewSession) -> list[str]:
    """Returns the names that the page offers."""
    return [one.hierarchical_label for one in look(session, "ann").suggestions]


def refusal(session: ReviewSession, action: str, *qids: str, **fields: str) -> RefusedError:
    line = session.line
    with pytest.raises(RefusedError) as caught:
        session.act("ann", asked(action, *qids, **fields))
    assert session.line == line
    return caught.value


def test_another_side_than_in_use_is_refused_and_the_side_of_all_can_be_changed(
    session: ReviewSession,
) -> None:
    done(session, "ann", "name", LAKE, TARN, label="span")
    error = refusal(session, "name", SITE, label="Span", side="natural")
    assert "human-made" in str(error)
    done(session, "ann", "side", label="span", side="natural")
    # What is proposed as it takes its side too.
    done(session, "ann", "accept_row", "Q12280")
    assert names(session) == dict.fromkeys((LAKE, TARN, "Q12280"), ("span", "natural"))


def test_a_new_name_needs_a_side_and_is_offered_while_it_is_in_use(session: ReviewSession) -> None:
    for side in ("", "both"):
        error = refusal(session, "name", LAKE, label="star fort", side=side)
        assert "human-made" in str(error)
    done(session, "ann", "name", LAKE, label="star fort", side="human-made")
    (row,) = [row for row in look(session, "ann").names if row.is_own]
    assert (row.hierarchical_label, row.natural_or_human_made, row.classes, row.landmarks) == (
        *("star fort", "human-made"),
        *(1, 8),
    )
    assert "star fort" in offered(session)
    session.undo("ann")
    assert "star fort" not in offered(session)
    # What was taken back does not count: neither its spelling nor its side.
    done(session, "ann", "name", LAKE, label="Star fort", side="natural")
    assert names(session)[LAKE] == ("Star fort", "natural")


def test_a_name_that_is_a_typo_away_from_another_is_asked_about(session: ReviewSession) -> None:
    error = refusal(session, "name", LAKE, label="casacde", side="natural")
    assert (error.suggestion, error.field, error.may_insist) == ("cascade", "label", True)
    done(session, "ann", "name", LAKE, label="cascad", side="natural", sure="1")
    assert names(session) == {LAKE: ("cascad", "natural")}
    done(session, "ann", "name", TARN, label="lagoon", side="natural")
    error = refusal(session, "rename", label="lagoon", to="spam")
    assert (error.suggestion, error.field) == ("span", "to")
    done(session, "ann", "rename", label="lagoon", to="lagoons")  # its own spelling is no other


def test_renaming_takes_classes_and_proposals_with_it_and_one_undo_brings_all_back(
    session: ReviewSession, opener: Opener
) -> None:
    done(session, "ann", "accept_row", WATERFALL, TALL)
    before = names(session)
    done(session, "ann", "rename", label="cascade", to="falling water")
    assert names(session) == dict.fromkeys((WATERFALL, TALL), ("falling water", "natural"))
    for each in (session, opener(session.workspace)):
        assert each.settle()
        members = view_of(each, "c0").rows
        shown = {one.class_qid: one.answer.hierarchical_label for one in members}
        assert shown[CASCADE] == "falling water"
        assert "cascade" not in offered(each)
    # An open class takes the new name, and the old one is asked about.
    done(session, "ann", "accept_row", CASCADE)
    assert names(session)[CASCADE] == ("falling water", "natural")
    assert refusal(session, "name", LAKE, label="Cascade").suggestion == "falling water"
    session.undo("ann")
    session.undo("ann")
    assert names(session) == before
    assert "cascade" in {one.answer.hierarchical_label for one in view_of(session, "c0").rows}
    for words, fields in (("span", {"label": "span", "to": "x"}), ("super", {"label": "cascade"})):
        assert words in str(refusal(session, "rename", **{"to": "", **fields}))


def test_a_name_that_was_renamed_is_asked_about_but_not_on_its_way_back(
    session: ReviewSession,
) -> None:
    done(session, "ann", "name", LAKE, label="span")
    done(session, "ann", "name", SITE, label="cascade")
    done(session, "ann", "rename", label="cascade", to="falling water")
    error = refusal(session, "rename", label="span", to="Cascade")
    assert (error.suggestion, error.field) == ("falling water", "to")
    done(session, "ann", "rename", label="falling water", to="cascade")
    assert names(session)[SITE] == ("cascade", "natural")


def test_renaming_into_a_name_in_use_makes_both_one_with_its_side(session: ReviewSession) -> None:
    done(session, "ann", "name", LAKE, TARN, label="pond", side="human-made")
    done(session, "ann", "name", SITE, label="mere / tarn")
    done(session, "ann", "rename", label="pond", to="Mere / Tarn")
    assert set(names(session).values()) == {("mere / tarn", "natural")}
    session.undo("ann")
    assert names(session)[LAKE] == ("pond", "human-made")


def test_names_that_read_the_same_are_one_and_can_be_spelt_anew(session: ReviewSession) -> None:
    typed = "King's ca\u0301fe\u0301\u200b  ho\u00aduse"
    done(session, "ann", "name", LAKE, label=typed, side="human-made")
    done(session, "ann", "name", TARN, label=" KING\u2019s\u00a0c\u00e1f\u00e9 house ")
    name = "King's c\u00e1f\u00e9 house"  # composed, and without what cannot be seen
    assert names(session) == dict.fromkeys((LAKE, TARN), (name, "human-made"))
    done(session, "ann", "rename", label=name, to=name.replace("'", "\u2019"))
    assert names(session)[TARN] == (name.replace("'", "\u2019"), "human-made")


def test_a_name_that_cannot_be_read_is_refused(session: ReviewSession) -> None:
    done(session, "ann", "name", LAKE, label="pond", side="natural")
    for typed, word in (
        *(("\u200b", "letter"), ("-- 12", "letter")),
        *(("\u202eabc", "control"), ("\u200fabc", "direction")),
    ):
        assert word in str(refusal(session, "rename", label="pond", to=typed))
        assert word in str(refusal(session, "name", TARN, label=typed, side="natural", sure="1"))
