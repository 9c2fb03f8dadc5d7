"""A scrape's worth of requests against limits per minute, as Wikimedia has them."""

from pathlib import Path

from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session
from tests.worlds.wikimedia.nginx import limited_by_caller


def test_as_many_requests_as_gldv2_takes_are_never_told_to_come_later(tmp_path: Path) -> None:
    policy = HttpPolicy(requests_per_minute=2_700, patience_s=0)
    with limited_by_caller(3_000, 6_000, tmp_path) as (address, log):
        with make_session("ann@example.org", policy) as session:
            for _ in range(4_062):
                session.get(address)
        answers = [line.split()[1] for line in log.read_text().splitlines()]
    assert answers == ["200"] * 4_062
