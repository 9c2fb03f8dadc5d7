"""Which pictures go with a site: a bounded number, some of every label."""

from collections.abc import Iterable, Mapping

from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.browse.showing.sights import ShownImage

PICTURES_EACH = 6
"""Of a landmark, at most."""


def chosen_images(exhibit: Exhibit, most: int) -> dict[int, list[ShownImage]]:
    """Chooses images in turns: the first one of each landmark, then the second ones.

    Within a turn each label gives its landmark with most images first, then all give the next. So
    a bound that is too small for all takes away the rear of large labels, and the small ones stay.

    Args:
        exhibit: the data set.
        most: images of all together.

    Returns:
        Row of a landmark to its images.
    """
    found: dict[int, list[ShownImage]] = {}
    left = most
    candidates = _candidates(exhibit)
    for turn in range(PICTURES_EACH):
        for row in _in_turn(exhibit, candidates):
            if left and turn < len(candidates[row]):
                found.setdefault(row, []).append(candidates[row][turn])
                left -= 1
    return found


def _candidates(exhibit: Exhibit) -> dict[int, list[ShownImage]]:
    rows = range(len(exhibit.landmarks))
    columns = (exhibit.landmarks.table[name].to_pylist() for name in ("split", "landmark_id"))
    keys = zip(rows, *columns, strict=True)
    chosen = {row: exhibit.images.chosen(space, one, PICTURES_EACH) for row, space, one in keys}
    return {row: images for row, images in chosen.items() if images}


def _in_turn(exhibit: Exhibit, candidates: Mapping[int, list[ShownImage]]) -> Iterable[int]:
    starts = [one.start for one in exhibit.landmarks.groups]
    groups = exhibit.landmarks.group_of
    return sorted(candidates, key=lambda row: (row - starts[int(groups[row])], row))
