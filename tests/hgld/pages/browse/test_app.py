from collections.abc import Callable

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.browse.app import make_browse_app
from hgld.pages.browse.exhibit import Exhibit
from hgld.pages.serving.security import Guard
from tests.worlds.pages.asgi import Reply, ask_app

Asks = Callable[..., Reply]


def page_of(exhibit: Exhibit, access: str = "") -> Asks:
    """Returns what asks the page of a data set."""
    guard = Guard(port=8124, access=access, read_only=True, page="browse")
    app = make_browse_app(exhibit, guard)

    def ask(path: str, method: str = "GET", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask_app(app, method, path, {"Host": "127.0.0.1:8124"} | named)

    return ask


@pytest.fixture(scope="module")
def served(exhibit: Exhibit) -> Asks:
    return page_of(exhibit)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "3 super-categories"),
        ("/labels/church", "parish church"),
        ("/labels/no-label-no-item", "Wikidata item"),
        ("/landmarks/train/1", "parish church"),
        ("/landmarks/train/4", "Wikidata item"),
        ("/search?q=parish", "c/1"),
        ("/search?q=nothing+has+this", "nothing has this"),
        ("/search", "<form"),
        ("/changes", "ocean area "),
        ("/downloads", "SHA-256"),
    ],
)
def test_every_page_is_shown_under_a_strict_policy(served: Asks, path: str, words: str) -> None:
    answer = served(path)
    assert answer.status == 200
    assert words in answer.text
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_what_there_is_not_has_a_way_back_and_nothing_can_be_written(served: Asks) -> None:
    for path in (
        *("/landmarks/train/99", "/landmarks/train/x", "/landmarks/moon/1", "/labels/nothing"),
        *("/labels/church?page=2", "/labels/church?page=x", "/changes?page=2", "/nothing"),
        *("/picture/train-99", "/picture/x", "/openapi.json", "/static/x/../../pages.py"),
        *("/files/nothing.csv", "/files/../../stages/annotate.json", "/files//etc/passwd"),
        *("/files/%2e%2e/%2e%2e/stages/annotate.json", "/files/..%2f..%2fstages%2fannotate.json"),
    ):
        answer = served(path)
        assert answer.status == 404, path
        assert 'href="/"' in answer.text
        assert "fingerprint" not in answer.text
        assert "root:" not in answer.text
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/", "/landmarks/train/1", "/files/releases.json"):
            assert served(path, method).status in {403, 405}


def test_nobody_is_let_in_by_a_foreign_name_or_without_the_secret(
    served: Asks, exhibit: Exhibit
) -> None:
    answer = served("/", Host="evil.example")
    assert answer.status == 421
    assert "church" not in answer.text
    secret = page_of(exhibit, access="secret")
    for path in ("/", "/files/SHA256SUMS"):
        assert secret(path).status == 401


def test_files_come_as_they_lie_and_are_never_opened_as_pages(
    served: Asks, finished: Workspace
) -> None:
    for name in ("data/train-00000-of-00001.parquet", "SHA256SUMS", "RELEASE_NOTE.md"):
        answer = served(f"/files/{name}")
        assert answer.body == finished.path(f"annotations/{name}").read_bytes()
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"
    part = served("/files/releases.json", Range="bytes=0-9")
    assert (part.headers["content-length"], len(part.body)) == ("10", 10)


def test_pictures_are_kept_by_their_tag_and_one_that_was_altered_or_leads_out_is_not_shown(
    build: Workspace,
) -> None:
    secret = build.root.parent / "secret.jpg"
    build.path("images/train/a0.jpg").rename(secret)
    build.path("images/train/a0.jpg").symlink_to(secret)
    build.path("images/train/a1.jpg").write_bytes(b"\xff\xd8 altered")
    served = page_of(Exhibit(build.root))
    for name in ("train-0", "train-1"):
        assert served(f"/picture/{name}").status == 404
    answer = served("/picture/index-0")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    again = served("/picture/index-0", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
