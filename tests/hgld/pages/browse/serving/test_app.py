from collections.abc import Iterator

import pytest

from hgld.engine.workspace import Workspace
from tests.hgld.pages.browse.serving.served import ServedSet, serving


@pytest.fixture(scope="module")
def served(finished: Workspace) -> Iterator[ServedSet]:
    with serving(finished.root) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "3 super-categories"),
        ("/labels/church", "labelled images"),
        ("/labels/no-label-no-item", "has no Wikidata item"),
        ("/landmarks/train/1", "parish church"),
        ("/landmarks/train/4", "None: its Commons category has no Wikidata item"),
        ("/search?q=parish", "c/1"),
        ("/search?q=nothing+has+this", "Nothing has"),
        ("/search", "Words may be begun"),
        ("/changes", "ocean area "),
        ("/downloads", "SHA-256"),
    ],
)
def test_every_page_is_shown_under_a_strict_policy(
    served: ServedSet, path: str, words: str
) -> None:
    status, headers, body = served.ask(path)
    assert status == 200
    assert words in body.decode()
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        *("/landmarks/train/99", "/landmarks/train/x", "/landmarks/moon/1", "/labels/nothing"),
        *("/labels/church?page=2", "/labels/church?page=0", "/labels/church?page=x"),
        *("/changes?page=2", "/nothing", "/picture/train-99", "/picture/x", "/openapi.json"),
        *("/files/nothing.csv", "/files/../../stages/annotate.json", "/files//etc/passwd"),
        *("/files/%2e%2e/%2e%2e/stages/annotate.json", "/files/..%2f..%2fstages%2fannotate.json"),
        *("/static/x/css/browse.css", "/static/x/../../pages.py"),
    ],
)
def test_what_there_is_not_has_a_way_back(served: ServedSet, path: str) -> None:
    status, _, body = served.ask(path)
    assert status == 404
    assert '<a class="deed deed-first" href="/">' in body.decode()
    assert b"fingerprint" not in body
    assert b"root:" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(served: ServedSet, method: str) -> None:
    for path in ("/", "/landmarks/train/1", "/files/releases.json"):
        assert served.ask(path, method)[0] in {403, 405}


def test_a_name_that_was_made_to_lead_here_is_refused(served: ServedSet) -> None:
    status, _, body = served.ask("/", Host="evil.example")
    assert status == 421
    assert b"church" not in body


def test_files_come_as_they_lie_and_are_never_opened_as_pages(
    served: ServedSet, finished: Workspace
) -> None:
    for name in ("data/train-00000-of-00001.parquet", "SHA256SUMS", "RELEASE_NOTE.md"):
        status, headers, body = served.ask(f"/files/{name}")
        assert status == 200
        assert body == finished.path(f"annotations/{name}").read_bytes()
        assert headers["content-type"] == "application/octet-stream"
        assert headers["content-disposition"].startswith("attachment")
        assert headers["x-content-type-options"] == "nosniff"
    _, headers, body = served.ask("/files/releases.json", Range="bytes=0-9")
    assert (headers["content-length"], len(body)) == ("10", 10)


def test_pictures_are_small_and_kept_by_their_tag(served: ServedSet) -> None:
    status, headers, body = served.ask("/picture/train-0")
    assert (status, headers["content-type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
    again = served.ask("/picture/train-0", If_None_Match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")


def test_a_picture_that_was_altered_or_leads_out_is_not_shown(build: Workspace) -> None:
    secret = build.root.parent / "secret.jpg"
    secret.write_bytes(build.path("images/train/a0.jpg").read_bytes())
    build.path("images/train/a0.jpg").unlink()
    build.path("images/train/a0.jpg").symlink_to(secret)
    build.path("images/train/a1.jpg").write_bytes(b"\xff\xd8 altered")
    with serving(build.root) as served:
        assert [served.ask(f"/picture/train-{row}")[0] for row in (0, 1)] == [404, 404]
        assert served.ask("/picture/index-0")[0] == 200


def test_with_a_secret_nobody_is_let_in_without_it(finished: Workspace) -> None:
    with serving(finished.root, access="s e c") as served:
        assert served.ask("/")[0] == 401
        assert served.ask("/files/SHA256SUMS")[0] == 401
        status, headers, _ = served.ask("/?token=s%20e%20c")
        assert status == 303
        cookie = headers["set-cookie"].partition(";")[0]
        assert cookie.startswith("browse_access=")
        assert served.ask("/", Cookie=cookie)[0] == 200
