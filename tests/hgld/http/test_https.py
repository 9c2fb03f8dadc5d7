"""The scrape over TLS, as Wikimedia has it: the same policy, on other connections."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

from hgld.engine.workspace import Workspace
from hgld.errors import FetchError
from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session
from hgld.scrape.stage import run_scrape
from tests.worlds.wikimedia.faults import drip
from tests.worlds.wikimedia.scraping import fast_config
from tests.worlds.wikimedia.small import Server, serving


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(context) as running:
        yield running


@pytest.fixture
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))


@pytest.mark.usefixtures("_trusted")
def test_a_scrape_over_tls_leaves_the_same_rows(
    tls_server: Server, categories: Path, workspace: Workspace, clean: dict[str, str]
) -> None:
    report = run_scrape(workspace, fast_config(tls_server), categories)
    assert tls_server.commons.startswith("https:")
    assert tls_server.count("commons") > 0
    assert tls_server.count("sparql") > 0
    assert report.manifest.outputs == clean


@pytest.mark.fault(139, "answer that drips for ever")
@pytest.mark.usefixtures("_trusted")
def test_an_answer_that_drips_over_tls_ends_at_the_deadline(tls_server: Server) -> None:
    tls_server.always["sparql"] = drip(0.02, "headers")
    policy = HttpPolicy(read_timeout_s=30, deadline_s=0.3, attempts=1)
    with make_session(policy=policy) as session, pytest.raises(requests.exceptions.ReadTimeout):
        session.post(tls_server.sparql, data={"query": "ASK {}"})
    assert tls_server.fired == ["sparql"]


@pytest.mark.fault(142, "certificate that is not trusted")
def test_a_server_that_is_not_trusted_is_asked_nothing(
    tls_server: Server, categories: Path, workspace: Workspace
) -> None:
    with pytest.raises(FetchError, match="REQUESTS_CA_BUNDLE"):
        run_scrape(workspace, fast_config(tls_server), categories)
    assert tls_server.hits == []
