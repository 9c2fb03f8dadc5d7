import random
from collections import defaultdict

import pytest

from hgld.engine.workspace import Workspace
from hgld.labels.looks.landmarks import find_unlabelled
from hgld.tables import IMAGE_FILES
from tests.worlds import builders


@pytest.mark.parametrize("clean", [True, False])
def test_it_agrees_with_a_plain_reading_in_any_order(workspace: Workspace, *, clean: bool) -> None:
    chance = random.Random(1)
    ids = chance.sample(range(200_000), 200)
    splits = {id_: chance.choice(["train", "index"]) for id_ in ids}
    classes = {
        (splits[id_], id_): [(qid, qid) for qid in chance.sample(["Q1", "Q2", "Q3"], 2)]
        for id_ in chance.sample(ids, 100)
    }
    landmarks = [{"split": splits[id_], "landmark_id": id_, "category": ""} for id_ in ids]
    images, files = [], defaultdict[str, list[dict[str, object]]](list)
    expected = defaultdict[int, list[str]](list)
    others = defaultdict[tuple[int, str], int](int)
    for number in chance.sample(range(10_000), 1_000):
        image_id, id_ = f"{number:016x}", chance.choice(ids)
        split, in_clean = splits[id_], chance.random() < 0.8
        image = {"split": split, "image_id": image_id, "landmark_id": id_, "in_clean": in_clean}
        images.append(image)
        status = chance.choice(["ok", "ok", "bad", "absent"])
        if status != "absent":
            row = {"image_id": image_id, "tar": "a.tar", "status": status}
            path = {"path": f"images/{image_id}.jpg", "size_bytes": number, "sha256": image_id}
            files[split].append(row | (path if status == "ok" else {}))
        if in_clean or not clean or split == "index":
            expected[id_] += [image_id] if status == "ok" else []
            others[id_, status] += 1
    # A test image is of a landmark of the index, and a query: nobody looks at it.
    images.append({"split": "test", "image_id": "f" * 16, "landmark_id": ids[0]})
    builders.write_metadata(workspace, landmarks, images)
    rows = builders.class_rows(classes)
    builders.write_scrape(workspace, rows, [row | {"status": "ok"} for row in landmarks])
    builders.write_taxonomy(workspace, rows, {"Q1": ("proposed", "lake", "natural")})
    for split in ("train", "index"):
        table = builders.table_of(IMAGE_FILES[split], files[split])
        builders.write_stage(workspace, [(IMAGE_FILES[split], table)])

    labelled = {id_ for (_, id_), pairs in classes.items() if ("Q1", "Q1") in pairs}
    assert 0 < len(labelled) < len(classes)
    for split in ("train", "index"):
        found = find_unlabelled(workspace, split, clean=clean, most_pictures=3)
        wanted = [id_ for id_ in ids if splits[id_] == split and id_ not in labelled]
        assert list(found.ids) == wanted
        parts = [*found.part(0, 7), *found.part(7, len(wanted))]
        assert [one.landmark_id for one in parts] == wanted
        for one in parts:
            id_ = one.landmark_id
            assert [p.sha256 for p in one.pictures] == sorted(expected[id_])[:3]
            assert (one.bad, one.absent) == (others[id_, "bad"], others[id_, "absent"])
