"""Who made each train image, and under which license."""

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from hgld.tables import CREDITS

_CREATIVE_COMMONS = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/(licenses|publicdomain)/"
    r"([a-z+-]+)(?:/(\d\.\d))?(?:/([a-z]{2}))?(?:/.*)?",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"cc[ -](by(?:[ -](?:nc|nd|sa))*)(?:[ -](\d\.\d))?(?:[ -]([a-z]{2}))?", re.IGNORECASE
)
_PUBLIC_DOMAIN = {"zero": "CC0", "mark": "PDM"}


def license_name(text: str) -> str | None:
    """Returns the short name of a license, with its version and country where they are stated.

    Args:
        text: the address of a Creative Commons license, or its name.

    Returns:
        The name in the form of SPDX; None for any other text.

    Example:
        >>> license_name("https://creativecommons.org/licenses/by-sa/3.0/de/deed.en")
        'CC-BY-SA-3.0-DE'
        >>> license_name("http://creativecommons.org/publicdomain/zero/1.0/"), license_name("free")
        ('CC0-1.0', None)
    """
    if match := _CREATIVE_COMMONS.fullmatch(text):
        kind, name, version, country = match.groups()
        if kind.lower() == "publicdomain":
            name, country = _PUBLIC_DOMAIN.get(name.lower()), None
        else:
            name = f"CC-{name}"
    elif match := _NAMED.fullmatch(text):
        name, version, country = match.groups()
        name = f"CC-{name.replace(' ', '-')}"
    else:
        return None
    return None if name is None else "-".join(filter(None, (name, version, country))).upper()


def credit_tables(
    image_ids: pa.ChunkedArray, attributions: pa.Table, images_per_table: int
) -> Iterator[pa.Table]:
    """Finds the credit of each image.

    Args:
        image_ids: of train images.
        attributions: rows of ATTRIBUTIONS; of an image that has several, the first counts.
        images_per_table: of those that are yielded.

    Yields:
        The rows of CREDITS, one for each image, in their order.
    """
    place = pc.index_in(image_ids, value_set=attributions["image_id"])
    addresses = pc.unique(attributions["license"])
    names = pa.array([text and license_name(text) for text in addresses.to_pylist()], pa.string())
    for start in range(0, len(image_ids), images_per_table):
        here = place.slice(start, images_per_table)
        rows = attributions.take(here)
        yield pa.table(
            {
                "image_id": image_ids.slice(start, images_per_table),
                "status": pc.if_else(pc.is_valid(here), "ok", "missing"),
                "title": rows["title"],
                "author": rows["author"],
                "source": rows["url"],
                "license": names.take(pc.index_in(rows["license"], value_set=addresses)),
                "license_uri": rows["license"],
            },
            schema=CREDITS.schema,
        )
