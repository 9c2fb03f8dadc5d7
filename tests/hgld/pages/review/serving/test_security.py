import http.client
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from hgld.pages.serving.security import MOST_BYTES, Guard
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, done, serve_session

LAKE = "Q23397"
FORM = "application/x-www-form-urlencoded"


def write(served: Served, headers: Mapping[str, str]) -> int:
    """Tries to write with headers of another page's making; returns the status."""
    body = f"action=ignore&qid={LAKE}"
    status = served.ask("POST", "/act", body, {"Content-Type": FORM} | dict(headers)).status
    if status != 200:
        assert served.session.events == []
    return status


def own(served: Served) -> dict[str, str]:
    return {
        "Origin": f"http://127.0.0.1:{served.port}",
        "X-Review-Token": served.guard.token,
    }


def test_a_write_needs_the_token_of_the_page(served: Served) -> None:
    right = own(served)
    without = {name: value for name, value in right.items() if name != "X-Review-Token"}
    assert write(served, without) == 403
    for token in ("", "x", served.guard.token[:-1], served.guard.token + "x", "é"):
        assert write(served, without | {"X-Review-Token": token.encode().decode("latin-1")}) == 403
    assert write(served, right) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_write_of_another_page_is_refused_even_with_the_token(
    served: Served, headers: Mapping[str, str]
) -> None:
    told = {name: value.format(port=served.port) for name, value in headers.items()}
    assert write(served, own(served) | told) == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}.evil.example",
        "127.0.0.1.evil.example:{port}",
        "localhost:{port}@evil.example",
        "192.168.0.7:{port}",
        "",
        "127.0.0.1:{port}, evil.example",
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(served: Served, host: str) -> None:
    """DNS rebinding: the browser takes the page for one of the other name."""
    told = {"Host": host.format(port=served.port)}
    for path in ("/", "/bench", "/feed?line=0", "/labels.json", "/static/x/page.css"):
        answer = served.get(path, **told)
        assert answer.status in {400, 421}, path
        assert "waterfall" not in answer.text
    assert write(served, own(served) | told | {"Origin": f"http://{told['Host']}"}) in {400, 421}


def test_two_hosts_are_refused(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as raw:
        hosts = f"Host: 127.0.0.1:{served.port}\r\nHost: evil.example\r\n"
        raw.sendall(f"GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
        answer = raw.makefile("rb").read()
    assert b"waterfall" not in answer
    assert answer.split()[1] in {b"400", b"421"}


def test_the_names_of_loopback_are_let_in(served: Served) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "LocalHost"):
        assert served.get("/", Host=f"{host}:{served.port}").status == 200


def test_every_answer_has_a_strict_policy_and_is_not_kept(served: Served) -> None:
    done(served.session, "bob", "assign", LAKE, label="span")
    answers = [
        served.get("/"),
        served.get("/bench"),
        served.get("/labels.json"),
        served.get("/nothing"),
        served.get("/", Host="evil.example"),
        served.act("ignore", [LAKE], seen="0"),
        served.act("nothing"),
        served.ask("DELETE", "/act"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 421, 409, 422, 405]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../build/hgld.toml",
        "/static/{version}/../../app.py",
        "/static/{version}/%2e%2e/%2e%2e/app.py",
        "/static/{version}/..%2f..%2fsecret",
        "/static/{version}//etc/passwd",
        "/static/{version}/%2fetc%2fpasswd",
        "/static/{version}/link",
        "/picture/../../secret",
        "/picture/%2e%2e%2f%2e%2e%2fsecret",
        "/..%2fsecret",
        "//etc/passwd",
        "/docs",
        "/openapi.json",
        "/redoc",
    ],
)
def test_no_file_is_served_from_elsewhere(served: Served, path: str) -> None:
    from hgld.pages.serving.templates import static_version

    folder = served.session.workspace.root.parent.parent
    (folder / "secret").write_text("secret")
    version = static_version(folder / "static")
    (folder / "static/link").symlink_to(folder / "secret")
    answer = served.get(path.format(version=version))
    assert answer.status == 404
    assert "secret" not in answer.text
    assert "root:" not in answer.text


def test_too_long_a_body_is_refused(served: Served) -> None:
    long = "action=ignore&why=" + "x" * MOST_BYTES
    answer = served.ask("POST", "/act", long, own(served) | {"Content-Type": FORM})
    assert answer.status == 413
    for length in ("-1", "1e9", "9" * 30):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        connection.putrequest("POST", "/act")
        for name, value in (own(served) | {"Content-Length": length}).items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.getresponse().status in {400, 413}
        connection.close()
    assert served.session.events == []


def test_too_long_a_body_without_a_length_is_refused_before_it_is_all_there(
    served: Served,
) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as raw:
        head = {
            **own(served),
            "Host": f"127.0.0.1:{served.port}",
            "Cookie": "reviewer=ann",
            "Content-Type": FORM,
            "Transfer-Encoding": "chunked",
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        raw.sendall(f"POST /act HTTP/1.1\r\n{lines}\r\n".encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(MOST_BYTES // 0x10000 + 1):
            raw.sendall(chunk)
        raw.settimeout(20)
        assert raw.recv(200).split()[1] == b"413"
    assert served.session.events == []


def test_other_kinds_of_bodies_and_methods_are_refused(served: Served) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/json"):
        answer = served.ask("POST", "/act", "{}", own(served) | {"Content-Type": kind})
        assert answer.status == 415
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        assert served.ask(method, "/act", "", own(served)).status == 405
    assert served.get("/act").status == 405
    bad = served.ask("POST", "/act", b"action=\xff", own(served) | {"Content-Type": FORM})
    assert bad.status == 422
    fields = "&".join(["qid=Q1"] * 150_000)[:MOST_BYTES]
    answer = served.ask("POST", "/act", f"action=ignore&{fields}"[:MOST_BYTES], own(served))
    assert answer.status == 422
    assert served.session.events == []


def test_read_only_refuses_every_write(build: Workspace, opener: Opener, tmp_path: Path) -> None:
    session = opener(build, read_only=True)
    before = sorted(build.root.rglob("*"))
    with serve_session(session, tmp_path) as served:
        assert served.get("/").status == 200
        paths = ("/act", "/preview", "/undo", "/redo", "/revert/1", "/jump/0", "/name", "/seen")
        for path in paths:
            assert served.post(path, {"action": "ignore", "qid": LAKE}).status == 403, path
    assert sorted(build.root.rglob("*")) == before


def test_another_address_needs_a_token_that_is_given_once(
    session: ReviewSession, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="choose a secret with --token"):
        Guard(host="0.0.0.0", port=1)  # noqa: S104 - refused
    with serve_session(session, tmp_path, access="s3cret") as served:
        for path in ("/", "/bench", "/labels.json", "/feed?line=0", "/?token=wrong"):
            answer = served.get(path)
            assert answer.status == 401, path
            assert "waterfall" not in answer.text
        assert served.post("/act", {"action": "ignore", "qid": LAKE}).status == 401
        assert served.get("/?token=s3cret", Host="evil.example").status == 421
        answer = served.get("/?token=s3cret")
        assert (answer.status, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        served.cookies["review_access"] = cookie.partition(";")[0].partition("=")[2]
        page = served.get("/")
        assert page.status == 200
        assert "s3cret" not in page.text
        assert served.act("ignore", [LAKE]).status == 200


def test_a_guard_of_all_addresses_knows_addresses_and_its_own_name_alone() -> None:
    guard = Guard(host="0.0.0.0", port=8000, access="x")  # noqa: S104 - nothing is bound
    assert guard.knows_host("192.168.0.7:8000")
    assert guard.knows_host(f"{socket.gethostname()}:8000")
    assert not guard.knows_host("evil.example:8000")
    assert not Guard(host="127.0.0.1", port=8000).knows_host("192.168.0.7:8000")
    assert Guard(host="127.0.0.1", port=80).knows_host("localhost")
