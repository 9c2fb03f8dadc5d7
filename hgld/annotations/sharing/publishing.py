"""A release sent to where others fetch it. What is there already is not sent again."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import requests

from hgld.annotations.sharing.places import HUB, hub_errors, hub_name, hub_place
from hgld.annotations.sharing.pulling import pull_release
from hgld.engine.logins import redacted
from hgld.engine.progress import progress
from hgld.engine.verify import RELEASE_SUMS, SIGNATURE, parse_sums, read_sums, verify_sums
from hgld.errors import DamagedError, FetchError, NotFoundError
from hgld.http.download import open_source
from hgld.http.patience import HttpPolicy
from hgld.http.session import is_web_address


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReport:
    """What a publication did."""

    sent: int
    """Files that were sent."""
    kept: int
    """Files that were there already."""

    def words(self) -> str:
        """Returns that in a line."""
        return f"{self.sent + self.kept:,} files: {self.sent:,} sent, {self.kept:,} were there"


def publish_release(
    folder: Path, to: str, policy: HttpPolicy, *, endpoint: str = HUB
) -> PublishReport:
    """Sends a release.

    Args:
        folder: with the release: SHA256SUMS and all that it lists.
        to: a folder; an http(s) address that takes files by PUT; or `hf:OWNER/NAME`, which is made
            where it is not there, and gets all files in one commit.
        policy: the bounds of what is asked of an address.
        endpoint: of the hub, whose login is the one of `hf auth login`, or HF_TOKEN.

    Returns:
        What was done.

    Raises:
        DamagedError: a file of the release is not what SHA256SUMS says; nothing is sent.
        InputError: `to` is no place.
        FetchError: it does not take a file. A folder is as it was; under an address SHA256SUMS is
            sent last, so that a pull from there refuses what is half sent.
    """
    for damage in verify_sums(folder):
        if damage.what:
            raise DamagedError(f"{folder / damage.path} {damage.what}; nothing was sent")
    if to.startswith("hf:"):
        return _to_hub(folder, to, endpoint)
    if is_web_address(to):
        return _to_address(folder, to, policy)
    report = pull_release(str(folder), Path(to), policy)
    return PublishReport(sent=report.fetched, kept=report.kept)


def release_before(
    to: str, folder: Path, policy: HttpPolicy, *, endpoint: str = HUB
) -> Path | None:
    """Returns a folder with the release that a place has, None where it has none yet.

    Args:
        to: the place; see `publish_release`.
        folder: where a release from elsewhere is brought to, so that the next call finds it there.
        policy: the bounds of what is fetched.
        endpoint: of the hub.

    Raises:
        FetchError: it cannot be had, or is not what its SHA256SUMS says.
        InputError: `to` is no place.
    """
    if not (to.startswith("hf:") or is_web_address(to)):
        return Path(to) if (Path(to) / RELEASE_SUMS).is_file() else None
    try:
        pull_release(to, folder, policy, endpoint=endpoint)
    except NotFoundError:
        return None
    return folder


def _to_address(folder: Path, base: str, policy: HttpPolicy) -> PublishReport:
    sums = read_sums(folder / RELEASE_SUMS)
    with open_source(base, policy) as source:
        new = _unsent(sums, _sums_there(source.read_text))
        names = [*new, *_lists(folder)] if new else []
        with progress("publish: files", len(names)) as advance:
            for name in names:
                url = urljoin(f"{source.base}/", name)
                try:
                    with (folder / name).open("rb") as file:
                        answer = source.session.put(url, data=file, allow_redirects=False)
                except requests.RequestException as error:
                    raise FetchError(f"cannot send {redacted(url)}: {error}; rerun") from error
                if not answer.ok:
                    raise FetchError(
                        f"{redacted(url)} answered PUT with {answer.status_code} {answer.reason}; "
                        f"the address must take files by PUT, with your login in it if it asks for "
                        f"one; then rerun, what was sent is kept"
                    )
                advance(1)
    return PublishReport(sent=len(new), kept=len(sums) - len(new))


def _to_hub(folder: Path, to: str, endpoint: str) -> PublishReport:
    name = hub_name(to)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(endpoint=endpoint)

    def read(file: str) -> str:
        with tempfile.TemporaryDirectory() as temporary:
            came = hub_place(to, endpoint).bring(file, Path(temporary) / file)
            return came.read_text(encoding="utf-8")

    sums = read_sums(folder / RELEASE_SUMS)
    refusals: tuple[type[Exception], ...] = (
        *hub_errors(),
        RuntimeError,
    )  # the last: of a thread that sends
    try:
        api.create_repo(name, repo_type="dataset", exist_ok=True)
        before = _sums_there(read)
        new, gone = _unsent(sums, before), sorted(before.keys() - sums.keys())
        if new or gone:
            if SIGNATURE not in _lists(folder):  # that of an older list would be a false one
                gone += [SIGNATURE] if api.file_exists(name, SIGNATURE, repo_type="dataset") else []
            api.create_commit(
                name,
                [
                    *(
                        CommitOperationAdd(path_in_repo=one, path_or_fileobj=folder / one)
                        for one in (*new, *_lists(folder))
                    ),
                    *(CommitOperationDelete(one) for one in gone),
                ],
                commit_message="Publish a release",
                repo_type="dataset",
            )
    except refusals as error:
        raise FetchError(
            f"cannot send {to}: {error}; log in with `hf auth login`, then rerun"
        ) from error
    return PublishReport(sent=len(new), kept=len(sums) - len(new))


def _sums_there(read: Callable[[str], str]) -> dict[str, str]:
    """Returns what the place has, nothing where it has no release yet."""
    try:
        return parse_sums(read(RELEASE_SUMS).encode(), RELEASE_SUMS)
    except NotFoundError:
        return {}


def _lists(folder: Path) -> list[str]:
    """Returns the list of files and its signature, which come last."""
    return [name for name in (SIGNATURE, RELEASE_SUMS) if (folder / name).is_file()]


def _unsent(sums: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    return [name for name, digest in sums.items() if there.get(name) != digest]
