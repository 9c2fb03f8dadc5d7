"""Fetch a few thousand pictures from their own URLs instead of the tars, politely.

`train.csv` has the URL of each picture on Wikimedia Commons. At most two requests run at once, and
the User-Agent has the user's contact. `hgld.http.session` makes a pause between requests to a host,
and all threads wait if a host asks for it (429, Retry-After). To shrink pictures, thumbnails are
requested in one of the widths that Wikimedia keeps; it refuses all others.

A file on Commons may have been replaced or deleted since GLDv2 was made. If it is gone (404, 410),
it is recorded as gone and not requested again; the next run retries all other failures.

Source of the widths: https://www.mediawiki.org/wiki/Common_thumbnail_sizes ($wgThumbnailSteps).
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import requests

from hgld.engine.dataset import read_csv
from hgld.engine.workspace import Workspace
from hgld.errors import FetchError, InputError
from hgld.http.redirects import PoliteSession
from hgld.http.session import failure
from hgld.http.transfer import StoppedError
from hgld.images.bucket import PublishedTar
from hgld.images.config import ImagesConfig
from hgld.images.records import records_table
from hgld.images.tars import Extracted, TarMember, keep_picture

THUMBNAIL_WIDTHS = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
"""Widths of Wikimedia's thumbnails, in pixels."""

_ORIGINAL = re.compile(
    r"(.*/wikipedia/[^/]+)/([0-9a-f]/[0-9a-f]{2}/([^/?#]+\.(?:jpe?g|png)))", re.I
)
_GONE = frozenset({404, 410})
_HTTPS_HOSTS = frozenset({"upload.wikimedia.org"})


def addresses_of(url: str, longest_side: int) -> tuple[str, ...]:
    """Returns the URLs of a picture, the best first.

    Args:
        url: the URL of the original.
        longest_side: the wanted size in pixels; 0: the original.

    Example:
        >>> addresses_of("http://upload.wikimedia.org/wikipedia/commons/6/6b/A.jpg", 512)[0]
        'https://upload.wikimedia.org/wikipedia/commons/thumb/6/6b/A.jpg/960px-A.jpg'
    """
    if url.startswith("http://") and urlsplit(url).hostname in _HTTPS_HOSTS:
        url = f"https{url.removeprefix('http')}"
    width = next((one for one in THUMBNAIL_WIDTHS if one >= longest_side), 0)
    match = _ORIGINAL.fullmatch(url)
    if not (longest_side and width and match):
        return (url,)
    # At least as wide as wanted; a portrait picture is even higher.
    return (f"{match[1]}/thumb/{match[2]}/{width}px-{match[3]}", url)


def group_of(image_id: str) -> str:
    """Returns the name of the shard with the record of a picture."""
    return f"urls_{image_id[:2]}"


def groups_of(split: str, urls: Collection[str]) -> list[PublishedTar]:
    """Groups pictures by id; a group is recorded in one shard, like a tar."""
    names = sorted({group_of(image_id) for image_id in urls})
    return [PublishedTar(split, f"{name}.tar", None) for name in names]


def wanted_urls(
    workspace: Workspace, config: ImagesConfig, split: str, wanted: frozenset[str] | None
) -> dict[str, str]:
    """Returns the URLs of pictures, all on allowed servers.

    Args:
        workspace: the build, with the CSV file of the split.
        config: the settings.
        split: `train`, or another split whose file has a column `url`.
        wanted: ids of the pictures.

    Raises:
        InputError: all pictures are wanted, the file or its URLs are missing, or a URL is on a
            server that is not in `url_hosts`.
    """
    if wanted is None:
        mend = "select some with --only, --supercategory or --landmark, or use the tars for all"
        raise InputError(f"--from urls is only for some images: {mend}")
    if not wanted:
        return {}
    path = workspace.path(f"metadata/csv/{split}.csv")
    if not path.exists():
        mend = f"run {workspace.command('metadata')} first (only train.csv has URLs)"
        raise InputError(f"{path}, which has the URLs of the images, is missing; {mend}")
    table = read_csv(path, {"id": pa.string(), "url": pa.string()}, unique="id")
    table = table.filter(pc.is_in(table["id"], pa.array(list(wanted), pa.string())))
    urls = {row["id"]: row["url"] for row in table.to_pylist() if row["url"]}
    hosts = Counter(urlsplit(url).hostname or "" for url in urls.values())
    for host, count in hosts.items():
        if host not in config.url_hosts:
            what = f"{count:,} of {len(urls):,} URLs are at {host!r}"
            mend = f"allowed are only {', '.join(config.url_hosts)}; allow more with --url-hosts"
            raise InputError(f"{path}: {what}; {mend}")
    return urls


@dataclass(slots=True)
class UrlReader:
    """Fetches pictures from their URLs."""

    workspace: Workspace
    session: PoliteSession
    config: ImagesConfig
    urls: dict[str, str]

    def fetch(self, group: PublishedTar, wanted: Collection[str] | None) -> pa.Table:
        """Fetches the wanted pictures of a group, one after the other.

        Raises:
            InputError: a picture cannot be written.
            StoppedError: another thread stopped the work.
        """
        ids = sorted(self.urls.keys() & (wanted or ()))
        found = (self._fetched(group.split, one) for one in ids if group_of(one) == group.shard)
        return records_table(group.split, found)

    def check_room(self, _tars: Sequence[PublishedTar], *, keeps_all: bool) -> None:
        """Does nothing, because the sizes of the pictures are not known in advance."""

    def _fetched(self, split: str, image_id: str) -> tuple[str, Extracted]:
        """Fetches a picture; returns its URL and its record."""
        address, *others = addresses_of(self.urls[image_id], self.config.longest_side)
        while True:
            if self.session.stopping.is_set():
                raise StoppedError(f"{address}: stopped")
            try:
                answer = self.session.get(address)
            except (requests.RequestException, FetchError) as error:
                why = str(error if isinstance(error, FetchError) else failure(address, error))
                return address, Extracted("failed", image_id, error=why)
            if answer.ok or not others:
                break
            address = others.pop(0)  # a picture smaller than the thumbnail has none
        if answer.ok:
            member = TarMember(image_id=image_id, content=answer.content)
            return address, keep_picture(member, split, self.workspace.root, self.config)
        if answer.status_code in _GONE:
            why, status = f"is no longer at {address} ({answer.status_code})", "gone"
        else:
            why, status = f"{address} answered {answer.status_code} {answer.reason}", "failed"
        return address, Extracted(status, image_id, error=why)
