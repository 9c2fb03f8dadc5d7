"""Pictures with their labels for torch; imported on demand, because nothing else needs torch."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from hgld.errors import InputError, PictureError
from hgld.pictures import decode_picture

Transform = Callable[[Any], Any] | None


class LabelledPictures(Dataset[tuple[Any, Tensor]]):
    """The pictures of a split with their labels, in the order of its rows.

    Made by `LabelledSplit.torch`. Item i is `transform` of picture i (or the upright RGB image
    itself) and its labels, (L,) int64. A missing or damaged picture raises an error that names it.
    """

    def __init__(
        self, folder: Path, files: Sequence[str], labels: NDArray[np.int64], transform: Transform
    ) -> None:
        """Takes N files within a folder, and (N, L) labels.

        Raises:
            InputError: the folder or the first picture is missing.
        """
        self.folder = folder
        self.files = pa.array(files, pa.string())  # not a list, which forked workers would copy
        self.labels = torch.from_numpy(labels)
        self.transform = transform
        if not folder.is_dir():
            raise InputError(f"the folder of pictures {folder} does not exist; check the path")
        if files and not (folder / files[0]).is_file():
            raise _missing(folder / files[0])

    def __len__(self) -> int:
        """Returns N."""
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, Tensor]:
        """Returns a picture and its labels.

        Raises:
            InputError: the picture is missing or damaged.
        """
        path = self.folder / str(self.files[index])
        try:
            picture = decode_picture(path.read_bytes())
        except FileNotFoundError as error:
            raise _missing(path) from error
        except PictureError as error:
            raise InputError(f"{path} {error}; fetch it again, or leave it out") from error
        return (self.transform(picture) if self.transform else picture), self.labels[index]


def _missing(path: Path) -> InputError:
    return InputError(
        f"{path} is missing; fetch it with `hgld images`, or give the folder of the pictures"
    )
