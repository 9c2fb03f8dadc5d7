"""Pictures that lie there: found where they were altered, and packed for WebDataset."""

import json
import os
import tarfile

import pytest

from hgld.engine.verify import verify_stages
from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.images.records import damaged_pictures
from hgld.images.shards import run_shards
from hgld.images.tars import image_path
from tests.hgld.images.runs import RECORDS, Train, write_labels
from tests.worlds.gldv2.files import image_id, picture


def members(workspace: Workspace) -> list[list[tuple[str, bytes]]]:
    """Returns the names and contents of each shard; those of one name are a sample."""
    shards = []
    for path in sorted(workspace.path("images/shards").glob("train-*.tar")):
        with tarfile.open(path) as archive:
            files = [(one.name, archive.extractfile(one)) for one in archive]
            shards.append([(name, file.read()) for name, file in files if file])
    return shards


@pytest.fixture
def of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts four pictures into a shard."""
    monkeypatch.setattr("hgld.images.shards.IMAGES_PER_SHARD", 4)


@pytest.fixture
def fetched(train: Train) -> Workspace:
    train.run()
    return train.workspace


@pytest.mark.usefixtures("of_four")
def test_every_picture_is_a_sample_once_in_shards_of_one_size(train: Train) -> None:
    with pytest.raises(MissingInputError, match="images --split train"):
        run_shards(train.workspace, "train")
    train.run()
    run_shards(train.workspace, "train")
    expected = [(f"{image_id(number)}.jpg", picture(number)) for number in range(6)]
    assert members(train.workspace) == [expected[:4], expected[4:]]


def test_labels_stand_beside_the_pictures_that_have_them(fetched: Workspace) -> None:
    found = []
    for label in ("church", "church", "castle / fort"):
        write_labels(fetched, [{image_id(number): (10 + number, label) for number in range(5)}])
        found.append(run_shards(fetched, "train"))
    assert found[1].skipped
    assert found[1].manifest.outputs == found[0].manifest.outputs != found[2].manifest.outputs
    (shard,) = members(fetched)
    endings = [("jpg", "json")] * 5 + [("jpg",)]
    names = [f"{image_id(n)}.{ending}" for n, each in enumerate(endings) for ending in each]
    assert [name for name, _ in shard] == names
    assert json.loads(dict(shard)[f"{image_id(2)}.json"]) == {
        "image_id": image_id(2),
        "landmark_id": 12,
        "hierarchical_label": "castle / fort",
        "natural_or_human_made": "natural",
    }


@pytest.mark.usefixtures("of_four")
@pytest.mark.fault(174, "damaged shard of pictures")
def test_a_shard_that_was_altered_is_named_and_made_again(fetched: Workspace) -> None:
    done = run_shards(fetched, "train")
    path = fetched.path("images/shards/train-000001.tar")
    right = path.read_bytes()
    path.write_bytes(right[:700] + bytes([right[700] ^ 1]) + right[701:])
    found = [one.path for one in verify_stages(fetched) if one.what]
    assert found == ["images/shards/train-000001.tar"]
    assert run_shards(fetched, "train").manifest.outputs == done.manifest.outputs
    assert path.read_bytes() == right


@pytest.mark.fault(73, "picture altered at rest")
def test_a_picture_that_was_altered_is_never_packed(fetched: Workspace) -> None:
    fetched.path(image_path("train", image_id(3))).write_bytes(picture(9))
    with pytest.raises(DamagedError, match=image_id(3)):
        run_shards(fetched, "train")


def damaged(train: Train, *, deep: bool = False) -> list[str]:
    return [damage.path for damage in damaged_pictures(train.workspace, "train", deep=deep)]


@pytest.fixture
def done(train: Train) -> dict[str, str]:
    """The outputs of a finished stage, whose files are older than any change of a test."""
    report = train.run()
    for path in train.workspace.path("images").rglob("*.*"):
        os.utime(path, ns=(10**18, 10**18))
    return report.manifest.outputs


@pytest.mark.fault(72, "picture gone at rest")
@pytest.mark.fault(73, "picture altered at rest")
# The last is a whole picture, of the same size.
@pytest.mark.parametrize("content", [None, picture(2)[:-1], b"", picture(3)])
def test_a_picture_that_is_gone_or_altered_is_fetched_again_though_the_stage_is_up_to_date(
    train: Train, done: dict[str, str], content: bytes | None
) -> None:
    assert content != picture(2)
    path, untouched = train.place(2), train.place(3).stat().st_mtime_ns
    path.unlink() if content is None else path.write_bytes(content)
    assert damaged(train) == [image_path("train", image_id(2))]
    report = train.run()
    assert (report.skipped, report.manifest.outputs) == (True, done)
    assert path.read_bytes() == picture(2)
    assert train.place(3).stat().st_mtime_ns == untouched
    assert train.hits() == [1, 2, 1]
    assert damaged(train, deep=True) == []


@pytest.mark.fault(73, "picture altered at rest")
@pytest.mark.usefixtures("done")
def test_bits_that_flipped_under_an_old_date_are_found_by_the_deep_look(train: Train) -> None:
    flipped = train.place(2)
    before = flipped.stat()
    flipped.write_bytes(picture(2)[:-1] + b"\0")
    os.utime(flipped, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert damaged(train) == []
    assert damaged(train, deep=True) == [image_path("train", image_id(2))]
    flipped.unlink()  # which is what training tells to do
    assert train.run().skipped
    assert flipped.read_bytes() == picture(2)


@pytest.mark.parametrize("damage", ["flipped", "of an interrupted run"])
def test_pictures_whose_records_do_not_count_are_looked_at_and_fetched_again(
    train: Train, done: dict[str, str], damage: str
) -> None:
    shard = train.workspace.path(f"{RECORDS.path}/images_001.parquet")
    content = shard.read_bytes()
    if damage == "flipped":
        shard.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
    else:
        train.workspace.manifest_path("images-train").unlink()
    train.place(2).unlink()
    assert train.run().manifest.outputs == done
    assert train.place(2).read_bytes() == picture(2)
    assert train.hits() == [1, 2, 1]
