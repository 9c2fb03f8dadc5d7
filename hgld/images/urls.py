"""Pictures from where they were published first: for a few thousand of them, and politely.

`train.csv` names the address of each picture on Wikimedia Commons. They come one after the other
with a pause between two requests to a host, two at a time at most, under a User-Agent that says how
to reach whoever asks; a host that asks to be left alone (429, Retry-After) is, by all threads
(`hgld.http.session`). Where pictures are made smaller anyway, a thumbnail is asked for, in one of
the widths that Wikimedia keeps; any other is refused there.

A file on Commons may have been replaced or deleted since GLDv2 was made. One that is gone (404,
410) is recorded as gone and not asked for again; what else fails is tried again by the next run.

Source of the widths: https://www.mediawiki.org/wiki/Common_thumbnail_sizes ($wgThumbnailSteps).
"""

import re
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests

from hgld.engine.workspace import Workspace
from hgld.http.redirects import PoliteSession
from hgld.http.session import failure
from hgld.http.transfer import StoppedError
from hgld.images.bringing.fetch import PublishedTar
from hgld.images.extract import Extracted, PictureRules, keep_picture
from hgld.images.rows import TarRows, rows_of
from hgld.images.tars import TarMember

THUMBNAIL_WIDTHS = (20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840)
"""In pixels; the widths of thumbnails that Wikimedia makes."""

_ORIGINAL = re.compile(
    r"(.*/wikipedia/[^/]+)/([0-9a-f]/[0-9a-f]{2}/([^/?#]+\.(?:jpe?g|png)))", re.I
)
_GONE = frozenset({404, 410})
_HTTPS_HOSTS = frozenset({"upload.wikimedia.org"})
_STOP_CHECK_S = 0.2


def addresses_of(url: str, longest_side: int) -> tuple[str, ...]:
    """Returns where a picture may be fetched, the best first.

    Args:
        url: of the original.
        longest_side: in pixels, that it is made smaller to; 0: the original is wanted.

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
    # As wide as is wanted at least: of a picture that is higher than wide, higher.
    return (f"{match[1]}/thumb/{match[2]}/{width}px-{match[3]}", url)


@dataclass(slots=True)
class UrlPlaces:
    """Which pictures have an address; stands for the index of a tar."""

    urls: Mapping[str, str]

    def knows_all_of(self, _tar: PublishedTar) -> bool:
        """Says that there is nowhere else to look."""
        return True

    def of(self, tar: PublishedTar, ids: Collection[str]) -> dict[str, dict[str, object]]:
        """Returns the pictures of a group that have an address."""
        return {one: {} for one in ids if one in self.urls and group_of(one) == tar.shard}


def group_of(image_id: str) -> str:
    """Returns the name of the shard that has the record of a picture, whatever else is wanted."""
    return f"urls_{image_id[:2]}"


@dataclass(slots=True)
class UrlReader:
    """Fetches pictures from their addresses."""

    workspace: Workspace
    session: PoliteSession
    rules: PictureRules
    places: UrlPlaces
    pause_s: float
    """Between the starts of two requests to one host."""
    _turns: dict[str, float] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def whole(self, tar: PublishedTar, wanted: Collection[str] | None = None) -> TarRows:
        """Fetches every picture of a group that is wanted."""
        return self.some(tar, wanted or ())

    def some(self, tar: PublishedTar, ids: Collection[str]) -> TarRows:
        """Fetches pictures of a group, one after the other.

        Raises:
            InputError: a picture cannot be written.
            StoppedError: another thread has ended the work.
        """
        places, images = [], []
        for image_id in sorted(ids):
            address, image = self._fetched(tar.split, image_id)
            images.append(image)
            places.append(address)
        return rows_of(tar, images, self.rules, places=places)

    def not_found(self, split: str, _tars: int) -> str:
        """Returns why there is no picture at all."""
        return f"{split}.csv has no address of it; check the list"

    def check_room(self, _tars: Sequence[PublishedTar], *, parallel: int, keeps_all: bool) -> None:
        """Does nothing: how large the pictures are is known when they come."""

    def _fetched(self, split: str, image_id: str) -> tuple[str, Extracted]:
        """Returns where a picture was fetched, and what came of it."""
        address, *others = addresses_of(self.places.urls[image_id], self.rules.longest_side)
        while True:
            self._wait_for_turn(urlsplit(address).netloc)
            try:
                answer = self.session.get(address)
            except requests.RequestException as error:
                why = str(failure(address, error))
                return address, Extracted(status="failed", image_id=image_id, error=why)
            if answer.ok or not others:
                break
            address = others.pop(0)  # there is no thumbnail of one that is smaller than it
        if answer.ok:
            member = TarMember(image_id=image_id, content=answer.content)
            return address, keep_picture(member, split, self.workspace.root, self.rules)
        if answer.status_code in _GONE:
            why, status = f"is not at {address} any more ({answer.status_code})", "gone"
        else:
            why, status = f"{address} answered {answer.status_code} {answer.reason}", "failed"
        return address, Extracted(status=status, image_id=image_id, error=why)

    def _wait_for_turn(self, host: str) -> None:
        with self._lock:
            begins = max(time.monotonic(), self._turns.get(host, 0.0))
            self._turns[host] = begins + self.pause_s
        while (left_s := begins - time.monotonic()) > 0 or self.session.stopping.is_set():
            if self.session.stopping.is_set():
                raise StoppedError(f"{host}: stopped")
            time.sleep(min(left_s, _STOP_CHECK_S))
