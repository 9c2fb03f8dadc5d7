"""Downloads from a server that breaks off, lies and drips; each fault is proven to fire."""

from pathlib import Path

import pytest

from hgld.errors import FetchError, NotFoundError
from hgld.http.download import check_base, open_source
from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session
from hgld.http.transfer import download
from tests.worlds.gldv2.faulty_server import FaultyServer, faulty, redirect, rest
from tests.worlds.gldv2.folder_server import FolderServer
from tests.worlds.wikimedia.faults import Fault, Fields, drip, send

CONTENT = bytes(range(256)) * 40  # 10,240 bytes
OTHER = bytes(reversed(CONTENT))
POLICY = HttpPolicy(backoff_s=0.01, read_timeout_s=30, deadline_s=60, attempts=3)


def fetch(server: FaultyServer, folder: Path, policy: HttpPolicy = POLICY) -> bytes:
    """Downloads the file, as for somebody who needs it whole: where that fails nothing stays."""
    path = folder / "file"
    with open_source(server.url.removesuffix("/file"), policy) as source:
        try:
            source.fetch("file", path)
        except FetchError:
            path.unlink(missing_ok=True)
            assert not [*folder.iterdir()]
            raise
    return path.read_bytes()


@pytest.mark.fault(33, "short body in a download")
@pytest.mark.usefixtures("waits")
def test_a_broken_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    with faulty(send(CONTENT, sent=5000), rest(CONTENT)) as server:
        assert fetch(server, tmp_path) == CONTENT
        # The last bytes that came are asked for again.
        assert server.ranges == ["", f"bytes={5000 - 1024}-"]
        assert server.asked[1][2]["if-range"] == '"version 1"'
        assert {headers["accept-encoding"] for *_, headers in server.asked} == {"identity"}


@pytest.mark.parametrize(
    ("named", "second", "ranges"),
    [
        ({"ETag": None}, {}, ["", ""]),
        ({"ETag": 'W/"weak"', "Last_Modified": "Wed, 25 Nov 2026 10:00:00 GMT"}, {}, ["", ""]),
        ({}, {"ETag": '"version 2"'}, ["", "bytes=3976-"]),
    ],
)
@pytest.mark.usefixtures("waits")
def test_another_file_is_fetched_whole(
    tmp_path: Path, named: Fields, second: Fields, ranges: list[str]
) -> None:
    with faulty(send(OTHER, named, sent=5000), send(CONTENT, {**named, **second})) as server:
        assert fetch(server, tmp_path) == CONTENT
        assert server.ranges == ranges


LIES = ("0-10239/10240", "3976-10239/20000", "3976-3000/10240", "3976-10239/*")


@pytest.mark.fault(34, "lying range")
@pytest.mark.parametrize(
    "lie",
    [
        rest(OTHER),
        *(rest(CONTENT, Content_Range=f"bytes {one}") for one in LIES),
        rest(CONTENT, Content_Range=None),
        rest(CONTENT, ETag='"version 2"'),
        send(b"", status=416),
    ],
)
@pytest.mark.usefixtures("waits")
def test_a_server_that_lies_about_a_part_is_asked_for_the_whole(tmp_path: Path, lie: Fault) -> None:
    with faulty(send(CONTENT, sent=5000), lie, send(CONTENT)) as server:
        assert fetch(server, tmp_path) == CONTENT
        assert server.ranges == ["", "bytes=3976-", ""]


def test_a_download_breaks_so_often_and_no_more(tmp_path: Path, waits: list[float]) -> None:
    with faulty(send(CONTENT, sent=5000, ETag=None)) as server:
        with pytest.raises(FetchError, match="broke"):
            fetch(server, tmp_path)
        assert len(server.asked) == POLICY.attempts
    assert waits == [0.01, 0.02]


@pytest.mark.fault(32, "drip in a download")
def test_a_download_that_drips_ends_and_a_slow_one_is_waited_for(tmp_path: Path) -> None:
    # Longer between two bytes than the deadline, and shorter than the time-out for a read.
    policy = HttpPolicy(read_timeout_s=30, deadline_s=0.3, slowest_bytes_per_s=1000)
    with faulty(drip(60, most=8), send(CONTENT)) as server:
        with pytest.raises(FetchError, match="slowest_bytes_per_s"):
            fetch(server, tmp_path, policy)
        assert len(server.asked) == 1
        assert fetch(server, tmp_path, policy) == CONTENT
    policy = HttpPolicy(deadline_s=0.3, slowest_bytes_per_s=5)
    with faulty(drip(0.1, most=6)) as server:
        assert fetch(server, tmp_path, policy) == b" " * 6


@pytest.mark.fault(35, "download beyond its limit")
@pytest.mark.parametrize("fault", [send(CONTENT), send(CONTENT, Content_Length=None)])
def test_a_file_beyond_the_limit_is_refused(tmp_path: Path, fault: Fault) -> None:
    with faulty(fault) as server:
        with pytest.raises(FetchError, match="download_bytes"):
            fetch(server, tmp_path, HttpPolicy(download_bytes=9000))
        assert len(server.asked) == 1
        assert fetch(server, tmp_path, HttpPolicy(download_bytes=len(CONTENT))) == CONTENT


@pytest.mark.fault(36, "packed download")
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        *((send(CONTENT, Content_Encoding=one), one) for one in ("gzip", "br", "gzip, gzip")),
        (send(CONTENT[100:], {"Content_Range": "bytes 100-10239/10240"}, status=206), "206"),
    ],
)
def test_a_file_packed_or_in_part_is_refused(tmp_path: Path, fault: Fault, why: str) -> None:
    with faulty(fault, send(CONTENT)) as server:
        with pytest.raises(FetchError, match=why):
            fetch(server, tmp_path)
        assert fetch(server, tmp_path) == CONTENT


@pytest.mark.parametrize("length", ["0", "9" * 5000, "-1", "²"])
def test_a_file_may_be_elsewhere_empty_or_without_a_length(tmp_path: Path, length: str) -> None:
    content = b"" if length == "0" else CONTENT
    with faulty(redirect("/elsewhere"), send(content, Content_Length=length)) as server:
        assert fetch(server, tmp_path) == content
        assert [path for _, path, _ in server.asked] == ["/file", "/elsewhere"]


@pytest.mark.parametrize(("most_bytes", "why"), [(10_239, "10,239"), (10_240, "UTF-8")])
def test_a_text_is_whole_and_in_utf_8(tmp_path: Path, most_bytes: int, why: str) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    with faulty(send(CONTENT)) as server:
        for base in (server.url.removesuffix("/file"), str(tmp_path)):
            policy = HttpPolicy(answer_bytes=most_bytes)
            with open_source(base, policy) as source, pytest.raises(FetchError, match=why):
                source.read_text("file")


@pytest.mark.parametrize("is_same", [True, False])
def test_another_process_resumes_a_file(tmp_path: Path, waits: list[float], is_same: bool) -> None:
    """Two files may have the same version by their names of it."""
    path, policy = tmp_path / "part", HttpPolicy(attempts=1)
    first, then = (CONTENT, rest(CONTENT)) if is_same else (OTHER, send(CONTENT))
    with faulty(send(first, sent=5000), then) as server:
        with make_session(policy=policy) as session, pytest.raises(FetchError, match="5,000"):
            download(session, server.url, path)
        assert path.read_bytes() == first[:5000]
        with make_session(policy=policy) as session:
            download(session, server.url if is_same else f"{server.url}-too", path)
        assert server.ranges == ["", "bytes=3976-" if is_same else ""]
    assert (path.read_bytes(), waits) == (CONTENT, [])


@pytest.mark.parametrize(
    "lie",
    [
        send(CONTENT[:9], status=206, Content_Range="bytes 0-9/10240"),
        send(CONTENT[:10], status=206, Content_Range="bytes 1-10/10240"),
        send(CONTENT[:10], status=206, Content_Range=None),
    ],
)
def test_a_part_that_is_read_is_the_one_that_was_asked_for(lie: Fault) -> None:
    right = send(CONTENT[:10], status=206, Content_Range="bytes 0-9/*")
    with faulty(lie, right) as server, open_source(server.url.removesuffix("/file")) as source:
        with pytest.raises(FetchError, match="bytes 0-9"):
            source.read_part("file", 0, 10)
        assert source.read_part("file", 0, 10) == CONTENT[:10]


def test_a_file_that_a_server_or_folder_lacks_is_not_found(
    tables_server: FolderServer, tables: Path, tmp_path: Path
) -> None:
    with open_source(tables_server.url) as source:
        for status in (403, 404, 410):
            tables_server.statuses["train_b.txt"] = status
            with pytest.raises(NotFoundError, match=rf"train_b\.txt.*{status}"):
                source.fetch("train_b.txt", tmp_path / "copy")
    assert tables_server.hits["train_b.txt"] == 3
    with open_source(str(tables)) as source:
        assert source.size("train_b.txt") == 0
        with pytest.raises(NotFoundError, match=r"train_b\.txt"):
            source.bring("train_b.txt", tmp_path / "copy")


def test_a_server_or_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    # Port 1 of the loopback device: nothing listens there, and no packet leaves the machine.
    with open_source("http://127.0.0.1:1") as source:
        for ask in (source.size, lambda name: source.fetch(name, tmp_path / "copy")):
            with pytest.raises(FetchError, match=r"127\.0\.0\.1:1"):
                ask("train.csv")
    with pytest.raises(FetchError, match="nowhere"), open_source(str(tmp_path / "nowhere")):
        pass


@pytest.mark.parametrize("base", ["", "  ", "ftp://example.org/x", "s4://shelf", "s3:/shelf/x"])
def test_a_base_that_is_neither_url_nor_store_nor_folder_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="folder"):
        check_base(base)
