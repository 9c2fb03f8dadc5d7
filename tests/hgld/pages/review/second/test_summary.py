import pytest

from hgld.engine.workspace import Workspace
from hgld.flows.cli.review_status import tell_review_status
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.settling import SecondReports
from hgld.pages.review.second.summary import second_opinion_text
from tests.hgld.pages.review.second.bob import answer_all
from tests.hgld.pages.review.second.test_settling import thinks

pytestmark = pytest.mark.usefixtures("fixed_seed")


def test_a_build_without_one_says_how_to_ask(build: Workspace) -> None:
    assert second_opinion_text(build) == (
        "second opinion: nobody was asked for one\n"
        f"  open the page with {build.command('review')} and press O"
    )


@pytest.mark.usefixtures("fixed_seed")
def test_two_lines_tell_how_far_it_is_and_how_far_they_agree(
    build: Workspace, desk: BlindDesk, reports: SecondReports
) -> None:
    desk.start("bob", "ann", 20)
    assert second_opinion_text(build) == (
        "second opinion: bob answered 0 of 21 classes of ann\n"
        "  no agreement: there is no class that both have judged; 0 differences to settle"
    )
    answer_all(desk, lambda qid: "?" if qid == "Q301" else thinks(qid))
    report = reports.report("ann")
    found = report.rows[0].kappa
    first, second = second_opinion_text(build).splitlines()
    told = " and could not tell 1 of them" if report.unsure else ""
    assert first == f"second opinion: bob answered 21 of 21 classes of ann{told}"
    assert second.startswith(f"  agreement {round(100 * found.observed)}% (")
    assert f"kappa {found.kappa:.2f} ({found.low:.2f} to {found.high:.2f}); " in second
    left = len(report.differences)
    assert second.endswith(f"{left} difference{'s' * (left != 1)} to settle")


def test_the_status_of_a_review_ends_with_it_where_somebody_was_asked(
    build: Workspace, desk: BlindDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_review_status(build, is_json=False)
    assert "second opinion" not in capsys.readouterr().out
    desk.start("bob", "ann", 20)
    tell_review_status(build, is_json=False)
    assert capsys.readouterr().out.endswith(f"{second_opinion_text(build)}\n")
