"""The data sets there are, each by its name: the one place that knows which function reads it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from hgld.benchmarks.datasets.retrieval_data import RetrievalData

DataSetName = Literal[
    "h-gldv2",
    "roxford5k",
    "rparis6k",
    "sop",
    "inat2018",
    "inat2018-base",
    "inat2018-val",
    "cub200",
    "cub200-official",
]
"""What docs/datasets.md says of each: what it is, where it comes from, what its folder holds."""


def read_data_set(name: DataSetName, folder: Path) -> "RetrievalData":
    """Reads a data set from its official files.

    Args:
        name: which, by its split and levels where it has several.
        folder: of its files.

    Raises:
        InputError: a file cannot be read, lacks something or contradicts another.
    """
    # Imported where they are used: the names alone are needed to read settings.
    match name:
        case "h-gldv2":
            from hgld.benchmarks.datasets.gldv2 import read_h_gldv2

            return read_h_gldv2(folder)
        case "roxford5k" | "rparis6k":
            from hgld.benchmarks.datasets.revisited import read_revisited

            return read_revisited(folder, name)
        case "sop":
            from hgld.benchmarks.datasets.sop import read_sop

            return read_sop(folder)
        case "inat2018" | "inat2018-base" | "inat2018-val":
            from hgld.benchmarks.datasets.inaturalist import read_inaturalist

            return read_inaturalist(
                folder,
                "official" if name == "inat2018-val" else "retrieval",
                taxonomy=name != "inat2018-base",
            )
        case "cub200" | "cub200-official":
            from hgld.benchmarks.datasets.cub import read_cub

            return read_cub(folder, "official" if name == "cub200-official" else "metric-learning")
