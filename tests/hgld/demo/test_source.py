import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hgld.demo.source
from hgld.demo import write_demo
from hgld.demo.answers import FETCHED_AT
from hgld.demo.drawing import IMAGE_SIZE, draw_landmark, draw_view
from hgld.demo.facts import class_labels, landmarks, open_classes
from hgld.engine.workspace import Workspace
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.metadata.stage import MetadataConfig, run_metadata
from hgld.review.log.decisions import append_decisions, read_decisions
from hgld.scrape.archive import COMMONS_PAGES, RawAnswer, RawArchive
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.scrape.wikimedia.titles import title_of_url
from hgld.tables import CATEGORIES, CLASSES, IMAGE_FILES, IMAGES, LANDMARKS
from tests.hgld.annotations.release.worlds import tree
from tests.worlds.stopped import stopped_at
from tests.worlds.wikimedia.scraping import kept_answers

FEW = landmarks()[9::20]
"""Of both splits; of ten of a split one is not clean, and these begin with such a one."""


@pytest.fixture(scope="module", autouse=True)
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A demo of a few landmarks, to be copied."""
    folder = tmp_path_factory.mktemp("drawn") / "build"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hgld.demo.source.landmarks", lambda: FEW)
        patch.setattr("hgld.demo.answers.landmarks", lambda: FEW)
        write_demo(Workspace(folder))
        yield folder


@pytest.fixture
def demo(drawn: Path, workspace: Workspace) -> Workspace:
    shutil.copytree(drawn, workspace.root)
    return workspace


@pytest.fixture
def listed(demo: Workspace) -> Workspace:
    """The demo, of which the ordinary metadata stage has read the tables."""
    run_metadata(demo, MetadataConfig(base_url=str(demo.path("source/metadata"))))
    return demo


def test_the_ordinary_metadata_stage_reads_the_tables(listed: Workspace) -> None:
    rows, images = listed.read(LANDMARKS).to_pylist(), listed.read(IMAGES).to_pylist()
    found = {(row["split"], row["landmark_id"], row["category"]) for row in rows}
    assert found == {(one.split, one.landmark_id, one.category) for one in FEW}
    usages = {image["usage"] for image in images if image["split"] == "test"}
    assert usages == {"Public", "Private", "Ignored"}
    train = [image for image in images if image["split"] == "train"]
    assert 0 < sum(not image["in_clean"] for image in train) < len(train) / 5


def test_the_ordinary_images_stage_extracts_every_picture(listed: Workspace) -> None:
    known = listed.read(IMAGES).to_pylist()
    tars = dict.fromkeys(("train_tars", "index_tars", "test_tars"), 1)
    config = ImagesConfig(base_url=str(listed.path("source")), **tars)  # type: ignore[arg-type]
    for split in ("train", "index", "test"):
        run_images(listed, config, split)
        records = listed.read(IMAGE_FILES[split]).to_pylist()
        assert {row["status"] for row in records} == {"ok"}
        wanted = {row["image_id"] for row in known if row["split"] == split}
        assert {row["image_id"] for row in records} == wanted
        with Image.open(listed.path(records[0]["path"])) as picture:
            assert (picture.format, picture.size) == ("JPEG", (IMAGE_SIZE, IMAGE_SIZE))


def test_the_ordinary_scrape_replays_the_archive_to_the_facts(listed: Workspace) -> None:
    run_scrape(listed, ScrapeConfig(replay=True))
    pages = {
        (row["landmark_id"], row["status"], row["page_title"], row["qid"])
        for row in listed.read(CATEGORIES).to_pylist()
    }
    assert pages == {(one.landmark_id, "ok", title_of_url(one.category), one.qid) for one in FEW}
    classes = {
        (row["qid"], row["class_qid"], row["class_label"], row["label_language"])
        for row in listed.read(CLASSES).to_pylist()
    }
    labels = class_labels()
    assert classes == {(one.qid, qid, labels[qid], "en") for one in FEW for qid in one.class_qids}


def test_the_same_bytes_are_written_each_time_also_after_a_run_that_was_stopped(
    drawn: Path, workspace: Workspace
) -> None:
    with stopped_at(hgld.demo.source, "draw_view", 100):  # in the second tar
        write_demo(workspace)
    assert workspace.path("source/train/images_000.tar").exists()
    assert not workspace.path("source/index/images_000.tar").exists()
    write_demo(workspace)

    assert tree(workspace.root) == tree(drawn)


def test_most_classes_are_decided_and_decisions_of_a_person_are_kept(demo: Workspace) -> None:
    assert read_decisions(demo).keys() == class_labels().keys() - open_classes()
    written = read_decisions(demo)["Q32815"]
    ours = dataclasses.replace(written, reviewer="someone", note="seen with my own eyes")
    append_decisions(demo, [ours])
    write_demo(demo)
    assert read_decisions(demo)["Q32815"] == ours


def test_a_live_scrape_gets_no_archive_and_keeps_its_own(drawn: Path, workspace: Workspace) -> None:
    shutil.copytree(drawn / "source", workspace.path("source"))
    write_demo(workspace, archive=False)
    assert not workspace.path("raw").exists()
    archive = RawArchive(workspace.path(COMMONS_PAGES))
    at = FETCHED_AT.replace(year=2026)
    live = RawAnswer(endpoint="http://x/", request={}, keys=(), fetched_at=at, answer=[])
    archive.append(live)
    write_demo(workspace)
    assert kept_answers(archive.folder) == [live]


def test_every_landmark_is_drawn_and_no_two_look_alike() -> None:
    drawings = [draw_landmark(one.qid, one.hierarchical_label) for one in landmarks()]
    assert all(np.asarray(one)[..., 3].mean() > 20 for one in drawings)
    assert len({one.tobytes() for one in drawings}) == len(landmarks())
    assert len({draw_view(drawings[0], f"{number:016x}") for number in range(50)}) == 50
