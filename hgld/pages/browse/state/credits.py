"""Who made a train image, found by its row: credits lie in the order of the images."""

import logging
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hgld.annotations.release.released import relative_to_release
from hgld.pages.browse.state.source import BrowsedFolder
from hgld.tables import CREDITS

logger = logging.getLogger(__name__)

_COLUMNS = ["image_id", "status", "title", "author", "source", "license", "license_uri"]

CreditRow = dict[str, Any]
"""A row of CREDITS."""


def read_credit_rows(folder: BrowsedFolder, rows: NDArray[np.int64]) -> dict[int, CreditRow]:
    """Reads the credits of some train images, of each file only the row groups that have any.

    Args:
        folder: the data set.
        rows: of the train images.

    Returns:
        Row to its credit; none where the release has no credits, or they cannot be read.
    """
    found: dict[int, CreditRow] = {}
    wanted = np.unique(rows)
    first = 0
    for path in sorted(folder.folder.glob(relative_to_release(CREDITS.path))):
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    end = first + file.metadata.row_group(group).num_rows
                    here = wanted[(wanted >= first) & (wanted < end)]
                    if len(here):
                        table = file.read_row_group(group, columns=_COLUMNS)
                        read = table.take(pa.array(here - first)).to_pylist()
                        found.update(zip(here.tolist(), read, strict=True))
                    first = end
        except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, ValueError) as error:
            logger.warning("browse: %s tells no credits: %s", path, error)
            return {}
    return found
