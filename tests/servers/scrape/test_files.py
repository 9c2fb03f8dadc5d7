"""Pictures of a category, from a real MediaWiki."""

from pathlib import Path

from PIL import Image

from hgld.engine.workspace import Workspace
from hgld.flows.fetched_pictures import FETCHED, PICTURES, fetch_pictures
from hgld.scrape.config import ScrapeConfig
from tests.servers.scrape.conftest import Key
from tests.worlds.pictures import encoded
from tests.worlds.wikimedia.lab import Lab, import_files


def test_some_files_of_a_large_category_are_fetched_in_one_batch(
    lab: Lab, key: Key, tmp_path: Path
) -> None:
    full, empty = [url for url, row in key.items() if row.status == "ok"][:2]
    drawn = (Image.new("RGB", (number, 9)) for number in range(1, 61))
    contents = {f"View {image.width}.jpg": encoded(image, "JPEG") for image in drawn}
    (tmp_path / "files").mkdir()
    for name, content in contents.items():
        (tmp_path / "files" / name).write_bytes(content)
    import_files(lab, tmp_path / "files", f"[[{key[full].title}]]")

    before, build = lab.requests(), Workspace(tmp_path / "build")
    config = ScrapeConfig(commons=lab.commons, sparql=lab.sparql)
    found, lost = fetch_pictures(build, config, [full, empty])
    # Where they lead, the files of each, and once more for one that has none.
    assert lab.requests() - before == 4
    assert len(found[full]) == PICTURES
    for one in found[full]:
        assert build.path(f"{FETCHED}/{one.name}").read_bytes() == contents[one.title]
    assert [*lost] == [empty]
