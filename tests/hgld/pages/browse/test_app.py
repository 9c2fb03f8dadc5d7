import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.browse.app import make_browse_app
from hgld.pages.browse.site import write_site
from hgld.pages.serving.security import Guard
from tests.worlds.pages.asgi import Reply, ask_app

Asks = Callable[..., Reply]


def page_of(root: Path, access: str = "") -> Asks:
    """Returns what asks the pages of a data set."""
    guard = Guard(port=8124, access=access, read_only=True, page="browse")
    app = make_browse_app(root, guard)

    def ask(path: str, method: str = "GET", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask_app(app, method, path, {"Host": "127.0.0.1:8124"} | named)

    return ask


@pytest.fixture(scope="module")
def served(finished: Workspace) -> Asks:
    return page_of(finished.root)


def test_every_page_is_shown_under_a_strict_policy(served: Asks) -> None:
    for path, kind, words in (
        ("/", "text/html", "3 super-categories"),
        ("/labels/church/", "text/html", "parish church"),
        ("/search.html?q=parish", "text/html", "static/js/search.js"),
        ("/search/index.js", "text/javascript", "searchPart"),
        ("/static/css/browse.css", "text/css", ".card"),
    ):
        answer = served(path)
        assert (answer.status, words in answer.text) == (200, True)
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'; style" in answer.headers["content-security-policy"]


def test_what_there_is_not_has_a_way_back_and_nothing_can_be_written(served: Asks) -> None:
    for path in (
        *("/landmarks/train/99.html", "/landmarks/moon/1.html", "/labels/nothing/"),
        *("/labels/church/2.html", "/changes/2.html", "/nothing", "/search/w-zz.js"),
        *("/pictures/0/99.jpg", "/pictures/x.jpg", "/openapi.json"),
        *("/static/x/../../pages.py", "/static/../pages.py", "/pictures/0/\u00b2.jpg"),
        *("/files/nothing.csv", "/files/../../stages/annotate.json", "/files//etc/passwd"),
        *("/files/%2e%2e/%2e%2e/stages/annotate.json", "/files/..%2f..%2fstages%2fannotate.json"),
    ):
        answer = served(path)
        assert answer.status == 404, path
        assert 'index.html">To the hierarchy' in answer.text
        assert "fingerprint" not in answer.text
        assert "root:" not in answer.text
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert served("/files/releases.json", method).status in {403, 405}


def test_nobody_is_let_in_by_a_foreign_name_or_without_the_secret(
    served: Asks, finished: Workspace
) -> None:
    assert served("/", Host="evil.example").status == 421
    assert page_of(finished.root, access="secret")("/files/SHA256SUMS").status == 401


def test_files_come_as_they_lie_and_are_never_opened_as_pages(
    served: Asks, finished: Workspace
) -> None:
    for name in ("data/train-00000-of-00001.parquet", "SHA256SUMS", "RELEASE_NOTE.md"):
        answer = served(f"/files/{name}")
        assert answer.body == finished.path(f"annotations/{name}").read_bytes()
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")
    part = served("/files/releases.json", Range="bytes=0-9")
    assert (part.headers["content-length"], len(part.body)) == ("10", 10)


def test_pictures_are_kept_by_their_tag_and_one_that_was_altered_or_leads_out_is_not_shown(
    build: Workspace,
) -> None:
    secret = build.root.parent / "secret.jpg"
    build.path("images/train/a0.jpg").rename(secret)
    build.path("images/train/a0.jpg").symlink_to(secret)
    build.path("images/train/a1.jpg").write_bytes(b"\xff\xd8 altered")
    served = page_of(build.root)
    for number in (0, 1):
        assert served(f"/pictures/0/{number}.jpg").status == 404
    answer = served("/pictures/0/2.jpg")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    again = served("/pictures/0/2.jpg", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_pages_of_runs_and_benchmarks_are_listed_newest_first_and_nothing_beside_them_is_shown(
    build: Workspace, alone: Path
) -> None:
    secret = build.root.parent / "report.html"
    shown = ("runs/new #1/run.html", "benchmarks/report.html", "benchmarks/by/own/report.html")
    beside = ("runs/new #1/metrics.jsonl", "runs/.next/run.html", "run.html", "labels/report.html")
    for age, path in enumerate((*shown, *beside, secret)):
        (file := build.path(str(path))).parent.mkdir(parents=True, exist_ok=True)
        file.write_text("<style>p { color: red }</style>")
        os.utime(file, (9e8 - age, 9e8 - age))
    build.path("runs/link").symlink_to(secret.parent)
    build.path("benchmarks/sop").mkdir()
    build.path("benchmarks/sop/report.html").symlink_to(secret)
    served = page_of(build.root)
    listed = served("/reports.html").text
    assert re.findall(r'href="(?:runs|benchmarks)/[^"]*', listed) == [
        f'href="{quote(path)}' for path in shown
    ]
    assert "1998-07-09" in listed
    for path in shown:
        answer = served(f"/{quote(path)}")
        assert (answer.status, answer.body) == (200, build.path(path).read_bytes())
        policy = answer.headers["content-security-policy"]
        assert "style-src 'unsafe-inline'" in policy
        assert "sandbox" in policy
    for path in (*beside, "runs/link/report.html", "benchmarks/sop/report.html"):
        assert served(f"/{quote(path)}").status == 404, path
    for path in ("runs/../../report.html", "benchmarks/%2e%2e/%2e%2e/report.html", "benchmarks"):
        assert served(f"/{path}").status == 404, path
    assert page_of(alone)("/reports.html").status == 404


def test_reports_of_a_build_without_annotations_are_shown_and_its_pages_say_what_makes_those(
    workspace: Workspace,
) -> None:
    report = workspace.path("benchmarks/sop/report.html")
    with pytest.raises(InputError, match="annotate"):
        page_of(workspace.root)
    report.parent.mkdir(parents=True)
    report.write_text("<p>measured</p>")
    served = page_of(workspace.root)
    assert 'href="benchmarks/sop/report.html"' in served("/reports.html").text
    assert "measured" in served("/benchmarks/sop/report.html").text
    for path in ("/", "/map/", "/changes/", "/downloads.html", "/search.html"):
        answer = served(path)
        assert (answer.status, "hgld annotate" in answer.text) == (200, True), path
    with pytest.raises(InputError, match="annotate"):  # a site of files has no reports
        write_site(workspace.root, workspace.root.parent / "site")
