import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.second.answering import BlindDesk
from hgld.pages.review.second.settling import SecondReports
from hgld.pages.review.second.summary import second_opinion_text
from tests.hgld.pages.review.second.bob import answer_all
from tests.hgld.pages.review.second.test_settling import thinks
from tests.worlds.commands.typed import invoke


@pytest.mark.usefixtures("fixed_seed")
def test_the_status_tells_how_far_a_second_opinion_is_and_how_far_two_agree(
    build: Workspace, desk: BlindDesk, reports: SecondReports
) -> None:
    assert build.command("review") in second_opinion_text(build)
    desk.start("bob", "ann", 20)
    assert "0 of 21" in second_opinion_text(build)
    answer_all(desk, lambda qid: "?" if qid == "Q301" else thinks(qid))
    kappa = reports.report("ann").rows[0].kappa.kappa
    text = second_opinion_text(build)
    for told in ("21 of 21", f"{kappa:.2f}"):
        assert told in text
    assert invoke("review", "--root", build.root, "--status").stdout.endswith(f"{text}\n")
