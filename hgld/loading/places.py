"""Where the picture of an image lies, as GLDv2's tars and `hgld images` have it."""

from pathlib import Path

_DEPTH = 3


def gldv2_place(image_id: str) -> str:
    """Returns the path of a picture within the folder of its split.

    Raises:
        ValueError: the id is too short to have one.

    Example:
        >>> gldv2_place("0123456789abcdef")
        '0/1/2/0123456789abcdef.jpg'
    """
    if len(image_id) < _DEPTH:
        raise ValueError(
            f"an image id of GLDv2 must have 16 characters, got {image_id!r}; say where a picture "
            f"of yours lies with place=, such as place=str where the ids are paths"
        )
    return "/".join((*image_id[:_DEPTH], f"{image_id}.jpg"))


def split_folder(folder: Path, split: str) -> Path:
    """Returns the folder of a split within that of all pictures, where it has one."""
    inner = folder / split
    return inner if inner.is_dir() else folder
