"""Each script of speed, small: docs/speed.md names them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from hgld.benchmarks.speed import distractors, embed, evaluation, loss, scrape
from tests.worlds.tiny_clip import TINY, write_tiny_clip


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


def read(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert report["metadata"]["versions"]
    return report


def test_losses_are_measured_beside_a_sort_and_what_was_published(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss, "run_apart", lambda work, *given: work(*given))  # much faster
    threads = torch.get_num_threads()
    sizes = ["--batches", "8", "--plain-up-to", "8", "--rounds", "1", "--shortest-s", "0"]
    loss.main(["--out", str(out), *sizes, "--losses", "sup_ap", "--threads", "1"])
    assert torch.get_num_threads() == threads
    report = read(out)
    rows = {row["loss"]: row for row in report["results"]}
    assert set(rows) == {loss.OURS, "sup_ap", loss.SORTED, loss.PLAIN}
    ours, plain = rows[loss.OURS], rows[loss.PLAIN]
    assert ours["over sup_hap"] == rows[loss.SORTED]["over product and sort"] == 1
    assert ours["operations"] > plain["operations"] > 20
    assert all("extra_mb" in row for name, row in rows.items() if name != loss.SORTED)
    assert report["gradient_relative_difference"]["plain"] < 1e-5


def test_evaluation_gives_what_the_plain_way_gives(out: Path) -> None:
    sizes = ["--queries", "4", "--index", "100", "--items", "30", "--rounds", "1"]
    evaluation.main(["--out", str(out), *sizes])
    report = read(out)
    times = {row["method"]: row["median_s"] for row in report["results"] if row["case"] == "self"}
    ratio = report["ratios"]["self: evaluate / plain"]["time"]
    assert ratio == pytest.approx(times["evaluate"] / times["plain"], abs=1e-3)
    assert report["largest_difference_from_plain"]["self"] < 1e-12


def test_distractors_are_measured_beside_their_product_and_a_sort(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distractors, "run_apart", lambda work, *given: work(*given))  # much faster
    sizes = ["--queries", "2", "--index", "100", "--distractors", "32768", "--window", "16384"]
    distractors.main(["--out", str(out), *sizes, "--rounds", "1"])
    report = read(out)
    taken = {row["way"]: row["median_s"] for row in report["results"]}
    ratio = (taken["many"] - taken["few"]) / taken["product and sort"]
    assert report["many_less_few_to_plain"]["median_s"] == pytest.approx(ratio, abs=1e-3)


def test_labels_are_encoded_as_by_the_plain_loop(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_clip(tmp_path)
    monkeypatch.setattr(embed, "run_apart", lambda *_: 0.0)  # a new process knows no such model
    sizes = ["--models", TINY, "--labels", "4", "--plain-labels", "2", "--rounds", "1"]
    embed.main(["--out", str(out), *sizes])
    report = read(out)
    labels = {row["method"]: row["labels"] for row in report["results"]}
    assert labels == {embed.PLAIN: 2, embed.OURS: 4}
    assert report["largest_cosine_difference_from_plain"][TINY] < 1e-5


def test_requests_are_counted_by_the_server_for_batches_and_one_by_one(out: Path) -> None:
    sizes = ["--categories", "1000", "--baseline-categories", "60", "--rounds", "1"]
    scrape.main(["--out", str(out), *sizes])
    report = read(out)
    batches, plain = report["results"]
    # 1,000 titles in 20 requests; 20 soft redirects: one for their texts, one for their targets.
    assert batches["commons_requests"] == 20 + 1 + 1
    # 990 items in two queries, their 17 classes in one, and what those are elsewhere in one more;
    # where they lie in two more, what is above their places and above that in one each.
    assert (batches["items"], batches["sparql_requests"]) == (990, 4 + 2 + 2)
    # 60 titles; one is a soft redirect: its text and its target. One page is gone: alone in its
    # answer, it is asked for once more before that is believed.
    assert plain["commons_requests"] == 60 + 1 + 1 + 1
    assert (plain["items"], plain["sparql_requests"]) == (59, 59 + 2 + 2 + 59 + 2)
    ratio = report["ratios"]["commons_per_1000_categories"]
    assert ratio == pytest.approx(22 / 1000 / (63 / 60), abs=1e-4)
