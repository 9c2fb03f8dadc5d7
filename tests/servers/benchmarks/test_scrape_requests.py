"""The count of the scrape's requests, small."""

import json
from pathlib import Path

import pytest

from hgld.benchmarks.speed.scraping import scrape


def test_requests_are_counted_by_the_server_for_batches_and_one_by_one(tmp_path: Path) -> None:
    out = tmp_path / "scrape.json"
    sizes = ["--categories", "1000", "--baseline-categories", "60", "--rounds", "1"]
    scrape.main(["--out", str(out), *sizes])
    result = json.loads(out.read_text(encoding="utf-8"))
    batches, plain = result["results"]
    # 1,000 titles in 20 requests; 20 soft redirects: one for their texts, one for their targets.
    assert batches["commons_requests"] == 20 + 1 + 1
    # 990 items in two queries, their 17 classes in one, and what those are elsewhere in one more.
    assert (batches["items"], batches["sparql_requests"]) == (990, 4)
    # 60 titles; one is a soft redirect: its text and its target. One page is gone: alone in its
    # answer, it is asked for once more before that is believed.
    assert plain["commons_requests"] == 60 + 1 + 1 + 1
    assert (plain["items"], plain["sparql_requests"]) == (59, 59 + 2 + 2)
    assert result["ratios"]["commons requests"] == pytest.approx(22 / 1000 / (63 / 60), abs=1e-4)
