"""Rankings of re-rankers, averaged vectors and distractors, against numpy from the definitions."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from hgld.benchmarks.datasets import revisited
from hgld.benchmarks.datasets.retrieval_data import read_data_set
from hgld.benchmarks.retrieval.config import BenchmarkConfig, Expansion
from hgld.benchmarks.retrieval.protocol import Protocol
from hgld.benchmarks.retrieval.reranking import Distractors, averaged, expand, read_ranking
from hgld.benchmarks.retrieval.results import Results, read_results
from hgld.benchmarks.retrieval.stage import run_benchmark
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from tests.benchmarks.datasets.worlds import ground_truth, write_revisited
from tests.benchmarks.retrieval.conftest import protocol_of
from tests.training.index.test_embedding_files import array, parquet
from tests.worlds.benchmark_builds import CONFIG, finish_training, write_run
from tests.worlds.commands.typed import said

Vectors = NDArray[np.float64]
OXFORD = [f"oxford_{one:06d}" for one in range(5)]
QUERIES = ["all_souls_000013", "ashmolean_000058"]
R1M = ["far_0", "far_1", "far_2"]


def ranking(path: Path, *rows: tuple[str, str, float | None]) -> Path:
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    pq.write_table(
        pa.table(dict(zip(("query_id", "image_id", "score"), columns, strict=True))), path
    )
    return path


@pytest.fixture
def oxford(tmp_path: Path) -> Protocol:
    """Of the first query image 0 is easy, 3 hard and 1 junk, of the second 4 is easy."""
    return protocol_of("roxford5k", write_revisited(tmp_path, ground_truth()))


def unit(vectors: Vectors) -> Vectors:
    found: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return found


def expanded_plainly(queries: Vectors, index: Vectors, k: int, alpha: float) -> Vectors:
    found = []
    for query in queries:
        cosines = [float(query @ item) for item in index]
        nearest = sorted(range(len(index)), key=lambda place: (-cosines[place], place))[:k]
        total = query.copy()
        for place in nearest:
            total += (max(cosines[place], 0) ** alpha if alpha else 1) * index[place]
        found.append(unit(total))
    return np.array(found)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k", "alpha"), [(1, 0), (4, 0), (4, 3), (9, 0.5)])
def test_expansion_is_the_mean_with_the_nearest_of_index_and_distractors(
    seed: int, k: int, alpha: float
) -> None:
    generator = np.random.default_rng(seed)
    drawn = unit(generator.normal(size=(24, 3)))
    queries, index, far = drawn[:4], drawn[[*range(4, 12), 6, 5]], drawn[[*range(12, 20), 7]]
    given, held, more = (torch.from_numpy(one).float() for one in (queries, index, far))
    blocks = torch.split(more, 2) if seed % 2 else ()
    found, same = expand(given, held, [Expansion("qe", k, alpha)], distractors=blocks)
    everything = np.concatenate([index, far]) if seed % 2 else index
    expected = expanded_plainly(queries, everything, k, alpha)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
    assert same is held
    # Each item of the index with its nearest others, and then the queries with these.
    steps = [Expansion("dba", k, alpha), Expansion("qe", 2, 0)]
    found, with_index = expand(given, held, steps)
    others = [
        expanded_plainly(index[[n]], np.delete(index, n, axis=0), k, alpha)[0]
        for n in range(len(index))
    ]
    np.testing.assert_allclose(with_index.numpy(), others, atol=1e-6)
    expected = expanded_plainly(queries, np.array(others), 2, 0)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_a_neighbour_on_the_other_side_counts_nothing_and_a_query_is_not_its_own() -> None:
    index = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.6, 0.8]])
    total = np.array([1.0, 0.0]) + 0.6 * np.array([0.6, 0.8])
    step = Expansion("qe", 2, 1)
    averaged_with = averaged(index[:1], torch.split(index[1:], 1), step)
    np.testing.assert_allclose(averaged_with.numpy()[0], unit(total), atol=1e-6)
    whole, _ = expand(index, index, [Expansion("qe", 1, 0)], query_ids=["a", "b", "c"])
    np.testing.assert_allclose(whole.numpy()[0], unit(np.array([1.6, 0.8])), atol=1e-6)
    with pytest.raises(InputError, match="expand"):
        expand(index, index, [Expansion("dba", 3, 0)])


def test_a_ranking_goes_by_score_and_equal_scores_by_the_similarity_before(
    tmp_path: Path, oxford: Protocol
) -> None:
    rows = [(QUERIES[0], OXFORD[place], 7.0) for place in (4, 2, 1)]
    rows += [(QUERIES[0], OXFORD[3], 9.0), (QUERIES[0], "far_2", 7.0), (QUERIES[0], OXFORD[0], 1.0)]
    far = Distractors(array(tmp_path / "far.npy", R1M, np.eye(3, 2, dtype=np.float16) + 1), 3)
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    index = torch.tensor([[1.0, 0.0], [0.5, 0.0], [0.5, 0.0], [0.0, 1.0], [0.9, 0.0]])
    path = ranking(tmp_path / "r.parquet", *rows)
    found = read_ranking(path, queries, index, oxford, far)
    # far_2 has cosine 0.71; images 1 and 2 are equal, so that the first of the index is first
    assert found.tolist() == [[3, 4, 7, 1, 2, 0], [-1] * 6]


def test_a_query_that_searches_all_others_is_left_out_of_its_own_ranking(
    tmp_path: Path, products: Protocol
) -> None:
    path = ranking(tmp_path / "r.parquet", ("4", "4", 3.0), ("4", "6", 2.0), ("5", "4", 1.0))
    vectors = torch.ones(4, 2)
    found = read_ranking(path, vectors, vectors, products)
    assert found.tolist() == [[2], [0], [-1], [-1]]


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([("x", OXFORD[0], 1.0)], "query_id"),
        ([(QUERIES[0], "far_9", 1.0)], "image_id"),
        ([(QUERIES[0], OXFORD[0], 1.0), (QUERIES[0], OXFORD[0], 2.0)], "once"),
        ([(QUERIES[0], OXFORD[0], float("nan"))], "score"),
        ([(QUERIES[0], OXFORD[0], None)], "score"),
        ([(QUERIES[0], OXFORD[0], float("inf"))], "score"),
    ],
)
def test_a_wrong_row_of_a_ranking_is_one_error_that_names_it(
    tmp_path: Path, oxford: Protocol, rows: list[tuple[str, str, float | None]], word: str
) -> None:
    path = ranking(tmp_path / "r.parquet", (QUERIES[1], OXFORD[0], 1.0), *rows)
    with pytest.raises(InputError, match=rf"r\.parquet.*{word}.*{rows[0][0]}"):
        read_ranking(path, torch.eye(2), torch.ones(5, 2), oxford)


def test_a_file_that_is_no_ranking_is_refused(tmp_path: Path, oxford: Protocol) -> None:
    other = pa.table({"query_id": ["a"], "image_id": ["b"]})
    pq.write_table(other, tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_text("query_id,image_id,score")
    pq.write_table(pa.table({"query_id": [], "image_id": [], "score": []}), tmp_path / "c.parquet")
    for name in "abc":
        with pytest.raises(InputError, match=f"{name}.parquet"):
            read_ranking(tmp_path / f"{name}.parquet", torch.eye(2), torch.ones(5, 2), oxford)


def measured(folder: Path, *words: str) -> Results:
    """Runs the command on Revisited Oxford with embeddings in a folder."""
    line = ["benchmark", "--data-set", "roxford5k", "--data", ".", "--embeddings", "rival=q.npy"]
    said(*line, "i.npy", *words, folder=folder)
    return read_results(folder / "build/benchmarks/roxford5k/comparisons/rival")


def test_each_other_ranking_has_a_row_beside_the_one_it_started_from(tmp_path: Path) -> None:
    write_revisited(tmp_path, ground_truth())
    # By the embeddings the first query finds 2, 4, 1 (junk), 0 (easy), 3 (hard).
    index = np.array([[3, 4], [4, 3], [1, 0], [0, 1], [12, 5]], np.float32)
    array(tmp_path / "q.npy", QUERIES, np.array([[1, 0], [12, 5]], np.float32))
    array(tmp_path / "i.npy", OXFORD, index)
    ranking(tmp_path / "ames.parquet", (QUERIES[0], OXFORD[3], 2.0), (QUERIES[0], OXFORD[1], 1.0))
    words = ("--rerank", "rival=ames.parquet", "--expand", "qe:2", "--expand", "dba:1:3+qe:2:0.5")
    results = measured(tmp_path, *words)
    assert [(one.name, one.baseline) for one in results.methods] == [
        ("rival", ""),
        ("rival + qe:2", "rival"),
        ("rival + dba:1:3+qe:2:0.5", "rival"),
        ("rival + ames", "rival"),
    ]
    assert "ames.parquet" in results.methods[-1].description
    by_hand = {
        ("rival", "ap_hard"): (0 + 1 / 3) / 2,  # 2, 4, 3
        ("rival", "ap_medium"): ((0 + 1 / 3) / 2 + (1 / 3 + 2 / 4) / 2) / 2,  # 2, 4, 0, 3
        ("rival + ames", "ap_hard"): 1.0,  # 3 comes first
        ("rival + ames", "ap_medium"): (1 + (1 / 3 + 2 / 4) / 2) / 2,  # 3, 2, 4, 0
    }
    for (name, key), expected in by_hand.items():
        others = 1 if key == "ap_medium" else None  # the second query finds image 4 first
        mean = (expected + others) / 2 if others else expected
        assert results.row(name, key).mean == pytest.approx(mean, abs=1e-6)
    assert results.row("rival + ames", "ap_medium", against="rival").higher == 1
    said_again = measured(tmp_path, *words)
    assert said_again.metadata["date"] == results.metadata["date"]
    ranking(tmp_path / "ames.parquet", (QUERIES[0], OXFORD[0], 2.0))
    assert measured(tmp_path, *words).row("rival + ames", "ap_easy").mean == pytest.approx(1.0)


def test_distractors_are_in_the_way_and_in_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_revisited(tmp_path, ground_truth())
    array(tmp_path / "q.npy", QUERIES, np.array([[1, 0], [0, 1]], np.float32))
    index = np.array([[3, 4], [4, 3], [1, 0], [0, 1], [0, 1]], np.float32)
    array(tmp_path / "i.npy", OXFORD, index)
    far = parquet(tmp_path / "far.parquet", R1M, [[5, 1], [9, 8], [0, 2]])
    results = measured(tmp_path, "--distractors", f"rival={far}", "--expand", "qe:1")
    assert results.counts["distractors"] == 3
    # Of the first query 2 and two of them stand before 0, the junk taken out; of the second none.
    easy = ((0 + 1 / 4) / 2 + (0 + 1 / 2) / 2) / 2  # image 3 is as near as 4, and before it
    assert results.row("rival", "ap_easy").mean == pytest.approx(easy, abs=1e-6)
    line = ["benchmark", "--data-set", "roxford5k+1m", "--data", ".", "--embeddings", "rival=q.npy"]
    given = ["--distractors", f"rival={far}"]
    for words in ([], given):
        assert "1,001,001" in said(*line, "i.npy", *words, status=1, folder=tmp_path)
    monkeypatch.setattr(revisited, "_R1M", 3)
    data = read_data_set("roxford5k+1m", tmp_path)
    files = (f"rival={tmp_path}/q.npy", f"{tmp_path}/i.npy")
    config = BenchmarkConfig(embeddings=files, distractors=(f"rival={far}",))
    run_benchmark(Workspace(tmp_path / "other"), config, data)
    again = read_results(tmp_path / "other" / config.folder)
    assert (again.data_set, again.counts["distractors"]) == ("roxford5k+1m", 3)
    assert again.row("rival", "ap_easy").mean == results.row("rival", "ap_easy").mean


@pytest.mark.parametrize(
    ("vectors", "ids", "words", "says"),
    [
        ([[1, 0, 0]], ["far"], ["rival=far.npy"], "numbers"),
        ([[0, 0]], ["far"], ["far.npy"], "finite"),
        ([[1, 0]], ["far"], ["other=far.npy"], "other"),
    ],
)
def test_distractors_that_cannot_be_are_refused(
    tmp_path: Path, vectors: list[list[float]], ids: list[str], words: list[str], says: str
) -> None:
    write_revisited(tmp_path, ground_truth())
    array(tmp_path / "q.npy", QUERIES, np.eye(2, dtype=np.float32))
    array(tmp_path / "i.npy", OXFORD, np.ones((5, 2), np.float32))
    array(tmp_path / "far.npy", ids, np.array(vectors, np.float32))
    line = ["benchmark", "--data-set", "roxford5k", "--data", ".", "--embeddings", "rival=q.npy"]
    assert says in said(*line, "i.npy", "--distractors", *words, status=1, folder=tmp_path)


def test_of_runs_that_are_one_method_each_needs_its_ranking_and_distractors_go_with_all(
    build: Workspace,
) -> None:
    write_run(build, "second", seed=5)
    finish_training(build, "happier", seed=0)
    finish_training(build, "second", seed=1)
    folder = build.path("rankings")
    folder.mkdir()
    rows = [("t1100", "i1100", 1.0)]
    mine = ranking(folder / "mine.parquet", *rows)
    far = parquet(folder / "far.parquet", R1M, np.ones((3, 8)))
    config = dataclasses.replace(CONFIG, runs=("happier", "second"), pictures=False)
    both = dataclasses.replace(config, rerank=(f"happier={mine}", f"second={mine}"))
    run_benchmark(build, both)
    results = read_results(build.path("benchmarks"))
    last = results.methods[-1]
    assert (last.baseline, last.name) == (results.methods[-2].name, f"{last.baseline} + mine")
    assert results.row(last.name, "h_ap", against=last.baseline).seeds == 2
    with pytest.raises(InputError, match="mine"):
        run_benchmark(build, dataclasses.replace(config, rerank=(f"second={mine}",)))
    with pytest.raises(InputError, match="distractors"):
        run_benchmark(build, dataclasses.replace(config, distractors=(f"second={far}",)))
