import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.review.session import ReviewSession
from hgld.pages.serving.security import MOST_BYTES, Guard
from hgld.pages.serving.templates import static_version
from hgld.review.log.decisions import DECISIONS_FILE
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import FORM, Served, done, open_page
from tests.worlds.pages.asgi import ask_app

LAKE, SITE = "Q23397", "Q9259"
IGNORE = f"action=ignore&qid={LAKE}".encode()
LOCAL = "127.0.0.1:8123"
WRITES = (
    *("/act", "/preview", "/undo", "/redo", "/revert/1", "/restore/1", "/jump/0", "/name"),
    "/imported",
    *(f"/fills/{name}" for name in ("accept", "refuse", "undo", "redo")),
    *(f"/second/{name}" for name in ("start", "answer", "settle", "undo", "redo")),
)


def status_of_write(served: Served, headers: Mapping[str, str]) -> int:
    """Tries to write with headers of another page's making; refused means that nothing was."""
    status = served.ask("POST", "/act", IGNORE, headers).status
    assert (status == 200) == bool(served.session.events)
    return status


def test_a_write_needs_the_token_and_one_of_another_page_is_refused_even_with_it(
    served: Served,
) -> None:
    without = {name: value for name, value in served.own.items() if name != "X-Review-Token"}
    assert status_of_write(served, without) == 403
    for token in ("", "x", served.guard.token[:-1], served.guard.token + "x", "\xe9"):
        assert status_of_write(served, without | {"X-Review-Token": token}) == 403
    origins = ("evil.example", "127.0.0.1", f"{LOCAL}.evil.example", "[::1")
    for origin in ("null", f"https://{LOCAL}", *(f"http://{one}" for one in origins)):
        assert status_of_write(served, served.own | {"Origin": origin}) == 403, origin
    for site in ("cross-site", "same-site", "none"):
        assert status_of_write(served, served.own | {"Sec-Fetch-Site": site}) == 403, site
    assert status_of_write(served, served.own | {"Sec-Fetch-Site": "same-origin"}) == 200


def test_every_kind_of_write_needs_the_token_and_the_pages_own_origin(served: Served) -> None:
    for path in WRITES:
        assert served.post(path, X_Review_Token="wrong").status == 403, path  # noqa: S106
        assert served.post(path, Origin="http://evil.example").status == 403, path
    assert served.session.events == []


def test_a_foreign_name_that_was_made_to_lead_here_is_refused(served: Served) -> None:
    """DNS rebinding: the browser takes the page for one of the other name."""
    hosts = ("evil.example:8123", "127.0.0.1.evil.example:8123", "192.168.0.7:8123", "127.0.0.1")
    for host in (*hosts, f"{LOCAL}.evil.example", "localhost:8123@evil.example", ""):
        for path in ("/", "/bench", "/feed?line=0", "/go?q=lake", "/static/x/page.css"):
            answer = served.get(path, Host=host)
            assert answer.status == 421, (host, path)
            assert "waterfall" not in answer.text
        assert (
            status_of_write(served, served.own | {"Host": host, "Origin": f"http://{host}"}) == 421
        )
    twice = [("Host", LOCAL), ("Host", "evil.example")]
    assert ask_app(served.app, "GET", "/", twice).status == 421
    for host in ("127.0.0.1", "localhost", "[::1]", "LocalHost"):
        assert served.get("/", Host=f"{host}:8123").status == 200


def test_every_answer_has_a_strict_policy_and_is_not_kept(served: Served) -> None:
    done(served.session, "bob", "name", LAKE, label="span")
    answers = [
        *(served.get(path) for path in ("/", "/go?q=lake", "/second", "/fills", "/nothing")),
        served.get("/", Host="evil.example"),
        served.act("ignore", [LAKE], seen="0"),
        served.act("nothing"),
        served.ask("DELETE", "/act"),
    ]
    statuses = [answer.status for answer in answers]
    assert statuses == [200, 200, 200, 404, 404, 421, 409, 422, 405]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_no_file_is_served_from_elsewhere(served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    version = static_version(tmp_path / "static")
    (tmp_path / "static/link").symlink_to(tmp_path / "secret")
    ways = ("../../app.py", "%2e%2e/%2e%2e/app.py", "..%2fsecret", "/etc/passwd", "%2fetc%2fpasswd")
    for path in (
        *(f"/static/{version}/{one}" for one in (*ways, "link")),
        *("/static/../../../build/hgld.toml", "/picture/%2e%2e%2f%2e%2e%2fsecret", "/..%2fsecret"),
        *("//etc/passwd", "/docs", "/openapi.json", "/redoc"),
    ):
        answer = served.get(path)
        assert answer.status == 404, path
        assert "secret" not in answer.text
        assert "root:" not in answer.text


def test_static_files_have_an_address_of_their_content_and_are_kept_for_ever(
    served: Served, tmp_path: Path
) -> None:
    folder = tmp_path / "static"
    answer = served.get(f"/static/{static_version(folder)}/page.css")
    assert (answer.status, answer.text) == (200, "p { color: red }")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert served.get("/static/0/page.css").status == 404
    before = static_version(folder)
    (folder / "page.css").write_text("p { color: blue }")
    assert static_version(folder) != before


def test_too_long_a_body_is_refused_before_it_is_all_there(served: Served) -> None:
    for length in (str(MOST_BYTES + 1), "-1", "1e9", "9" * 30, ""):
        answer = served.ask("POST", "/act", IGNORE, served.own | {"Content-Length": length})
        assert answer.status == 413, length
    # In chunks, whose length nobody knows before.
    chunks = served.own | {"Transfer-Encoding": "chunked"}
    for chunked in (chunks, chunks | {"Content-Length": "7"}):
        answer = served.ask("POST", "/imported", [b"x"] * 9, chunked)
        assert (answer.status, answer.chunks_read) == (413, 0)
    assert served.session.events == []


def test_other_kinds_of_bodies_and_methods_are_refused(served: Served) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json"):
        assert served.ask("POST", "/act", b"{}", served.own | {"Content-Type": kind}).status == 415
    assert served.ask("POST", "/act", b"{}", served.own).status == 422
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert served.ask(method, "/act", b"", served.own).status == 405
    assert served.get("/act").status == 405
    assert served.ask("POST", "/act", b"action=\xff", served.own).status == 422
    many = b"action=ignore" + b"&qid=Q1" * 120_000
    assert served.ask("POST", "/act", many, {"Content-Type": FORM} | served.own).status == 422
    assert served.session.events == []


def test_read_only_shows_the_page_refuses_every_write_and_mends_nothing(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    done(opener(build), "ann", "ignore", SITE)
    with build.path(DECISIONS_FILE).open("ab") as file:
        file.write(b'{"half a li')  # a crash's leftovers, which a writer would end
    before = {path: path.stat().st_mtime_ns for path in build.root.rglob("*")}
    served = open_page(opener(build, read_only=True), tmp_path)
    assert served.get("/").status == 200
    for path in WRITES:
        assert served.post(path, {"action": "ignore", "qid": LAKE}).status == 403, path
    with pytest.raises(InputError, match="read-only"):
        done(served.session, "ann", "ignore", LAKE)
    assert {path: path.stat().st_mtime_ns for path in build.root.rglob("*")} == before


def test_another_address_needs_a_token_that_is_given_once(
    session: ReviewSession, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="--token"):
        Guard(host="0.0.0.0", port=1)  # noqa: S104 - refused
    served = open_page(session, tmp_path, access="s3cret")
    for path in ("/", "/bench", "/go?q=lake", "/feed?line=0", "/?token=wrong"):
        answer = served.get(path)
        assert answer.status == 401, path
        assert "waterfall" not in answer.text
    assert served.act("ignore", [LAKE]).status == 401
    assert served.get("/?token=s3cret", Host="evil.example").status == 421
    answer = served.get("/?token=s3cret")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    served.cookies["review_access"] = cookie.partition(";")[0].partition("=")[2]
    page = served.get("/")
    assert page.status == 200
    assert "s3cret" not in page.text
    assert served.act("ignore", [LAKE]).status == 200


def test_a_guard_of_all_addresses_knows_addresses_and_its_own_name_only() -> None:
    guard = Guard(host="0.0.0.0", port=8000, access="x")  # noqa: S104 - nothing is bound
    assert guard.knows_host("192.168.0.7:8000")
    assert guard.knows_host(f"{socket.gethostname()}:8000")
    assert not guard.knows_host("evil.example:8000")
    assert not Guard(host="127.0.0.1", port=8000).knows_host("192.168.0.7:8000")
    assert Guard(host="127.0.0.1", port=80).knows_host("localhost")
