"""What methods are measured on: the test queries and index images of a build, by which labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from hgld.engine.dataset import rows_digest
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.loading import load
from hgld.tables import ANNOTATIONS, IMAGE_FILES
from hgld.training.data.labels import LabelledImages, query_and_index_images

_SPLITS = ("index", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueriesAndIndex:
    """The test queries and index images of a build."""

    build: Workspace
    """Whose pictures they are."""
    labels: Mapping[str, pa.Table] | None = None
    """By split, in the place of the build's own: `image_id` and a column a level."""

    def images(self) -> tuple[LabelledImages, LabelledImages]:
        """Returns both, as `query_and_index_images` does."""
        return query_and_index_images(self.build, self.labels)

    def digests(self) -> list[str]:
        """Returns what tells these labels from others, a text for each split or table.

        Raises:
            MissingInputError: the build has no annotations, or no images, yet.
        """
        tables = ANNOTATIONS if self.labels is None else IMAGE_FILES
        made = [self.build.finished(tables[one]).outputs[tables[one].path] for one in _SPLITS]
        if self.labels is None:
            return made
        # The pictures are there without annotations, so that theirs stand for which are measured.
        return [*made, *(rows_digest(self.labels[one].sort_by("image_id")) for one in _SPLITS)]


def with_official_labels(build: Workspace, folder: Path) -> QueriesAndIndex:
    """Returns the queries and index images of a build by the labels that Google published.

    Args:
        build: whose pictures they are.
        folder: with `index_label_to_hierarchical.csv` and GLDv2's `index_image_to_landmark.csv`,
            `test.csv` and `retrieval_solution_v2.1.csv`.

    Raises:
        InputError: a file is missing or wrong, or no image of a split has a label.
    """
    columns = ["image_id", *(level.column for level in ANNOTATIONS["index"].levels)]
    given = load(folder)
    labels = {split: given[split].to_arrow(columns) for split in _SPLITS}
    empty = [split for split, rows in labels.items() if not len(rows)]
    if empty:
        raise InputError(
            f"{folder} must label images of {' and '.join(_SPLITS)}, and labels none of "
            f"{empty[0]}; all files must be of one release"
        )
    return QueriesAndIndex(build=build, labels=labels)
