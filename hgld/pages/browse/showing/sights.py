"""Which images of a landmark are shown, and with whose name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hgld.pages.browse.showing.wording import web_url
from hgld.pages.browse.state.credits import CreditRow, read_credit_rows
from hgld.pages.browse.state.images import ImageRows
from hgld.pages.browse.state.landmarks import BrowsedLandmarks
from hgld.pages.browse.views import SightView

_TRIED = 20  # landmarks of a label, for one that has a picture
_NO_CREDIT: CreditRow = {}

ShownImage = tuple[str, int]
"""Split and row of an image."""


@dataclass(slots=True, kw_only=True)
class Sights:
    """Shows images of landmarks; a landmark is called by its row."""

    landmarks: BrowsedLandmarks
    images: ImageRows
    choose: Callable[[int], Sequence[ShownImage]]
    """The images of a landmark that are shown."""
    makers: Mapping[int, CreditRow] | None = None
    """Of train rows; None: they are read as they are needed."""
    broken: set[str] = field(default_factory=set)
    """Names of pictures that cannot be shown."""

    def of(self, landmark: int) -> tuple[SightView, ...]:
        """Returns all that are shown of a landmark."""
        return self._views(self.choose(landmark))

    def covers(self, landmarks: Iterable[int]) -> list[SightView | None]:
        """Returns of each of some landmarks one image that has a picture; None: it has none."""
        firsts = [self._first(one) for one in landmarks]
        found = iter(self._views([one for one in firsts if one is not None]))
        return [None if one is None else next(found) for one in firsts]

    def cover_of_any(self, landmarks: Iterable[int]) -> SightView | None:
        """Returns an image of the first of some landmarks that has a picture."""
        for _, landmark in zip(range(_TRIED), landmarks, strict=False):
            if (first := self._first(landmark)) is not None:
                return self._views([first])[0]
        return None

    def _first(self, landmark: int) -> ShownImage | None:
        if not self.images.has_pictures:
            return None
        return next((one for one in self.choose(landmark) if self._name(*one)), None)

    def _views(self, chosen: Sequence[ShownImage]) -> tuple[SightView, ...]:
        makers = self._makers(row for split, row in chosen if split == "train")
        return tuple(
            self._view(split, row, makers.get(row, _NO_CREDIT) if split == "train" else _NO_CREDIT)
            for split, row in chosen
        )

    def _makers(self, rows: Iterable[int]) -> Mapping[int, CreditRow]:
        if self.makers is not None:
            return self.makers
        wanted = np.fromiter(rows, np.int64)
        return read_credit_rows(self.images.folder, wanted) if len(wanted) else {}

    def _view(self, split: str, row: int, credit: CreditRow) -> SightView:
        image_id = self.images.image_id(split, row)
        if credit.get("image_id") != image_id:  # of another order than the images: nobody's
            credit = _NO_CREDIT
        return SightView(
            image_id=image_id,
            split=split,
            picture=self._name(split, row),
            title=credit.get("title") or "",
            author=credit.get("author") or "",
            license=credit.get("license") or "",
            license_url=web_url(credit.get("license_uri")),
            source_url=web_url(credit.get("source")),
            has_credit=credit.get("status") == "ok",
        )

    def _name(self, split: str, row: int) -> str:
        name = picture_name(split, row)
        rows = self.images.splits[split]
        return name if rows.file_rows[row] >= 0 and name not in self.broken else ""


def picture_name(split: str, row: int) -> str:
    """Returns the name of a picture in addresses."""
    return f"{split}-{row}"


def picture_of(name: str) -> ShownImage | None:
    """Returns which image a name means; None: none.

    Example:
        >>> picture_of("train-12"), picture_of("../secret")
        (('train', 12), None)
    """
    split, _, row = name.partition("-")
    is_row = row.isascii() and row.isdigit() and len(row) < 10  # noqa: PLR2004 - digits
    return (split, int(row)) if split in {"train", "index", "test"} and is_row else None
