"""Fields shared by tables of several rooms, and the order of Q-ids."""

import pyarrow as pa
import pyarrow.compute as pc

VOLATILE = {"volatile": "true"}
CLASS = pa.struct(
    [pa.field("class_qid", pa.string(), nullable=False), pa.field("class_label", pa.string())]
)


def required(name: str, kind: pa.DataType) -> pa.Field:
    """Returns a field that is never null."""
    return pa.field(name, kind, nullable=False)


def schema(*fields: pa.Field) -> pa.Schema:
    """Returns the schema of a table with these columns."""
    return pa.schema(fields)


def qid_number(qid: str) -> int:
    """Returns the number of a Q-id, by which Q-ids are sorted: older items come first.

    Example:
        >>> sorted(["Q10", "Q9"], key=qid_number)
        ['Q9', 'Q10']
    """
    return int(qid[1:])


def qid_numbers(qids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the `qid_number` of each Q-id in a column, as int64."""
    return pc.utf8_slice_codeunits(qids, 1).cast(pa.int64())


def of_split(table: pa.Table, split: str) -> pa.Table:
    """Returns the rows of one split or label space."""
    return table.filter(pc.equal(table["split"], split))
