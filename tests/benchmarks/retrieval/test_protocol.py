from functools import partial
from pathlib import Path

import pytest
import torch

from hgld.benchmarks.retrieval.protocol import RETRIEVED, Protocol, Ranking, protocol_of_build
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.metrics import EvaluationSettings, evaluate
from hgld.metrics.arguments import Unknown
from hgld.tables import ANNOTATIONS, EXCLUDED, FILLED, LEVELS, PARTIAL
from tests.benchmarks.datasets.worlds import ground_truth, write_revisited, write_sop
from tests.benchmarks.retrieval.conftest import protocol_of
from tests.worlds.benchmark_builds import write_build
from tests.worlds.builders import table_of, write_stage

QUERIES, INDEX = {"queries": 4, "query_groups": 3}, {"index_images": 4, "index_groups": 3}


def test_one_query_alone_has_nobody_to_search(tmp_path: Path) -> None:
    def protocol(images: int) -> Protocol:
        lines = [f"{one} 3 1 bicycle_final/{one}.JPG" for one in range(4, 4 + images)]
        return protocol_of("sop", write_sop(tmp_path, test=lines))

    two = torch.eye(2)
    found = protocol(2).evaluate(Ranking(two, two)).per_query
    assert found["h_ap"].tolist() == found["r_at_1000_product"].tolist() == [1, 1]
    with pytest.raises(InputError, match="two images"):
        protocol(1).evaluate(Ranking(two[:1], two[:1]))


def test_the_leading_metric_has_bounds_only_where_labels_are_unknown(build: Workspace) -> None:
    by_kind, by_place = (
        protocol_of_build(build, hierarchy=one, with_pictures=False) for one in ("kind", "place")
    )
    torch.manual_seed(0)
    queries, index = (torch.randn(len(one), 4) for one in (by_place.queries, by_place.index))
    found = by_place.evaluate(Ranking(queries, index)).per_query
    labels = (queries, by_place.queries.labels, index, by_place.index.labels)
    choices: tuple[Unknown, ...] = ("differs", "agrees")
    for unknown in choices:
        expected = evaluate(*labels, settings=EvaluationSettings(unknown=unknown)).per_query["h_ap"]
        assert found[f"h_ap_if_{unknown}"].tolist() == expected.tolist() != found["h_ap"].tolist()
    assert not [key for key in by_kind.evaluate(Ranking(queries, index)).per_query if "_if_" in key]


def test_what_comes_first_and_distractors_count_in_graded_data(products: Protocol) -> None:
    torch.manual_seed(1)
    vectors, far = torch.randn(4, 3), [torch.randn(5, 3), torch.randn(2, 3)]
    ids, labels = ["a", "b", "c", "d"], products.queries.labels
    given = partial(evaluate, *(vectors, labels) * 2, query_ids=ids, index_ids=ids)
    seen = []
    for first in (None, torch.tensor([[3, 1], [3, 0], [3, 0], [0, 2]])):
        for behind in (None, far):
            ranking = Ranking(vectors, vectors, first)
            found, expected = (
                one.per_query["h_ap"][:3].tolist()  # the fourth has nothing to find
                for one in (
                    products.evaluate(ranking, distractors=behind),
                    given(first=first, distractors=behind),
                )
            )
            assert found == expected
            seen.append(found)
    assert len({*map(tuple, seen)}) == len(seen)


def test_a_query_of_one_set_is_not_among_its_own_neighbours(products: Protocol) -> None:
    same = torch.ones(4, 2)
    found = products.nearest(Ranking(same, same))
    assert found.shape == (4, 3)
    assert all(query not in row for query, row in enumerate(found.tolist()))


def test_labels_are_counted_at_the_level_that_is_shown(products: Protocol) -> None:
    assert products.counts() == ({**QUERIES, **INDEX, "shown_labels": 2}, {})
    assert (products.metrics[0].name, products.recall_at) == ("H-AP", (1, 10, 100, 1000))
    assert products.shown_labels() == ["1", "1", "1", "2"]
    assert products.grades(0).tolist() == [2, 2, 1, 0]


def test_of_revisited_each_picture_is_to_be_found_or_in_the_way_or_neither(tmp_path: Path) -> None:
    # Two queries on five images: 0 is easy, 3 hard and 1 junk for the first, 4 for the second.
    oxford = protocol_of("roxford5k", write_revisited(tmp_path, ground_truth()))
    assert oxford.nearest(Ranking(torch.eye(5)[:2], torch.eye(5))).shape == (2, 5)
    index = torch.eye(5)[[0] * RETRIEVED + [1, 2, 3, 4]]
    assert oxford.nearest(Ranking(torch.eye(5)[:2], index)).shape == (2, RETRIEVED)
    assert [oxford.grades(query).tolist() for query in (0, 1)] == [[3, 1, 0, 2, 0], [0, 0, 0, 0, 3]]
    assert list(oxford.counts()[0].values()) == [2, 2, 5, 0, 0]
    assert (oxford.shown_labels(), oxford.metrics[0].name) == ([], "mAP, medium")


def test_queries_that_have_a_picture_to_find_in_common_are_of_one_building(tmp_path: Path) -> None:
    def groups(second: list[int]) -> list[int]:
        content = ground_truth()
        content["gnd"][1]["easy"] = second  # type: ignore[index]
        return protocol_of("roxford5k", write_revisited(tmp_path, content)).groups.tolist()  # type: ignore[no-any-return]

    assert groups([4]) == [0, 1]
    assert groups([3, 4]) == [0, 0]


def test_levels_of_ones_own_are_measured_on_all_images_of_a_landmark(workspace: Workspace) -> None:
    write_build(workspace)
    tables = {
        one: workspace.read(one)
        for kind in (ANNOTATIONS, FILLED)
        for one in (kind["index"], kind["test"])
    }
    # Those of landmark 32 have no super-category, and the index one of 99 has a picture too.
    more = {}
    for split in ("index", "test"):
        rows = tables[ANNOTATIONS[split]].to_pylist()
        tables[ANNOTATIONS[split]] = table_of(
            ANNOTATIONS[split], [row for row in rows if row["landmark_id"] != 32]
        )
        partial = [row | {"depth": 1} for row in rows if row["landmark_id"] == 32]
        more[PARTIAL[split]] = table_of(PARTIAL[split], partial)
    excluded = workspace.read(EXCLUDED).to_pylist()
    excluded += [
        {"split": "test", "image_id": name, "landmark_id": 32, "reason": "no_p31"}
        for name in more[PARTIAL["test"]]["image_id"].to_pylist()
    ]
    before = protocol_of_build(workspace, with_pictures=False)
    write_stage(
        workspace, [*tables.items(), *more.items(), (EXCLUDED, table_of(EXCLUDED, excluded))]
    )
    labels = {11: "arch", 12: "arch", 21: "castle", 31: None, 32: "water"}
    rows = [
        {"split": "index", "landmark_id": one, "level": 1, "name": "class", "label": label}
        for one, label in labels.items()
    ]
    write_stage(workspace, [(LEVELS, table_of(LEVELS, rows))])
    protocol = protocol_of_build(workspace, hierarchy="own", with_pictures=False)
    assert len(protocol.queries) == len(before.queries)
    assert {*protocol.shown_labels()} == {"arch", "castle", "unknown", "water"}
    assert protocol.counts()[0] == before.counts()[0] | {"shown_labels": 3}
    # None is left out for want of a class, but one of a landmark that nobody knows.
    left_out = protocol.counts()[1]
    assert left_out["test images whose landmark is not listed"] == 1
    assert left_out["test images without a file"] == 0
    by_kind = protocol_of_build(workspace, with_pictures=False)
    assert len(by_kind.queries) == len(before.queries) - 3
