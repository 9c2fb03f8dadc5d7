"""Fields that tables of several rooms have, and the order of Q-ids."""

import re

import pyarrow as pa
import pyarrow.compute as pc

VOLATILE = {"volatile": "true"}
CLASS = pa.struct(
    [pa.field("class_qid", pa.string(), nullable=False), pa.field("class_label", pa.string())]
)


_QID = re.compile(r"Q[1-9][0-9]{0,15}")  # ASCII digits only; those of a bare list have 16
_ITEM = re.compile(r"Q[1-9][0-9]{0,11}")  # Wikidata counts to 10^8; its rate gives 10^12 never
_SHOWN = 20  # characters of what is no Q-id that an error quotes


def required(name: str, kind: pa.DataType) -> pa.Field:
    """Returns a field that is never null."""
    return pa.field(name, kind, nullable=False)


def schema(*fields: pa.Field) -> pa.Schema:
    """Returns the schema of a table with these columns."""
    return pa.schema(fields)


def check_qid(text: str, *, is_item: bool = False) -> str:
    """Returns a text that is a Q-id.

    Args:
        text: what may be one.
        is_item: whether it must be one of Wikidata's, and may not stand for a label of a bare list.

    Raises:
        ValueError: it is none, also where it has more digits than any item.

    Example:
        >>> check_qid("Q243")
        'Q243'
    """
    if (_ITEM if is_item else _QID).fullmatch(text):
        return text
    shown = repr(text[:_SHOWN]) + ("..." if len(text) > _SHOWN else "")
    raise ValueError(
        f"a Q-id must be Q and a number of at most {12 if is_item else 16} digits, such as Q16970, "
        f"got {shown}; correct it"
    )


def qid_number(qid: str) -> int:
    """Returns the number of a Q-id: wherever Q-ids are put in order, older items come first.

    Example:
        >>> sorted(["Q10", "Q9"], key=qid_number)
        ['Q9', 'Q10']
    """
    return int(qid[1:])


def qid_numbers(qids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the `qid_number` of each Q-id of a column, as int64."""
    return pc.utf8_slice_codeunits(qids, 1).cast(pa.int64())
