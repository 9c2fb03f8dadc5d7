"""Pictures and names of the landmarks of small builds."""

from collections.abc import Mapping, Sequence

from hgld.engine.workspace import Workspace
from hgld.tables import BAD_IMAGES, CATEGORIES, CLASSES, IMAGE_FILES, SUPERCLASSES
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.pictures import drawing, encoded


def write_pictures(workspace: Workspace, pictured: Mapping[str, Sequence[str]]) -> None:
    """Writes pictures of some images of each split, as the step `images` does."""
    for split, ids in pictured.items():
        rows = []
        for image_id in ids:
            relative = f"images/{split}/{image_id}.jpg"
            path = workspace.path(relative)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(drawing(), "JPEG"))
            rows.append(picture_row(workspace, image_id, relative))
        files, bad = IMAGE_FILES[split], BAD_IMAGES[split]
        write_stage(workspace, [(files, table_of(files, rows)), (bad, table_of(bad, []))])


def write_landmark_pictures(
    workspace: Workspace, count: int, *, author: str, licence: str, first: int = 1
) -> list[str]:
    """Writes a picture of each of some landmarks in a row; returns their ids."""
    ids = [f"{number:016x}" for number in range(first, first + count)]
    images = [
        {"split": "train", "image_id": image_id, "landmark_id": number, "in_clean": True}
        for number, image_id in enumerate(ids, first)
    ]
    authors = [
        {"image_id": image_id, "url": "https://x/1", "author": author, "license": licence}
        for image_id in ids
    ]
    landmarks = [{"split": "train", "landmark_id": first, "category": ""}]
    write_metadata(workspace, landmarks, images, authors)
    write_pictures(workspace, {"train": ids})
    return ids


def call_landmarks(workspace: Workspace, url: str) -> None:
    """Gives all landmarks another category, with their number at `{}`."""
    categories = workspace.read(CATEGORIES)
    place = categories.column_names.index("category")
    urls = [url.format(number) for number in range(len(categories))]
    renamed = categories.set_column(place, categories.schema.field(place), [urls])
    others = [(one, workspace.read(one)) for one in (CLASSES, SUPERCLASSES)]
    write_stage(workspace, [(CATEGORIES, renamed), *others])
