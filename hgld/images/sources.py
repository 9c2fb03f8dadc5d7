"""The stage `images` from the addresses of the pictures instead of the tars (`--from urls`)."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from hgld.engine.dataset import read_csv
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.http.session import make_session, require_contact
from hgld.images.bringing.fetch import PublishedTar
from hgld.images.bringing.urls import UrlPlaces, UrlReader, addresses_of, group_of
from hgld.images.config import ImagesConfig
from hgld.images.split import SplitPictures

_FOLDER = "metadata/csv"


def wanted_urls(
    workspace: Workspace, config: ImagesConfig, split: str, wanted: frozenset[str] | None
) -> dict[str, str]:
    """Returns the addresses of pictures, all of them on servers that may be asked.

    Args:
        workspace: the build, which has the CSV file of the split.
        config: the settings.
        split: `train`, or another whose file has a column `url`.
        wanted: ids of the pictures.

    Raises:
        InputError: all pictures are asked for, there is no file or no address in it, an address is
            on a server that is not among `url_hosts`, or there is no contact.
    """
    if wanted is None:
        raise InputError(
            "--from urls is for some images; choose them with --only, --supercategory or "
            "--landmark: all of them are in the tars, which spares Wikimedia 4 million requests"
        )
    path = workspace.path(f"{_FOLDER}/{split}.csv")
    if wanted and not path.exists():
        raise InputError(
            f"{path} is not there, which names the addresses of the images; run "
            f"{workspace.command('metadata')} first (of GLDv2's files, train.csv has addresses)"
        )
    if not wanted:
        return {}
    table = read_csv(path, {"id": pa.string(), "url": pa.string()}, unique="id")
    table = table.filter(pc.is_in(table["id"], pa.array(list(wanted), pa.string())))
    urls = {row["id"]: row["url"] for row in table.to_pylist() if row["url"]}
    hosts = Counter(urlsplit(url).hostname or "" for url in urls.values())
    for host, count in hosts.items():
        if host not in config.url_hosts:
            raise InputError(
                f"{path}: {count:,} of {len(urls):,} addresses are at {host!r}; the servers that "
                f"may be asked are {', '.join(config.url_hosts)}, name more with --url-hosts"
            )
    require_contact(config.contact, *urls.values())
    return urls


@contextmanager
def pictures_of_urls(
    workspace: Workspace, config: ImagesConfig, split: str, urls: dict[str, str]
) -> Iterator[SplitPictures]:
    """Opens a session for pictures by their addresses.

    Args:
        workspace: the build.
        config: the settings.
        split: of the pictures.
        urls: their addresses, by their ids.

    Yields:
        What fetches and records them.
    """
    policy = replace(config.policy(), answer_bytes=config.max_picture_bytes)
    with make_session(config.contact, policy) as session:
        reader = UrlReader(workspace, session, config.rules(), UrlPlaces(urls), config.pause_s)
        names = sorted({group_of(image_id) for image_id in urls})
        groups = [PublishedTar(split, f"{name}.tar", None) for name in names]
        yield SplitPictures(reader, split, groups, frozenset(urls), config.parallel)


def digest_of_urls(urls: dict[str, str], config: ImagesConfig) -> str:
    """Returns a digest of what is asked for, which decides the rows."""
    lines = (f"{key} {addresses_of(url, config.longest_side)}" for key, url in sorted(urls.items()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
