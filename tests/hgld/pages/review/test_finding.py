from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import done, look

LAKE, TARN, COMPANY, WATERFALL = "Q23397", "Q200005", "Q200009", "Q34038"


def labels(session: ReviewSession, query: str = "", *facets: str) -> list[str]:
    """Returns the labels of all classes that a filter shows."""
    desk = look(session, "ann", "*", query, facets)
    return sorted(one.class_label for one in desk.view.rows) if desk.view else []


def test_go_to_has_an_exact_name_first_whether_of_a_class_or_of_a_landmark(
    session: ReviewSession,
) -> None:
    found = session.go_to("LAKE")
    assert [one.title for one in found] == ["lake", "mountain lake", "salt lake"]
    assert session.go_to("q9259")[0].title == "heritage site"
    landmark = session.go_to("site noel 36")[0]
    assert landmark[:1] + landmark[2:] == ("Site Noël 36", "c1", "Q200003")
    assert session.go_to("  ") == []


def test_a_filter_knows_nouns_of_other_languages_and_forgives_a_letter(
    session: ReviewSession,
) -> None:
    every = labels(session, "cascade")
    assert "waterfall" in every
    assert labels(session, "kaskade") == every  # German, in the small taxonomy
    assert labels(session, "kasskade") == every
    assert look(session, "ann", query="kasskade").read_as == "kaskade"
    assert labels(session, "mountain lake") == ["mountain lake"]
    assert labels(session, "no such thing") == []
    assert look(session, "ann", query="no such thing").view is None


def test_facets_combine_and_their_counts_are_what_they_would_select(session: ReviewSession) -> None:
    done(session, "ann", "ignore", COMPANY)
    done(session, "bob", "name", WATERFALL, label="cascade")
    done(session, "ann", "comment", TARN, why="small")
    done(session, "ann", "doubt", LAKE)
    assert labels(session, "", "comment:has one") == ["tarn"]
    assert labels(session, "", "doubt:doubtful") == ["lake"]
    assert labels(session, "", "by:bob") == ["waterfall"]
    assert "lake" in labels(session, "", "sure:no")
    assert labels(session, "", "is:open", "comment:has one", "doubt:doubtful") == []
    both = labels(session, "", "is:ignored", "is:settled")
    assert both == ["company", "waterfall"]
    for nothing in ("is:", "is:closed", "by:nobody"):
        assert labels(session, "", nothing) == []
    for query, chosen in (("", ()), ("lake", ()), ("", ("is:open",)), ("", ("is:open", "sure:no"))):
        for facet in look(session, "ann", query=query, facets=chosen).facets:
            others = [one for one in chosen if not one.startswith(f"{facet.kind}:")]
            assert len(labels(session, query, *others, facet.key)) == facet.classes, facet


def test_an_action_works_on_all_that_a_filter_shows(session: ReviewSession) -> None:
    found = labels(session, "lake")
    view = look(session, "ann", "*", "lake").view
    assert view is not None
    done(session, "ann", "ignore", *(one.class_qid for one in view.rows), g="*", q="lake")
    assert labels(session, "", "is:ignored") == found
