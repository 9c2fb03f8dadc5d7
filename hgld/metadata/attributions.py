"""The authors of the train images, from GLDv2's `train_attribution.csv`. Pure: file in, tables out.

Thousands of people typed its content into Wikimedia Commons. So a line that cannot be read only
costs the credit of one image, and does not stop the build.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from hgld.errors import InputError
from hgld.metadata.files import ATTRIBUTION
from hgld.tables import ATTRIBUTIONS

logger = logging.getLogger(__name__)

_BLOCK_BYTES = 32_000_000  # splits 4.1 million rows into about 20 pieces of 0.1 GB in memory
_COLUMNS = ("id", "title", "author", "license", "url")


def attributions_of(folder: Path) -> Iterator[pa.Table]:
    """Reads the author of each image, one piece of the file at a time.

    Args:
        folder: with the CSV files; yields nothing if this one is missing.

    Yields:
        Rows of ATTRIBUTIONS, in the order of the file. Blank fields are null; rows without an image
        id are left out, and unreadable rows are left out and counted in the log.

    Raises:
        InputError: the file lacks a column, or cannot be read at all.
    """
    path = folder / ATTRIBUTION
    if not path.exists():
        return
    unreadable: list[str] = []

    def skip(row: pa_csv.InvalidRow) -> str:
        unreadable.append(row.text)
        return "skip"

    try:
        # As bytes: one name in a wrong encoding would make a whole column of strings fail.
        with pa_csv.open_csv(
            path,
            read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pa_csv.ConvertOptions(
                include_columns=_COLUMNS, column_types=dict.fromkeys(_COLUMNS, pa.binary())
            ),
        ) as batches:
            for batch in batches:
                yield _rows(batch)
    except KeyError as error:
        needed = ", ".join(_COLUMNS)
        raise InputError(f"{path}: {error.args[0]}; it needs the columns {needed}") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}") from error
    if unreadable:
        what = f"{len(unreadable)} rows cannot be read, such as {unreadable[0]!r:.60}"
        logger.warning("%s: %s; their images have no credit", path, what)


def _rows(batch: pa.RecordBatch) -> pa.Table:
    columns = [_text(batch[name]) for name in _COLUMNS]
    columns = [pc.if_else(pc.equal(texts, ""), None, texts) for texts in columns]
    table = pa.Table.from_arrays(columns, schema=ATTRIBUTIONS.schema)
    return table.filter(pc.is_valid(table["image_id"]))


def _text(values: pa.Array) -> pa.Array:
    """Returns bytes as stripped text; invalid UTF-8 becomes U+FFFD."""
    try:
        texts = values.cast(pa.string())
    except pa.ArrowInvalid:
        decoded = (
            None if one is None else one.decode(errors="replace") for one in values.to_pylist()
        )
        texts = pa.array(decoded, pa.string())
    return pc.utf8_trim_whitespace(texts)
