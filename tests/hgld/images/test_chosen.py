"""Which pictures a list, a landmark or a super-category stands for, and what is refused."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError, MissingInputError
from hgld.images.chosen import read_list, wanted_images
from hgld.images.config import ImagesConfig
from hgld.metadata.stage import MetadataConfig, run_metadata
from tests.hgld.images.runs import write_labels
from tests.worlds.gldv2.files import image


def wanted(workspace: Workspace, split: str, /, **conditions: object) -> set[str]:
    """Returns the ids that conditions choose, as if one split was asked for."""
    config = ImagesConfig(**{"split": split, **conditions})  # type: ignore[arg-type]
    found = wanted_images(workspace, split, config)
    assert found is not None  # which would be all
    return set(found)


@pytest.fixture
def metadata(workspace: Workspace, tables: Path) -> Workspace:
    run_metadata(workspace, MetadataConfig(base_url=str(tables)))
    return workspace


@pytest.fixture
def annotations(workspace: Workspace) -> Workspace:
    first = {image(0): (10, "castle / fort"), image(1): (11, "church")}
    write_labels(workspace, [first, {image(2): (20, "ocean area "), image(3): (21, "church")}])
    return workspace


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", f"{image(1)}\n\n{image(3)}\n"),
        ("list.csv", f"landmark_id,image_id\n10,{image(1)}\n20,{image(3)}\n"),
        ("list.csv", f"\ufeffid,url\n{image(1)},http://x\n{image(3)},\n"),
    ],
)
def test_a_list_is_text_or_csv(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_list(tmp_path / name) == [(image(1), ""), (image(3), "")]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("list.txt", b"", "--only"),
        ("list.txt", b"../../etc/passwd\n", "../../etc/passwd"),
        ("list.txt", b"\xff\xfe\x00", r"list\.txt"),
        ("list.csv", b"image_id,split\n0000000000000001,val\n", "val"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=word):
        read_list(tmp_path / name)


def test_a_list_without_splits_is_looked_up(metadata: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{image(1)}\n{image(11)}\n{image(21)}\n")
    for split, number in (("train", 1), ("index", 11), ("test", 21)):
        assert wanted(metadata, split, only=path, split="") == {image(number)}
    assert wanted(metadata, "train", only=path) == {image(number) for number in (1, 11, 21)}
    path.write_text(f"{image(1)}\n{image(99)}\n")
    with pytest.raises(InputError, match=image(99)):
        wanted(metadata, "train", only=path, split="")


def test_landmarks_are_those_of_the_metadata_where_nothing_is_annotated(
    metadata: Workspace,
) -> None:
    assert wanted(metadata, "train", landmark=("10",)) == {image(1), image(2)}
    assert wanted(metadata, "train", landmark=("10", "20")) == {image(n) for n in (1, 2, 3)}
    with pytest.raises(InputError, match="landmark_id 99"):
        wanted(metadata, "train", landmark=("99",))
    with pytest.raises(MissingInputError, match="hgld annotate"):
        wanted(metadata, "train", supercategory=("church",))


def test_super_categories_are_found_whatever_their_blanks_and_slashes(
    annotations: Workspace, tmp_path: Path
) -> None:
    def of(*names: str, **conditions: object) -> set[str]:
        return wanted(annotations, "train", supercategory=names, **conditions)

    assert of("church") == {image(1), image(3)}
    assert of("castle / fort") == of("castle-fort") == of("Castle/Fort") == {image(0)}
    assert of("ocean area", "castle / fort") == {image(0), image(2)}
    with pytest.raises(InputError, match="lake"):
        of("lake")
    # All conditions hold together.
    (tmp_path / "list.txt").write_text(f"{image(0)}\n{image(1)}\n")
    assert of("church", only=tmp_path / "list.txt", landmark=("11", "21")) == {image(1)}
    annotations.path("annotations/data").rename(annotations.path("data"))  # as a release has it
    assert of("church") == {image(1), image(3)}
