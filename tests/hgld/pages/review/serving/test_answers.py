import json
import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import DECISIONS_FILE, read_decisions, read_log
from hgld.tables import IMAGE_FILES
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import Served, done, look, serve_session, token_of
from tests.worlds.builders import picture_row, table_of, write_metadata, write_stage
from tests.worlds.pictures import encoded

LAKE, TARN, SITE, WATERFALL, SCRIPT = "Q23397", "Q200005", "Q9259", "Q34038", "Q200010"


def shown(text: str, name: str) -> str:
    """Returns a datum of the page."""
    match = re.search(rf'data-{name}="([^"]*)"', text)
    assert match is not None
    return match[1]


def test_the_page_shows_the_first_group_and_an_action_goes_on_to_the_next(served: Served) -> None:
    page = served.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert token_of(page.text) == served.guard.token
    assert shown(page.text, "group") == "c0"
    qids = re.findall(r'id="m-(Q\d+)"', page.text)
    assert WATERFALL in qids
    after = served.act("accept", qids, g="c0", go="next", seen=shown(page.text, "line"), scored="0")
    assert after.status == 200
    assert "Accepted 5 classes (21 landmarks)" in after.text
    assert (shown(after.text, "group"), shown(after.text, "line")) == ("c2", "1")
    assert set(read_decisions(served.session.workspace)) == set(qids)
    (event,) = read_log(served.session.workspace).events
    assert event.reviewer == "ann"


def test_undo_redo_revert_and_jump_show_the_group_that_they_are_about(served: Served) -> None:
    served.act("ignore", [SITE])
    for path in ("/undo", "/redo", "/revert/1", "/restore/1", "/jump/0"):
        answer = served.post(path, {"g": "c2", "seen": "1"})
        assert (answer.status, shown(answer.text, "group")) == (200, "c3")
    kinds = [event.event for event in served.session.events]
    assert kinds == ["ignore", "undo", "redo", "revert", "restore", "jump"]
    nothing = served.post("/jump/6", {"g": "c2"})
    assert (nothing.status, shown(nothing.text, "group")) == (200, "c2")
    assert served.get("/revert/1").status == 200
    assert served.post("/revert/99").status == 422
    assert served.post("/restore/99").status == 422
    assert served.post("/jump/99").status == 422
    assert served.post("/jump/9x").status == 422


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
    assert "span (human-made)" in answer.text
    answer = served.act("assign", [LAKE], label="casacde", side="natural", seen="1")
    assert answer.status == 422
    assert "did you mean" in answer.text
    served.cookies.clear()
    answer = served.act("accept", [TARN])
    assert answer.status == 422
    assert "say who you are first" in answer.text
    assert served.session.line == 1


def test_preview_writes_nothing(served: Served) -> None:
    answer = served.post("/preview", {"action": "ignore", "all": "1", "g": "c1"})
    assert answer.status == 200
    assert "Ignore 4 classes (19 landmarks)" in answer.text
    assert served.session.events == []
    assert not served.session.workspace.path(DECISIONS_FILE).exists()


def test_a_name_is_kept_in_a_cookie_that_scripts_and_other_sites_do_not_get(
    served: Served,
) -> None:
    answer = served.post("/name", {"name": "  Zoë  van der Berg; "})
    assert answer.status == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    served.cookies = {"reviewer": cookie.partition(";")[0].partition("=")[2]}
    served.act("ignore", [SITE])
    assert served.session.events[-1].reviewer == "Zoë van der Berg;"
    assert served.post("/name", {"name": " "}).status == 422
    assert served.post("/name", {"name": "a" * 81}).status == 422
    served.cookies = {"reviewer": "%00%0a"}
    assert served.act("ignore", [LAKE]).status == 422


def test_everything_that_can_be_read_is_answered(served: Served) -> None:
    done(served.session, "ann", "ignore", SITE)
    for path, text in {
        "/bench?g=c1": "mountain lake",
        "/bench?g=c1&sort=1&show=open&rows=1": 'data-group="c1"',
        "/history": "ignored heritage site",
        "/history?only=mine&before=9": "ignored heritage site",
        "/revert/1": "ignored heritage site",
        "/search?q=site+noel+36": "Site Noël 36",
        f"/similar?qid={LAKE}&least=0.3": "salt lake",
        f"/similar?qid={LAKE}&least=nan": "",
        "/map": "canvas",
    }.items():
        answer = served.get(path)
        assert answer.status == 200, path
        assert text in answer.text, path
        assert answer.headers["cache-control"] == "no-store"
    for path in ("/map.json", "/labels.json", "/progress.json"):
        answer = served.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert json.loads(answer.text)
    (point,) = json.loads(served.get("/progress.json").text)
    assert point[1:] == [1, 12]
    for path in ("/bench?show=none", "/bench?rows=x", "/history?only=x", "/similar?qid=Q1"):
        assert served.get(path).status == 422, path


def test_seen_marks_what_others_did(served: Served) -> None:
    done(served.session, "bob", "ignore", SITE)
    assert look(served.session, "ann").unseen == 1
    assert served.post("/seen").status == 204
    assert look(served.session, "ann").unseen == 0


def test_static_files_have_an_address_of_their_content_and_are_kept_for_ever(
    served: Served,
) -> None:
    from hgld.pages.serving.templates import static_version

    error = served.get("/nothing").text
    assert "there is no such page" in error
    folder = Path(served.session.workspace.root.parent.parent) / "static"
    answer = served.get(f"/static/{static_version(folder)}/page.css")
    assert (answer.status, answer.text) == (200, "p { color: red }")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert served.get("/static/0/page.css").status == 404
    before = static_version(folder)
    (folder / "page.css").write_text("p { color: blue }")
    assert static_version(folder) != before
    assert served.get(f"/static/{static_version(folder)}/page.css").status == 404


def test_a_damaged_log_is_told_on_the_page(served: Served) -> None:
    served.act("ignore", [SITE])
    served.act("ignore", [LAKE])
    log = served.session.workspace.path(DECISIONS_FILE)
    log.write_bytes(log.read_bytes().replace(b"heritage", b"herbage!")[:-4])
    for answer in (served.get("/"), served.act("ignore", [TARN])):
        assert answer.status == 500
        assert "restores it" in answer.text
    assert len(log.read_bytes().splitlines()) == 2


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


def test_thumbnails_are_of_different_landmarks_and_name_their_author(
    build: Workspace, opener: Opener, tmp_path: Path
) -> None:
    from PIL import Image

    ids = write_pictures(build, tmp_path)
    session = opener(build)
    view = look(session, "ann", "c0").view
    assert view is not None
    assert sorted(one.image_id for one in view.thumbnails) == ids
    first = next(one for one in view.thumbnails if one.image_id == ids[0])
    assert (first.author, first.licence, first.source_url) == (
        *("Ann, B.", "CC-BY-SA-4.0"),
        "https://x/1",
    )
    assert first.landmark.name == "Site Noël 1"
    with serve_session(session, tmp_path) as served:
        answer = served.get(f"/picture/{ids[0]}")
        assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
        again = served.get(f"/picture/{ids[0]}", **{"If-None-Match": answer.headers["etag"]})
        assert (again.status, again.text) == (304, "")
        assert served.get(f"/picture/{ids[2]}").status == 404  # a link that leads out
        for name in ("d" * 16, "..%2f..%2foutside.jpg", "../outside.jpg", "%00"):
            assert served.get(f"/picture/{name}").status == 404, name
    small = session.browsing.picture(ids[0])
    assert small is not None
    path = tmp_path / "small.jpg"
    path.write_bytes(small.content)
    with Image.open(path) as image:
        assert image.size == (240, 120)


def test_a_picture_with_other_bytes_is_not_shown(
    build: Workspace, opener: Opener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ids = write_pictures(build, tmp_path)
    session = opener(build)
    build.path(f"images/train/{ids[0]}.jpg").write_bytes(b"other")
    assert session.browsing.picture(ids[0]) is None
    assert "has other bytes" in caplog.text


def test_labels_that_are_scripts_are_text_everywhere(served: Served) -> None:
    bad = "<img src=x onerror=alert(1)>\"'"
    served.act("assign", [SCRIPT], label=bad, side="natural")
    served.act("comment", [SCRIPT], why=f"{bad}</script><script>alert(2)</script>")
    answers = [
        served.get("/"),
        served.get("/bench?g=c3"),
        served.get("/bench?g=c3&q=%3Cscript%3Ealert(3)%3C/script%3E"),
        served.get("/history"),
        served.get("/search?q=%3Cscript%3E"),
        served.get(f"/similar?qid={LAKE}&least=-1"),
        served.get("/revert/1"),
        served.act("assign", [SCRIPT], label="<script>alert(4)</script>"),
        served.post("/preview", {"action": "ignore", "qid": SCRIPT}),
        served.get("/bench?show=%3Cscript%3Ealert(5)%3C/script%3E"),
        served.get("/%3Cscript%3Ealert(6)%3C/script%3E"),
        served.act("<script>alert(7)</script>"),
    ]
    for answer in answers:
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
    assert "&lt;script&gt;alert(" in answers[1].text
    for path in ("/labels.json", "/map.json"):
        answer = served.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
