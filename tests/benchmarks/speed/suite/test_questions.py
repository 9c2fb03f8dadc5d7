import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.suite.questions import QUESTIONS, Answer, Way

RESULTS = Path(__file__).resolve().parents[4] / "benchmarks/results"
PUBLISHED = {
    "loss": "speed/loss",
    "evaluation": "speed/evaluation",
    "index": "speed/index",
    "embed": "labels/embed",
    "labels": "labels/labels",
    "resolving": "labels/resolving",
    "annotate": "release/annotate",
    "browse": "release/browse",
    "review log": "review/log",
    "review page": "review/page",
    "scrape": "scraping/scrape",
}
by_name = {question.name: question for question in QUESTIONS}


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_answer_is_read_from_what_its_script_has_published(name: str) -> None:
    report = json.loads((RESULTS / f"{PUBLISHED[name]}.json").read_text(encoding="utf-8"))
    answer = by_name[name].read(report)
    assert answer.ours.median_s > 0
    assert answer.ratio is None or 0 < answer.ratio < 5
    assert (answer.baseline is None) == (name == "browse")


def test_the_ratio_is_that_which_a_script_states() -> None:
    report = json.loads((RESULTS / "speed/evaluation.json").read_text(encoding="utf-8"))
    ratio = by_name["evaluation"].read(report).ratio
    assert ratio == pytest.approx(report["ratios"]["self: evaluate / plain"]["time"], abs=1e-4)
    report = json.loads((RESULTS / "speed/index.json").read_text(encoding="utf-8"))
    ratio = by_name["index"].read(report).ratio
    assert ratio == pytest.approx(1 / report["make"]["index_to_plain"], abs=1e-3)
    report = json.loads((RESULTS / "labels/embed.json").read_text(encoding="utf-8"))
    ratio = by_name["embed"].read(report).ratio
    assert ratio == pytest.approx(report["time_a_label_over_plain"]["ViT-B-32, float32"], abs=2e-3)


def test_without_a_baseline_there_is_no_ratio() -> None:
    way = Way(name="site", median_s=2.0, spread_s=None, memory_mb=None)
    assert Answer(ours=way, baseline=None).ratio is None
    assert Answer(ours=way, baseline=way).ratio == 1
