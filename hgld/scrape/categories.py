"""The landmarks to scrape, from a user's CSV file; a line that is not clear is refused."""

from pathlib import Path

import pyarrow as pa

from hgld.errors import InputError
from hgld.tables import LANDMARKS
from hgld.tables.csv_cells import read_list

_SPLITS = ("train", "index")
_MOST_ID = (1 << 63) - 1


def read_categories(path: Path) -> pa.Table:
    """Reads the landmarks to scrape from a CSV file.

    Args:
        path: a list (`read_list`) with the columns landmark_id and category, and perhaps split
            ("train" where there is none).

    Returns:
        The rows of LANDMARKS' schema, in the order of the file.

    Raises:
        InputError: as `read_list`, or a row is not clear: the text names the line.
    """
    rows, place_of = [], dict[tuple[str, int], str]()
    for where, cells in read_list(path, ("landmark_id", "category"), ("split",)):
        number = cells["landmark_id"].strip()
        if not (number.isascii() and number.isdecimal() and int(number) <= _MOST_ID):
            raise InputError(f"{where} must have a landmark_id, 0 or more, got {number!r:.60}")
        landmark_id, split = int(number), cells.get("split", "train")
        if split not in _SPLITS:
            raise InputError(f"{where}: split must be one of {', '.join(_SPLITS)}, got {split!r}")
        before = place_of.setdefault((split, landmark_id), where)
        if before != where:
            raise InputError(
                f"{where} has landmark_id {landmark_id} of {split}, as {before} has; keep one"
            )
        rows.append({"split": split, "landmark_id": landmark_id, "category": cells["category"]})
    return pa.Table.from_pylist(rows, schema=LANDMARKS.schema)
