"""One file of a finished build is damaged: it is named or healed, and the build is right again.

A file of each stage and kind here, in one way; `make soak` damages each a hundred times.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hgld.engine.workspace import Workspace
from tests.soak.commands import run_here
from tests.soak.damages import Damage, files_by_kind, files_of
from tests.soak.fuzz import FinishedBuilds, check_a_damage, check_damage, digest_build

_SEED = 20221125


@pytest.fixture(scope="module")
def builds(small_build: Workspace, earlier_build: Callable[[], Path]) -> FinishedBuilds:
    # `make soak` has builds whose training and benchmark were stopped
    return FinishedBuilds(finished=small_build.root, earlier=earlier_build, stopped={})


@pytest.mark.fault(80, "damaged list of tars")
@pytest.mark.fault(115, "damage at rest: tables")
@pytest.mark.fault(119, "damage at rest: decisions")
@pytest.mark.fault(120, "damage at rest: CSV files, raw answers")
@pytest.mark.fault(121, "damage at rest: pictures")
@pytest.mark.fault(122, "damage at rest: model, checkpoint, embeddings")
@pytest.mark.fault(123, "damage at rest: release files, results, report")
@pytest.mark.parametrize(
    "kind",
    [
        *("table metadata/landmarks", "table scrape/classes", "table scrape/class_evidence"),
        *("table labels/embeddings", "table labels/clusters", "table labels/proposals"),
        *("table review/decided", "table review/taxonomy", "table annotations/data/train"),
        *("table annotations/excluded", "table images/records/train", "decisions"),
        *("kept beside the decisions", "official CSV", "raw answer", "list of answers"),
        *("list of tars", "picture", "model", "embedding cache", "kept vectors"),
        *("release file", "results", "report"),
    ],
)
def test_a_damage_is_named_or_healed_and_the_build_is_the_clean_one(
    builds: FinishedBuilds, kind: str
) -> None:
    assert check_a_damage(builds, kind, _SEED, run_here)


@pytest.mark.fault(118, "damage at rest: manifests")
@pytest.mark.parametrize("how", ["bit flipped", "deleted", "swapped", "earlier version"])
def test_a_manifest_that_is_not_its_stages_costs_one_more_run(
    builds: FinishedBuilds, how: str
) -> None:
    paths = {"relative": "stages/images-index.json", "other": "stages/evidence.json"}
    # The other is of a stage before it, whose table it would remove.
    damage = Damage(kind="manifest", how=how, seed=_SEED, **paths)
    assert check_damage(builds, damage, run_here)


def test_the_digest_of_a_build_sees_a_change_of_every_kind_of_result(
    builds: FinishedBuilds, tmp_path: Path
) -> None:
    kinds, files = files_by_kind(builds.finished), files_of(builds.finished)
    copy = shutil.copytree(builds.finished, tmp_path / "copy")
    clean = digest_build(builds.finished, files)
    assert digest_build(copy, files) == clean
    for kind in ("picture", "official CSV", "decisions", "model", "release file", "results"):
        path = copy / kinds[kind][-1]
        before = path.read_bytes()
        path.write_bytes(before + b"{}\n")
        assert digest_build(copy, files) != clean, kind
        path.write_bytes(before)
    shard = copy / kinds["table review/taxonomy"][0]
    pq.write_table(pq.read_table(shard).slice(1), shard)
    assert digest_build(copy, files) != clean
