"""The page of a search in a browser."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, troubles
from tests.worlds.pictures import drawing, encoded

HOSTILE = "<script src=http://evil.example/x.js></script>" + "Llanfairpwllgwyngyllgogerychwyrn" * 2


class _Index:
    origin = SimpleNamespace(split="index", source=HOSTILE, dimensions=64)

    def __len__(self) -> int:
        return 4


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of two searches, in which one picture is gone, and one has no labels."""
    from hgld.training.index.finding import FoundPicture, FoundPictures, PictureLabels
    from hgld.training.index.page import search_page

    folder = tmp_path_factory.mktemp("found")
    here = folder / "picture.jpg"
    here.write_bytes(encoded(drawing(), "JPEG"))
    labels = PictureLabels(names=(HOSTILE, "church", "human-made"), landmark_id=7, split="index")
    found = tuple(
        FoundPicture(
            rank=rank,
            similarity=1 - rank / 10,
            image_id=f"i{rank}",
            file=folder / "gone.jpg" if rank == 2 else here,
            labels=None if rank == 3 else labels,
        )
        for rank in range(1, 5)
    )
    searches = [FoundPictures(query=here, query_labels=one, found=found) for one in (labels, None)]
    return search_page(_Index(), searches)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    html: str, opener: Opener, tmp_path: Path, size: dict[str, int], scheme: str
) -> None:
    file = tmp_path / "page.html"
    file.write_text(html, encoding="utf-8")
    page = opener(file.as_uri(), viewport=size, color_scheme=scheme, bypass_csp=True)
    texts = "h1, h2, header p, .query p, dt, dd, figcaption p, .no-picture"
    assert troubles(page, whole=texts, columns=texts) == {}
    unseen = "() => [...document.images].filter((one) => !one.naturalWidth).length"
    assert page.evaluate(unseen) == 0
    assert page.locator(".no-picture").count() == 2
