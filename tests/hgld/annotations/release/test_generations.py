"""Three releases of the lab's categories, each after another scrape, review and pictures."""

import csv
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from hgld.annotations.release.config import ReleaseConfig
from hgld.annotations.release.released import (
    ReleaseTables,
    read_release,
    read_released,
)
from hgld.annotations.stage import AnnotateConfig
from hgld.engine.workspace import Workspace
from hgld.tables import BAD_ANNOTATIONS, BAD_IMAGES, EXCLUDED, HIERARCHY, LABEL_CHANGES
from tests.hgld.annotations.release.applied import apply_changes, by_key
from tests.hgld.annotations.release.worlds import kept, release
from tests.hgld.annotations.world import write_fills
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)

_IGNORED = {"World Heritage Site", "tourist attraction", "cultural property"}
_NATURAL = {"lake", "mountain", "river", "island", "park", "beach", "waterfall", "bay", "refuge"}
_SPACES = ("train", "index")
Key = tuple[str, int]


class LabWorld:
    """What the lab's answer key says of its categories, as a scrape writes it, and as time goes."""

    def __init__(self, shared: Path) -> None:
        """Reads the answer key; every third category is one of the index."""
        self.chance = random.Random(0)
        self.status: dict[Key, tuple[str, str]] = {}
        self.revision: dict[Key, int] = {}
        self.classes: dict[Key, list[tuple[str, str]]] = {}
        path = shared / "wikimedia_lab" / "expected.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = [dict(row) for row in csv.DictReader(file)][::2]
        for number, row in enumerate(rows):
            key = (_SPACES[number % 3 == 0], number)
            self.status[key] = row["category"], row["status"]
            self.revision[key] = number
            qids, labels = (row[name].split("|") for name in ("p31_qids", "p31_labels"))
            if row["p31_qids"]:
                self.classes[key] = list(zip(qids, labels, strict=True))
        self.there = set(self.chance.sample(sorted(self.status), 560))
        self.images = {
            (split, f"{split}{number}-{place}"): number
            for split, number in self.status
            for place in range(self.chance.randint(0, 4))
        }
        self.images |= {("test", f"test{number}"): number for number in range(0, 700, 9)}
        self.gone: set[tuple[str, str]] = set()
        self.bad: set[tuple[str, str]] = set()
        self.renamed: set[str] = set()

    def pass_time(self) -> None:
        """Edits the world: pages, classes, landmarks, images, decisions and pictures."""
        chance, keys = self.chance, sorted(self.there)
        for key in chance.sample(keys, 60):
            self.revision[key] += 1_000_000
        for key in chance.sample(keys, 30):
            self.status[key] = self.status[key][0], "no_page"
            self.classes.pop(key, None)
        pairs = sorted({pair for each in self.classes.values() for pair in each})
        unclassed = chance.sample(sorted(self.there - self.classes.keys()), 8)
        for key in [*unclassed, *chance.sample(sorted(self.there & self.classes.keys()), 60)]:
            self.status[key] = self.status[key][0], "ok"
            self.classes[key] = chance.sample(pairs, chance.randint(1, 3))
        self.there |= set(chance.sample(sorted(self.status.keys() - self.there), 40))
        self.there -= set(chance.sample(sorted(self.there), 10))
        self.gone ^= set(chance.sample(sorted(self.images), 40))
        self.bad ^= set(chance.sample(sorted(self.images), 40))
        self.renamed ^= {label for _, label in chance.sample(pairs, 20)}

    def decision(self, label: str) -> tuple[str, str, str] | None:
        """Returns what a person says of a class; None: ignored."""
        if label in _IGNORED:
            return None
        head = label.rsplit(maxsplit=1)[-1].lower()
        side = "natural" if head in _NATURAL else "human-made"
        decision = "proposed" if len(label) % 3 else "assigned"
        return decision, f"{head} (renamed)" if label in self.renamed else head, side

    def write(self, workspace: Workspace) -> None:
        """Writes the inputs of `annotate`, and which pictures are bad."""
        here = sorted(self.there)
        landmarks = [
            {"split": split, "landmark_id": number, "category": self.status[split, number][0]}
            for split, number in here
        ]
        write_metadata(workspace, landmarks, list(self._images()))
        rows = class_rows({key: self.classes[key] for key in here if key in self.classes})
        scraped = [
            one | {"status": self.status[key][1], "revision_id": self.revision[key]}
            for key, one in zip(here, landmarks, strict=True)
        ]
        write_scrape(workspace, rows, scraped)
        texts = {pair for key in here for pair in self.classes.get(key, ())}
        decided = {qid: self.decision(label) for qid, label in sorted(texts)}
        write_taxonomy(workspace, rows, {qid: one for qid, one in decided.items() if one})
        for split, dataset in BAD_IMAGES.items():
            bad = [
                {"image_id": name, "tar": "t", "reason": "truncated"}
                for where, name in sorted(self.bad)
                if where == split
            ]
            write_stage(workspace, [(dataset, table_of(dataset, bad))])
        write_fills(workspace, [self._fill(key) for key in here])

    def _fill(self, key: Key) -> dict[str, object]:
        """Returns what is filled, as sure as the page is old."""
        split, number = key
        label = {"hierarchical_label": f"hut {number % 7}", "natural_or_human_made": "human-made"}
        is_sure = self.revision[key] % 3 < 2
        row = {"split": split, "landmark_id": number, "status": "ok" if is_sure else "unsure"}
        row |= {"best_guess": label["hierarchical_label"], "best_guess_side": "human-made"}
        row |= {"confidence": 0.5, "evidence": "named so", "method": f"words{number % 2}"}
        return row | label if is_sure else row

    def _images(self) -> Iterator[dict[str, object]]:
        for (split, name), number in self.images.items():
            if (split, name) not in self.gone:
                clean = {"in_clean": number % 5 != 0} if split == "train" else {}
                yield {"split": split, "image_id": name, "landmark_id": number, **clean}


@pytest.fixture(scope="module")
def generations(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of three releases, each of which follows the one before."""
    workspace = Workspace(tmp_path_factory.mktemp("lab") / "build")
    world, folders = LabWorld(shared), list[Path]()
    for number in range(3):
        world.write(workspace)
        config = ReleaseConfig(
            previous=folders[-1] if folders else None, date=f"2026-0{number + 1}-01"
        )
        annotate = AnnotateConfig(pictures=True, fills=True, images_per_shard=1_000)
        folders.append(kept(release(workspace, config, annotate), f"release-{number}"))
        world.pass_time()
    return folders


def _assert_equal(tables: ReleaseTables, folder: Path) -> None:
    """Compares every row with the files of a release, and those of data in their order, too."""
    now = read_release(folder)
    assert by_key(tables.landmarks, "landmark_id").equals(by_key(now.landmarks, "landmark_id"))
    assert by_key(tables.images, "image_id").equals(by_key(now.images, "image_id"))
    for table in ("data", "filled"):
        assert pc.sum(pc.equal(now.images["table"], table)).as_py() > (10 if table == "data" else 0)


def test_each_release_is_the_one_before_with_its_changes_and_those_of_several_add_up(
    generations: list[Path],
) -> None:
    tables = read_release(generations[0])
    for before, folder in itertools.pairwise(generations):
        changes = pq.read_table(folder / "label_changes.parquet").cast(LABEL_CHANGES.schema)
        assert {"added", "removed", "changed", "moved"} <= set(changes["change"].to_pylist())
        old, tables = read_release(before), apply_changes(tables, changes)
        _assert_equal(apply_changes(old, changes), folder)
        assert not old.landmarks.equals(read_release(folder).landmarks)
    _assert_equal(tables, generations[-1])


def test_the_counts_add_up_to_the_rows(generations: list[Path]) -> None:
    releases = json.loads((generations[-1] / "releases.json").read_text(encoding="utf-8"))
    assert [one["version"] for one in releases] == ["3.0.0", "2.0.0", "1.0.0"]
    assert [one["follows"] for one in releases] == ["2.0.0", "1.0.0", None]
    for entry, folder in zip(releases, generations[::-1], strict=True):
        counts = entry["counts"]
        excluded, bad = (
            len(read_released(folder, dataset)) for dataset in (EXCLUDED, BAD_ANNOTATIONS)
        )
        assert sum(counts["excluded"].values()) == excluded > 0
        assert sum(counts["bad"].values()) == bad
        tables = read_release(folder)
        filled = sum(counts["filled"].values())
        assert sum(counts["images"].values()) + filled + excluded + bad == len(tables.images)
        assert list(counts["filled_by"]) == ["words0", "words1"]
        by = [tuple(one.values()) for one in counts["filled_by"].values()]
        assert [sum(one) for one in zip(*by, strict=True)] == [counts["landmarks_filled"], filled]
        assert counts["landmarks_filled"] > 20 < filled
        labelled = len(tables.landmarks["hierarchical_label"].drop_null())
        assert counts["landmarks_with_label"] + counts["landmarks_filled"] == labelled
        assert counts["labels"] == len(read_released(folder, HIERARCHY))
        assert sum(counts["landmarks"].values()) == len(tables.landmarks)
        if entry["changes"] is None:
            continue
        told = entry["changes"]
        assert set(told["landmarks"]) > {"added", "removed", "changed", "unchanged"}
        still = sum(told["landmarks"][name] for name in ("added", "changed", "unchanged"))
        assert still == len(tables.landmarks)
        still = sum(told["images"][name] for name in ("added", "moved", "changed", "unchanged"))
        assert still == len(tables.images)
        assert all(told["landmarks"][name] for name in told["landmarks"] if name != "labels_gone")


def test_a_landmark_whose_class_vanished_says_so(generations: list[Path]) -> None:
    changes = pq.read_table(generations[1] / "label_changes.parquet").to_pylist()
    whys = {word for row in changes for word in row["why"].split() if row["kind"] == "landmark"}
    assert {"class", "class_vanished", "classes", "label", "relabelled", "page", "reason"} <= whys
