"""The rules of downloads and answers against a server that was not written for these tests."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.exceptions import RetryError

from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session
from hgld.http.transfer import download
from tests.worlds.gldv2.faulty_server import cutting
from tests.worlds.wikimedia.nginx import limited_by_caller, serving_files

CONTENT = random.Random(1).randbytes(300_000)


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A file that nginx serves."""
    path = tmp_path / "served/file.txt"
    path.parent.mkdir(mode=0o755)
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def nginx(served: Path, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """nginx's port and log."""
    with serving_files(served.parent, tmp_path) as running:
        yield running


def answers(log: Path) -> list[str]:
    """Returns the status of each answer."""
    return [line.split()[1] for line in log.read_text().splitlines()]


def test_a_broken_download_goes_on_at_a_real_server(
    nginx: tuple[int, Path], tmp_path: Path, waits: list[float]
) -> None:
    port, log = nginx
    with cutting(port, 100_000) as relay, make_session() as session:
        download(session, f"http://127.0.0.1:{relay}/file.txt", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert (answers(log), waits) == (["200", "206"], [1.0])


def test_a_file_that_changes_before_a_download_goes_on_comes_whole(
    nginx: tuple[int, Path], served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, log = nginx
    # Of another size: nginx tells versions apart by that and the second they were changed in.
    other = bytes(reversed(CONTENT)) + b"."
    monkeypatch.setattr("hgld.http.patience.sleep", lambda _: served.write_bytes(other))
    with cutting(port, 100_000) as relay, make_session() as session:
        download(session, f"http://127.0.0.1:{relay}/file.txt", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == other
    assert answers(log) == ["200", "200"]


def test_an_answer_that_nginx_packs_is_unpacked_and_a_download_is_never_packed(
    nginx: tuple[int, Path], served: Path, tmp_path: Path
) -> None:
    served.write_bytes(b"some text\n" * 100_000)
    url = f"http://127.0.0.1:{nginx[0]}/file.txt"
    with make_session() as session:
        answer = session.get(url)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.content == served.read_bytes()
        download(session, url, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == served.read_bytes()


@pytest.mark.parametrize(("token", "pace"), [("", 1_800), ("of-ann", 5_500)])
def test_who_keeps_the_pace_of_its_agent_or_token_is_never_told_to_come_later(
    tmp_path: Path, token: str, pace: int
) -> None:
    def ask(per_minute: int, at_most: int) -> list[str]:
        policy = HttpPolicy(requests_per_minute=per_minute, patience_s=0)
        with make_session("ann@example.org", policy, token=token) as session:
            for _ in range(at_most):
                try:
                    session.get(address)
                except RetryError:
                    break
            cookies.append(session.get(address).text if per_minute else "")
        return answers(log)

    cookies: list[str] = []
    with limited_by_caller(2_000, 6_000, tmp_path) as (address, log):
        assert {*ask(pace, 80)} == {"200"}
        # And who does not is, as soon as the machine is quicker than the limit for 11 requests.
        assert "429" in ask(0, 5_000)
    assert cookies[0] == "caller=known"
