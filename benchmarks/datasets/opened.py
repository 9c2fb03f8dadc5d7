"""The data sets there are, each by its name, and those of a Python file of one's own."""

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from hgld.errors import InputError

if TYPE_CHECKING:
    from hgld.benchmarks.datasets.retrieval_data import RetrievalData

NAMES = ("h-gldv2", "roxford5k", "rparis6k", "sop", "inat2018", "inat2018-base", "cub200")
"""What docs/datasets.md says of each: what it is, where it comes from, what its folder holds."""


def check_name(name: str) -> None:
    """Refuses what is neither the name of a data set nor a Python file.

    Raises:
        ValueError: it is neither.
    """
    if name not in NAMES and not name.endswith(".py"):
        raise ValueError(
            f"data_set must be one of {', '.join(NAMES)}, or a Python file that reads your own, "
            f"got {name!r}"
        )


def read_data_set(name: str, folder: Path) -> "RetrievalData":
    """Reads a data set from its official files.

    Args:
        name: which, by its split and levels where it has several; or a Python file with a function
            `read`, which takes the folder and returns a `RetrievalData`.
        folder: of its files.

    Raises:
        InputError: a file cannot be read, lacks something or contradicts another.
    """
    # Imported where they are used: only the names are needed to read settings.
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
        case "inat2018" | "inat2018-base":
            from hgld.benchmarks.datasets.inaturalist import read_inaturalist

            return read_inaturalist(folder, taxonomy=name == "inat2018")
        case "cub200":
            from hgld.benchmarks.datasets.cub import read_cub

            return read_cub(folder)
        case _:
            return _read_own(Path(name), folder)


def _read_own(file: Path, folder: Path) -> "RetrievalData":
    from hgld.benchmarks.datasets.retrieval_data import RetrievalData

    try:
        data = runpy.run_path(str(file))["read"](folder)
    except (FileNotFoundError, KeyError, SyntaxError) as error:
        raise InputError(
            f"{file} must be Python with a function read(folder), which returns a RetrievalData, "
            f"and its files must be there, got {error!r}; docs/datasets.md has an example"
        ) from error
    if not isinstance(data, RetrievalData):
        raise InputError(f"read of {file} must return a RetrievalData, got {type(data).__name__}")
    return data
