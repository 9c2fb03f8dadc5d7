import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.training.index.finding import FoundPictures, search_pictures
from hgld.training.index.folder import EmbeddedIndex, read_embedded_index
from hgld.training.index.listing import PictureSource
from hgld.training.index.making import make_index
from hgld.training.index.page import search_page
from tests.training.index.conftest import QUICK
from tests.worlds.benchmark_builds import HOSTILE, LANDMARKS, write_build

Shown = tuple[EmbeddedIndex, list[FoundPictures]]


@pytest.fixture
def shown(workspace: Workspace, run: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Two searches in a build one of whose super-categories is an attack; one picture is gone."""
    monkeypatch.setitem(LANDMARKS, 21, (HOSTILE, "human-made", LANDMARKS[21][2]))
    write_build(workspace)
    source = PictureSource(folder=workspace.root, split="index")
    make_index(run, source, workspace.path("index"), QUICK)
    index = read_embedded_index(workspace.path("index"))
    workspace.path("images/index/i1100.jpg").unlink()
    queries = [workspace.path(f"images/test/{name}.jpg") for name in ("t2100", "t1101")]
    return index, search_pictures(index, queries, 12, run=run, root=workspace.root, device="cpu")


def test_the_page_shows_every_picture_in_order_and_asks_nobody(shown: Shown) -> None:
    text = search_page(*shown)
    ranks = [int(rank) for rank in re.findall(r'class="rank"><b>(\d+)</b>', text)]
    assert ranks == [*range(1, 13), *range(1, 13)]
    assert text.count("data:image/jpeg;base64,") == 2 + 2 * 11
    assert text.count("no such file or directory</div>") == 2
    assert text.index("t2100.jpg") < text.index("t1101.jpg")
    assert "same landmark" in text
    addresses = re.findall(r'(?:src|href|srcset)="([^"]*)', text)
    assert {one.partition(",")[0] for one in addresses} == {"data:image/jpeg;base64"}


def test_names_are_escaped(shown: Shown) -> None:
    text = search_page(*shown)
    assert "<script" not in text
    assert "&lt;script src=http://evil.example/x.js&gt;" in text
