"""The pictures of a tar on their places: the tar brought whole, or a few of its members alone."""

import hashlib
import logging
import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.http.download import Source
from hgld.http.parts import NoRangesError
from hgld.http.redirects import PoliteSession
from hgld.http.transfer import StoppedError
from hgld.images.bringing.fetch import PublishedTar, brought_tar
from hgld.images.bringing.plan import RoomRule, check_room, check_room_for_all
from hgld.images.extract import Extracted, PictureRules, extract_images, keep_picture
from hgld.images.rows import TarRows, rows_of
from hgld.images.subset.places import TarPlaces
from hgld.images.tars import TarMember

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class TarReader:
    """Where tars come from, and as what their pictures are taken."""

    workspace: Workspace
    source: Source
    rules: PictureRules
    places: TarPlaces
    has_ranges: bool = field(default=True, init=False)
    """Whether the server is still believed to send parts of files."""

    @property
    def session(self) -> PoliteSession:
        """The session of the source."""
        return self.source.session

    def whole(self, tar: PublishedTar, wanted: Collection[str] | None = None) -> TarRows:
        """Fetches a whole tar and extracts its pictures, or those that are wanted.

        Raises:
            FetchError: the server cannot be reached; what else it does becomes failed rows.
            InputError: too little room, or a picture cannot be written.
            StoppedError: another thread has ended the work.
        """
        digest: list[str] = []
        images = []
        for image in self._extracted(tar, digest, wanted):
            images.append(image)
            self._stop_if_told(tar)
        rows = rows_of(tar, images, self.rules, *digest)
        errors = [image.error for image in images if image.status == "failed"]
        if errors:
            logger.warning("%s: %d failed, first: %s", tar.address, len(errors), errors[0])
        return rows

    def some(self, tar: PublishedTar, ids: Collection[str]) -> TarRows:
        """Fetches some pictures of a tar: each by itself where it is known where they lie.

        Raises:
            FetchError: the server cannot be reached; what else it does becomes failed rows.
            InputError: too little room, or a picture cannot be written.
            StoppedError: another thread has ended the work.
        """
        places = self.places.of(tar, ids)
        if self.has_ranges and len(places) == len(ids):
            try:
                return self._members(tar, places)
            except NoRangesError as error:
                logger.warning("%s; the whole tar is fetched", error)
                self.has_ranges = False
        return self.whole(tar, ids)

    def not_found(self, split: str, tars: int) -> str:
        """Returns why a picture is nowhere."""
        return f"it is in none of the {tars} tars of {split}; check the list"

    def check_room(self, tars: Sequence[PublishedTar], *, parallel: int, keeps_all: bool) -> None:
        """Stops where whole tars would fill the disk, as `check_room_for_all` says."""
        rule = RoomRule(parallel=parallel, keeps_all=keeps_all)
        check_room_for_all(self.source, self.workspace, tars, rule)

    def _members(self, tar: PublishedTar, places: dict[str, dict[str, object]]) -> TarRows:
        images = []
        for image_id, place in sorted(places.items()):
            member = self._member(tar, image_id, place)
            if member.error:
                self.source.size(tar.address)  # stops the run where the server is gone
            images.append(keep_picture(member, tar.split, self.workspace.root, self.rules))
            self._stop_if_told(tar)
        return rows_of(tar, images, self.rules)

    def _member(self, tar: PublishedTar, image_id: str, place: dict[str, object]) -> TarMember:
        offset, size = int(str(place["offset"])), int(str(place["size"]))
        address = self.source.address(tar.address)
        if size > self.rules.limits.picture_bytes:
            return TarMember(
                image_id=image_id,
                error=f"{address} has it with {size:,} bytes, where "
                f"{self.rules.limits.picture_bytes:,} (max_picture_bytes) are the most",
            )
        try:
            content = self.source.read_part(tar.address, offset, size)
        except NoRangesError:
            raise
        except FetchError as error:
            return TarMember(image_id=image_id, error=str(error))
        if hashlib.sha256(content).hexdigest() == place["sha256"]:
            return TarMember(image_id=image_id, content=content, offset=offset)
        return TarMember(
            image_id=image_id,
            error=f"{address} has other bytes at {offset:,} than its index says; rerun, and if it "
            f"stays so, do without the index (delete images/tar_index, or leave out tar_index)",
        )

    def _extracted(
        self, tar: PublishedTar, digest: list[str], wanted: Collection[str] | None
    ) -> Iterator[Extracted]:
        """Fetches, checks and extracts a tar; `digest` gets its SHA-256 once all of it was read."""
        check_room(self.source, self.workspace, tar)
        address = self.source.address(tar.address)
        root = self.workspace.root
        try:
            with brought_tar(self.source, self.workspace, tar) as brought:
                yield from extract_images(brought.path, tar.split, root, self.rules, wanted)
                digest.append(brought.sha256)
        except FetchError as error:
            yield Extracted(status="failed", error=str(error))
        except tarfile.TarError as error:
            yield Extracted(
                status="failed",
                error=f"{address} must be a whole, uncompressed tar, got the right MD5 but "
                f"'{error}'; tell its publisher, or lower {tar.split}_tars (--tars) below it",
            )

    def _stop_if_told(self, tar: PublishedTar) -> None:
        if self.source.session.stopping.is_set():
            raise StoppedError(f"{tar.address}: stopped")
