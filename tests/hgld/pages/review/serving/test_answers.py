import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.pages.review.session import ReviewSession
from hgld.review.log.decisions import DECISIONS_FILE, read_decisions
from hgld.tables import IMAGE_FILES
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, done, look, open_page, shown, view_of
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.pictures import encoded
from tests.worlds.review.guesses import WorldGuess, write_guesses
from tests.worlds.review.lists import CASCADES, write_small_review

LAKE, TARN, SITE, WATERFALL = "Q23397", "Q200005", "Q9259", "Q34038"


def members(text: str) -> list[str]:
    """Returns the classes that a page shows."""
    return re.findall(r'id="m-(Q\d+)"', text)


def test_the_page_shows_the_first_group_and_an_action_goes_on_to_the_next(served: Served) -> None:
    page = served.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert served.guard.token in page.text
    assert shown(page.text, "group") == "c0"
    qids = members(page.text)
    assert WATERFALL in qids
    after = served.act("accept", qids, g="c0", go="next", seen=shown(page.text, "line"), scored="0")
    assert after.status == 200
    assert (shown(after.text, "group"), shown(after.text, "line")) == ("c2", "1")
    assert set(read_decisions(served.session.workspace)) == set(qids)
    assert served.session.events[-1].reviewer == "ann"


def test_undo_redo_revert_and_jump_show_the_group_that_they_are_about(served: Served) -> None:
    served.act("ignore", [SITE])
    for path in ("/undo", "/redo", "/revert/1", "/restore/1", "/jump/0"):
        answer = served.post(path, {"g": "c2", "seen": "1"})
        assert (answer.status, shown(answer.text, "group")) == (200, "c3")
    kinds = [event.event for event in served.session.events]
    assert kinds == ["ignore", "undo", "redo", "revert", "restore", "jump"]
    nothing = served.post("/jump/6", {"g": "c2"})
    assert (nothing.status, shown(nothing.text, "group")) == (200, "c2")
    for path in ("/revert/99", "/restore/99", "/jump/99", "/jump/9x"):
        assert served.post(path).status == 422, path


def test_without_a_group_that_matches_the_first_open_one_is_shown(served: Served) -> None:
    done(served.session, "ann", "accept", all="1", g="c0")
    assert shown(served.get("/").text, "group") == "c2"
    assert shown(served.get("/?g=c0").text, "group") == "c0"
    assert shown(served.get("/?g=c0&q=mountain").text, "group") == "c1"
    assert shown(served.get("/?g=c0&q=nothing+at+all").text, "group") == ""


def test_a_conflict_is_409_and_a_refusal_422_and_nothing_is_written(served: Served) -> None:
    done(served.session, "bob", "assign", LAKE, label="span")
    answer = served.act("ignore", [LAKE], seen="0")
    assert answer.status == 409
    assert "bob" in answer.text
    answer = served.act("assign", [LAKE], label="casacde", side="natural", seen="1")
    assert answer.status == 422
    assert "cascade" in answer.text
    served.cookies.clear()
    assert served.act("accept", [TARN]).status == 422  # nobody has said who they are
    assert served.session.line == 1


def test_preview_writes_nothing(served: Served) -> None:
    answer = served.post("/preview", {"action": "ignore", "all": "1", "g": "c1"})
    assert answer.status == 200
    assert "4 classes (19 landmarks)" in answer.text
    assert not served.session.workspace.path(DECISIONS_FILE).exists()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Zoë  van der Berg; ", "Zoë van der Berg;"),
        # Persian and Hindi are written with joiners.
        ("\u0645\u06cc\u0644\u0627\u062f\u200c\u067e\u0648\u0631", None),
        ("\u0936\u094d\u0930\u0940\u200d\u092e\u0924\u0940", None),
    ],
)
def test_a_name_is_kept_in_a_cookie_that_scripts_and_other_sites_do_not_get(
    served: Served, typed: str, kept: str | None
) -> None:
    answer = served.post("/name", {"name": typed})
    assert answer.status == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    served.cookies = {"reviewer": cookie.partition(";")[0].partition("=")[2]}
    served.act("ignore", [SITE])
    assert served.session.events[-1].reviewer == (kept or typed)


def test_what_is_no_name_is_refused(served: Served) -> None:
    for name in (" ", "a" * 81, "bob\u202e", "\u200d"):
        assert served.post("/name", {"name": name}).status == 422, name
    served.cookies = {"reviewer": "%00%0a"}
    assert served.act("ignore", [LAKE]).status == 422
    assert served.session.events == []


def test_everything_that_can_be_read_is_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.pages.review.showing.browsing.run_map", lambda _: None)
    done(served.session, "ann", "ignore", SITE)
    for path, text in {
        "/bench?g=c1": "mountain lake",
        "/bench?g=c1&sort=1&show=open&rows=1": "lake",
        "/history": "heritage site",
        "/history?only=mine&before=9": "heritage site",
        "/revert/1": "heritage site",
        "/search?q=site+noel+36": "Site Noël 36",
        f"/similar?qid={LAKE}&least=0.3": "salt lake",
        f"/similar?qid={LAKE}&least=nan": "",
        "/map": "canvas",
    }.items():
        answer = served.get(path)
        assert answer.status == 200, path
        assert text in answer.text, path
        assert served.ask("HEAD", path).status == 200, path
    for path in ("/map.json", "/labels.json", "/progress.json"):
        answer = served.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.text)
    for path in ("/bench?show=none", "/bench?rows=x", "/history?only=x", "/similar?qid=Q1"):
        assert served.get(path).status == 422, path


def test_seen_marks_what_others_did(served: Served) -> None:
    done(served.session, "bob", "ignore", SITE)
    assert look(served.session, "ann").unseen == 1
    assert served.post("/seen").status == 204
    assert look(served.session, "ann").unseen == 0


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


def write_pictures(workspace: Workspace, root: Path) -> list[str]:
    """Writes a picture of three landmarks, and one that is a link out of the build."""
    from PIL import Image

    ids = ["a" * 16, "b" * 16, "c" * 16]
    images, files = [], []
    for number, image_id in enumerate(ids, 1):
        relative = f"images/train/{image_id}.jpg"
        path = workspace.path(relative)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = encoded(Image.new("RGB", (640, 320), (40 * number, 90, 200)), "JPEG")
        if number == 3:
            (root / "outside.jpg").write_bytes(content)
            path.symlink_to(root / "outside.jpg")
        else:
            path.write_bytes(content)
        files.append(picture_row(workspace, image_id, relative))
        images.append(
            {"split": "train", "image_id": image_id, "landmark_id": number, "in_clean": True}
        )
    landmarks = [{"split": "train", "landmark_id": 1, "category": ""}]
    attributions = [
        {"image_id": ids[0], "url": "https://x/1", "author": "Ann, B.", "license": "CC BY-SA 4.0"},
        {"image_id": "d" * 16, "url": "https://x/2", "author": "Bob", "license": "CC0"},
    ]
    write_metadata(workspace, landmarks, images, attributions)
    write_stage(workspace, [(IMAGE_FILES["train"], table_of(IMAGE_FILES["train"], files))])
    return ids


def test_thumbnails_are_of_different_landmarks_name_their_author_and_never_lead_out(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    ids = write_pictures(build, tmp_path)
    session = opener(build)
    thumbnails = {one.image_id: one for one in view_of(session, "c0").thumbnails}
    assert sorted(thumbnails) == ids
    first = thumbnails[ids[0]]
    assert (first.author, first.licence, first.source_url) == (
        *("Ann, B.", "CC-BY-SA-4.0"),
        "https://x/1",
    )
    assert first.landmark.name == "Site Noël 1"
    served = open_page(session, tmp_path)
    answer = served.get(f"/picture/{ids[0]}")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    again = served.get(f"/picture/{ids[0]}", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    build.path(f"images/train/{ids[1]}.jpg").write_bytes(b"other")
    for name in (*ids[1:], "d" * 16, "..%2f..%2foutside.jpg", "../outside.jpg", "%00"):
        assert served.get(f"/picture/{name}").status == 404, name


EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{'z'*9}}</textarea></template>"
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Elements(HTMLParser):
    """Fails where a page has an element or an attribute that a text has brought in."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert len(found) == len(attrs), f"<{tag}> has an attribute twice"
        assert not [key for key in found if key.startswith("on") or key == "style"], tag
        assert tag != "script" or (found.get("src") or "").startswith("/static/")
        assert tag != "img" or (found["src"] or "").startswith(("/picture/", "data:"))
        assert not (found.get("href") or "").lower().startswith("javascript:")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes something else"


@pytest.fixture
def hostile(tmp_path: Path, opener: Opener) -> ReviewSession:
    """The review of a build whose labels and guesses are attacks."""
    classes = [(qid, f"{label} {EVIL}", count, group) for qid, label, count, group in CASCADES]
    build = write_small_review(tmp_path / "hostile/build", classes)
    write_guesses(build, [WorldGuess(f"Kirche {EVIL}", EVIL, "human-made", 0.9, (EVIL,))])
    return opener(build)


def test_names_that_are_attacks_are_text_on_every_page(
    hostile: ReviewSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hgld.pages.review.showing.browsing.run_map", lambda _: None)
    served = open_page(hostile, tmp_path)
    served.cookies = {"reviewer": "eve%20%3Cscript%3Ealert(1)%3C/script%3E"}
    answers = [
        served.act("assign", [LAKE], label=EVIL, side="natural", sure="1", why=EVIL),
        served.act("comment", [LAKE], why=EVIL),
        served.act("doubt", [TARN], why=EVIL),
        served.act("split", [TARN, LAKE], g="c1"),
        served.act("assign", [WATERFALL], label=f"{EVIL}x", side="natural"),  # refused as a typo
        served.act("assign", [WATERFALL], label=f"<{EVIL}", side="human-made", sure="1"),
        served.act("rename", label=EVIL, to=f"{EVIL} y"),
        served.act("<script>alert(1)</script>"),
        served.post("/preview", {"action": "ignore", "all": "1", "g": "c0"}),
        served.get("/second"),
        served.get("/second/report"),
    ]
    number = str(served.session.line)
    answers += [served.get(f"/revert/{number}"), served.get("/history"), served.get("/fills")]
    served.cookies = {"reviewer": "ann"}
    answers += [
        served.act("ignore", [WATERFALL, LAKE], seen="0"),  # a conflict
        served.post("/second/start", {"of": "eve <script>alert(1)</script>", "size": "2"}),
        served.get("/second"),
        served.post("/second/answer", {"qid": LAKE, "kind": "name", "label": f"{EVIL}{EVIL}"}),
        served.get("/second/report?open=1"),
        served.get("/fills?name=%3Cscript%3E"),
        served.get("/search?q=%3Cscript%3E"),
        served.get(f"/similar?qid={LAKE}&least=-1"),
        served.get("/bench?q=%3Cscript%3Ealert(3)%3C/script%3E"),
        served.get("/bench?show=%3Cscript%3Ealert(5)%3C/script%3E"),
        served.get("/%3Cscript%3Ealert(6)%3C/script%3E"),
        *(served.get(f"/?g={row.group}") for row in look(hostile).groups),
    ]
    assert {200, 404, 409, 422} == {answer.status for answer in answers}
    for answer in answers:
        Elements(answer.text)
        assert "<script>alert" not in answer.text
        assert "zzzzzzzzz" not in answer.text
    assert sum("&lt;script&gt;" in answer.text for answer in answers) > 20
    for path in ("/labels.json", "/map.json"):
        answer = served.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
