import csv
import io
import re
from pathlib import Path

import pytest
from openpyxl import load_workbook

from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE, read_decisions
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, done, look, open_page, shown, view_of
from tests.worlds.pages.asgi import Reply
from tests.worlds.pages.pictures import write_landmark_pictures
from tests.worlds.pages.reading import PageReader
from tests.worlds.review.guesses import WorldGuess, write_guesses
from tests.worlds.review.lists import CASCADES, write_small_review

LAKE, TARN, SITE, WATERFALL = "Q23397", "Q200005", "Q9259", "Q34038"


def test_the_page_shows_the_first_group_and_an_action_goes_on_to_the_next(served: Served) -> None:
    page = served.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert shown(page.text, "open") == "c0"
    qids = re.findall(r'id="m-(Q\d+)"', page.text)
    assert WATERFALL in qids
    fields = {"g": "c0", "seen": shown(page.text, "line"), "scored": "0"}
    after = served.act("accept_row", qids[1:], **fields)
    assert (shown(after.text, "open"), shown(after.text, "line")) == ("c0", "1")
    after = served.act("accept_row", qids[:1], **fields)
    assert (shown(after.text, "open"), shown(after.text, "line")) == ("c1", "2")
    assert set(read_decisions(served.session.workspace)) == set(qids)
    assert served.session.events[-1].reviewer == "ann"
    # Where no group is asked for, the first open one that matches is shown.
    for path, group in {"": "c1", "g=c0": "c0", "g=c0&q=mountain": "*", "q=zz+zz": ""}.items():
        assert shown(served.get(f"/?{path}").text, "open") == group, path


def test_who_had_a_group_open_that_is_gone_is_shown_another(served: Served) -> None:
    done(served.session, "bob", "merge", g="c1", into="c3")
    assert shown(served.get("/?g=c1").text, "open") != "c1"
    served.session.undo("bob")
    assert shown(served.get("/?g=c1").text, "open") == "c1"


def test_the_page_itself_gets_the_panes_alone(served: Served) -> None:
    panes = served.get("/?g=c1", **{"HX-Request": "true"}).text
    assert panes.lstrip().startswith('<div id="desk"')
    assert "<html" not in panes


def test_undo_redo_and_revert_show_the_group_that_they_are_about(served: Served) -> None:
    served.act("ignore", [SITE])
    for path in ("/undo", "/redo"):
        answer = served.post(path, {"g": "c2", "seen": "1"})
        assert (answer.status, shown(answer.text, "open")) == (200, "c3")
    assert "heritage site" in served.post("/revert", {"number": "1"}).text
    kinds = [event.event for event in served.session.events]
    assert kinds == ["ignore", "undo", "redo", "revert"]
    for number in ("99", "9x", ""):
        assert served.post("/revert", {"number": number}).status == 422, number


def test_a_question_and_a_conflict_are_told_apart_and_write_nothing(served: Served) -> None:
    asked = served.act("ignore", [LAKE, TARN], asks="1", sight="1")
    assert (asked.headers["hx-retarget"], "1 in sight" in asked.text) == ("#ask", True)
    done(served.session, "bob", "ignore", LAKE)
    conflict = served.act("name", [LAKE], label="span", seen="0")
    assert (conflict.status, "bob" in conflict.text) == (409, True)
    assert served.session.line == 1


def test_a_name_is_kept_in_a_cookie_that_scripts_and_other_sites_do_not_get(served: Served) -> None:
    answer = served.post("/name", {"name": "  Zoë  van der Berg; "})
    assert answer.status == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    served.cookies = {"reviewer": cookie.partition(";")[0].partition("=")[2]}
    served.act("ignore", [SITE])
    assert served.session.events[-1].reviewer == "Zoë van der Berg;"


def test_who_has_no_name_decides_nothing(served: Served) -> None:
    for name in (" ", "a" * 81, "bob\u202e", "\u200d"):
        assert served.post("/name", {"name": name}).status == 422, name
    for cookies in ({}, {"reviewer": "%00%0a"}):
        served.cookies = cookies
        assert served.act("ignore", [LAKE]).status == 422
    assert served.session.events == []


def test_everything_that_can_be_read_is_answered(served: Served) -> None:
    done(served.session, "bob", "ignore", SITE)
    for path, text in {
        "/?g=c1&f=is:open&rows=1": "lake",
        "/history": "heritage site",
        "/history?only=mine": "Nothing",
        "/taxonomy": "cascade",
        "/files": "review.csv",
        "/go?q=site+noel+36": "mountain lake",
        "/export/review.csv": "heritage site",
        "/export/review.ttl": "skos:",
        "/export/review.jsonl": "bob",
        "/export/review.xlsx": "",
    }.items():
        answer = served.get(path)
        assert answer.status == 200, path
        assert text in answer.text, path
    for path in ("/?f=none:x", "/?rows=x", "/export/review.exe"):
        assert served.get(path).status == 422, path


def test_a_damaged_log_is_told_on_the_page_and_not_written_to(served: Served) -> None:
    served.act("ignore", [SITE])
    served.act("ignore", [LAKE])
    log = served.session.workspace.path(DECISIONS_FILE)
    damaged = log.read_bytes().replace(b"heritage", b"herbage!")[:-4]
    log.write_bytes(damaged)
    for answer in (served.get("/"), served.act("ignore", [TARN])):
        assert answer.status == 500
        assert log.name in answer.text
    assert log.read_bytes() == damaged


def test_thumbnails_are_of_different_landmarks_name_their_author_and_never_lead_out(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    ids = write_landmark_pictures(build, 3, author="Ann, B.", licence="CC BY-SA 4.0")
    session = opener(build)
    rows = view_of(session, "c0").rows
    thumbnails = {one.image_id: one for row in rows for one in row.thumbnails}
    assert sorted(thumbnails) == ids
    first = thumbnails[ids[0]]
    assert (first.author, first.licence, first.landmark.name) == (
        *("Ann, B.", "CC-BY-SA-4.0", "Site Noël 1"),
    )
    served = open_page(session, tmp_path)
    answer = served.get(f"/picture/{ids[0]}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    again = served.get(f"/picture/{ids[0]}", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    altered, led_out = (build.path(f"images/train/{one}.jpg") for one in ids[1:])
    altered.write_bytes(b"other")
    led_out.rename(tmp_path / "outside.jpg")
    led_out.symlink_to(tmp_path / "outside.jpg")
    for name in (*ids[1:], "d" * 16, "..%2f..%2foutside.jpg", "../outside.jpg", "%00"):
        assert served.get(f"/picture/{name}").status == 404, name


EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{'z'*9}}</textarea></template>"


@pytest.fixture
def hostile(tmp_path: Path, opener: Opener) -> ReviewSession:
    """The review of a build whose labels and guesses are attacks."""
    classes = [(qid, f"{label} {EVIL}", count, group) for qid, label, count, group in CASCADES]
    build = write_small_review(tmp_path / "hostile/build", classes)
    write_guesses(build, [WorldGuess(f"Kirche {EVIL}", EVIL, "human-made", 0.9, (EVIL,))])
    return opener(build)


def test_names_that_are_attacks_are_text_on_every_page(
    hostile: ReviewSession, tmp_path: Path
) -> None:
    served = open_page(hostile, tmp_path)
    served.cookies = {"reviewer": "eve%20%3Cscript%3Ealert(1)%3C/script%3E"}
    answers = [
        served.act("name", [LAKE], label=EVIL, side="natural", sure="1", why=EVIL),
        served.act("comment", [LAKE], why=EVIL),
        served.act("doubt", [TARN], why=EVIL),
        served.act("name", [WATERFALL], label=f"{EVIL}x", side="natural"),  # refused as a typo
        served.act("name", [WATERFALL], label=f"<{EVIL}", side="human-made", sure="1"),
        served.act("rename", label=EVIL, to=f"{EVIL} y"),
        served.act("<script>alert(1)</script>"),
        served.act("ignore", [TARN], asks="1"),
        served.post("/revert", {"number": "1", "asks": "1"}),
        *(served.get(path) for path in ("/second", "/history", "/taxonomy", "/fills", "/files")),
    ]
    served.cookies = {"reviewer": "ann"}
    answers += [
        served.act("ignore", [WATERFALL, LAKE], seen="0"),  # a conflict
        served.post("/second/start", {"of": "eve <script>alert(1)</script>", "size": "2"}),
        served.post("/second/answer", {"action": "name", "qid": LAKE, "label": f"{EVIL}{EVIL}"}),
        *(
            served.get(path.replace("<", "%3Cscript%3Ealert(3)%3C/script%3E"))
            for path in (
                *("/second", "/second?sample=0", "/fills?name=<", "/<"),
                *("/?q=<", "/?f=<", "/?f=by:<", "/?g=<"),
            )
        ),
        *(served.get(f"/?g={row.group}") for row in look(hostile).groups),
    ]
    assert {200, 404, 409, 422} == {answer.status for answer in answers}
    for answer in answers:
        assert "<script>alert" not in answer.text
        assert "zzzzzzzzz" not in answer.text
        for tag, found in PageReader(answer.text).tags:
            assert not [key for key in found if key.startswith("on") or key == "style"], tag
            is_data = tag == "script" and found.get("type") == "application/json"
            assert tag != "script" or is_data or found["src"].startswith("/static/")
            assert tag != "img" or found["src"].startswith(("/picture/", "data:"))
            assert not found.get("href", "").lower().startswith("javascript:")
    assert sum("&lt;script&gt;" in answer.text for answer in answers) > 20
    answer = served.get("/go?q=lake")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_sheet_is_imported_after_what_it_would_do_was_shown(served: Served) -> None:
    for kind in ("csv", "xlsx"):
        sheet = served.get(f"/export/review.{kind}").body
        filled = fill_in(sheet, kind, LAKE, "tarn" if kind == "xlsx" else "span")
        line = served.session.line
        asked = send_sheet(served, filled, "?asks=1")
        assert (asked.headers["hx-retarget"], served.session.line) == ("#ask", line)
        assert "1 decision" in asked.text
        assert "1 decision" in send_sheet(served, filled).text
        assert served.session.line == line + 1
    for data in (b"none", b"PK broken", b""):
        assert send_sheet(served, data).status == 422
    served.cookies = {}
    assert send_sheet(served, served.get("/export/review.csv").body).status == 422


def test_an_import_that_others_were_quicker_than_asks_whose_version_counts(served: Served) -> None:
    sheet = fill_in(served.get("/export/review.csv").body, "csv", LAKE, "span")
    done(served.session, "bob", "ignore", LAKE)
    assert send_sheet(served, sheet).status == 409
    assert read_decisions(served.session.workspace)[LAKE].hierarchical_label is None
    assert send_sheet(served, sheet, "?prefer=mine").status == 200
    assert read_decisions(served.session.workspace)[LAKE].hierarchical_label == "span"


def send_sheet(served: Served, sheet: bytes, asked: str = "") -> Reply:
    """Sends a file as the page does."""
    return served.ask("POST", f"/imported{asked}", sheet, served.own)


def fill_in(sheet: bytes, kind: str, qid: str, name: str) -> bytes:
    """Returns a sheet in which a class is given a name; a new one is natural."""
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(sheet.decode("utf-8-sig"))))
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        answer = {"hierarchical_label": name}
        writer.writerows(row | (answer if row["class_qid"] == qid else {}) for row in rows)
        return text.getvalue().encode()
    book = load_workbook(io.BytesIO(sheet))
    page = book.worksheets[0]
    header = [cell.value for cell in page[1]]
    row = next(one for one in page.iter_rows(min_row=2) if one[0].value == qid)
    row[header.index("hierarchical_label")].value = name
    row[header.index("natural_or_human_made")].value = "natural"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
