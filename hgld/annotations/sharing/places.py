"""Where a release lies: in a folder, under an http(s) address, or on the Hugging Face hub."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hgld.errors import FetchError, InputError, NotFoundError, how_to_install
from hgld.http.download import check_base, open_source
from hgld.http.patience import HttpPolicy

HUB = "https://huggingface.co"
_HUB_PLACE = re.compile(r"hf:(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")


class ReleasePlace(Protocol):
    """Where files of a release can be had, by their names relative to it."""

    def bring(self, name: str, temporary: Path) -> Path:
        """Makes a file readable here: where it lies, or as `temporary`.

        What an earlier call left there is gone on with.

        Raises:
            NotFoundError: there is no such file.
            FetchError: it cannot be had.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPlace:
    """A data set on the Hugging Face hub, at one commit."""

    name: str
    commit: str
    endpoint: str

    def bring(self, name: str, temporary: Path) -> Path:
        """Fetches a file; see `ReleasePlace.bring`."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError

        folder = temporary.parent / f".{temporary.name}.hub"
        try:
            path = hf_hub_download(
                self.name,
                name,
                repo_type="dataset",
                revision=self.commit,
                local_dir=folder,
                cache_dir=folder / "cache",  # not the user's own: nothing is left behind
                endpoint=self.endpoint,
            )
        except EntryNotFoundError as error:
            raise NotFoundError(f"{self.name} at {self.commit} has no file {name}") from error
        except hub_errors() as error:
            raise FetchError(f"cannot fetch {name} of {self.name}: {error}; rerun") from error
        return Path(path)


@contextlib.contextmanager
def open_place(ref: str, policy: HttpPolicy, *, endpoint: str = HUB) -> Iterator[ReleasePlace]:
    """Opens a place for the time of a piece of work.

    Args:
        ref: a folder, an http(s) address, or `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`.
        policy: the bounds of what is fetched from an address.
        endpoint: of the hub.

    Yields:
        The place; a release on the hub at the commit that it has now.

    Raises:
        InputError: it is none of these, or the package for the hub is missing.
        NotFoundError: the hub has no such data set.
        FetchError: the hub cannot be reached.
    """
    if ref.startswith("hf:"):
        yield hub_place(ref, endpoint)
        return
    try:
        check_base(ref)
    except ValueError as error:
        raise InputError(
            f"{ref} must be a folder, an http(s) address, or hf:OWNER/NAME: {error}"
        ) from error
    with open_source(ref, policy) as source:
        yield source


def hub_errors() -> tuple[type[Exception], ...]:
    """Returns what the hub's package raises where the hub cannot be reached, or says no.

    Whatever library it asks with, the errors of a status and those of the line have one base.
    """
    from huggingface_hub.errors import HfHubHTTPError

    bases = (one for one in HfHubHTTPError.__mro__ if one.__name__ == "HTTPError")
    return (*(one for one in bases if issubclass(one, Exception)), OSError)


def hub_name(ref: str) -> str:
    """Returns OWNER/NAME of a data set on the hub, as `hf:OWNER/NAME` names it.

    Raises:
        InputError: it is no such name, or has a revision.
    """
    match = _HUB_PLACE.fullmatch(ref)
    if match is None or match["revision"]:
        raise InputError(f"a data set on the hub must be named hf:OWNER/NAME, got {ref}")
    return match["name"]


def hub_place(ref: str, endpoint: str) -> HubPlace:
    """Returns a data set on the hub at its present commit; raises what `open_place` does."""
    match = _HUB_PLACE.fullmatch(ref)
    if match is None:
        raise InputError(f"a data set on the hub must be named hf:OWNER/NAME[@REVISION], got {ref}")
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError
    except ModuleNotFoundError as error:
        raise InputError(
            f"{ref} needs the package {error.name!r}: {how_to_install('hub')}"
        ) from error
    name, revision = match["name"], match["revision"]
    try:
        commit = HfApi(endpoint=endpoint).dataset_info(name, revision=revision).sha
    except RepositoryNotFoundError as error:
        raise NotFoundError(f"{endpoint} has no data set {name}, or none that is public") from error
    except hub_errors() as error:
        raise FetchError(f"cannot ask {endpoint} about {name}: {error}; rerun") from error
    return HubPlace(name=name, commit=commit or "main", endpoint=endpoint)
