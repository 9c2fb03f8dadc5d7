"""A toy metric and a toy data set, added as the docs say."""

from pathlib import Path

import pytest

from hgld.benchmarks.datasets.retrieval_data import read_data_set
from hgld.benchmarks.retrieval.results import OF_ALL_LEVELS, read_results, shown_metrics
from hgld.errors import InputError
from hgld.metrics import streamed
from tests.benchmarks.datasets.worlds import write_lines
from tests.training.index.test_embedding_files import parquet
from tests.worlds.commands.readme import ROOT, fenced
from tests.worlds.commands.typed import said


def test_a_data_set_is_one_file_and_a_metric_one_with_a_title_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reciprocal_rank(found: streamed.Lists) -> object:
        is_relevant = found.head > 0
        rank = is_relevant.double().argmax(dim=1) + 1
        return (1 / rank).double().masked_fill(~is_relevant.any(dim=1), float("nan"))

    monkeypatch.setitem(streamed.GRADED, "reciprocal_rank", reciprocal_rank)
    monkeypatch.setitem(OF_ALL_LEVELS, "reciprocal_rank", "MRR")
    # The data set of docs/datasets.md, and embeddings of it.
    (text,) = fenced(ROOT / "docs/datasets.md", "python")
    (tmp_path / "toy.py").write_text(text)
    # Of c's list: a and b of other flowers, and then d, its own.
    rows = ["a,rose", "b,rose", "c,tulip", "d,tulip"]
    write_lines(tmp_path / "flowers/labels.csv", ["image_id,kind", *rows])
    vectors = [[1.0, 0.0], [0.9, 0.1], [0.8, 0.6], [0.0, 1.0]]
    parquet(tmp_path / "mine.parquet", list("abcd"), vectors)
    line = "benchmark --data-set toy.py --data flowers --embeddings mine.parquet mine.parquet"
    said(*line.split(), folder=tmp_path)
    results = read_results(tmp_path / "build/benchmarks/toy/comparisons/mine")
    assert results.counts["queries"] == 4
    assert [level.title for level in results.levels] == ["kind"]
    # Only c finds what it looks for at rank 3.
    for metric in ("ap_kind", "reciprocal_rank"):
        assert results.row("mine", metric).mean == pytest.approx((1 + 1 + 1 / 3 + 1) / 4)
    shown = shown_metrics((results.levels[0], results.levels[0]))
    assert "MRR" in [one.title for one in shown]


def test_a_file_that_reads_no_data_set_is_one_error(tmp_path: Path) -> None:
    file = tmp_path / "toy.py"
    with pytest.raises(InputError, match="toy"):
        read_data_set(str(file), tmp_path)
    for text in ("", "def read(folder)", "def read(folder):\n    return 3\n"):
        file.write_text(text)
        with pytest.raises(InputError, match="read"):
            read_data_set(str(file), tmp_path)
