"""Where a redirect may lead; and that whoever was not to be reached was not reached."""

from pathlib import Path

import pytest
import requests

from hgld.errors import FetchError
from hgld.http.connections import is_public
from hgld.http.patience import HttpPolicy
from hgld.http.redirects import PoliteSession
from hgld.http.session import make_session
from hgld.http.transfer import download
from tests.worlds.gldv2.faulty_server import PUBLIC, Names, faulty, redirect, tls_context
from tests.worlds.wikimedia.faults import send

POLICY = HttpPolicy(backoff_s=0.01, attempts=2)
BUCKET = "google-landmark.s3.amazonaws.com"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Puts the world of names in the place of the real one."""
    world = Names()
    monkeypatch.setattr("socket.getaddrinfo", world.look_up)
    monkeypatch.setattr("urllib3.util.connection.create_connection", world.connect)
    return world


def is_refused(where: str, there: str, status: int = 302, method: str = "GET") -> bool:
    """Says whether a redirect is refused."""
    answer = requests.Response()
    answer.url, answer.status_code = where, status
    answer.headers["Location"] = there
    answer.request = requests.Request(method, where).prepare()
    try:
        with PoliteSession(POLICY) as session:
            assert session.get_redirect_target(answer) == there
    except FetchError:
        return True
    return False


FOLLOWED = [
    *(
        ("http://example.org/a", to)
        for to in ("/b", "http://EXAMPLE.org:80/b", "https://example.org/a")
    ),
    ("https://example.org:444/a", "https://example.org:444/b"),
    ("https://s3.amazonaws.com/google-landmark/a", f"https://{BUCKET}/a"),
    ("https://query.wikidata.org/sparql", "https://query-main.wikidata.org/sparql"),
    ("http://[::1]:8080/a", "http://[::1]:8080/b"),
]
REFUSED = [
    ("https://example.org/a", "https://example.org.evil.com/a"),
    ("https://example.org/a", "https://example.org:8443/a"),
    ("http://example.org:8080/a", "https://example.org/a"),
    ("https://commons.wikimedia.org/w/", "https://query.wikidata.org/"),
    ("https://s3.amazonaws.com/a", "https://evil.s3.amazonaws.com/a"),
    ("http://127.0.0.1:8080/a", "http://127.0.0.1:22/a"),
    ("https://example.org/a", "http://example.org/a"),
    *(
        ("http://example.org/a", there)
        for there in (
            *("//example.com/a", "http://[::ffff:127.0.0.1]/a", "http://169.254.169.254/latest/"),
            *("file:///etc/passwd", "http://example.org@evil.com/a", "http://ann:pw@example.org/a"),
            *("http://evil.com\\@example.org/a", "http://example.org/\\evil.com", "http://[::1"),
            *("http://example.org:port/a", "/\xff"),
        )
    ),
]


@pytest.mark.fault(40, "redirect from https to http")
def test_a_redirect_is_followed_only_to_the_same_server_or_its_mirror() -> None:
    assert [one for one in FOLLOWED if is_refused(*one)] == []
    assert [one for one in REFUSED if not is_refused(*one)] == []


@pytest.mark.fault(49, "redirect that loses the question")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_question_is_redirected_only_with_its_words(status: int) -> None:
    assert is_refused("http://a.org/", "/b", status, "POST") == (status < 307)


@pytest.mark.fault(37, "redirect to another host")
@pytest.mark.fault(38, "redirect to loopback")
@pytest.mark.fault(39, "redirect to the metadata address")
@pytest.mark.parametrize("stream", [True, False], ids=["download", "question"])
@pytest.mark.parametrize(
    "there", ["http://other.example/", "http://127.0.0.1:{}/", "http://169.254.169.254/latest/"]
)
def test_a_server_redirected_to_in_vain_is_not_asked(
    names: Names, tmp_path: Path, there: str, stream: bool
) -> None:
    names.answers.update({"gldv2.example": [[PUBLIC]], "other.example": [[PUBLIC]]})
    with faulty(send(b"secret")) as other, make_session(policy=POLICY) as session:
        there = there.format(other.port)
        with faulty(redirect(there), send(b"x")) as server:
            url = server.url.replace("127.0.0.1", "gldv2.example")
            with pytest.raises(FetchError, match=there):
                download(session, url, tmp_path / "file") if stream else session.get(url)
            assert (len(server.asked), other.asked) == (1, [])
            assert (names.connected, names.asked) == ([PUBLIC], ["gldv2.example"])
            # Mended, the same session has the file.
            assert session.get(url).content == b"x"


@pytest.mark.fault(140, "redirect loop")
@pytest.mark.fault(41, "endless redirects")
def test_redirects_without_end_are_followed_five_times(tmp_path: Path) -> None:
    with faulty(redirect("/file")) as server, make_session(policy=POLICY) as session:
        with pytest.raises(FetchError, match="5 redirects"):
            download(session, server.url, tmp_path / "file")
        assert len(server.asked) == 1 + 5
        server.answers.append(send(b"x"))
        download(session, server.url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"x"


def test_the_body_of_a_redirect_is_bounded_too(tmp_path: Path) -> None:
    policy = HttpPolicy(answer_bytes=1000)
    fault = send(bytes(2000), status=302, Location="/file", Content_Length=None)
    with faulty(fault) as server, make_session(policy=policy) as session:
        with pytest.raises(FetchError, match="answer_bytes"):
            download(session, server.url, tmp_path / "file")
        assert len(server.asked) == 1


def test_a_login_goes_to_its_server_and_not_to_a_mirror(names: Names) -> None:
    names.answers.update({"s3.amazonaws.com": [[PUBLIC]], BUCKET: [[PUBLIC]]})
    with faulty() as server:
        mirror = f"http://{BUCKET}:{server.port}/file"
        server.answers += [redirect("/file"), redirect(mirror), send(b"x")]
        base = f"http://s3.amazonaws.com:{server.port}/file"
        address = base.replace("://", "://ann:secret@")
        with make_session(policy=POLICY, address=address) as session:
            assert session.get(base).content == b"x"
        assert ["authorization" in headers for *_, headers in server.asked] == [True, True, False]
        assert server.asked[2][2]["host"].startswith(f"{BUCKET}:")


@pytest.mark.fault(42, "name that leads elsewhere later")
def test_a_name_that_leads_here_later_is_not_followed(names: Names, waits: list[float]) -> None:
    names.answers["gldv2.example"] = [[PUBLIC], ["127.0.0.1"], [PUBLIC]]
    with faulty(redirect("/secret"), send(b"x")) as server, make_session(policy=POLICY) as session:
        url = f"http://gldv2.example:{server.port}/file"
        with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
            session.get(url)
        assert names.asked == ["gldv2.example"] * 2
        assert names.connected == [PUBLIC]
        assert (len(server.asked), waits) == (1, [])
        assert session.get(url).content == b"x"


def test_the_certificate_must_be_of_the_name(
    names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = tls_context("gldv2.example", tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    seen: list[str | None] = []
    context.sni_callback = lambda _, name, __: seen.append(name)
    names.answers.update({"gldv2.example": [[PUBLIC]], "other.example": [[PUBLIC]]})
    with faulty(send(b"x"), tls=context) as server, make_session(policy=POLICY) as session:
        assert session.get(f"https://gldv2.example:{server.port}/file").content == b"x"
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"https://other.example:{server.port}/file")
        assert len(server.asked) == 1
    assert seen == ["gldv2.example", "other.example"]
    assert names.connected == [PUBLIC, PUBLIC]


def test_the_addresses_that_were_checked_are_connected_to_until_one_answers(names: Names) -> None:
    # Looked up once more for the connection, the name would lead to the metadata address.
    found = ["93.184.216.35", "10.0.0.1", PUBLIC]
    names.answers["gldv2.example"], names.dead = [found, ["169.254.169.254"]], {found[0]}
    with faulty(send(b"x")) as server, make_session(policy=POLICY) as session:
        assert session.get(f"http://gldv2.example:{server.port}/file").content == b"x"
        assert server.asked[0][2]["host"] == f"gldv2.example:{server.port}"
    assert names.asked == ["gldv2.example"]
    assert names.connected == ["93.184.216.35", PUBLIC]


@pytest.mark.parametrize(
    ("is_one", "addresses"),
    [
        (True, "8.8.8.8 2620:0:861:ed1a::1 ::ffff:8.8.8.8 64:ff9b::808:808"),
        (False, "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1"),
        (False, "2002:7f00:1:: 2001:0:4136:e378:8000:63bf:80ff:fffe"),
        (False, "169.254.169.254 ::ffff:169.254.169.254 fe80::1 fe80::1%eth0"),
        (False, "10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 0.1.2.3 240.0.0.1"),
        (False, "fd00::1 fd00:ec2::254 fec0::1 ::ffff:10.0.0.1 198.18.0.1 255.255.255.255"),
        (False, "224.0.0.1 239.255.255.250 ff02::1 0.0.0.0 :: ::ffff:0.0.0.0"),
    ],
)
def test_an_address_is_as_public_as_what_it_reaches(is_one: bool, addresses: str) -> None:
    assert [one for one in addresses.split() if is_public(one) != is_one] == []


def test_only_an_official_server_must_be_at_a_public_address(names: Names) -> None:
    names.answers["lab.internal"] = [["10.0.0.7"], ["10.0.0.8"], [PUBLIC]]
    with faulty(send(b"x")) as server, make_session(policy=POLICY) as session:
        url = f"http://lab.internal:{server.port}/file"
        assert session.get(url).content == session.get(url).content == b"x"
        with pytest.raises(FetchError, match=PUBLIC):
            session.get(url)
        names.answers["commons.wikimedia.org"] = [["127.0.0.1"]]
        with pytest.raises(FetchError, match="not a public"):
            session.get("http://commons.wikimedia.org/w/")
    assert names.connected == ["10.0.0.7", "10.0.0.8"]


def test_an_http_proxy_resolves_names_itself(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    with faulty(send(b"x")) as proxy, make_session(policy=POLICY) as session:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert session.get("http://gldv2.example/file").content == b"x"
        assert proxy.asked[0][1] == "http://gldv2.example/file"
        # One of SOCKS would keep none of our rules.
        monkeypatch.setenv("http_proxy", f"socks5://127.0.0.1:{proxy.port}")
        with pytest.raises(requests.RequestException, match="SOCKS"):
            session.get("http://gldv2.example/file")
        assert len(proxy.asked) == 1
    assert names.asked == []
