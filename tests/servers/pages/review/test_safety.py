"""What labels, other pages and other names may try in a real browser."""

import contextlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.desk import Desk
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from hgld.tables import CATEGORIES, CLASSES, SUPERCLASSES
from tests.hgld.pages.review.browser.conftest import Seats, Servers
from tests.worlds.builders import write_stage
from tests.worlds.review.lists import CASCADES, write_small_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

HOSTILE = (
    '<img src=x onerror="window.hacked=1">',
    '"><script>window.hacked=2</script>',
    "'\"` onmouseover=window.hacked=3 x='",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "javascript:window.hacked=4",
    "</template></textarea></title><svg onload=window.hacked=5>",
    '<a href="javascript:window.hacked=6">lake</a>',
    "&lt;b&gt; \u202e reversed \u0000".replace("\u0000", ""),
    "[x](javascript:window.hacked=7) <style>*{display:none}</style>",
)
_URL = "http://commons.wikimedia.org/wiki/Category:%3Cimg_src=x_onerror=%22window.hacked=8%22%3E_{}"
_WRITES = 9  # that the page of a stranger tries: 8 by script, and a form
_IS_SAFE = """
() => [window.hacked ?? 0,
  [...document.querySelectorAll("a[href]")].filter((a) => !/^https?:$/.test(a.protocol)).map((a) => a.href),
  document.querySelectorAll("img[onerror], svg[onload], [onmouseover], main style, main script").length]
"""


@pytest.fixture(scope="module")
def hostile_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build in which classes and landmarks have names that are attacks."""
    classes = [
        (qid, f"{label} {HOSTILE[number % len(HOSTILE)]}", landmarks, cluster)
        for number, (qid, label, landmarks, cluster) in enumerate(CASCADES)
    ]
    workspace = write_small_review(tmp_path_factory.mktemp("hostile") / "build", classes)
    categories = workspace.read(CATEGORIES)
    place = categories.column_names.index("category")
    urls = [_URL.format(number) for number in range(len(categories))]
    hostile = categories.set_column(place, categories.schema.field(place), [urls])
    write_stage(
        workspace,
        [
            (CATEGORIES, hostile),
            (CLASSES, workspace.read(CLASSES)),
            (SUPERCLASSES, workspace.read(SUPERCLASSES)),
        ],
    )
    return workspace.root


@pytest.fixture
def hostile(hostile_build: Path, tmp_path: Path, serve: Servers) -> ServedPage:
    return serve(Path(shutil.copytree(hostile_build, tmp_path / HOSTILE[0].replace("/", ""))))


def check_safe(desk: Desk) -> None:
    hacked, links, elements = desk.tell(_IS_SAFE)
    assert (hacked, links, elements) == (0, [], 0)


def test_labels_that_are_scripts_are_text_wherever_they_stand(
    hostile: ServedPage, seat: Seats
) -> None:
    desk = seat(hostile, HOSTILE[0])
    desk.page.on("dialog", lambda shown: pytest.fail(f"a script ran: {shown.message}"))
    labels = [row.label for row in desk.members()]
    assert any("<" in label or "{{" in label for label in labels)
    check_safe(desk)
    for number in range(len(desk.groups())):
        for key, layer in (
            ("m", "pick"),
            ("r", "pick"),
            ("s", "split"),
            (".", "sheet"),
            ("H", "sheet"),
            ("M", "sheet"),
            ("P", "sheet"),
            (":", "pick"),
        ):
            desk.press(key)
            desk.page.wait_for_function("(id) => document.getElementById(id).open", arg=layer)
            desk.page.wait_for_timeout(100)
            check_safe(desk)
            desk.press("Escape")
        desk.press("g")
        desk.type("onerror")
        desk.page.wait_for_timeout(400)
        check_safe(desk)
        desk.press("Escape")
        for key in ("c", "d"):
            desk.press(key)
            desk.type(HOSTILE[number % len(HOSTILE)])
            desk.press("Enter")
            check_safe(desk)
        desk.press("r")
        desk.type(f"{HOSTILE[number]} name {number}"[:60])
        while "new:" not in desk.tell(
            "() => document.querySelector('#pick-list [aria-selected=true]').textContent"
        ):
            desk.press("ArrowDown")
        desk.press("Enter")
        check_safe(desk)
        assert desk.layer == ""
        desk.press("H")
        desk.page.wait_for_timeout(200)
        check_safe(desk)
        desk.press("Escape", "u", "U", "]")
        check_safe(desk)


def test_what_another_did_is_text_too(hostile: ServedPage, seat: Seats) -> None:
    desk, bob = seat(hostile, "ann"), seat(hostile, HOSTILE[0])
    bob.press("i")
    desk.page.wait_for_function(
        "() => document.getElementById('others').textContent.includes('<img')"
    )
    check_safe(desk)


class _Stranger(http.server.BaseHTTPRequestHandler):
    """A page of another address that writes to the review."""

    target = ""

    def do_GET(self) -> None:
        body = f"""<!doctype html><meta charset="utf-8"><iframe name="there" src="{self.target}"></iframe>
          <form method="post" action="{self.target}undo" target="there"><input name="seen" value="0"></form>
          <script>
            window.done = (async () => {{
              const said = [];
              for (const type of ["application/x-www-form-urlencoded", "text/plain"]) {{
                for (const path of ["undo", "act", "name", "jump/0"]) {{
                  try {{
                    await fetch("{self.target}" + path, {{ method: "POST", mode: "no-cors", credentials: "include",
                      headers: {{ "Content-Type": type }}, body: "action=ignore&all=1&g=&name=mallory" }});
                    said.push("sent");
                  }} catch {{ said.push("not sent"); }}
                }}
              }}
              try {{ await fetch("{self.target}"); said.push("read"); }} catch {{ said.push("not read"); }}
              document.forms[0].submit();
              return said;
            }})();
          </script>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def stranger(target: str) -> Iterator[str]:
    handler = type("Handler", (_Stranger,), {"target": target})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_a_page_of_another_address_writes_and_reads_nothing(
    lasting: ServedPage, desk: Desk, watch: Watch
) -> None:
    """It is of the same site, as browsers count, so the name's cookie goes with it."""
    desk.press("i")
    before = len(read_log(Workspace(lasting.root)).events)
    watch.forgiven = (
        "CORS",
        "ERR_FAILED",
        "403",
        "frame-ancestors",
        "chrome-error",
        "ERR_BLOCKED",
        "X-Frame-Options",
        "policy: ",
    )
    with stranger(lasting.url) as address:
        sent: list[str] = []
        page = desk.page.context.new_page()
        page.on("request", lambda asked: sent.extend([asked.url] * (asked.method == "POST")))
        page.goto(address)
        said = page.evaluate("() => window.done")
        page.wait_for_timeout(500)
        page.close()
    assert said[-1] == "not read"
    assert len(sent) == _WRITES, "the attack was made"
    assert {url.partition(lasting.url)[0] for url in sent} == {""}
    assert len(read_log(Workspace(lasting.root)).events) == before
    desk.press("u")
    assert read_log(Workspace(lasting.root)).events[-1].reviewer == "ann"


def test_a_name_that_was_made_to_lead_here_is_refused(
    lasting: ServedPage, chromium: "Browser"
) -> None:
    """DNS rebinding: a stranger's name that suddenly leads to this machine."""
    context = chromium.new_context()
    page = context.new_page()
    # As if its name server had been asked: the request comes here, with the stranger's name.
    page.route(
        "http://rebound.example/",
        lambda route: route.fulfill(
            response=route.fetch(
                url=lasting.url,
                headers={**route.request.headers, "host": f"rebound.example:{lasting.port}"},
            )
        ),
    )
    answer = page.goto("http://rebound.example/")
    assert answer is not None
    assert answer.status == 421
    assert "review-token" not in page.content()
    context.close()


@pytest.mark.parametrize(
    "path",
    [
        "/picture/..%2f..%2fhgld.toml", "/picture/%2e%2e/%2e%2e/hgld.toml", "/picture/..%5c..%5chgld.toml",
        "/static/../hgld.toml", "/static/%2e%2e/%2e%2e/%2e%2e/app.py", "/static/..%2f..%2fapp.py", "//etc/passwd",
        "/static//etc/passwd", "/picture/%00", "/static/%00",
    ],
)  # fmt: skip
def test_no_file_of_elsewhere_is_given_out(
    lasting: ServedPage, desk: Desk, watch: Watch, path: str
) -> None:
    watch.forgiven = ("404", "400", "403", "405", "421", "422", "ERR_")
    del lasting
    static = desk.tell(
        "() => new URL(document.querySelector('link[rel=stylesheet]').href).pathname.split('/css/')[0]"
    )
    asked = path.replace("/static", static, 1)
    status, text = desk.tell(
        "async (path) => { const a = await fetch(location.origin + path); return [a.status, await a.text()]; }",
        asked,
    )
    assert status >= 400
    assert "encoder" not in text
    assert "root:" not in text
    assert "def make_app" not in text
