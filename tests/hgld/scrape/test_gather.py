"""The rounds: what is asked when."""

from hgld.engine.workspace import Workspace
from hgld.scrape.questions import Questions, gather, open_questions
from hgld.scrape.services import open_services
from hgld.scrape.wikimedia.commons import Landing
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import Server

_TITLES = ["Category:Soft", "Category:Loop A", "Category:Tower", "Category:Merged"]


def _gathered(server: Server, workspace: Workspace, *, replay: bool = False) -> Questions:
    config = fast_config(server, replay=replay)
    with open_services(config) as services:
        questions = open_questions(workspace, config, 0, services)
        gather(questions, _TITLES, superclass_depth=1)
    return questions


def test_a_round_asks_for_all_that_is_missing_together(
    server: Server, workspace: Workspace
) -> None:
    known = _gathered(server, workspace).known
    asked = [
        (form["rvprop"], form["titles"]) for service, form in server.hits if service == "commons"
    ]
    assert asked == [
        ("ids", "|".join(_TITLES)),
        ("ids|content", "Category:Soft|Category:Loop A"),
        ("ids", "Category:Castle|Category:Loop B"),
        ("ids|content", "Category:Loop B"),
    ]
    # The items, which come with what they were merged into; three classes, and one above them.
    assert server.count("sparql") == 3
    ends = [known.landing(title) for title in _TITLES]
    assert [end.status for end in ends if isinstance(end, Landing)] == [
        "ok",
        "redirect_loop",
        "ok",
        "ok",
    ]


def test_what_is_archived_is_not_asked_for_again(server: Server, workspace: Workspace) -> None:
    first = _gathered(server, workspace).known
    asked = len(server.hits)
    for replay in (False, True):
        again = _gathered(server, workspace, replay=replay).known
        assert len(server.hits) == asked
        for title in _TITLES:
            assert again.landing(title) == first.landing(title)
