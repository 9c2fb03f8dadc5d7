"""`docs/columns.md`: every table of a release, column by column, from the same texts as its card.

python -m tests.columns
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from hgld.annotations.release.cards import column_rows, texts
from hgld.annotations.release.released import MORE_TABLES, relative_to_release
from hgld.engine.dataset import Dataset
from hgld.tables import ANNOTATIONS, FILLED, PARTIAL

PAGE = Path(__file__).resolve().parents[1] / "docs/columns.md"
RENEW = "python -m tests.columns"
_HEAD = f"""\
# Files and columns

<!-- Made by `{RENEW}`; do not edit. -->

The tables of a release, in Parquet. [Using the labels](use.md) says how to load them, with and
without hgld; [a release](release.md) has the files beside them: cards, checksums, changes.

```python
import hgld

data = hgld.load("demo-build")  # a build, a release, or its URL
print(data.train.to_arrow(["image_id", "hierarchical_label"]))
print(data.hierarchy)
```

The tables of train, index and test have the same columns. Labels in `data/` come from a class of
the landmark. `filled/` has [labels from other evidence](use.md#labels-of-classes-of-persons-or-all)
in the same columns, and `partial/` has labels that are
[not known at every level](training.md#labels-as-deep-as-they-are-known), with one more column.
"""


def page() -> str:
    """Returns the whole page."""
    labelled = {"filled_train": FILLED["train"], "partial_train": PARTIAL["train"]}
    images = ANNOTATIONS["train"]
    lines = [_HEAD, *_table("train", images, images.schema)]
    for name, one in labelled.items():  # only what `data/` has not
        more = [field for field in one.schema if field.name not in images.schema.names]
        lines += _table(name, one, more)
    for name, one in MORE_TABLES.items():
        lines += _table(name, one, one.schema)
    return "\n".join(lines)


def _table(name: str, dataset: Dataset, fields: Iterable[pa.Field]) -> Iterator[str]:
    about = texts()["tables"][name]
    key = ", ".join(f"`{one}`" for one in about["key"])
    yield from (f"## `{relative_to_release(dataset.path)}`", "")
    yield from (f"{about['text']} One row for each {key}.", "")
    if rows := column_rows(fields):
        yield from ("| column | type | meaning |", "|---|---|---|", rows, "")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
