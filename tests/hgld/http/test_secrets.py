"""Logins in addresses and the contact: used, and found nowhere afterwards."""

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hgld.engine.logins import redacted
from hgld.engine.status import stage_status
from hgld.engine.workspace import Workspace
from hgld.errors import HgldError
from hgld.http.download import check_base
from hgld.images.config import ImagesConfig
from hgld.images.stage import run_images
from hgld.metadata.stage import STAGE, MetadataConfig, run_metadata
from hgld.scrape.config import ScrapeConfig
from hgld.scrape.stage import STAGE as SCRAPE
from tests.worlds.gldv2.folder_server import FolderServer
from tests.worlds.wikimedia.faults import Fault, hang_up, reply
from tests.worlds.wikimedia.scraping import Small
from tests.worlds.wikimedia.small import Server

Logs = pytest.LogCaptureFixture

LOGIN = "ann:s3cr%40t"
HEADER = "Basic " + base64.b64encode(b"ann:s3cr@t").decode()
CONTACT = "operator@lab.example"
SECRETS = ("s3cr", HEADER.split()[1], "operator@lab")


def with_login(url: str) -> str:
    return url.replace("://", f"://{LOGIN}@")


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def leaking(root: Path) -> list[tuple[str, str]]:
    """Returns the files below a folder that hold a secret, and which; one at least is looked at."""
    found, paths = [], [path for path in root.rglob("*") if path.is_file()]
    assert paths
    for path in paths:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("latin-1")
        found += [(path.name, secret) for secret in leaks(text)]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ann:pw@example.org/w/", "https://example.org/w/"),
        ("https://ann@example.org/w/", "https://example.org/w/"),
        ("https://ann:p@w@example.org/w/", "https://example.org/w/"),
        ("https://ann:p/w@example.org/w/", "https://example.org/w/"),
        ("from http://a:b@x/ to http://c:d@y:80/: no", "from http://x/ to http://y:80/: no"),
        ("http://127.0.0.1:8080/a@b", "http://127.0.0.1:8080/a@b"),
        ("http://[::1]:8080/a@b", "http://[::1]:8080/a@b"),
        ("https://commons.wikimedia.org/wiki/A@B", "https://commons.wikimedia.org/wiki/A@B"),
        ("mail ann@example.org", "mail ann@example.org"),
    ],
)
def test_a_text_is_shown_without_the_logins_of_its_addresses(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.fault(43, "secret in an address")
def test_a_login_of_the_official_files_is_used_and_written_nowhere(
    workspace: Workspace, bucket_server: FolderServer, tables: Path, caplog: Logs
) -> None:
    caplog.set_level("DEBUG")
    (bucket_server.folder / "metadata").symlink_to(tables)
    bucket_server.authorization = HEADER
    base = with_login(bucket_server.url)
    first = run_metadata(workspace, MetadataConfig(base_url=f"{base}/metadata"))
    run_images(workspace, ImagesConfig(base_url=base, train_tars=3), "train")
    assert bucket_server.refusals == {"md5sum/train/md5.images_003.txt": 1}  # there is none
    assert bucket_server.hits.total() == 8 + 4 + 3
    assert leaking(workspace.root) == []
    record = json.loads(workspace.path("metadata/csv/FILES.json").read_text())
    assert record["base"] == f"{bucket_server.url}/metadata"
    # Nor does it make another address of it: nothing is fetched again.
    again = run_metadata(workspace, MetadataConfig(base_url=f"{bucket_server.url}/metadata"))
    assert (again.skipped, again.manifest) == (True, first.manifest)
    assert stage_status(workspace, STAGE).state == "done"
    assert leaks(caplog.text) == []


@pytest.mark.parametrize(
    "take", [check_base, lambda it: ScrapeConfig(commons=it), lambda it: ScrapeConfig(sparql=it)]
)
def test_a_refused_address_is_shown_without_its_login(take: Callable[[str], object]) -> None:
    places = ("http", f"{LOGIN}@x:port"), ("http", f"{LOGIN}@"), ("http", "ann:s3cr/t@x")
    for scheme, place in (*places, ("ftp", f"{LOGIN}@x")):
        with pytest.raises(ValueError, match="http") as caught:
            take(f"{scheme}://{place}/")
        assert leaks(str(caught.value)) == []


def secrets(server: Server) -> dict[str, Any]:
    addresses = {"commons": with_login(server.commons), "sparql": with_login(server.sparql)}
    return {**addresses, "contact": CONTACT}


def test_a_scrape_writes_its_secrets_nowhere(small: Small, server: Server, caplog: Logs) -> None:
    caplog.set_level("DEBUG")
    workspace = small.workspace
    assert small.scrape(**secrets(server)).manifest.outputs == small.clean
    assert {service for service, _ in server.hits} == {"commons", "sparql"}
    assert {form["authorization"] for _, form in server.hits} == {HEADER}
    assert all(CONTACT in form["user-agent"] for _, form in server.hits)
    assert leaking(workspace.root) == []
    assert leaks(caplog.text) == []
    # The same service without its login: the same scrape, and the archive is used.
    asked = len(server.hits)
    assert small.scrape(contact=CONTACT).skipped
    workspace.manifest_path(SCRAPE.name).unlink()
    assert small.scrape(contact=CONTACT).manifest.outputs == small.clean
    assert len(server.hits) == asked


@pytest.mark.parametrize(
    "fault",
    [hang_up, reply(500, b"no"), reply(401, b"no"), reply(302, b"", Location="http://a:s3cr@b/")],
)
@pytest.mark.usefixtures("waits")
def test_a_scrape_that_fails_shows_no_secret(
    small: Small, server: Server, caplog: Logs, fault: Fault
) -> None:
    caplog.set_level("DEBUG")
    errors = ""
    for service in ("commons", "sparql"):
        server.always = {service: fault}
        try:
            small.scrape(**secrets(server))
        except HgldError as error:
            errors += str(error)
    assert set(server.fired) == {"commons", "sparql"}
    assert leaks(errors + caplog.text) == []
    assert leaking(small.workspace.root) == []
