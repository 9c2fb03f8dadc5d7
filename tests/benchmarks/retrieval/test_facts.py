"""What must be the same for figures to be ranked, and what explains that they differ."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hgld.benchmarks.retrieval.config import EmbeddingFiles
from hgld.benchmarks.retrieval.facts import (
    UNKNOWN,
    explain,
    first_difference,
    protocol_facts,
    read_facts,
    require_facts,
)
from hgld.benchmarks.retrieval.protocol import Protocol, protocol_of_build
from hgld.benchmarks.retrieval.results import Results
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.training.index.folder import FACTS_KEY, IndexConfig, picture_source
from hgld.training.index.making import make_index
from tests.benchmarks.retrieval.made_up import results_of
from tests.benchmarks.retrieval.test_results import write
from tests.worlds.commands.typed import said

PROTOCOL = {"labels": "a1", "boxes": "whole pictures"}
PICTURE = {"crop_pct": 0.875, "image_size": 224}


def without_a_query(protocol: Protocol) -> Protocol:
    return replace(protocol, queries=protocol.queries.at(range(1, len(protocol.queries))))


def with_another_label(protocol: Protocol) -> Protocol:
    labels = protocol.index.labels.clone()
    labels[0, 1] = labels[-1, 1]
    return replace(protocol, index=replace(protocol.index, labels=labels))


def renamed_and_turned(protocol: Protocol) -> Protocol:
    """Numbers and names of all labels are others, and the index stands in another order."""
    images = protocol.index.at(range(len(protocol.index))[::-1])
    names = tuple(tuple(f"new {name}" for name in level[::-1]) for level in images.names)
    queries, index = (
        replace(one, labels=len(images.names[0]) - one.labels, names=names)
        for one in (protocol.queries, images)
    )
    return replace(protocol, queries=queries, index=index)


@pytest.mark.parametrize(
    ("change", "differs"),
    [(renamed_and_turned, ""), (without_a_query, "queries"), (with_another_label, "labels")],
)
def test_protocols_are_the_same_where_the_same_pictures_share_labels_whatever_these_are_called(
    change: Callable[[Protocol], Protocol], differs: str, measured: Workspace
) -> None:
    protocol = protocol_of_build(measured, with_pictures=True)
    facts = protocol_facts(protocol)
    assert json.loads(json.dumps(facts)) == facts
    assert first_difference(facts, protocol_facts(change(protocol))) == differs


def embeddings(
    path: Path, facts: object = None, ids: Sequence[str] = ("a",), vectors: object = ((1.0,),)
) -> Path:
    embedding = pa.array(np.asarray(vectors, np.float32).tolist(), pa.list_(pa.float32()))
    table = pa.table({"image_id": list(ids), "embedding": embedding})
    if facts is not None:
        text = facts if isinstance(facts, str) else json.dumps(facts)
        table = table.replace_schema_metadata({FACTS_KEY: text})
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("query", "index", "word"),
    [
        ({"protocol": {"labels": "b2"}}, {}, "labels"),  # for another release of the labels
        ({}, {"protocol": {"distractors": "1m"}}, "distractors"),
        ({"picture": PICTURE}, {"picture": PICTURE | {"image_size": 384}}, "image_size"),
        ("[", {}, FACTS_KEY),
    ],
)
def test_embeddings_for_another_protocol_or_of_two_kinds_are_refused_with_what_differs_first(
    query: object, index: object, word: str, tmp_path: Path
) -> None:
    files = [embeddings(tmp_path / f"{at}.parquet", one) for at, one in enumerate((query, index))]
    source = EmbeddingFiles(name="rival", query=files[0], index=files[1])
    with pytest.raises(InputError, match=word):
        require_facts(source, PROTOCOL)


def test_embeddings_that_say_nothing_are_taken_and_those_that_fit_say_what_was_done(
    tmp_path: Path,
) -> None:
    # An index has whole pictures, also where a part of the query's is searched for.
    stated = {"picture": PICTURE, "protocol": {"boxes": "whole pictures"}}
    silent, known = embeddings(tmp_path / "s.parquet"), embeddings(tmp_path / "k.parquet", stated)
    np.save(tmp_path / "a.npy", np.ones((1, 1)))
    for query, index, found in (
        (silent, silent, {}),
        (tmp_path / "a.npy", silent, {}),
        (silent, known, {"picture": PICTURE}),
    ):
        source = EmbeddingFiles(name="rival", query=query, index=index)
        assert require_facts(source, PROTOCOL | {"boxes": "c3"}) == found


def test_an_index_says_what_was_done_to_its_pictures(measured: Workspace, tmp_path: Path) -> None:
    source = picture_source(measured, None, "test")
    config = IndexConfig(device="cpu", workers=0)
    make_index(measured.path("runs/happier"), source, tmp_path / "index", config)
    facts = read_facts(tmp_path / "index/embeddings")
    assert facts["picture"]["image_size"] == 32
    assert facts["picture"]["pooling"] == "gem"
    assert facts["protocol"] == {"boxes": "whole pictures"}


def text_of(one: Path, other: Path) -> list[list[str]]:
    table = explain(one, other)
    columns = [list(column.cells) for column in table.columns]
    return [[str(cell) for cell in row] for row in zip(*columns, strict=True)] + [
        [str(table.caption)]
    ]


def written(folder: Path, results: Results, threads: int, **protocol: str) -> Path:
    folder.mkdir()
    facts = {"trained_with": [{"threads": threads}], "picture": PICTURE}
    methods = tuple(replace(one, facts=facts) for one in results.methods)
    write(folder, replace(results, methods=methods, protocol=protocol))
    return folder


def test_two_results_are_explained_by_what_is_not_the_same_the_protocol_first(
    tmp_path: Path,
) -> None:
    one = written(tmp_path / "a", results_of(), 1, labels="a1", index="9")
    same = written(tmp_path / "b", results_of(), 1, labels="a1", index="9")
    other = written(tmp_path / "c", results_of(means=(0.3, 0.5)), 2, labels="b2", index="8")
    (verdict,) = text_of(one, same)
    assert "nothing" in verdict[0]
    *rows, verdict = text_of(one, other)
    assert rows == [
        ["protocol: labels", "a1", "b2"],
        ["protocol: index", "9", "8"],
        ["H-AP, after", "0.475", "0.5"],
        ["trained_with: threads", "1", "2"],
    ]
    assert verdict[0].endswith("labels")
    file = embeddings(tmp_path / "rival.parquet", {"picture": PICTURE | {"crop_pct": 1.0}})
    rows = text_of(one, file)
    assert ["picture: crop_pct, after and rival.parquet", "0.875", "1.0"] in rows
    assert ["protocol: labels", "a1", UNKNOWN] in rows
    assert "not known" in rows[-1][0]


def test_two_rivals_of_different_digests_do_not_stand_on_one_leaderboard(
    benchmarked: Workspace,
) -> None:
    protocol = protocol_of_build(benchmarked, with_pictures=False)
    facts = protocol_facts(protocol)
    words = ["benchmark", "--root", "."]
    for name, labels in (("one", facts["labels"]), ("two", "of another release")):
        for images in (protocol.queries, protocol.index):
            vectors = np.random.default_rng(0).normal(size=(len(images), 4))
            path = benchmarked.path(f"{name}-{images.split}.parquet")
            told = {"protocol": facts | {"labels": labels}}
            embeddings(path, told, images.image_ids.to_pylist(), vectors)
        words += ["--embeddings", f"{name}=./{name}-test.parquet", f"{name}-index.parquet"]
    assert "labels is of another release" in said(*words, status=1, folder=benchmarked.root)
    said(*words[:-3], folder=benchmarked.root)
    words = ["benchmark", "--explain", "benchmarks"]
    text = said(*words, "benchmarks/comparisons/one", folder=benchmarked.root)
    assert "the protocols differ, first in queries" in " ".join(text.split())
    assert "two" in said(*words, status=1, folder=benchmarked.root)
