"""Pictures of the landmarks of a small review."""

from hgld.engine.workspace import Workspace
from hgld.tables import IMAGE_FILES
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.pictures import drawing, encoded


def write_landmark_pictures(
    workspace: Workspace, count: int, *, author: str, licence: str
) -> list[str]:
    """Writes a picture of each of the first landmarks; returns their ids."""
    ids = [f"{number:016x}" for number in range(1, count + 1)]
    files = []
    for image_id in ids:
        relative = f"images/train/{image_id}.jpg"
        path = workspace.path(relative)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(drawing(), "JPEG"))
        files.append(picture_row(workspace, image_id, relative))
    images = [
        {"split": "train", "image_id": image_id, "landmark_id": number, "in_clean": True}
        for number, image_id in enumerate(ids, 1)
    ]
    authors = [
        {"image_id": image_id, "url": "https://x/1", "author": author, "license": licence}
        for image_id in ids
    ]
    landmarks = [{"split": "train", "landmark_id": 1, "category": ""}]
    write_metadata(workspace, landmarks, images, authors)
    write_stage(workspace, [(IMAGE_FILES["train"], table_of(IMAGE_FILES["train"], files))])
    return ids
