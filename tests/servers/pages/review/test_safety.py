"""What labels, other pages and other names may try in a real browser."""

from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_log
from tests.servers.pages.conftest import Seats, Servers
from tests.servers.pages.looking import IS_SAFE
from tests.servers.pages.serving import OpenReview
from tests.worlds.pages.pictures import call_landmarks
from tests.worlds.review.desk import Desk
from tests.worlds.review.lists import CASCADES, write_small_review
from tests.worlds.watch import Watch
from tests.worlds.wikimedia.faults import Fault, listening, reply

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


@pytest.fixture
def hostile(tmp_path: Path, serve: Servers) -> OpenReview:
    """A review in which classes and landmarks have names that are attacks."""
    classes = [
        (qid, f"{label} {HOSTILE[number % len(HOSTILE)]}", landmarks, cluster)
        for number, (qid, label, landmarks, cluster) in enumerate(CASCADES)
    ]
    folder = tmp_path / HOSTILE[0].replace("/", "")
    workspace = write_small_review(folder / "build", classes)
    call_landmarks(workspace, _URL)
    return serve(workspace.root)


def check_safe(desk: Desk, where: str = "") -> None:
    assert desk.tell(IS_SAFE) == [0, [], 0], where


def test_labels_names_and_remarks_that_are_scripts_are_text_wherever_they_stand(
    hostile: OpenReview, seat: Seats
) -> None:
    desk, bob = seat(hostile.url, HOSTILE[0]), seat(hostile.url, HOSTILE[1])
    for one in (desk, bob):
        one.page.on("dialog", lambda shown: pytest.fail(f"a script ran: {shown.message}"))
    check_safe(desk)
    desk.press("c")
    desk.type(HOSTILE[0])
    desk.press("Enter", "d")
    desk.type(HOSTILE[2])
    desk.press("Enter", "r")
    desk.type(f"{HOSTILE[1]} name")
    desk.press("ArrowDown", "Enter")
    assert desk.layer == ""
    check_safe(desk)
    for key in "mr:X":
        desk.press(key)
        check_safe(desk, key)
        desk.press("Escape")
    desk.press("g")
    desk.type("onerror")
    desk.page.wait_for_selector("#pick-list b:has-text('onerror')")
    check_safe(desk, "g")
    desk.press("Escape", "u", "U", "]")
    check_safe(desk)
    bob.press("i")
    desk.page.wait_for_function(
        "(text) => document.getElementById('said').textContent.includes(text)", arg="<script"
    )
    for path in ("history", "taxonomy", "files"):
        desk.page.goto(f"{hostile.url}{path}")
        check_safe(desk, path)


def stranger(target: str) -> Fault:
    """Returns a page of another address that writes to the review."""
    body = f"""<!doctype html><meta charset="utf-8"><iframe name="there" src="{target}"></iframe>
      <form method="post" action="{target}undo" target="there"><input name="seen" value="0"></form>
      <script>
        window.done = (async () => {{
          const said = [];
          for (const type of ["application/x-www-form-urlencoded", "text/plain"]) {{
            for (const path of ["undo", "act", "name", "imported"]) {{
              try {{
                await fetch("{target}" + path, {{ method: "POST", mode: "no-cors", credentials: "include",
                  headers: {{ "Content-Type": type }}, body: "action=ignore&qid=Q1&name=mallory" }});
                said.push("sent");
              }} catch {{ said.push("not sent"); }}
            }}
          }}
          try {{ await fetch("{target}"); said.push("read"); }} catch {{ said.push("not read"); }}
          document.forms[0].submit();
          return said;
        }})();
      </script>"""
    return reply(200, body.encode(), Content_Type="text/html")


def test_a_page_of_another_address_writes_and_reads_nothing(
    served: OpenReview, desk: Desk, watch: Watch
) -> None:
    """It is of the same site, as browsers count, so the name's cookie goes with it."""
    desk.press("i")
    before = len(read_log(Workspace(served.root)).events)
    watch.forgiven = (
        *("CORS", "ERR_FAILED", "403", "frame-ancestors", "chrome-error", "ERR_BLOCKED"),
        *("X-Frame-Options", "policy: "),
    )
    with listening(stranger(served.url)) as server:
        sent: list[str] = []
        page = desk.page.context.new_page()
        page.on("request", lambda asked: sent.extend([asked.url] * (asked.method == "POST")))
        page.goto(f"http://127.0.0.1:{server.server_port}")
        with page.expect_response(lambda answer: answer.frame != page.main_frame):
            said = page.evaluate("() => window.done")
        page.close()
    assert said[-1] == "not read"
    assert len(sent) == _WRITES, "the attack was made"
    assert {url.partition(served.url)[0] for url in sent} == {""}
    assert len(read_log(Workspace(served.root)).events) == before
    desk.press("u")
    assert read_log(Workspace(served.root)).events[-1].reviewer == "ann"
