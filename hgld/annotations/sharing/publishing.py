"""A release sent to where others fetch it. What is there already is not sent again."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hgld.annotations.sharing.places import HUB, hub_errors, hub_name, hub_place
from hgld.annotations.sharing.planning import Missing, missing_there
from hgld.annotations.sharing.pulling import pull_release
from hgld.annotations.sharing.putting import put_release
from hgld.engine.verify import RELEASE_SUMS, SIGNATURE, read_sums, verify_sums
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
    signature: str = ""
    """What became of the signature there: sent, removed (it was of another release, and this one
    has none), or nothing."""

    def words(self) -> str:
        """Returns that in a line."""
        count = f"{self.sent + self.kept:,} files"
        more = f"; the signature {self.signature}" if self.signature else ""
        return f"{count}: {self.sent:,} sent, {self.kept:,} were there{more}"


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
        FetchError: it does not take a file, or keeps the signature of another release. A folder is
            as it was; under an address SHA256SUMS is sent last, so that a pull from there refuses
            what is half sent.
    """
    for damage in verify_sums(folder):
        if damage.what:
            raise DamagedError(f"{folder / damage.path} {damage.what}; nothing was sent")
    if to.startswith("hf:"):
        missing = _to_hub(folder, to, endpoint)
    elif is_web_address(to):
        missing = put_release(folder, to, policy)
    else:
        return _to_folder(folder, Path(to), policy)
    count = len(read_sums(folder / RELEASE_SUMS))
    sent = len(missing.new)
    return PublishReport(sent=sent, kept=count - sent, signature=missing.signature)


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


def _to_folder(folder: Path, to: Path, policy: HttpPolicy) -> PublishReport:
    signature = ""
    if to.is_dir():
        with open_source(str(to), policy) as place:
            signature = missing_there(folder, place.read_text).signature
    elif (folder / SIGNATURE).is_file():
        signature = "sent"
    report = pull_release(str(folder), to, policy)
    return PublishReport(sent=report.fetched, kept=report.kept, signature=signature)


def _to_hub(folder: Path, to: str, endpoint: str) -> Missing:
    name = hub_name(to)
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi(endpoint=endpoint)

    def read(file: str) -> str:
        with tempfile.TemporaryDirectory() as temporary:
            came = hub_place(to, endpoint).bring(file, Path(temporary) / file)
            return came.read_text(encoding="utf-8")

    refusals: tuple[type[Exception], ...] = (
        *hub_errors(),
        RuntimeError,
    )  # the last: of a thread that sends
    try:
        api.create_repo(name, repo_type="dataset", exist_ok=True)
        missing = missing_there(folder, read)
        sends = [*missing.new, *missing.lists]
        removes = [*missing.gone, *([SIGNATURE] if missing.drops_signature else [])]
        if sends or removes:
            api.create_commit(
                name,
                [
                    *(
                        CommitOperationAdd(path_in_repo=one, path_or_fileobj=folder / one)
                        for one in sends
                    ),
                    *(CommitOperationDelete(one) for one in removes),
                ],
                commit_message="Publish a release",
                repo_type="dataset",
            )
    except refusals as error:
        raise FetchError(
            f"cannot send {to}: {error}; log in with `hf auth login`, then rerun"
        ) from error
    return missing
